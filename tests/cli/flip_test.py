#!/usr/bin/python3
"""flip_test.py [N]: N times (default 40) one bit of a file of an interrupted sweep is turned over, or the
file cut: its journal, its work folder's checkpoint, weights, reference, owner. The next start notices and
computes again, or refuses with a message that names the file; never by a signal, and never with another
number than the undisturbed sweep's. Headers are hit as often as all the rest. Environment: POSWEEP,
POSWEEP_SOURCE, FLIP_SEED (default 1)."""
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

source = pathlib.Path(os.environ["POSWEEP_SOURCE"])
sys.path.insert(0, str(source / "tests/support"))
from skip import skip  # noqa: E402

try:
    import h5py  # noqa: F401 - asked for first, since compare_h5 ends the program without it
    import compare_h5
except ImportError:
    skip("no Python with h5py")

COMMAND = [os.environ["POSWEEP"], "run", str(source / "sweeps/smallest.yaml"), "-o", "x.h5",
           "--set", "policy.steps=60", "--set", "trace.every=20", "--set", "trace.cosine_every=0",
           "--set", "limits.checkpoint_s=0.001", "--set", "limits.max_attempts=1000"]
HEADER_BYTES = 64


def start(folder):
    return subprocess.run(COMMAND, cwd=folder, capture_output=True, text=True, errors="replace",
                          timeout=120)


def interrupt(folder):
    """Kill a start as soon as it has saved a policy, so that everything a sweep keeps is there."""
    folder.mkdir()
    job = subprocess.Popen(COMMAND, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not list(folder.glob("x.h5.work/*/resume.state")):
        assert job.poll() is None and time.monotonic() < until, "the sweep ended before it was stopped"
        time.sleep(0.0005)
    job.kill()
    job.wait()


def files_of(folder):
    """What the next start reads; the dead start's lock among them."""
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")
                  if p.is_file() and p.stat().st_size > 0 and "run-logs" not in p.parts)


def damage(path, rng):
    data = bytearray(path.read_bytes())
    if rng.random() < 0.2:
        n = rng.randrange(len(data))
        path.write_bytes(data[:n])
        return f"cut to {n} of {len(data)} bytes"
    end = len(data) if rng.random() < 0.5 else min(HEADER_BYTES, len(data))
    at, bit = rng.randrange(end), rng.randrange(8)
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at} of {len(data)}"


def why_bad(good, case, name):
    """What is wrong about the start after the damage, or None; and whether it refused."""
    done = start(case)
    if done.returncode == 0:
        bad = compare_h5.differences(good / "x.h5", case / "x.h5")
        return (f"another file: {bad}" if bad else None), 0
    if done.returncode not in range(64, 79):
        return f"ended with {done.returncode}: {done.stderr[-500:]}", 0
    said = [line for line in done.stderr.splitlines() if line.startswith("posweep: ")]
    if not any(name.split("/")[0] in line for line in said):
        return f"refused, but does not name the file: {done.stderr[-500:]}", 1
    return None, 1


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    seed = int(os.environ.get("FLIP_SEED", "1"))
    rng = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posweep-flip."))
    good, begun, case = folder / "good", folder / "begun", folder / "case"
    good.mkdir()
    assert start(good).returncode == 0
    interrupt(case)  # a work folder belongs to the output that it was made for
    shutil.copytree(case, begun)
    names = files_of(begun)
    assert any("state" in name for name in names) and "x.h5.journal" in names, names
    n_bad = n_refused = 0
    for i in range(n):
        name = names[i % len(names)]
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(begun, case)
        what = damage(case / name, rng)
        bad, refused = why_bad(good, case, name)
        n_refused += refused
        if bad:
            n_bad += 1
            print(f"FAILED: {name}, {what}: {bad}", flush=True)
    print(f"seed {seed}: {n} damages to {len(names)} files ({', '.join(names)}): {n_refused} refused, "
          f"the others computed again or harmless, {n_bad} bad")
    shutil.rmtree(folder)
    sys.exit(1 if n_bad else 0)


main()
