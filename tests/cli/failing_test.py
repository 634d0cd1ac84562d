#!/usr/bin/python3
"""failing_test.py [N]: each call on the files of a sweep, and each allocation, of posweep and HDF5
fails once (tests/support/failing.c), N of them chosen by a seed (default: all). A start that meets
the failure ends with a status of sysexits.h and says why, or goes on because it was harmless; never by
a signal, but where HDF5 itself falls over. The same command then ends with the file of an
undisturbed sweep. Environment: POSWEEP, POSWEEP_SOURCE, FAILING_LIB, FAIL_SEED (default 1), FAIL_ONLY (a case as it is printed),
FAIL_KIND (a regular expression of sites)."""
import errno
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

source = pathlib.Path(os.environ["POSWEEP_SOURCE"])
sys.path.insert(0, str(source / "tests/support"))
from skip import skip  # noqa: E402

try:
    import h5py  # noqa: F401 - asked for first, since compare_h5 ends the program without it
    import compare_h5
except ImportError:
    skip("no Python with h5py")

SYSEXITS = range(64, 79)
READS = {"read", "pread", "fread"}
WRITES = {"write", "pwrite"}


def start(folder, output, **fail):
    arguments = [os.environ["POSWEEP"], "run", str(source / "sweeps/smallest.yaml"), "-o", str(output),
                 "--set", "policy.steps=4", "--set", "trace.every=2", "--set", "limits.checkpoint_s=0.001"]
    more = {"LD_PRELOAD": os.environ["FAILING_LIB"], "FAIL_FOLDER": str(folder)} if fail else {}
    return subprocess.run(arguments, env={**os.environ, **more, **fail}, capture_output=True,
                          text=True, errors="replace", timeout=120)


def sites(folder):
    """[(site, how often it is passed)]: of a start from nothing and of one that goes on."""
    log = folder / "sites"
    for output in ("first.h5", "first.h5"):
        done = start(folder, folder / output, FAIL_LOG=str(log))
        assert done.returncode == 0, done.stderr
    found = {}
    for line in log.read_text().splitlines():
        site, n = line.split()
        found[site] = max(int(n), found.get(site, 0))
    return sorted(found.items())


def cases(found):
    """(site, which of its calls, errno, whether all files' calls after it fail, too)."""
    for site, n in found:
        kind = site.split("@")[0]
        # All of HDF5's allocations pass few sites.
        places = 12 if "alloc" in kind and n > 100 else 2
        for nth in sorted({1 + (n - 1) * i // (places - 1) for i in range(places)}):
            if "alloc" in kind:
                yield site, nth, errno.ENOMEM, 0
                continue
            yield site, nth, errno.EIO, 0
            if kind not in READS:
                yield site, nth, errno.ENOSPC, 1
            if kind in WRITES:
                yield site, nth, 0, 0


def why_bad(folder, case):
    """What is wrong about how this failure went, or None."""
    site, nth, number, sticky = case
    place = folder / "case"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    output = place / "x.h5"
    fail = {"FAIL_SITE": site, "FAIL_NTH": str(nth), "FAIL_ERRNO": str(number)}
    done = start(place, output, **fail, **({"FAIL_ALL": "1"} if sticky else {}))
    # Without memory HDF5 1.10.8 follows null pointers of its own (H5CX_pop, H5T_close), or ends the
    # process by exit(-1) (H5I_register): what counts is what is left.
    by_hdf5 = (done.returncode < 0 or done.returncode == 255) and "alloc@hdf5" in site
    if done.returncode != 0 and done.returncode not in SYSEXITS and not by_hdf5:
        return f"ended with {done.returncode}: {done.stderr[-600:]}"
    said = [line for line in done.stderr.splitlines() if line.startswith("posweep: ")]
    if done.returncode != 0 and not said and not by_hdf5:
        return f"ended with {done.returncode} and no reason: {done.stderr[-600:]}"
    if done.returncode != 0 and "alloc" not in site and not any(str(place) in line for line in said):
        return f"ended with {done.returncode} and names no file: {done.stderr[-600:]}"
    if done.returncode != 0 and "alloc@posweep" in site and not any("memory" in line for line in said):
        return f"ended with {done.returncode} and does not speak of memory: {done.stderr[-600:]}"
    if done.returncode == 0 and (bad := compare_h5.differences(folder / "first.h5", output)):
        return f"ended with 0 and another file: {bad}"
    again = start(place, output)
    if again.returncode != 0:
        return f"the next start ended with {again.returncode}: {again.stderr[-600:]}"
    if bad := compare_h5.differences(folder / "first.h5", output):
        return f"the next start ended with another file: {bad}"
    return None


def main():
    seed = int(os.environ.get("FAIL_SEED", "1"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posweep-failing."))
    found = sites(folder)
    chosen = list(cases(found))
    n_all = len(chosen)
    if "FAIL_ONLY" in os.environ:
        chosen = [c for c in chosen if str(c) == os.environ["FAIL_ONLY"]]
    elif "FAIL_KIND" in os.environ:
        chosen = [c for c in chosen if re.search(os.environ["FAIL_KIND"], c[0])]
    elif len(sys.argv) > 1:
        chosen = random.Random(seed).sample(chosen, min(int(sys.argv[1]), n_all))
    n_bad = 0
    for case in chosen:
        bad = why_bad(folder, case)
        if bad:
            n_bad += 1
            print(f"FAILED: {case}: {bad}", flush=True)
    print(f"seed {seed}: {len(chosen)} of {n_all} failures at {len(found)} sites, {n_bad} bad")
    if not n_bad:
        shutil.rmtree(folder)
    sys.exit(1 if n_bad or not chosen else 0)


main()
