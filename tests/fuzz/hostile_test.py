"""hostile_test.py POSWEEP MAKE_FIXTURE FUZZ_RESULTS [all]: results files with a hostile author.

Each edit is made with h5py to a copy of a sound file, which then gets a new seal, so that only
what stands behind the seal can find it. `check` and `show` must end in 65 and a message: never in
a signal, never in silence, and never with bytes of another file. Commands that do not read all of
a file may not notice; they must not fall over it either. Each sealed edit meets `check`, one of
`show` and `compare`, and one of the other commands, and each edit without a seal one of the three:
the edits in turn; with a last argument `all` (nightly) each edit meets all of them."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from skip import skip  # noqa: E402

try:
    import h5py
    import numpy
except ImportError:
    skip("no Python with h5py")

posweep, make_fixture, fuzz_results = sys.argv[1:4]
SECRET = "the secret of another file"
# What reads a part of the file, or a part of it that others do not.
OTHERS = (("why", "00000000000000a1"), ("export", "--what", "runs"), ("export", "--what", "tokens"),
          ("claims",), ("judge", "--verdicts", "/dev/null"), ("rescore", "-O", "dpo"), ("influence",))


def replace(f, name, *args, **kwargs):
    """Put another dataset in place of one, with its attributes."""
    attrs = {k: v for k, v in f[name].attrs.items() if k not in ("DIMENSION_LIST", "REFERENCE_LIST")}
    del f[name]
    new = f.create_dataset(name, *args, **kwargs)
    for key, value in attrs.items():
        new.attrs[key] = value
    return new


def external_storage(f, folder):
    n = f["score"].size
    secret = os.path.join(folder, "secret")
    with open(secret, "wb") as out:
        out.write((SECRET * 10).encode()[:8 * n])
    space = h5py.h5s.create_simple((n,))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_external(secret.encode(), 0, 8 * n)
    del f["score"]
    h5py.h5d.create(f.id, b"score", h5py.h5t.IEEE_F64LE, space, dcpl=plist)
    f["score"].attrs["long_name"] = "x"


def virtual_dataset(f, folder):
    other = os.path.join(folder, "other.h5")
    with h5py.File(other, "w") as o:
        o["x"] = numpy.arange(6.0)
    layout = h5py.VirtualLayout(shape=(6,), dtype="f8")
    layout[:] = h5py.VirtualSource(other, "x", shape=(6,))
    del f["score"]
    f.create_virtual_dataset("score", layout)


def external_link(f, folder):
    other = os.path.join(folder, "linked.h5")
    with h5py.File(other, "w") as o:
        o["score"] = numpy.arange(6.0)
    del f["score"]
    f["score"] = h5py.ExternalLink(other, "/score")


def soft_link(f, folder):
    f.move("score", "hidden")
    f["score"] = h5py.SoftLink("/hidden")


def cycle_of_groups(f, folder):
    f["entry/again"] = f["entry"]


def many_references(f, folder):
    """What H5DSis_attached reads into room for three lists."""
    ref = h5py.special_dtype(ref=h5py.Reference)
    del f["G"].attrs["DIMENSION_LIST"]
    lists = numpy.empty(4000, dtype=h5py.special_dtype(vlen=ref))
    for i in range(4000):
        lists[i] = numpy.array([f["run"].ref] * 3, dtype=ref)
    f["G"].attrs.create("DIMENSION_LIST", lists, dtype=h5py.special_dtype(vlen=ref))


def long_version(f, folder):
    f.attrs["schema_version"] = numpy.full(5000, f.attrs["schema_version"][0])


def text_version(f, folder):
    f.attrs["schema_version"] = "2"


def one_value(name, index, value):
    def edit(f, folder):
        f[name][index] = value
    return edit


def without(path, attr=None):
    def edit(f, folder):
        if attr:
            del f[path].attrs[attr]
        else:
            del f[path]
    return edit


def shaped(name, shape, dtype="f8", **kwargs):
    def edit(f, folder):
        replace(f, name, shape=shape, dtype=dtype, **kwargs)
    return edit


EDITS = {
    "external storage": external_storage,
    "virtual dataset": virtual_dataset,
    "external link": external_link,
    "soft link": soft_link,
    "version of 5,000 numbers": long_version,
    "version as text": text_version,
    # out of bounds in the tables of `show` before shapes were held against the schema
    "status of three runs": shaped("status", (3,), "i1"),
    "status of no run": shaped("status", (0,), "i1"),
    "status in two dimensions": shaped("status", (6, 1), "i1"),
    "score of one run": shaped("score", (1,)),
    "score without dimension": shaped("score", ()),
    "score of a thousand million runs": shaped("score", (1 << 30,)),
    "score of more runs than there are bytes": shaped("score", (1 << 60,), chunks=(1 << 20,)),
    "score in large chunks": shaped("score", (6,), chunks=(6,), maxshape=(None,)),
    "score behind another filter": shaped("score", (6,), compression="lzf"),
    "score as text": shaped("score", (6,), "S8"),
    "score as a structure": shaped("score", (6,), [("a", "f8"), ("b", "i4")]),
    "step of one checkpoint": shaped("step", (6, 1), "i8"),
    "step unsigned": shaped("step", (6, 5), "u8"),
    "step as float": shaped("step", (6, 5), "f8"),
    "G of one component": shaped("G", (6, 5, 1)),
    "G in five dimensions": shaped("G", (6, 5, 4, 1, 1)),
    "G in single precision": shaped("G", (6, 5, 4), "f4"),
    "components as numbers": shaped("component", (4,), "i8"),
    "settings of no width": lambda f, folder: [
        replace(f, "config", (6, 0), "S1"), replace(f, "config_char", (0,), "i8")],
    "settings wider than told": lambda f, folder: replace(f, "config", (6, 9000), "S1"),
    "settings as texts": shaped("config", (6,), h5py.string_dtype()),
    "runs twice as many": shaped("run", (12,), h5py.string_dtype()),
    "no runs": shaped("run", (0,), h5py.string_dtype()),
    "setting of one run": shaped("policy_beta", (1,)),
    "setting as a structure": shaped("policy_beta", (6,), [("a", "f8")]),
    "G another value": one_value("G", (0, 0, 0), 7),
    "G a NaN": one_value("G", (0, 0, 0), numpy.nan),
    "score another value": one_value("score", 0, 3.0),
    "status another value": one_value("status", 0, 99),
    "variant another name": one_value("variant", 0, "flat"),
    "no status": without("status"),
    "no runs at all": without("run"),
    "no components": without("component"),
    "no steps": without("step"),
    "no hash of G": without("G", "content_hash"),
    "no hash of status": without("status", "content_hash"),
}

# Found by check; what show needs is as it was, so it may go on.
CHECK_ONLY = {
    "no hash of provenance": without("provenance/spec_text", "content_hash"),
    "cycle of groups": cycle_of_groups,
    "four thousand references": many_references,
    "one dataset less": without("win_rate"),
    "no provenance": without("provenance"),
    "no entry": without("entry"),
    "no units": without("G", "units"),
    "no scales": without("G", "DIMENSION_LIST"),
    "another group": lambda f, folder: f.create_group("more"),
    "another dataset": lambda f, folder: f.create_dataset("more", data=[1, 2]),
    "named type": lambda f, folder: f.__setitem__("more", numpy.dtype("f8")),
    "another spec": lambda f, folder: f["provenance/spec_text"].__setitem__((), "name: other"),
    "link in a group": lambda f, folder: f["entry"].__setitem__("x", h5py.SoftLink("/G")),
    "unit nat": lambda f, folder: f["G"].attrs.__setitem__("units", "nat"),
}


# What the defence against an edit says of a sealed file: its hash would betray most edits as well,
# but an author can renew hashes.
WORDS = {
    "external storage": "score: its values stand in another file",
    "virtual dataset": "score: is virtual",
    "external link": "score: a soft or external link",
    "soft link": "score: a soft or external link",
    "version as text": "schema version",
    "status of three runs": "status: extent 0 is 3, but there are 6 of run",
    "status of no run": "status: extent 0 is 0, but there are 6 of run",
    "status in two dimensions": "status: 2 dimensions, expected 1",
    "score of one run": "score: extent 0 is 1, but there are 6 of run",
    "score without dimension": "score: 0 dimensions, expected 1",
    "score of a thousand million runs": "score: is too large for a file of this size",
    "score of more runs than there are bytes": "score: is too large for a file of this size",
    "score behind another filter": "score: has a filter that we do not write",
    "score as text": "score: wrong type",
    "score as a structure": "score: wrong type",
    "step of one checkpoint": "step: extent 1 is 1, but there are 5 of checkpoint",
    "step unsigned": "step: wrong type",
    "step as float": "step: wrong type",
    "G of one component": "G: extent 2 is 1, but there are 4 of component",
    "G in five dimensions": "G: has a shape that we do not write",
    "G in single precision": "G: wrong type",
    "no runs": "win_rate: extent 0 is 6, but there are 0 of run",
    "setting of one run": "policy_beta: a swept setting must have one value per run",
    "setting as a structure": "policy_beta: wrong type",
    "cycle of groups": "groups deeper than we write",
    "four thousand references": "G: dimension 0 is not attached to run",
    "one dataset less": "43 datasets, but 44 were written",
    "no status": "status: missing",
    "another group": "more: not in the schema",
    "named type": "more: neither a group nor a dataset",
    "link in a group": "entry/x: a soft or external link",
    "two links of one name": "length: two datasets of this name",
}


def two_of_one_name(data):
    """Let the link of `length_sft` have the name of `length`, beside it: one dataset less, and as many links."""
    at = -1
    while (at := data.find(b"HEAP", at + 1)) >= 0:
        size, address = (int.from_bytes(data[at + i:at + i + 8], "little") for i in (8, 24))
        names = bytes(data[address:address + size])
        if b"\0length_sft\0" in names and b"\0length\0" in names:
            break
    old, new = ((names.index(b"\0" + x + b"\0") + 1).to_bytes(8, "little")
                for x in (b"length_sft", b"length"))
    at = -1
    while (at := data.find(b"SNOD", at + 1)) >= 0:
        for entry in range(int.from_bytes(data[at + 6:at + 8], "little")):
            place = at + 8 + 40 * entry
            if data[place:place + 8] == old:
                data[place:place + 8] = new
                return
    raise ValueError("no link of that name")


# Edits that h5py cannot make, of the bytes; for `check` alone.
BYTES = {"two links of one name": two_of_one_name}


EVERY = {**EDITS, **CHECK_ONLY, **BYTES}


def edit_bytes(edit, path):
    with open(path, "rb") as f:
        data = bytearray(f.read())
    edit(data)
    with open(path, "wb") as f:
        f.write(data)


def seal(*paths):
    subprocess.run([fuzz_results, "--seal", *paths], check=True)


def make_edited(sound, folder):
    """The paths of the edits, by their names: (as it is, with a new seal)."""
    paths = {}
    for i, (name, edit) in enumerate(EVERY.items()):
        paths[name] = path, path_sealed = [os.path.join(folder, f"{i}{x}.h5") for x in ("", "-sealed")]
        shutil.copyfile(sound, path)
        if name in BYTES:
            edit_bytes(edit, path)
        else:
            with h5py.File(path, "r+") as f:
                edit(f, folder)
        shutil.copyfile(path, path_sealed)
    seal(*(path_sealed for _, path_sealed in paths.values()))
    return paths


def run(command, path, *more):
    more = ["--baseline", "vanilla", "--trace"] if command == "compare" else more
    done = subprocess.run([posweep, command, path, *more], capture_output=True, text=True, timeout=120,
                          errors="replace")
    return done.returncode, done.stdout + done.stderr


def fault_of(name, command, path, more, fine):
    """What is wrong with how a command ends, or nothing."""
    code, text = run(command, path, *more)
    is_sealed = path.endswith("-sealed.h5")
    what = f"{name}, {'sealed' if is_sealed else 'no seal'}: {command} ends in {code}: {text[-300:]}"
    if code not in fine or not text or SECRET[:8] in text:
        return what
    if "ended in signal" in text or "CPU time" in text:
        return what
    if is_sealed and command == "check" and WORDS.get(name, "") not in text:
        return f"{name}: check never says '{WORDS[name]}': {text[-300:]}"
    return None


def ends_of(name, command):
    """The exit statuses that `check`, `show` and `compare` may have."""
    if command == "compare": # it does not read all, or finds no such variant
        return {0, 65, 78}
    return {65} if command == "check" or name in EDITS else {0, 65}


def faults_of(turn, name, path, path_sealed, in_turn):
    """What is wrong with how commands read an edit; in_turn: one of several, not all."""
    def some(commands):
        return commands[turn % len(commands):][:1] if in_turn else commands

    tries = [(c, path, (), ends_of(name, c)) for c in some(("check", "show", "compare"))]
    tries += [(c, path_sealed, (), ends_of(name, c)) for c in ("check", *some(("show", "compare")))]
    tries += [(c, path_sealed, more, {0, 65, 66}) for c, *more in some(OTHERS)]
    return [fault for try_ in tries if (fault := fault_of(name, *try_))]


def main():
    faults = [f"{name}: no such edit" for name in WORDS if name not in EVERY]
    with tempfile.TemporaryDirectory() as folder:
        sound, path = os.path.join(folder, "sound.h5"), os.path.join(folder, "edited.h5")
        subprocess.run([make_fixture, sound], check=True)
        for command in ("check", "show", "compare"):
            if run(command, sound)[0] != 0:
                faults.append(f"{command} refuses the sound file")
        # Opened for writing and sealed anew, but not edited: what follows is found by the edits.
        shutil.copyfile(sound, path)
        with h5py.File(path, "r+"):
            pass
        seal(path)
        if run("check", path)[0] != 0:
            faults.append("check refuses a sound file with a new seal")
        in_turn = sys.argv[4:] != ["all"]
        for turn, (name, paths) in enumerate(make_edited(sound, folder).items()):
            faults += faults_of(turn, name, *paths, in_turn)
    print("\n".join(faults) or f"{len(EVERY)} hostile edits, all found")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
