#!/usr/bin/python3
"""Outcomes by evaluation prompt: their means are the run's win rate, score and reward; compare pairs
them by seed and prompt where two runs have the same prompts, and only there."""
import json
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
replicates: 3
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 60, batch: 16, lr: 1e-2}
  policy: {method: ppo, steps: 3, batch: 16, lr: 1e-2}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 24, samples: 2}
  rollout.max_new: 8
  trace: {every: 3, probe: 8}
blocks:
  - variants: {vanilla: {}, fast: {policy.lr: 0.1}, shifted: {final.prompts: 9}}
"""


def check_means(f):
    outcome, score, reward = (f[n][()] for n in ("eval_outcome", "eval_score", "eval_reward"))
    assert outcome.shape == (9, 24) and f["sample_prompt"].shape == (9, 2)
    for r in range(9):
        assert abs(outcome[r].mean() / 2 - f["win_rate"][r]) < 1e-12 and set(outcome[r]) <= {0, 1, 2}
        assert abs((outcome[r] == 1).mean() - f["tie_rate"][r]) < 1e-12
        assert abs(score[r].astype("f8").mean() - f["score"][r]) <= 2.0**-23 * abs(score[r]).mean()
        assert abs(reward[r].astype("f8").mean() - f["reward_final"][r]) <= 2.0**-23 * abs(reward[r]).mean()
    assert (score[:, :2] == f["sample_score"][()].astype("f4")).all() and len(set(outcome.ravel())) > 1


def check_compare(f):
    rows = json.loads(posweep("compare", "x.h5", "-b", "vanilla", "--max-kl", "inf", "-m", "score,win_rate,length", "--json"))["rows"]
    assert [(r["metric"], r["cell"]) for r in rows][::2] == [(m, "ppo fast") for m in ("score", "win_rate", "length")]
    for r in rows:
        has = r["metric"] != "length" and r["cell"] == "ppo fast"
        assert r["bootstrap_n_seed"] == (3 if has else 0) and r["bootstrap_n_prompt"] == (72 if has else 0), r
        if not has:
            assert r["bootstrap_low"] is None  # no values, or other prompts
        elif r["bootstrap_low"] is not None:
            assert r["bootstrap_low"] < r["bootstrap_high"]
            assert abs((r["bootstrap_low"] + r["bootstrap_high"]) / 2 - r["mean"]) <= 1e-6 * abs(r["mean"]) + 1e-7, r
    assert any(r["bootstrap_low"] is not None for r in rows), rows
    text = posweep("compare", "x.h5", "-b", "vanilla", "--max-kl", "inf", "-m", "score")
    assert "two-level bootstrap" in text and text.count("72 prompts of 3 seeds") == 1, text
    assert max(map(len, text.splitlines())) <= 100
    assert text == posweep("compare", "x.h5", "-b", "vanilla", "--max-kl", "inf", "-m", "score")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        posweep("check", "x.h5")
        f = h5py.File("x.h5")
        check_means(f)
        check_compare(f)
        os.chdir("/")
    print("outcomes by prompt add up")


main()
