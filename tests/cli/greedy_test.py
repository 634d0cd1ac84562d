#!/usr/bin/python3
"""trace.greedy: at every checkpoint the log-probability of what the SFT model says greedily,
of the very parameters of the checkpoint; it changes nothing else."""
import os
import pathlib
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

SWEEP = """
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 60, batch: 16, lr: 1e-2}
  policy: {method: dpo, steps: 4, batch: 16, lr: 1e-2}
  final: {prompts: 80, max_new: 16}
  eval: {prompts: 0}
  trace: {every: 2, probe: 8}
"""


def run(name, *more, ranks=0):
    posweep("run", "x.yaml", "-o", name, "-q", *more, ranks=ranks)
    return h5py.File(name)



def check_start(f):
    """The prompts of D' are in no file. But greedily drawn D' of a run that learns nothing is what
    the SFT model says greedily, and logp_final is its log-probability."""
    still = run("still.h5", "--set", "policy.lr=1e-30", "--set", "final.temperature=0")
    assert abs(still["logp_final"][0, 0] - f["logp_greedy_sft"][0, 0]) < 1e-6 * abs(f["logp_final"][0, 0])
    half = run("half.h5", "--set", "trace.greedy=true", "--set", "policy.steps=2")
    assert np.array_equal(half["logp_greedy_sft"][0], f["logp_greedy_sft"][0, :2])


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        plain = run("plain.h5")
        f = run("x.h5", "--set", "trace.greedy=true")
        two = run("two.h5", "--set", "trace.greedy=true", "--ranks-per-run", "2", ranks=3)
        assert "logp_greedy_sft" not in plain and f["logp_greedy_sft"].shape == (1, 3)
        for name in ("G", "G_soft", "logp_final", "kl_ref"):
            assert plain[name][()].tobytes() == f[name][()].tobytes(), name
        assert plain["final_hash"][0] == f["final_hash"][0]
        logp = f["logp_greedy_sft"][0]
        assert np.array_equal(logp, two["logp_greedy_sft"][0]) and len(set(logp)) == 3 and np.all(logp < 0)
        check_start(f)
        posweep("check", "x.h5")
        os.chdir("/")
    print("the greedy path is followed")


main()
