#!/usr/bin/python3
"""posweep spectrum from end to end: sketches of a small sweep have the inner products that are
known exactly and the same bits on two ranks per run; what the command finds is what NumPy finds
from the same sketches, on one, two and four ranks; and what cannot be compared is refused with
the setting that would have stored it."""
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

POSWEEP, MPIEXEC = os.environ["POSWEEP"], os.environ["MPIEXEC"]
K = 256
SWEEP = """
seeds: [1, 2, 3]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 32, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {steps: 8, batch: 8, lr: 1e-3}
  final: {prompts: 16, max_new: 12}
  eval: {prompts: 0}
  trace: {every: 2, probe: 8, cosine_every: 4, sketch: 256}
  log: {every: 4}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}, other_k: {trace.sketch: 64}}
  - set: {policy: {method: ppo, steps: 4}, reward.source: scorer, rollout.max_new: 8}
"""


def posweep(*args, ranks=1, status=0):
    command = [MPIEXEC, "-n", str(ranks), POSWEEP] if ranks > 1 else [POSWEEP]
    done = subprocess.run(command + list(args), capture_output=True, text=True)
    text = done.stdout + done.stderr
    assert done.returncode == status, f"{args}: {done.returncode}, expected {status}:\n{text}"
    return text


def sketches(path):
    with h5py.File(path) as f:
        names = [n for n in f if n.startswith("sketch_")]
        return {n: f[n][:] for n in names} | {n: f[n][:] for n in ("v_norm", "v_halves",
                "grad_norm_component", "G_explicit", "seed", "step", "final_prompts", "run")}


def check_inner_products(s):
    """Errors over the product of the norms, in units of 1/sqrt(k)."""
    v, c = s["sketch_v"].astype(float), s["sketch_component"].astype(float)
    size = s["v_norm"][..., None] * s["grad_norm_component"]
    error = [(np.einsum("rtk,rtck->rtc", v, c) - s["G_explicit"]) / size,
             (np.sum(v**2, 2) / s["v_norm"]**2 - 1) / np.sqrt(2)]
    n = s["final_prompts"][:, None]
    a = s["sketch_v_half"].astype(float)
    scale = n**2 / (n // 2) / (n - n // 2)
    error.append((scale * np.sum(a * (v - a), 2) - s["v_halves"]) / s["v_norm"]**2)
    e = np.concatenate([x[np.isfinite(x)].ravel() for x in error]) * np.sqrt(K)
    assert e.size > 100 and np.mean(np.abs(e) < 3) > 0.98, (e.size, np.abs(e).max())
    assert 0.2 < np.sqrt(np.mean(e**2)) < 1.5, np.sqrt(np.mean(e**2))


def shares(rows):
    w = np.maximum(np.linalg.eigvalsh(rows @ rows.T), 0)[::-1]
    return w / w.sum()


def close(a, b, what):
    assert np.allclose(a, b, rtol=1e-7, atol=1e-7, equal_nan=True), (what, a, b)


def check_numbers(f, s):
    """The file against NumPy, for v: unit rows, the last checkpoint left out."""
    row = {r: i for i, r in enumerate(s["run"])}
    of = [row[r] for r in f["run"][:]]
    assert len(of) == 9 and f.attrs["of"].decode() == "v", of
    cell, seed = f["run_cell"][:], f["seed"][:]
    every, bases, parts = [], [], {}
    for i, r in enumerate(of):
        n = np.sum(s["step"][r] >= 0) - 1
        v, a = s["sketch_v"][r, :n].astype(float), s["sketch_v_half"][r, :n].astype(float)
        u = v / np.linalg.norm(v, axis=1)[:, None]
        every.append(u)
        close(f["norm"][i, :n], np.linalg.norm(v, axis=1), "norm")
        close(f["cosine"][i, :n, :n], u @ u.T, "cosine")
        assert np.isnan(f["cosine"][i, n:, :]).all()
        with np.errstate(invalid="ignore"):
            m = a @ (v - a).T + (v - a) @ a.T
            clean = m / np.sqrt(np.outer(np.diag(m), np.diag(m)))
        clean[np.diag(m) <= 0, :] = np.nan
        clean[:, np.diag(m) <= 0] = np.nan
        close(f["cosine_clean"][i, :n, :n], clean, "cosine_clean")
        close(f["signal"][i, :n], (s["v_halves"] / s["v_norm"]**2)[r, :n], "signal")
        for t in range(n):
            p = shares(u[:t + 1])
            p = p[p > 1e-15]
            close(f["effective_rank"][i, t], np.exp(-np.sum(p * np.log(p))), "entropy")
            close(f["participation_ratio"][i, t], 1 / np.sum(p**2), "participation")
        close(f["explained"][i, :n], np.cumsum(shares(u)), "explained")
        bases.append(np.linalg.svd(u)[2][:2])
        parts[cell[i], seed[i]] = u
    p = shares(np.concatenate(every))
    close(f["explained_all"][:len(p)], np.cumsum(p), "explained_all")
    for a in range(3):
        for b in range(3):
            angles = [np.linalg.svd(bases[i] @ bases[j].T)[1]
                      for i in range(9) for j in range(9)
                      if cell[i] == a and cell[j] == b
                      and (seed[i] == seed[j] if a != b else i < j)]
            got = f["angle_cosine"][a, b] if a != b else f["angle_cosine_seeds"][a]
            close(got, np.mean(angles, 0), "angles")
    check_map(f, parts, cell, seed)


def check_map(f, parts, cell, seed):
    where = [(c, t) for c in range(3) for t in range(len(parts[c, 1]))]
    x = np.array([np.concatenate([parts[c, k][t] for k in (1, 2, 3)]) for c, t in where])
    x = (x - x.mean(0)) / np.sqrt(3)
    u, w, _ = np.linalg.svd(x, full_matrices=False)
    got = np.array([f["map"][c, t] for c, t in where])
    close(f["map_share"][:], (w**2)[:2] / np.sum(w**2), "map_share")
    close(np.abs(got), np.abs(u[:, :2] * w[:2]), "map")
    close(got @ got.T, (u[:, :2] * w[:2]**2) @ u[:, :2].T, "distances of the map")
    for c, t in where:
        close(f["map_run"][:][cell == c, t].mean(0), f["map"][c, t], "map_run")


def check_refused(folder):
    assert 'no component "tota"; did you mean "total"?' in \
        posweep("spectrum", "one.h5", "--of", "tota", status=78)
    assert "a grid of 2 x 3 ranks, but there are 2" in \
        posweep("spectrum", "one.h5", "--grid", "2x3", ranks=2, status=78)
    posweep("run", "bare.yaml", "-o", "bare.h5", "-q")
    assert "trace: {sketch: 1024}" in posweep("spectrum", "bare.h5", status=65)
    posweep("run", "bare.yaml", "-o", "short.h5", "-q", "--set", "trace.sketch=16",
            "--set", "trace.cosine_every=0")
    assert "both trace.sketch (1024, say) and trace.cosine_every" in \
        posweep("spectrum", "short.h5", "--of", "pos", status=65)
    (folder / "ends.yaml").write_text(
        (folder / "bare.yaml").read_text().replace("{steps: 8,", "{steps: 2,")
        .replace("steps: 4}", "steps: 2}").replace("cosine_every: 4", "sketch: 16"))
    posweep("run", "ends.yaml", "-o", "ends.h5", "-q")
    assert "no run has two checkpoints to compare beside its last" in \
        posweep("spectrum", "ends.h5", "--max-kl", "inf", status=65)
    assert "is what `posweep spectrum` found in one.h5" in posweep("show", "v1.h5", status=78)
    cut = (folder / "v1.h5").read_bytes()
    (folder / "cut.h5").write_bytes(cut[:2000] + b"x" + cut[2001:])
    assert "damaged" in posweep("check", "cut.h5", status=65)


def main(folder):
    (folder / "sweep.yaml").write_text(SWEEP)
    (folder / "bare.yaml").write_text(
        SWEEP.replace(", sketch: 256", "").replace("other_k: {trace.sketch: 64}", "")
        .replace("[1, 2, 3]", "[1]"))
    posweep("run", "sweep.yaml", "-o", "one.h5", "-q")
    posweep("run", "sweep.yaml", "-o", "two.h5", "-q", "--set", "limits.ranks_per_run=2", ranks=3)
    s, two = sketches("one.h5"), sketches("two.h5")
    for name in s:
        assert np.array_equal(s[name], two[name], equal_nan=s[name].dtype.kind == "f"), name
    full = np.isfinite(s["sketch_v"][:, 0, K - 1])
    check_inner_products({n: x[full] for n, x in s.items()})
    for ranks in (1, 2, 4):
        text = posweep("spectrum", "one.h5", "-o", f"v{ranks}.h5", "--max-kl", "inf", ranks=ranks)
        assert "left out: 3 with sketches of another length" in text, text
        assert "9 runs: 3 methods, variants and settings, 3 seeds" in text, text
        with h5py.File(f"v{ranks}.h5") as f:
            check_numbers(f, s)
    for of in ("displacement", "pos"):
        posweep("spectrum", "one.h5", "--of", of, "--max-kl", "inf", ranks=2)
        assert "good" in posweep("check", f"one.{of}.h5")
    assert "good" in posweep("check", "v4.h5", "one.h5")
    check_refused(folder)


with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    main(pathlib.Path(scratch))
