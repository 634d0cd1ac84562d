#!/usr/bin/python3
"""posweep export --replay: what it makes is, byte for byte, what a sweep that keeps its models would
have kept; a file that says anything else of the run is found out. With the argument `short`, for sanitizers,
only the first."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from program import posweep  # noqa: E402
from skip import skip  # noqa: E402

try:
    import h5py
    import numpy as np
except ImportError as missing:
    skip(str(missing))

SEAL = sys.argv[1]
IS_SHORT = "short" in sys.argv
SWEEP = """
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 30, batch: 16, lr: 1e-2}
  reward: {steps: 10, batch: 16}
  policy: {method: dpo, steps: 5, batch: 16, lr: 1e-2}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 16, samples: 8}
  trace: {every: 2, probe: 8, directions: on, cosine_every: 2, sketch: 16}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
  - set: {policy: {method: ppo, steps: 3}, rollout.max_new: 8, trace: {every: 1, cosine_every: 1}}
  - set: {policy: {lr: 1000, weight_decay: 1000}}
    variants: {wild: {}}
"""


def replay(path, run, *more, **how):
    return posweep("export", path, run, "--replay", *more, **how)


def same_folder(a, b):
    names = sorted(p.name for p in pathlib.Path(a).iterdir())
    assert "model.safetensors" in names and names == sorted(p.name for p in pathlib.Path(b).iterdir())
    for name in names:
        assert (pathlib.Path(a) / name).read_bytes() == (pathlib.Path(b) / name).read_bytes(), (a, name)


def check_same_as_kept():
    cases = [("dpo flat", [], 0), ("dpo vanilla", ["--step", "2"], 0), ("ppo vanilla", ["--stage", "reward"], 5)]
    for i, (run, more, ranks) in enumerate(cases):
        said = replay("x.h5", run, *more, "-o", f"again{i}/", ranks=ranks)
        assert "bit for bit" in said, said
        assert int(said.split("all ")[1].split(" values")[0]) > 300, said
        posweep("export", "kept.h5", run, *more, "-o", f"kept{i}")
        same_folder(f"again{i}", f"kept{i}")
        assert not os.path.exists(f"again{i}.replay")
    assert "nothing was trained" in replay("kept.h5", "dpo flat", "-o", "at_once")
    same_folder("at_once", "again0")


FILES = """
base:
  task: none
  data: {pairs: train.jsonl, heldout: test.jsonl, max_prompt: 40, max_response: 20}
  model: {layers: 1, width: 16, heads: 2, context: 64}
  sft: {steps: 4, batch: 8}
  policy: {method: dpo, steps: 2, batch: 8}
  final: {prompts: 8, max_new: 8}
  eval: {prompts: 0}
  trace: {every: 2, probe: 8}
"""


def pair(i):
    return {"prompt": f"\n\nHuman: say {i}\n\nAssistant:", "chosen": f" {i}", "rejected": " no"}


def check_relative_paths():
    """Files are where the sweep file is, wherever the results are."""
    folder = pathlib.Path("sub")
    folder.mkdir()
    for name, which in (("train", range(40)), ("test", range(40, 60))):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(pair(i)) + "\n" for i in which))
    (folder / "f.yaml").write_text(FILES)
    posweep("run", "sub/f.yaml", "-o", "f.h5", "-q")
    said = replay("f.h5", "dpo", "-o", "f", status=78)
    assert "--sweep-dir .: " in said and "data.pairs: there is no file" in said, said
    assert "bit for bit" in replay("f.h5", "dpo", "-o", "f", "--sweep-dir", "sub")


def claim(path, key, value):
    """The results file says another thing of the machine, and is sealed again."""
    with h5py.File(path, "r+") as f:
        f["provenance"].attrs[key] = np.bytes_(value)
    subprocess.run([SEAL, "--seal", path], check=True)


def check_found_out():
    """The reference backend has other bits; its replay is with it, unless the file says otherwise.
    What was trained stays, so that it need not be trained again."""
    posweep("run", "x.yaml", "-o", "ref.h5", "-q", "--set", "limits.backend=reference")
    assert "bit for bit" in replay("ref.h5", "dpo flat", "-o", "ref")
    claim("ref.h5", "backend", "cpu")
    said = replay("ref.h5", "dpo flat", "-o", "e", status=65)
    for words in ("is another one: ", "the final parameters are other ones", "--accept-changed-cpu"):
        assert words in said, said
    assert not os.path.exists("e") and os.path.exists("e.replay/replay.h5")
    assert "bit for bit" not in replay("ref.h5", "dpo flat", "-o", "e", "--accept-changed-cpu")
    same_folder("e", "again0")
    claim("ref.h5", "cpu", "Zilog Z80")
    said = replay("ref.h5", "dpo flat", "-o", "z80", status=78)
    assert "cpu (Zilog Z80 before, " in said and not os.path.exists("z80.replay"), said
    claim("x.h5", "cpu", "Zilog Z80")
    assert "bit for bit" in replay("x.h5", "dpo flat", "-o", "z80", "--accept-changed-cpu")


def check_refusals():
    for words, status, arguments in (
            ("multiples of 2 (trace.every) and at its end, 5", 78, ["x.h5", "dpo flat", "--step", "3", "-o", "n"]),
            ("has no reward model", 78, ["x.h5", "dpo flat", "--stage", "reward", "-o", "n"]),
            ("is not done", 78, ["x.h5", "wild", "-o", "n"]),
            ("is there already", 73, ["x.h5", "dpo vanilla", "-o", "again0"]),
            ("of which run?", 64, ["x.h5", "-o", "n"])):
        said = posweep("export", *arguments, "--replay", status=status)
        assert words in said, (words, said)
    assert "are of --replay" in posweep("export", "x.h5", "dpo flat", "-o", "n", "--sweep-dir", ".", status=64)
    assert "export --replay" in posweep("export", "x.h5", "dpo flat", "-o", "n", status=66)
    assert not os.path.exists("n") and not os.path.exists("n.replay")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        posweep("run", "x.yaml", "-o", "kept.h5", "-q", "--set", "limits.keep=checkpoints")
        check_same_as_kept()
        check_refusals()
        if not IS_SHORT:
            check_relative_paths()
            check_found_out()
        os.chdir("/")
    print("a replay is the run")


main()
