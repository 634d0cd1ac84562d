#!/usr/bin/python3
"""posweep influence: contributions of all tokens add up to the stored G of every component that the
table can tell, the tables show the largest, and tokens have their text."""
import csv
import io
import json
import os
import pathlib
import re
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

# The probe is larger than the list of prompts, so that some prompts come twice.
SWEEP = """
seeds: [1]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 6, batch: 8, lr: 1e-2}
  final: {prompts: 8, max_new: 16}
  trace: {every: 2, probe: 64, tokens: on}
blocks:
  - axes: {policy.method: [dpo, rpo]}
  - set: {policy: {method: grpo, steps: 2, batch: 16}, reward.source: scorer, rollout.max_new: 8, trace: {every: 1}}
"""


def rows_of(run, component, checkpoint, *more):
    text = posweep("influence", "x.h5", run, "-c", component, "-k", str(checkpoint), "--csv", *more)
    return list(csv.DictReader(io.StringIO(text)))


def check_sums(f, methods):
    """float32 weights (total) or kappa and log pi as they are: relative 2^-22 of the magnitudes, and
    the rounding of the reference (see rescore_test.py), which is below 1e-6 of them here."""
    names = f["component"].asstr()[()].tolist()
    n = 0
    for r, method in enumerate(methods):
        for c, component in enumerate(names):
            g = f["G"][r, 1, c]
            if np.isnan(g) or component == "raw":
                continue
            x = np.array([float(row["contribution"]) for row in rows_of(f"{method} vanilla seed 1", component, 1)])
            assert abs(x.sum() - g) <= 2e-6 * abs(x).sum(), (method, component, x.sum(), g)
            n += 1
    assert n >= 40, n


def check_texts(f, methods):
    for r, method in enumerate(methods):
        rows = rows_of(f"{method} vanilla seed 1", "total", 1)
        point = 0 if method != "grpo" else 1  # pairs have their texts there
        mine = np.flatnonzero((f["sequence_run"][()] == r) & (f["sequence_checkpoint"][()] == point))
        said = {}
        for row in rows:
            said.setdefault((row["item"], row["role"]), []).append(row["text"])
        texts = f["sequence_response"].asstr()[()][mine].tolist()
        assert ["".join(v) for v in said.values()] == texts and any(texts), method
        assert all(f["sequence_prompt"].asstr()[()][mine])
        later = np.flatnonzero((f["sequence_run"][()] == r) & (f["sequence_checkpoint"][()] == 1 - point))
        assert (method == "grpo") == all(f["sequence_prompt"].asstr()[()][later]), method


def check_tables():
    """The largest pairs, tokens and words, found again from the rows."""
    rows = rows_of("dpo vanilla", "total", 2)
    x = np.array([float(row["contribution"]) for row in rows])
    text = posweep("influence", "x.h5", "dpo vanilla", "-k", "2", "--top", "2")
    blocks = re.split(r"\n\n", text)
    assert [b.split(":")[0] for b in blocks[1:]] == ["pairs", "prompts, their pairs together",
                                                     "tokens in their place", "tokens of the vocabulary"], text
    for block, key in ((1, "item"), (4, "token_id")):
        groups = {}
        for row, c in zip(rows, x):
            groups[row[key]] = groups.get(row[key], 0) + c
        best = sorted(groups, key=lambda k: (-abs(groups[k]), int(k)))[:2]
        lines = [line for line in blocks[block].splitlines() if re.match(r"  [-+]", line)]
        assert len(lines) == 2
        for line, k in zip(lines, best):
            assert abs(float(line.split()[0]) - groups[k]) <= 1e-3 * abs(groups[k]), (line, groups[k])
            assert re.search(rf"(% +|id ){k} ", line), (line, k)
    best = np.argsort(-abs(x), kind="stable")[0]
    line = blocks[3].splitlines()[1]
    assert abs(float(line.split()[0]) - x[best]) <= 1e-3 * abs(x[best]) and rows[best]["role"] in line
    assert f"[{rows[best]['text'].strip()}]" in line, line


def check_errors(f):
    first = posweep("influence", "x.h5")
    assert first.startswith("dpo vanilla seed 1, checkpoint ") and "2 more runs have tokens" in first, first
    norm, c = f["v_norm"][0], f["component"].asstr()[()].tolist().index("total")
    g = abs(f["G"][0, :, c] / norm)[:-1]
    assert f"checkpoint {np.nanargmax(g)} " in first.splitlines()[0], first
    last = [json.loads(line) for line in posweep("influence", "x.h5", "--json").splitlines()]
    assert isinstance(last[0]["contribution"], float) and last[0]["role"] == "chosen"
    for arguments, status, says in (
            (("rpo vanilla seed 1", "-c", "poss"), 78, 'did you mean "pos"?'),
            (("rpo vanilla seed 1", "-c", "kl"), 78, '"rpo vanilla seed 1" has no kl'),
            (("grpo", "-c", "raw"), 78, "no setting stores it"),
            (("dpo vanilla", "-k", "9"), 78, "has no tokens; there are 0 to 3"),
            (("dpp",), 66, "the nearest is"),
            (("dpo", "-k", "x"), 64, "a count from 0"),
            (("dpo", "--top", "0"), 64, "--top")):
        assert says in posweep("influence", "x.h5", *arguments, status=status), arguments


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        f = h5py.File("x.h5")
        methods = f["method"].asstr()[()].tolist()
        check_sums(f, methods)
        check_texts(f, methods)
        check_tables()
        check_errors(f)
        os.chdir("/")
    print("contributions add up to G")


main()
