#!/usr/bin/python3
"""`families:` of a sweep file decide what compare adjusts together, whatever else is asked for; and
`compare --write` keeps the table in a file beside the results that another `run` leaves alone."""
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
replicates: 6
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 4, batch: 8, lr: 3e-3}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 8}
  trace: {every: 2, probe: 8}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}, fast: {policy.lr: 1e-2}}
families:
  quality: {metrics: [length, win_rate], variants: [fast]}
  inside: {metrics: ['Gv.pos:mean', 'Gv.neg:mean']}
"""


def rows_of(*more):
    return json.loads(posweep("compare", "x.h5", "-b", "vanilla", "--json", *more))["rows"]


def holm(p):
    """By the definition: the largest (n - rank) p of those that are not larger."""
    return [min(1, max((len(p) - sum(y < x for y in p)) * x for x in p if x <= z)) for z in p]


def check_holm(rows):
    for name in {r["family"] for r in rows}:
        mine = [r for r in rows if r["family"] == name]
        p = [r["p"] for r in mine]
        assert all(r["n_family"] == len(mine) for r in mine), name
        for r, want in zip(mine, holm(p)):
            assert abs(r["p_holm"] - want) <= 1e-12, (r, want)


def check_families():
    rows = rows_of("-m", "eos_rate,length")
    where = {(r["metric"], r["cell"]): r["family"] for r in rows}
    assert where == {("length", "dpo flat"): "others", ("length", "dpo fast"): "quality",
                     ("win_rate", "dpo flat"): "others", ("win_rate", "dpo fast"): "quality",
                     ("Gv.pos:mean", "dpo flat"): "inside", ("Gv.pos:mean", "dpo fast"): "inside",
                     ("Gv.neg:mean", "dpo flat"): "inside", ("Gv.neg:mean", "dpo fast"): "inside",
                     ("eos_rate", "dpo flat"): "others", ("eos_rate", "dpo fast"): "others"}, where
    check_holm(rows)
    alone = {r["metric"] for r in rows_of()}
    assert alone == {"length", "win_rate", "Gv.pos:mean", "Gv.neg:mean"}, alone
    table = rows_of("-m", "eos_rate,length", "--family", "table")
    assert [r["family"] for r in table] == [""] * 4 and {r["n_family"] for r in table} == {4}
    text = posweep("compare", "x.h5", "-b", "vanilla")
    assert "tests of its [family]" in text and text.count("[inside]") == 4
    assert max(map(len, text.splitlines())) <= 100


def check_written():
    text = posweep("compare", "x.h5", "-b", "vanilla", "-m", "length", "--write")
    assert "in x.compare.h5" in text and "x.compare.h5: good" in posweep("check", "x.compare.h5")
    rows = rows_of("-m", "length")
    with h5py.File("x.compare.h5") as f:
        said = {k: v.decode() if isinstance(v, bytes) else v for k, v in f.attrs.items()}
        assert said["results"] == "x.h5" and said["by"] == "variant" and said["alpha"] == "0.05", said
        for name, value in rows[0].items():
            got = f[name].asstr()[()] if isinstance(value, str) else f[name][()]
            for x, r in zip(got, rows):
                want = np.nan if r[name] is None else r[name]
                assert x == want or (x != x and want != want), (name, x, want)
        assert set(f) == set(rows[0]) | {"row"}
    before = pathlib.Path("x.compare.h5").read_bytes()
    posweep("run", "x.yaml", "-o", "x.h5", "-q")
    assert pathlib.Path("x.compare.h5").read_bytes() == before
    assert "is what `posweep compare` found in x.h5" in posweep("show", "x.compare.h5", status=78)
    assert "`p_holm`" in posweep("help", "comparison")


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        check_families()
        check_written()
        pathlib.Path("y.yaml").write_text(SWEEP.replace("[fast]", "[fst]"))
        assert 'families: quality: the sweep has no variant "fst"' in posweep("plan", "y.yaml", status=78)
        os.chdir("/")
    print("families are those of the sweep file")


main()
