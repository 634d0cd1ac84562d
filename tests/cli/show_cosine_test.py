#!/usr/bin/python3
"""posweep show --cosine: median and middle half over seeds of the file's cosines, at the checkpoints
that have them, for every component that is shown."""
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

SWEEP = """
replicates: 4
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 12, batch: 8, lr: 3e-3}
  final: {prompts: 32, max_new: 16}
  trace: {every: 2, probe: 8, cosine_every: 4}
"""
NUMBER = r"-?[\d.]*\d"


def agrees(text, value):
    """A number as text is the value rounded to its own digits."""
    digits = len(text.split(".")[1]) if "." in text else 0
    return abs(float(text) - value) <= 0.5000001 * 10.0**-digits


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        text = posweep("show", "x.h5", "--cosine", "--ascii", "--max-kl", "inf")
        assert max(map(len, text.splitlines())) <= 100, text
        with h5py.File("x.h5") as f:
            step, cosine = f["step"][0].tolist(), f["cosine"][()]
            names = f["component"].asstr()[()].tolist()
        shown = [int(s) for s in re.findall(r"step (\d+)", text.split("\n\n")[-1].splitlines()[1])]
        assert shown == [0, 4, 8], (shown, text)  # the last checkpoint is left out
        rows = re.findall(r"^  (\w+): above 0.*?^  cosine (.*?)$", text, re.M | re.S)
        assert [name for name, _ in rows] == ["total", "pos", "neg"], text
        n = 0
        for name, row in rows:
            cells = re.findall(rf"({NUMBER}) \[({NUMBER})\.\.({NUMBER})\]", row)
            assert len(cells) == 3, row
            for s, cell in zip(shown, cells):
                x = cosine[:, step.index(s), names.index(name)]
                x = x[np.isfinite(x)]
                want = np.median(x), np.quantile(x, 0.25), np.quantile(x, 0.75)
                assert all(agrees(c, w) for c, w in zip(cell, want)), (name, s, cell, want)
                n += len(x) > 2
        assert n >= 6, n
        assert "cosine" not in posweep("show", "x.h5", "--max-kl", "inf")
        assert "the picture is of G" in posweep("show", "x.h5", "--cosine", "--svg", "x.svg", status=64)
        pathlib.Path("y.yaml").write_text(SWEEP.replace(", cosine_every: 4", ""))
        posweep("run", "y.yaml", "-o", "y.h5", "-q", "--set", "replicates=1")
        assert "trace: {cosine_every: N}" in posweep("show", "y.h5", "--cosine", status=65)
        os.chdir("/")
    print("cosines are those of the file")


main()
