#!/usr/bin/env python3
"""Hold a results file of sweeps/demo.yaml against what is said of the demo.

    tests/demo_claims.py FILE.h5            check every claim; exit 1 if one fails
    tests/demo_claims.py FILE.h5 --write    take FILE's DPO numbers as the reference

Each claim is printed with the value measured. They are to hold on every processor, BLAS and
compiler, so each is well outside the spread between them: DPO ends with the same responses
everywhere, and a few of PPO's runs with other ones, because rounding may turn a draw. Means over
seeds of DPO's numbers are compared with tests/golden/demo.txt. Needs h5py."""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
from skip import skip  # noqa: E402

try:
    import h5py
except ImportError:
    skip("no Python with h5py")

GOLDEN = pathlib.Path(__file__).parent / "golden" / "demo.txt"
VARIANTS = {"dpo": ("vanilla", "flat", "no_negative_early", "cdpo"), "ppo": ("vanilla", "hppo")}
N_SEED = 6
KL_MAX = 5.0       # nat; above it a run is over-optimised
GAIN_MIN = 0.3     # of the mean score over the SFT model's
SHARE_MIN = 0.95   # of checkpoints, where single ones may be otherwise
SCORE_TOL = 0.02   # of a score and of a KL
G_TOL = 0.03       # of G, absolute and relative


class Results:
    """The runs of a results file by (method, variant), each a dict of its values."""

    def __init__(self, path):
        with h5py.File(path) as f:
            text = {n: [x.decode() for x in f[n][()]] for n in ("method", "variant", "component")}
            meanings = f["status"].attrs["flag_meanings"]
            meanings = (meanings.decode() if isinstance(meanings, bytes) else meanings).split()
            flags = dict(zip(f["status"].attrs["flag_values"].tolist(), meanings))
            columns = {n: f[n][()].tolist()
                       for n in ("seed", "score", "score_sft", "final_score", "kl_ref")}
            status = [flags[x] for x in f["status"][()].tolist()]
            steps, g = f["step"][()], f["G"][()]
        self.cells = {}
        for i, name in enumerate(zip(text["method"], text["variant"])):
            run = {n: column[i] for n, column in columns.items()}
            run["status"] = status[i]
            kept = [k for k, step in enumerate(steps[i].tolist()) if step >= 0]
            run["step"] = [int(steps[i][k]) for k in kept]
            for part in ("total", "pos", "neg"):
                run[part] = [float(g[i, k, text["component"].index(part)]) for k in kept]
            self.cells.setdefault(name, []).append(run)

    def runs(self, method):
        return [run for (m, _), cell in self.cells.items() if m == method for run in cell]

    def mean(self, method, variant, name):
        return statistics.fmean(run[name] for run in self.cells[method, variant])


def before(run, part, first, last):
    """Values of G at the checkpoints of that share of the run, [first, last)."""
    end = run["step"][-1]
    return [g for g, step in zip(run[part], run["step"]) if first * end <= step < last * end]


def share(flags):
    flags = list(flags)
    return sum(flags), len(flags)


def all_of(flags):
    n, of = share(flags)
    return n == of and of > 0, f"{n} of {of}"


def claim_complete(r):
    names = [(m, v) for m, variants in VARIANTS.items() for v in variants]
    runs = [run for name in names for run in r.cells.get(name, [])]
    n = sum(run["status"] == "done" for run in runs)
    return n == len(names) * N_SEED, f"{n} of {len(names) * N_SEED}"


def claim_near_sft(r):
    largest = max(run["kl_ref"] for cell in r.cells.values() for run in cell)
    return largest < KL_MAX, f"largest {largest:.2f} nat"


def claim_dpo_learns(r):
    return all_of(run["score"] > run["score_sft"] for run in r.runs("dpo"))


def claim_ppo_learns(r):
    return all_of(run["score"] > run["score_sft"] for run in r.runs("ppo"))


def claim_gain(r):
    gains = [r.mean("dpo", v, "score") - r.mean("dpo", v, "score_sft") for v in VARIANTS["dpo"]]
    return min(gains) > GAIN_MIN, f"smallest mean gain {min(gains):.2f}"


def claim_ppo_ahead(r):
    ppo, dpo = r.mean("ppo", "vanilla", "score"), r.mean("dpo", "vanilla", "score")
    return ppo > dpo, f"{ppo:.2f} against {dpo:.2f}"


def claim_ppo_ahead_by_seed(r):
    dpo = {run["seed"]: run["score"] for run in r.cells["dpo", "vanilla"]}
    return all_of(run["score"] > dpo[run["seed"]] for run in r.cells["ppo", "vanilla"])


def claim_total_positive(r):
    n, of = share(g > 0 for run in r.runs("dpo") for g in before(run, "total", 0, 0.5))
    return of > 0 and n >= SHARE_MIN * of, f"{n} of {of}"


def claim_pos_begins_above(r):
    return all_of(run["pos"][0] > 0 and run["neg"][0] > 0 for run in r.runs("dpo"))


def claim_neg_leads(r):
    n, of = share(neg > pos for run in r.runs("dpo")
                  for pos, neg in zip(before(run, "pos", 0.05, 0.5),
                                      before(run, "neg", 0.05, 0.5)))
    return of > 0 and n >= SHARE_MIN * of, f"{n} of {of}"


def third_quarter(run, part):
    """Mean of G there over G at the start."""
    return statistics.fmean(before(run, part, 0.5, 0.75)) / run[part][0]


def falls(r, method, part):
    """Is the median over seeds of that share below a half in each variant?"""
    shares = [statistics.median(third_quarter(run, part) for run in r.cells[method, v])
              for v in VARIANTS[method]]
    return max(shares) < 1 / 2, f"{', '.join(f'{x:.2f}' for x in shares)} of the start"


def claim_pos_falls(r):
    return falls(r, "dpo", "pos")


def claim_total_falls(r):
    return falls(r, "dpo", "total")


def claim_ppo_falls(r):
    return falls(r, "ppo", "total")


def claim_ppo_begins_above(r):
    return all_of(run["total"][0] > 0 for run in r.runs("ppo"))


CLAIMS = (
    ("every run is done", claim_complete),
    (f"every run stays within {KL_MAX:g} nat of its SFT model", claim_near_sft),
    ("DPO, each variant and seed: the score is above the SFT model's", claim_dpo_learns),
    ("PPO, each variant and seed: the score is above the SFT model's", claim_ppo_learns),
    (f"DPO, each variant: the mean score rises by more than {GAIN_MIN:g}", claim_gain),
    ("PPO vanilla's mean score is above DPO vanilla's", claim_ppo_ahead),
    ("the same seed by seed", claim_ppo_ahead_by_seed),
    (f"DPO: G(total) > 0 at {SHARE_MIN:.0%} or more of the checkpoints of the first half",
     claim_total_positive),
    ("DPO: pos and neg both begin above 0", claim_pos_begins_above),
    (f"DPO: neg is above pos at {SHARE_MIN:.0%} or more of the checkpoints behind the start, "
     "up to the half", claim_neg_leads),
    ("DPO, medians of the variants: pos in the third quarter is below half of its start",
     claim_pos_falls),
    ("DPO, the same of G(total)", claim_total_falls),
    ("PPO: G(total) begins above 0", claim_ppo_begins_above),
    ("PPO, medians of the variants: G(total) in the third quarter is below half of its start",
     claim_ppo_falls),
)


def numbers(r):
    """DPO's numbers: (variant, name, value), the means over seeds."""
    for variant in VARIANTS["dpo"]:
        cell = r.cells["dpo", variant]
        for name in ("final_score", "kl_ref"):
            yield variant, name, r.mean("dpo", variant, name)
        for part in ("total", "pos", "neg"):
            for k in range(0, len(cell[0]["step"]), 3):
                yield (variant, f"{part}@{cell[0]['step'][k]}",
                       statistics.fmean(run[part][k] for run in cell))


def compare(r):
    """Lines that tell where DPO's numbers are not those of the reference."""
    want = {}
    for line in GOLDEN.read_text().splitlines():
        if line and not line.startswith("#"):
            variant, name, value = line.split()
            want[variant, name] = float(value)
    worst, lines = 0.0, []
    got = {(variant, name): value for variant, name, value in numbers(r)}
    for key in sorted(want.keys() | got.keys()):
        if key not in want or key not in got:
            lines.append(f"{' '.join(key)}: only in the {'reference' if key in want else 'file'}")
            continue
        tol = G_TOL * (1 + abs(want[key])) if "@" in key[1] else SCORE_TOL
        off = abs(got[key] - want[key])
        worst = max(worst, off)
        if not off <= tol:
            lines.append(f"{' '.join(key)}: {got[key]:.4f}, expected {want[key]:.4f} within {tol:.3f}")
    return worst, len(want), lines


def write(r):
    rows = list(numbers(r))  # before the old file is gone
    with GOLDEN.open("w") as f:
        f.write("# DPO's numbers in sweeps/demo.yaml: variant, name (G: component@step), mean over seeds.\n"
                "# Written by tests/demo_claims.py FILE.h5 --write.\n")
        for variant, name, value in rows:
            f.write(f"{variant} {name} {value:.5f}\n")


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--write"]):
        print(__doc__, file=sys.stderr)
        return 64
    r = Results(sys.argv[1])
    failed = 0
    for text, claim in CLAIMS:
        try:
            good, value = claim(r)
        except (KeyError, IndexError, ValueError, statistics.StatisticsError) as fault:
            good, value = False, f"not to be told from this file: {type(fault).__name__} {fault}"
        failed += not good
        print(f"{'good  ' if good else 'FAILED'} {text}: {value}")
    if sys.argv[2:]:
        if not failed:
            write(r)
        return int(failed > 0)
    try:
        worst, n, lines = compare(r)
    except (KeyError, IndexError, ValueError) as fault:
        worst, n, lines = float("nan"), 0, [f"not to be told from this file: {fault}"]
    failed += bool(lines)
    print(f"{'FAILED' if lines else 'good  '} DPO's {n} numbers are near those of {GOLDEN.name}: "
          f"largest difference {worst:.4f}")
    for line in lines:
        print(f"         {line}")
    print(f"{failed} of {len(CLAIMS) + 1} claims failed" if failed
          else f"all of {len(CLAIMS) + 1} claims hold")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
