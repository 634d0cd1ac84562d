#!/usr/bin/env python3
"""Holds `posweep compare --json` against SciPy: pairs made with h5py, p by
scipy.stats.permutation_test over sign flips, ends of the intervals where SciPy's p turns, Holm by
its definition. Usage: compare_scipy.py MAKE_COMPARE"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import skip

try:
    import h5py
    import numpy as np
    from scipy import special, stats
except ImportError:
    skip("no Python with SciPy and h5py")

ALPHA = 0.05


def p_of(d):
    """Two-sided p of the mean over all sign flips."""
    return stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf,
                                  vectorized=True).pvalue


def make(folder, name, *args):
    path = folder / name
    subprocess.run([sys.argv[1], path, *map(str, args)], check=True)
    return path


def compare(path, *args):
    out = subprocess.run([os.environ["POSWEEP"], "compare", path, "--baseline", "vanilla", "--json",
                          *args], check=True, capture_output=True, text=True).stdout
    return json.loads(out)["rows"]


def differences(path):
    """{label: score minus that of vanilla, by seed} with h5py alone."""
    with h5py.File(path) as f:
        score = {}
        for variant, beta, seed, x in zip(f["variant"].asstr(), f["policy_beta"], f["seed"],
                                          f["score"]):
            score[variant, round(beta, 6), seed] = x
    out = {}
    for (variant, beta, seed), x in sorted(score.items()):
        if variant != "vanilla":
            label = f"dpo {variant} policy_beta={beta:g}"
            out.setdefault(label, []).append(x - score["vanilla", beta, seed])
    return {label: np.array(d) for label, d in out.items()}


def close(a, b, tolerance=1e-9):
    assert abs(a - b) <= tolerance * max(1, abs(b)), (a, b)


def check_exact(row, d):
    close(row["p"], p_of(d))
    close(row["mean"], d.mean())
    close(row["median"], np.median(d))
    close(row["sd"], d.std(ddof=1))
    close(row["share_better"], ((d > 0) + 0.5 * (d == 0)).mean())
    df = len(d) - 1
    hedges = np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2)
    close(row["effect"], hedges * d.mean() / d.std(ddof=1), 1e-8)
    if 2.0 ** -df > ALPHA:
        assert row["low"] is None and row["high"] is None
        return
    for end, inside in ((row["low"], 1e-6), (row["high"], -1e-6)):
        assert p_of(d - end - inside) > ALPHA >= p_of(d - end + inside), (row["cell"], end)


def check_drawn(row, d):
    """Above 20 pairs both draw; a normal approximation is beside them."""
    p = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=20000,
                               vectorized=True).pvalue
    assert not row["is_exact"]
    assert abs(row["p"] - p) < 5 * np.sqrt(2 * (p + 1e-4) / 20000), (row["p"], p)
    half = stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    assert abs(row["low"] - d.mean() + half) < 0.15 * half
    assert abs(row["high"] - d.mean() - half) < 0.15 * half


def holm(p):
    order = np.argsort(p)
    out = np.empty(len(p))
    out[order] = np.maximum.accumulate(np.minimum(1, (len(p) - np.arange(len(p))) * p[order]))
    return out


def check_file(path, check):
    rows = compare(path, "--metric", "score")
    expected = differences(path)
    assert {r["cell"] for r in rows} == set(expected)
    for row in rows:
        d = expected[row["cell"]]
        assert row["n"] == len(d)
        check(row, d)
    for row, adjusted in zip(rows, holm(np.array([r["p"] for r in rows]))):
        close(row["p_holm"], adjusted)
        assert (row["verdict"] == "differs") == (adjusted <= ALPHA)
    return len(rows)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        n = 0
        for seeds, shift in ((3, 0.5), (6, 0.8), (7, 0), (9, 1.2)):
            path = make(folder, f"x{seeds}.h5", 7 if seeds > 3 else 2, 3, seeds, shift)
            n += check_file(path, check_exact)
        n_drawn = check_file(make(folder, "many.h5", 2, 2, 30, 0.5), check_drawn)
        print(f"{n} tables agree with SciPy, and {n_drawn} drawn ones")
        assert n >= 50


main()
