#!/usr/bin/python3
"""posweep rescore: by a run's own objective G comes out as it was measured; by another one it is
what weights written here from SCIENCE section 2 give, and what the weights of a run that was
trained by it give at checkpoint 0, where both have the same parameters.

Bound of the first. The table holds the very float32 numbers that training summed, in the same
order, so without a reference G agrees to the last bit. The reference of pairs comes from a pass of
its own in training and from checkpoint 0 here: each log-probability may differ by its rounding
r = 2^-19 (|z| + |z_ref| + n), and so each weight by L (r+ + r-), L a bound of the weight's slope:
|dG| <= 1/n sum_i (|kappa+| + |kappa-|) L (r+ + r-). Advantages and reference of rollouts are stored
as float32: relative 2^-24 of A, and of exp(ref - log pi) - 1 at most beta_kl 2^-23 |ref|."""
import csv
import io
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
seeds: [1]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 6, batch: 8, lr: 1e-2, beta: 0.3, alpha: 0.7, lambda: 2}
  final: {prompts: 8, max_new: 16}
  trace: {every: 2, probe: 8, tokens: on}
blocks:
  - axes: {policy.method: [dpo, ipo, dpo_norm, dpo_robust, dpop, rpo, hinge, simpo, orpo, cpo, sft]}
  - axes: {policy.method: [ppo, grpo, dapo]}
    set: {policy: {steps: 2, kl_coef: 0.2}, reward.source: scorer, rollout.max_new: 8, trace: {every: 1}}
"""
BETA, ALPHA, LAMBDA, GAMMA, EPSILON = 0.3, 0.7, 2.0, 0.5, 0.1
# Most that a weight changes with a log-probability of the reference.
SLOPE = {"dpo": BETA**2 / 4, "ipo": 2, "dpo_norm": BETA**2 / 4, "dpo_robust": BETA**2 / 4,
         "dpop": BETA**2 / 4 * (1 + LAMBDA)**2, "rpo": BETA**2 / 4, "hinge": 0, "simpo": 0, "orpo": 0,
         "cpo": 0, "sft": 0}


def sigma(x):
    return 1 / (1 + np.exp(-x))


def weights(key, z, ref, n, gamma=GAMMA):
    """W of chosen and rejected responses without NLL, and what NLL adds to the chosen one."""
    (zc, zr), (rc, rr), (nc, nr) = z, z - ref, n
    if key == "dpo":
        w = BETA * sigma(-BETA * (rc - rr))
        return w, w, 0
    if key == "ipo":
        w = 2 * (1 / (2 * BETA) - (rc - rr))
        return w, w, 0
    if key == "simpo":
        s = BETA * sigma(gamma - BETA * (zc / nc - zr / nr))
        return s / nc, s / nr, 0
    if key == "cpo":
        w = BETA * sigma(-BETA * (zc - zr))
        return w, w, ALPHA / nc
    if key == "orpo":
        pc, pr = np.exp(zc / nc), np.exp(zr / nr)
        odds = np.log(pc / (1 - pc)) - np.log(pr / (1 - pr))
        s = ALPHA * sigma(-odds)
        return s / (nc * (1 - pc)), s / (nr * (1 - pr)), 1 / nc
    raise KeyError(key)


class Table:
    """The token table of a run, as sums over responses: [checkpoint][pair][side]."""

    def __init__(self, path, method):
        f = h5py.File(path)
        methods = f["method"].asstr()[()].tolist()
        self.run = methods.index(method)
        size, run, point = f["row_size"][()], f["sequence_run"][()], f["sequence_checkpoint"][()]
        first = np.concatenate([[0], np.cumsum(size)])
        mine = [np.flatnonzero((run == self.run) & (point == c)) for c in range(f["G"].shape[1])]
        mine = [m for m in mine if len(m)]
        one = {}
        for name in ("token_kappa", "token_logp", "token_weight"):
            x = f[name][()].astype("f8")
            one[name] = np.array([[x[first[s]:first[s + 1]].sum() for s in m] for m in mine])
        self.n = np.array([size[m] for m in mine]).reshape(len(mine), -1, 2)
        self.kappa, self.z = (one[k].reshape(self.n.shape) for k in ("token_kappa", "token_logp"))
        self.w = (one["token_weight"] / np.array([size[m] for m in mine])).reshape(self.n.shape)


def rescore(objective, method, path="x.h5"):
    """{(checkpoint, component): row}"""
    text = posweep("rescore", path, "--objective", objective, "--where", f"method={method}", "--csv")
    return {(int(r["checkpoint"]), r["component"]): r for r in csv.DictReader(io.StringIO(text))}


def check_own_pairs(method):
    rows, t = rescore(method, method), Table("x.h5", method)
    rounding = 2.0**-19 * (abs(t.z) + abs(t.z[:1]) + t.n)
    bound = (abs(t.kappa).sum(2) * SLOPE[method] * rounding.sum(2)).mean(1)
    n = 0
    for (c, component), r in rows.items():
        if component in ("top", "mid", "bot"):
            continue  # rounding may move a pair from one to another
        error = abs(float(r["G"]) - float(r["G_trained"]))
        assert error <= bound[c] + 1e-15 * abs(float(r["G"])), (method, c, component, error, bound[c])
        n += 1
    assert n >= 4 * 10, (method, n)
    assert any(float(r["G"]) != 0 for r in rows.values())


def check_own_rollouts(method):
    rows = rescore(method, method)
    f = h5py.File("x.h5")
    run = f["method"].asstr()[()].tolist().index(method)
    owner = np.repeat(np.arange(len(f["row_size"])), f["row_size"][()])
    for (c, component), r in rows.items():
        mine = (f["sequence_run"][()][owner] == run) & (f["sequence_checkpoint"][()][owner] == c)
        w, kappa, ref = (f[k][()].astype("f8")[mine] for k in ("token_weight", "token_kappa", "token_ref"))
        bound = abs(kappa * w).sum() * 2.0**-22 + 0.2 * (abs(kappa) * (abs(ref) + 1)).sum() / len(w) * 2.0**-22
        if component in ("top", "mid", "bot"):
            continue
        error = abs(float(r["G"]) - float(r["G_trained"]))
        assert error <= bound, (method, c, component, error, bound)
    assert {"total", "pos", "neg", "rand1", "shuffled"} <= {k for _, k in rows} and (0, "raw") not in rows
    assert ((0, "kl") in rows) == (method == "grpo")


def check_other(key, method, option=""):
    """Against weights written here."""
    t, rows = Table("x.h5", method), rescore(key + option, method)
    gamma = 1.0 if option else GAMMA
    for c in range(len(t.z)):
        pos, neg, nll = weights(key, t.z[c].T, t.z[0].T, t.n[c].T, gamma)
        want = {"pos": (pos * t.kappa[c, :, 0]).mean(), "neg": -(neg * t.kappa[c, :, 1]).mean(),
                "nll": (nll * t.kappa[c, :, 0]).mean(), "sft_chosen": t.kappa[c, :, 0].mean()}
        want["total"] = want["pos"] + want["neg"] + want["nll"]
        scale = (abs(t.kappa[c]).sum(1) * (abs(pos) + abs(neg) + nll)).mean()
        for component, g in want.items():
            if component == "nll" and np.all(nll == 0):
                assert (c, "nll") not in rows
                continue
            got = float(rows[c, component]["G"])
            assert abs(got - g) <= 1e-12 * scale, (key, c, component, got, g)


def check_trained(key, method):
    """At checkpoint 0 a run trained by it has the same pairs, parameters and weights; v is its own."""
    a, b = Table("x.h5", method), Table("x.h5", key)
    assert np.array_equal(a.z[0], b.z[0]) and np.array_equal(a.n[0], b.n[0])
    assert not np.allclose(a.kappa[0], b.kappa[0])
    want = (b.w[0] * a.kappa[0]).sum()  # float32 weights of the other run's training
    got = float(rescore(key, method)[0, "total"]["G"])
    assert abs(got - want) <= 2.0**-22 * abs(b.w[0] * a.kappa[0]).sum(), (key, got, want)


def check_errors():
    se = rescore("dpo", "dpo")[1, "total"]
    assert float(se["G_se"]) > 0 and se["objective"] == "dpo,beta=0.3"
    f = h5py.File("x.h5")
    component = f["component"].asstr()[()].tolist().index("total")
    assert abs(float(se["G_se"]) - f["G_se"][0, 1, component]) <= 1e-5 * f["G_se"][0, 1, component]
    text = posweep("rescore", "x.h5", "-O", "simpo")
    assert "dpo vanilla: 1 of 1 seeds, weighed by simpo,beta=0.3,gamma=0.5" in text, text
    assert "3 runs left out" in text and max(map(len, text.splitlines())) <= 160, text
    for arguments, says in {
            ("-O", "simpp"): 'did you mean "simpo"? There are dpo, ',
            ("-O", "simpo,lambda=2"): 'do not depend on "lambda"; options: beta, gamma',
            ("-O", "dpo,beta=-1"): "policy.beta: expected number in (0, 1000], found \"-1\"",
            ("-O", "dpo,beta"): "is no option such as beta=0.1",
            ("-O", "dpo", "-w", "method=ppo"): "are its own samples",
            ("-O", "ppo", "-w", "method=dpo"): "are pairs of the data: runs of ppo have them",
            ("-O", "grpo", "-w", "method=ppo"): "the advantages of ppo come from a critic",
            ("-O", "dapo,entropy_coef=1", "-w", "method=dapo"): "dapo,entropy_coef=0",
            ("-O", "dpo", "-w", "method=none"): 'no method "none"'}.items():
        assert says in posweep("rescore", "x.h5", *arguments, status=78), arguments
    assert "--objective: which one?" in posweep("rescore", "x.h5", status=64)
    posweep("run", str(pathlib.Path(os.environ["POSWEEP_SOURCE"]) / "sweeps/smallest.yaml"), "-o", "plain.h5")
    assert "trace: {tokens: on}" in posweep("rescore", "plain.h5", "-O", "dpo", status=65)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        posweep("check", "x.h5")
        for method in SLOPE:
            check_own_pairs(method)
        for method in ("ppo", "grpo", "dapo"):
            check_own_rollouts(method)
        for key in ("dpo", "ipo", "simpo", "orpo", "cpo"):
            check_other(key, "dpo")
            check_other(key, "orpo")
        check_other("simpo", "dpop", ",gamma=1")
        for key in ("ipo", "simpo", "orpo", "cpo", "dpop", "rpo"):
            check_trained(key, "dpo")
        check_errors()
        os.chdir("/")
    print("rescored G is G")


main()
