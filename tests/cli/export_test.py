#!/usr/bin/python3
"""Every table of `posweep export`, as CSV and as JSON, against the file as h5py reads it: each cell
is the value of the dataset of its name at the labels of its row, and no row is missing."""
import csv
import io
import json
import math
import os
import pathlib
import shutil
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

POSWEEP = os.environ["POSWEEP"]
# Two methods, so that half of the columns are empty in each row; a diverged run; `config` has commas and quotes.
SWEEP = """
seeds: [1, 2]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 6, batch: 8, lr: 1e-3}
  final: {prompts: 8, max_new: 16}
  trace: {every: 3, probe: 8, tokens: on, directions: on, cosine_every: 3}
  log: {every: 2}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
  - set: {policy: {method: ppo, steps: 2}, reward.source: scorer, rollout.max_new: 8, trace: {every: 1, cosine_every: 1}}
  - set: {policy: {lr: 1000, weight_decay: 1000}}
    variants: {wild: {}}
"""
STATUS = ["queued", "running", "done", "failed", "diverged", "interrupted"]
TABLES = {"runs": ("run",), "traces": ("run", "checkpoint", "component"),
          "directions": ("run", "checkpoint", "direction", "component"),
          "training": ("run", "log_step"), "samples": ("run", "sample")}


def posweep(folder, *arguments, status=0):
    out = subprocess.run([POSWEEP, *arguments], cwd=folder, capture_output=True)
    assert out.returncode == status, (arguments, out.returncode, out.stderr)
    return out.stdout if status == 0 else out.stderr.decode()


def load(path):
    """{name: (dims, values)} of the root group, text as str."""
    found = {}
    with h5py.File(path) as f:
        for name, item in f.items():
            if not isinstance(item, h5py.Dataset):
                continue
            is_scale = item.attrs.get("CLASS", b"") in (b"DIMENSION_SCALE", "DIMENSION_SCALE")
            dims = [name] if is_scale else [d[0].name.split("/")[-1] for d in item.dims]
            values = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
            if item.dtype == "S1":  # characters: one text a row
                values = np.array([x.tobytes().rstrip(b"\0").decode() for x in item[()]], dtype=object)
                dims = dims[:-1]
            found[name] = (dims, values, "setting" in item.attrs)
    return found


def is_missing(name, value, is_setting):
    if isinstance(value, str):
        return value == "" and name.startswith("sample_")  # an empty text is a text, but no row
    if np.issubdtype(type(value), np.floating):
        return math.isnan(value)
    return value == -1 and name != "seed" and not is_setting


def rows_of(data, dims):
    """Labels of the rows that are to be there: those with a value of their own."""
    own = [(n, v) for n, (d, v, _) in data.items() if tuple(d) == dims and n not in dims]
    for at in np.ndindex(*(len(data[d][1]) for d in dims)):
        if any(not is_missing(n, v[at], False) for n, v in own):
            yield dict(zip(dims, at))


def check_cell(name, got, want, is_setting, is_json):
    where = f"{name}: {got!r}, the file has {want!r}"
    if name == "status":
        assert got == STATUS[want], where
    elif isinstance(want, str):
        assert got == want, where
    elif is_missing(name, want, is_setting):
        assert got is None if is_json else got == "", where
    elif want.dtype == np.float32:
        assert np.float32(got) == want, where
    else:
        assert float(got) == float(want), where
    assert not is_json or isinstance(want, str) or name == "status" or not isinstance(got, str), where


def check_table(data, got, wanted_rows, columns, is_json):
    assert len(got) == len(wanted_rows), (len(got), len(wanted_rows))
    for row, at in zip(got, wanted_rows):
        assert set(row) == set(columns), set(row) ^ set(columns)
        for name in columns:
            dims, values, is_setting = data[name]
            check_cell(name, row[name], values[tuple(at[d] for d in dims)], is_setting, is_json)


def columns_of(data, dims):
    """Owners, settings, labels, then all datasets of these dimensions; of a trace also those of its
    checkpoints."""
    also = ("run", "checkpoint") if dims == ("run", "checkpoint", "component") else None
    return [n for n, (d, _, is_setting) in data.items()
            if is_setting or n in ("run", "method", "variant", "seed") or n in dims
            or tuple(d) in (dims, also)]


def token_rows(data):
    token = 0
    for s, size in enumerate(data["row_size"][1]):
        for _ in range(size):
            yield {"run": data["sequence_run"][1][s], "sequence": s, "token": token}
            token += 1


def read(folder, table, is_json):
    text = posweep(folder, "export", "x.h5", "--what", table, "--json" if is_json else "--csv")
    if is_json:
        return [json.loads(line) for line in text.decode("utf-8").splitlines()]
    assert text.count(b"\r\n") == text.count(b"\n")  # of the records; no text has one
    return list(csv.DictReader(io.StringIO(text.decode("utf-8"), newline=""), strict=True))


def check_all(folder):
    data = load(folder / "x.h5")
    for is_json in (False, True):
        for table, dims in TABLES.items():
            rows = list(rows_of(data, dims))
            assert rows, table
            check_table(data, read(folder, table, is_json), rows, columns_of(data, dims), is_json)
        columns = [n for n, (d, _, is_setting) in data.items()
                   if is_setting or n in ("run", "method", "variant", "seed")
                   or tuple(d) in (("sequence",), ("token",))]
        check_table(data, read(folder, "tokens", is_json), list(token_rows(data)), columns, is_json)
    runs = read(folder, "runs", True)
    assert [r["variant"] for r in runs] == ["vanilla"] * 2 + ["flat"] * 2 + ["vanilla"] * 2 + ["wild"] * 2
    assert json.loads(runs[5]["config"])["policy.method"] == "ppo"
    assert runs[6]["status"] == "diverged" and runs[6]["score"] is None and runs[6]["message"]


def check_files(folder):
    want = posweep(folder, "export", "x.h5", "--what", "training")
    posweep(folder, "export", "x.h5", "--what", "training", "-o", "t.csv")
    assert (folder / "t.csv").read_bytes() == want
    (folder / "t.csv").write_text("old")
    assert "did you mean \"traces\"" in posweep(folder, "export", "x.h5", "--what", "trace", "-o",
                                                "t.csv", status=78)
    assert (folder / "t.csv").read_text() == "old"
    assert sorted(p.name for p in folder.glob("t.csv*")) == ["t.csv"]
    assert "one of the two" in posweep(folder, "export", "x.h5", "--csv", "--json", status=64)
    assert "no such file" in posweep(folder, "export", "none.h5", status=66)
    assert "is a sweep file; export reads" in posweep(folder, "export", "x.yaml", status=78)
    posweep(folder, "run", str(pathlib.Path(os.environ["POSWEEP_SOURCE"]) / "sweeps/smallest.yaml"),
            "-o", "plain.h5")
    assert "trace.tokens: on" in posweep(folder, "export", "plain.h5", "--what", "tokens", status=65)
    assert "trace.directions: on" in posweep(folder, "export", "plain.h5", "-w", "directions",
                                             status=65)


def check_pandas(folder):
    """What most will do with it, where pandas is here."""
    try:
        import pandas
    except ImportError:
        return
    posweep(folder, "export", "x.h5", "--what", "traces", "-o", "t.csv")
    table = pandas.read_csv(folder / "t.csv", float_precision="round_trip")
    data = load(folder / "x.h5")
    total = list(data["component"][1]).index("total")
    of_flat = table[(table.variant == "flat") & (table.component == "total")]
    want = data["G"][1][[v == "flat" for v in data["variant"][1]]][:, :, total]
    np.testing.assert_allclose(of_flat.pivot(index="seed", columns="checkpoint", values="G"), want,
                               rtol=1e-15)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "x.yaml").write_text(SWEEP)
        subprocess.run([POSWEEP, "run", "x.yaml", "-o", "x.h5", "-q"], cwd=folder, check=True)
        check_all(folder)
        check_files(folder)
        check_pandas(folder)
        shutil.copy(folder / "x.h5", folder / "bad.h5")
        (folder / "bad.h5").write_bytes((folder / "bad.h5").read_bytes()[:-500])
        posweep(folder, "export", "bad.h5", status=65)


if __name__ == "__main__":
    main()
