#!/usr/bin/python3
"""flip_test.py [N [SWEEP...]]: N times (default 40) one bit of a file of an interrupted sweep is turned over,
or the file cut: its journal, its work folder's checkpoint, weights, reference, owner. The next start notices
and computes again, or refuses with a message that names the file; never by a signal, and never with another
number than the undisturbed sweep's. Headers are hit as often as all the rest. SWEEP: pairs (default), reward
(with a reward model and a critic), index (with the index of a large data file); N for each. Environment:
POSWEEP, POSWEEP_SOURCE, FLIP_SEED (default 1)."""
import json
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
REWARD = """
name: reward
seeds: [1]
base:
  task: lists
  lists: {sft: 64, pairs: 32}
  model: {layers: 1, width: 16, heads: 2, context: 48}
  sft: {steps: 4, batch: 8}
  reward: {source: model, steps: 4, batch: 8}
  policy: {method: ppo, steps: 30, batch: 8}
  rollout: {max_new: 8}
  final: {prompts: 4, max_new: 8}
  eval: {prompts: 4}
  trace: {every: 10, probe: 8, cosine_every: 0}
limits: {checkpoint_s: 0.001, max_attempts: 1000}
"""
INDEX = """
name: index
seeds: [1]
base:
  task: none
  model: {layers: 1, width: 16, heads: 2, context: 48}
  sft: {steps: 4, batch: 8}
  policy: {method: dpo, steps: 60, batch: 8}
  final: {prompts: 4, max_new: 8}
  eval: {prompts: 4, pairs: 8}
  trace: {every: 20, probe: 8}
  data: {pairs: pairs.jsonl, max_prompt: 16, max_response: 16, limit: 200}
limits: {checkpoint_s: 0.001, max_attempts: 1000}
"""


def write_pairs(path):
    """Few rows, long texts that are cut short: as large as an index takes, quick to train on."""
    with open(path, "w", encoding="utf-8") as out:
        for i in range(2000):
            text = f" no {i}" + " and so on" * 500
            out.write(json.dumps({"prompt": f"{i} or not?", "chosen": " yes" + text,
                                  "rejected": text}) + "\n")


def command_of(sweep, folder):
    """The start of a sweep, whose files it puts into the folder."""
    if sweep == "pairs":
        return COMMAND
    path = folder / f"{sweep}.yaml"
    path.write_text({"reward": REWARD, "index": INDEX}[sweep])
    if sweep == "index":
        write_pairs(folder / "pairs.jsonl")
    return [os.environ["POSWEEP"], "run", str(path), "-o", "x.h5"]


def start(command, folder):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace",
                          timeout=120)


def interrupt(command, folder):
    """Kill a start as soon as it has saved a policy, so that everything a sweep keeps is there."""
    folder.mkdir()
    job = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
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


def why_bad(command, good, case, name):
    """What is wrong about the start after the damage, or None; and whether it refused."""
    done = start(command, case)
    if done.returncode == 0:
        bad = compare_h5.differences(good / "x.h5", case / "x.h5")
        return (f"another file: {bad}" if bad else None), 0
    if done.returncode not in range(64, 79):
        return f"ended with {done.returncode}: {done.stderr[-500:]}", 0
    said = [line for line in done.stderr.splitlines() if line.startswith("posweep: ")]
    if not any(name.split("/")[0] in line for line in said):
        return f"refused, but does not name the file: {done.stderr[-500:]}", 1
    return None, 1


def damage_sweep(sweep, n, seed):
    """Returns how many of n damages were met badly."""
    rng = random.Random(seed)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posweep-flip."))
    good, begun, case = folder / "good", folder / "begun", folder / "case"
    good.mkdir()
    command = command_of(sweep, folder)
    assert start(command, good).returncode == 0
    interrupt(command, case)  # a work folder belongs to the output that it was made for
    shutil.copytree(case, begun)
    names = files_of(begun)
    assert any("state" in name for name in names) and "x.h5.journal" in names, names
    assert sweep != "index" or any("posweep-index" in name for name in names), names
    assert sweep != "reward" or any("reward" in name for name in names), names
    n_bad = n_refused = 0
    for i in range(n):
        name = names[i % len(names)]
        shutil.rmtree(case, ignore_errors=True)
        shutil.copytree(begun, case)
        what = damage(case / name, rng)
        bad, refused = why_bad(command, good, case, name)
        n_refused += refused
        if bad:
            n_bad += 1
            print(f"FAILED: {name}, {what}: {bad}", flush=True)
    print(f"{sweep}, seed {seed}: {n} damages to {len(names)} files ({', '.join(names)}): {n_refused} "
          f"refused, the others computed again or harmless, {n_bad} bad", flush=True)
    shutil.rmtree(folder)
    return n_bad


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    seed = int(os.environ.get("FLIP_SEED", "1"))
    n_bad = sum(damage_sweep(sweep, n, seed) for sweep in sys.argv[2:] or ["pairs"])
    sys.exit(1 if n_bad else 0)


main()
