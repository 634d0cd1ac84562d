#!/usr/bin/python3
"""Two ranks of a run hold the weights of its reference and its reward model once: together they
take less memory, by as much as `posweep plan` says, than where /dev/shm has no room, and every
number is the same."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.environ["POSWEEP_SOURCE"] + "/tests/support")
from program import posweep  # noqa: E402
from skip import skip  # noqa: E402

SWEEP = """
name: frozen
seeds: [1]
base:
  task: lists
  lists: {sft: 64, pairs: 64}
  model: {layers: 2, width: 384, heads: 4, context: 48}
  sft: {steps: 1, batch: 2}
  reward: {steps: 1, batch: 2, center: off}
  rollout: {max_new: 4}
  policy: {method: ppo, steps: 12, batch: 2, critic: shared}
  final: {prompts: 2, max_new: 4}
  eval: {prompts: 2}
  trace: {every: 12, cosine_every: 0}
blocks: [{variants: {vanilla: {}}}]
limits: {ranks_per_run: 2, checkpoint_s: 1000, frozen_weights: node}
"""
MIB = 2.0**20
NO_ROOM = {"OMPI_MCA_osc_sm_backing_directory": "/proc"}


def children(parent):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if int(stat.read().rsplit(")", 1)[1].split()[1]) == parent:
                    yield pid
        except OSError:  # it has ended
            pass


def proportional(pid):
    """Bytes of a process, what it shares divided by how many share it."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            return sum(int(x.split()[1]) * 1024 for x in rollup if x.startswith("Pss:"))
    except OSError:
        return 0


def planned(environment):
    """Of both ranks together."""
    text = subprocess.run([os.environ["POSWEEP"], "plan", "frozen.yaml", "--ranks", "2"], check=True,
                          capture_output=True, text=True, env={**os.environ, **environment}).stdout
    rows = [line.split() for line in text.splitlines()]
    return 2 * max(float(row[4]) for row in rows if row[:1] == ["ppo"]) * MIB


def taken(name, environment):
    """The most that all ranks took together while the sweep ran."""
    for left in glob.glob(name + ".h5*"):
        shutil.rmtree(left) if os.path.isdir(left) else os.remove(left)
    with open(name + ".txt", "w") as log:
        run = subprocess.Popen([os.environ["MPIEXEC"], "-n", "3", os.environ["POSWEEP"], "run",
                                "frozen.yaml", "-o", name + ".h5", "-v"],
                               stdout=log, stderr=log, env={**os.environ, **environment})
        most = 0
        while run.poll() is None:
            most = max(most, sum(map(proportional, children(run.pid))))
            time.sleep(0.02)
    with open(name + ".txt") as log:
        text = log.read()
    assert run.returncode == 0, text
    return most, text


def main():
    version = posweep("--version")
    if "sanitize" in version.lower():
        skip("sanitizers have memory of their own")
    if "Open MPI" not in version:
        skip("only Open MPI can be told where its shared memory is")
    with open("frozen.yaml", "w") as file:
        file.write(SWEEP)
    wanted = planned(NO_ROOM) - planned({})
    together = apart = 0
    for _ in range(4):  # a look now and then, on a busy machine, may miss the most that was taken
        most, text = taken("together", {})
        together = max(most, together)
        most, text_apart = taken("apart", NO_ROOM)
        apart = max(most, apart)
        if abs(apart - together - wanted) <= 0.2 * wanted:
            break
    print(f"planned to save {wanted / MIB:.1f} MiB, saved {(apart - together) / MIB:.1f} MiB "
          f"of {apart / MIB:.1f} MiB")
    assert "frozen weights of its own" not in text
    assert "/proc has no room for" in text_apart
    assert wanted > 10 * MIB
    assert abs(apart - together - wanted) <= 0.2 * wanted
    posweep("check", "together.h5")
    compare = os.environ["POSWEEP_SOURCE"] + "/tests/support/compare_h5.py"
    return subprocess.run([sys.executable, compare, "together.h5", "apart.h5"]).returncode


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    status = main()
    os.chdir("/")
sys.exit(status)
