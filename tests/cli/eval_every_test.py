#!/usr/bin/python3
"""eval.every: what checkpoints say to the evaluation prompts. The ends are those of the final evaluation, the
middle is what `posweep sample` hears of that checkpoint, nothing else changes, and ranks do not matter."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import skip  # noqa: E402

try:
    import h5py
    import numpy as np
except ImportError as missing:
    skip(str(missing))

POSWEEP, MPIEXEC, SOURCE = (os.environ[n] for n in ("POSWEEP", "MPIEXEC", "POSWEEP_SOURCE"))
SWEEP = """
seeds: [3]
limits: {keep: checkpoints}
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 60, batch: 16, lr: 1e-2}
  policy: {method: dpo, steps: 4, batch: 16, lr: 5e-3}
  reward: {steps: 8, batch: 8}
  final: {prompts: 200, max_new: 16}
  eval: {prompts: 200, samples: 200, every: 2}
  rollout.max_new: 8
  trace: {every: 1, probe: 8}
blocks:
  - {}
  - set: {policy.method: ppo}
"""
ENDS = {"trace_score": ("score_sft", "score"), "trace_reward": ("reward_sft", "reward_final"),
        "trace_length": ("length_sft", "length"), "trace_eos_rate": ("eos_rate_sft", "eos_rate"),
        "trace_repetition_rate": ("repetition_rate_sft", "repetition_rate")}


def run(*command, status=0):
    out = subprocess.run(command, capture_output=True, text=True)
    assert out.returncode == status, (command, out.returncode, out.stdout, out.stderr)
    return out.stdout + out.stderr


def check_values(f):
    for name, ends in ENDS.items():
        x = f[name][()]
        known = ~np.isnan(x)
        where = [0, 2, 4] if name != "trace_reward" else []
        assert [list(np.flatnonzero(k)) for k in known] == [where, [0, 2, 4]], (name, x)
        for end, i in zip(ends, (0, -1)):
            assert np.array_equal(f[end][()], x[:, i], equal_nan=True), (name, end)
    kl, at_end = f["trace_kl"][()], f["kl_ref"][()]
    assert (kl[:, 0] == 0).all() and (np.diff(kl[:, ::2]) > 0).all()
    # The same quantity from other prompts and draws: within four standard errors of a log-ratio that
    # spreads about as much as it is.
    assert (abs(kl[:, -1] - at_end) < 4 * 2**0.5 * at_end / 200**0.5).all(), (kl, at_end)


def check_against_sample(f):
    prompts = [t.decode() if isinstance(t, bytes) else t for t in f["sample_prompt"][0]]
    pathlib.Path("p.txt").write_text("\n".join(prompts))
    for r in range(2):
        name = f["run"][r].decode() if isinstance(f["run"][r], bytes) else f["run"][r]
        said = [json.loads(x) for x in run(POSWEEP, "sample", "e.h5", name, "--step", "2", "--prompts", "p.txt", "--json").splitlines()]
        assert len(said) == 200
        assert abs(np.mean([len(s["tokens"]) for s in said]) - f["trace_length"][r, 2]) < 1e-9
        assert abs(np.mean([s["ended"] for s in said]) - f["trace_eos_rate"][r, 2]) < 1e-12


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("e.yaml").write_text(SWEEP)
        run(POSWEEP, "run", "e.yaml", "-o", "e.h5", "-q")
        run(POSWEEP, "check", "e.h5")
        f = h5py.File("e.h5")
        check_values(f)
        check_against_sample(f)
        f.close()
        compare = [sys.executable, SOURCE + "/tests/support/compare_h5.py", "e.h5"]
        run(MPIEXEC, "-n", "5", POSWEEP, "run", "e.yaml", "-o", "4.h5", "-q", "--set", "limits.ranks_per_run=4")
        out = run(*compare, "4.h5", "provenance/spec_text")
        assert " 0 different" in out, out
        run(POSWEEP, "run", "e.yaml", "-o", "none.h5", "-q", "--set", "eval.every=0")
        a, b = h5py.File("e.h5"), h5py.File("none.h5")
        assert "trace_score" not in b
        for name in ("G", "G_soft", "logp_final", "score", "win_rate", "kl_ref"):
            assert a[name][()].tobytes() == b[name][()].tobytes(), name
        assert list(a["final_hash"][()]) == list(b["final_hash"][()])
        assert "eval.every is 2, but eval.prompts is 0" in run(POSWEEP, "plan", "e.yaml", "--set", "eval.prompts=0", status=78)
        os.chdir("/")
    print("checkpoints say what they say")


main()
