#!/usr/bin/python3
"""The page of `posweep report`: it is well-formed, needs no network, and its numbers are those of
the file."""
import base64
import html.parser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import skip  # noqa: E402

try:
    import h5py
    import numpy as np
except ImportError as missing:
    skip(str(missing))

POSWEEP = os.environ["POSWEEP"]
# ppo has other steps than dpo, and no pairs.
SWEEP = """
name: page
seeds: [1, 2, 3]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {steps: 8, batch: 8, lr: 1e-3}
  final: {prompts: 8, max_new: 16}
  trace: {every: 2, probe: 8, cosine_every: 4, sketch: 16}
  log: {every: 2}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
  - set: {policy: {method: ppo, steps: 3}, reward.source: scorer, rollout.max_new: 8, trace.every: 1}
"""
VALUE_TOL = 1.6e-5  # of the largest value of a row: half a step of 16 bits
ERROR_TOL = 0.12    # a nudge of two codes of 1/16 octave, and its rounding
VOID = {"meta", "br", "link", "img", "input", "hr", "col"}


class Page(html.parser.HTMLParser):
    """Elements that are closed in order; what stands in the scripts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.scripts, self.words = [], {}, []
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert not any(name.startswith("on") for name, _ in attrs), attrs
        assert not any(name in ("src", "href") and not value.startswith("#")
                       for name, value in attrs), attrs
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> in {self.open}"
        self.open.pop()

    def handle_data(self, data):
        tag, name = self.open[-1] if self.open else (None, None)
        if tag == "script":
            self.scripts[name] = self.scripts.get(name, "") + data
        elif tag != "style":
            self.words.append(data)


def unpack(packed, n_row):
    """Values and errors [n_row][n], NaN where missing; and the largest value of each row."""
    def raw(name, kind):
        return np.frombuffer(base64.b64decode(packed[name]), kind)
    n = packed["n"]
    code = raw("value", "<i2").reshape(n_row, n).astype(float)
    scale = raw("scale", "<f4").astype(float)[:, None]
    value = np.where(code == -32768, np.nan, code * scale)
    error = None
    if "error" in packed:
        code = raw("error", "u1").reshape(n_row, n).astype(float)
        error = raw("largest", "<f4").astype(float)[:, None] * 2 ** (-code / 16)
        error = np.where(code == 255, np.nan, np.where(code == 254, 0, error))
    return value, error, 32767 * scale


def same_numbers(name, got, want, largest):
    """A missing value is missing, and the others are within a step of the packing."""
    assert (np.isnan(got) == np.isnan(want)).all(), f"{name}: other values are missing"
    off = np.nanmax(np.abs(got - want) / np.where(largest > 0, largest, 1))
    assert off <= VALUE_TOL, f"{name}: {off:.2g} of the largest value"
    print(f"{name}: {np.isfinite(want).sum()} values, off by at most {off:.1e} of the largest")


def check_trace(blocks, f, along, names):
    """G over the norm of v, its error, and whether it is beyond two errors from zero."""
    g, se, se_final, norm = (f[n][()] for n in names)
    n_run, n, n_component = g.shape
    value, error, largest = (np.stack(x, -1) for x in zip(*(
        unpack(blocks[f"trace-{along}-{c.decode()}"], n_run) for c in f["component"][()])))
    assert value.shape == g.shape, (value.shape, g.shape)
    step = f["step"][()]
    last = np.array([max(np.nonzero(s >= 0)[0]) for s in step])
    known = (np.arange(n)[None, :] < last[:, None])[:, :, None]
    want = np.where(known, g / norm[:, :, None], np.nan)
    same_numbers(f"G {along}", value, want, largest)
    both = np.isfinite(se_final) & known
    want_se = np.sqrt(se ** 2 + se_final ** 2) / norm[:, :, None]
    off = np.max(np.abs(error / want_se - 1)[both & (want_se > 0)])
    assert off <= ERROR_TOL, f"errors {along}: {off:.2g}"
    assert ((np.abs(value) > 2 * error) == (np.abs(want) > 2 * want_se))[both].all(), \
        "a sign is there on the page and not in the file, or the other way round"
    print(f"errors {along}: {both.sum()} values, off by at most {off:.2g}, no sign lost")


def make(folder, *options):
    """Run the sweep in a folder and report it; the page."""
    (folder / "page.yaml").write_text(SWEEP)
    for command in (["run", "page.yaml", "-o", "page.h5"], ["spectrum", "page.h5", "--max-kl", "inf"],
                    ["report", "page.h5", *options]):
        done = subprocess.run([POSWEEP, *command], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert "page.html" in done.stdout, done.stdout
    return (folder / "page.html").read_bytes().decode()


def check_figures(folder):
    """Each is an SVG by itself; with a PDF where rsvg-convert is."""
    for name in ("traces", "phase", "forest", "scatter"):
        root = xml.etree.ElementTree.parse(folder / f"{name}.svg").getroot()
        assert root.tag == "{http://www.w3.org/2000/svg}svg" and len(root) > 10, name
        if shutil.which("rsvg-convert"):
            assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF"), name


def check_cosine(data, blocks, f):
    cosine = f["cosine"][()]
    n_run, n, _ = cosine.shape
    value = np.full(cosine.shape, np.nan)
    value[:, data["cosine_at"]] = np.stack(
        [unpack(blocks[f"cosine-{c.decode()}"], n_run)[0] for c in f["component"][()]], -1)
    step = f["step"][()]
    last = np.array([max(np.nonzero(s >= 0)[0]) for s in step])
    want = np.where((np.arange(n)[None, :] < last[:, None])[:, :, None], cosine, np.nan)
    assert np.isfinite(want).any() and np.allclose(value, want, atol=4e-5, equal_nan=True), "cosine"


def check_spectrum(data, path):
    with h5py.File(path) as f:
        cosine, step = f["cosine"][()], f["step"][()]
        assert data["spectrum"]["cells"] == [c.decode() for c in f["cell"][()]]
        places = np.array([[at or [np.nan] * 2 for at in path] for path in data["spectrum"]["map"]])
        assert np.allclose(places, f["map"][()], rtol=1e-5, atol=1e-9, equal_nan=True), "map"
    value, _, largest = unpack(data["spectrum"]["columns"]["cosine"], len(cosine))
    same_numbers("cosine with the start", value, cosine[:, 0, :], largest)
    for run, row in zip(data["spectrum"]["runs"], step):
        assert [-1 if s is None else s for s in run["step"]] == row.tolist()


def check_refusals(folder):
    """Whatever is refused leaves no page."""
    whole = (folder / "page.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[:len(whole) // 2])
    flipped = bytearray(whole)
    for i in range(5000, len(flipped), 997):
        flipped[i] ^= 0x55
    (folder / "flipped.h5").write_bytes(flipped)
    (folder / "page.spectrum.h5").write_bytes(whole[:999])  # what lies beside is left out, what is named is not
    done = subprocess.run([POSWEEP, "report", "page.h5"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0 and "left out: page.spectrum.h5" in done.stderr, done.stderr
    for status, options, said in ((65, ["page.h5", "--spectrum", "page.spectrum.h5"], "page.spectrum.h5"), (65, ["cut.h5"], "cut.h5"), (65, ["flipped.h5"], "flipped.h5"),
                                  (66, ["none.h5"], "no such file"), (78, ["page.yaml"], "is a sweep file"),
                                  (78, ["page.h5", "-b", "vanila"], 'did you mean "vanilla"'),
                                  (64, [], "which results file"), (66, ["page.h5", "-o", "no/x.html"], "no/x.html")):
        done = subprocess.run([POSWEEP, "report", *options], cwd=folder, capture_output=True, text=True)
        assert done.returncode == status and said in done.stderr, (options, done.returncode, done.stderr)
    pages = sorted(p.name for p in folder.glob("*.html*"))
    assert pages == ["page.html"], pages


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = make(folder, "--figures", "figures")
        check_figures(folder / "figures")
        page = Page(text)
        links = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {
            "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink", "http://www.w3.org/2000/xmlns/"}
        assert not links, f"the page needs a network: {links}"
        data = json.loads(page.scripts["data"])
        blocks = {name[5:]: json.loads(text) for name, text in page.scripts.items()
                  if name and name.startswith("data-")}
        with h5py.File(folder / "page.h5") as f:
            check_trace(blocks, f, "sampled", ("G", "G_se", "G_se_final", "v_norm"))
            check_trace(blocks, f, "soft", ("G_soft", "G_soft_se", "G_soft_se_final", "v_soft_norm"))
            check_cosine(data, blocks, f)
            for curve in ("train_loss", "reward_margin", "trace_heldout_loss"):
                value, _, largest = unpack(blocks[f"curve-{curve}"], 9)
                same_numbers(curve, value, f[curve][()], largest)
            for metric in ("score", "kl_ref", "win_rate"):
                got = np.array(data["metrics"][metric]["value"], float)
                assert np.allclose(got, f[metric][()], rtol=1e-6, equal_nan=True), metric
            method = [x.decode() for x in f["method"][()]]
            for cell in data["cells"]:
                assert all(method[r] == cell["method"] for r in cell["run"])
                assert cell["step"][:2] == f["step"][cell["run"][0]].tolist()[:2]
            assert sorted(r for c in data["cells"] for r in c["run"]) == list(range(9))
        check_spectrum(data, folder / "page.spectrum.h5")
        check_refusals(folder)
        words = " ".join(page.words)
        for expected in ("dpo vanilla", "ppo vanilla", "9 runs", "positive learning", "What differs", "What the paper claims",
                         "What the next sweep should ask"):
            assert expected in words, expected


if __name__ == "__main__":
    main()
