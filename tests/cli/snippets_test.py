#!/usr/bin/python3
"""The README's snippet, and the code that `posweep snippet` prints in every language that is here, on a sweep of two methods: what each prints of dpo vanilla has to be what `posweep show`
prints."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "support"))
from skip import may_skip, skip  # noqa: E402

try:
    import pandas  # noqa: F401
    import xarray  # noqa: F401
except ImportError as missing:
    skip(str(missing))

POSWEEP = os.environ["POSWEEP"]
README = (pathlib.Path(os.environ["POSWEEP_SOURCE"]) / "README.md").read_text()
# ppo has a vanilla variant as well, and other steps: whoever forgets the method averages both.
SWEEP = """
seeds: [1, 2, 3]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {steps: 8, batch: 8, lr: 1e-3}
  final: {prompts: 8, max_new: 16}
  trace: {every: 2, probe: 8}
  log: {every: 2}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}}
  - set: {policy: {method: ppo, steps: 3}, reward.source: scorer, rollout.max_new: 8, trace.every: 1}
"""
ROUNDING = 6e-4  # show prints three digits
NUMBER = r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?"


def shown(folder, direction):
    """{component: {step: mean of G over |v|}} of dpo vanilla as `show` has it."""
    text = subprocess.run(
        [POSWEEP, "show", "demo.h5", "--ascii", "--method", "dpo", "-V", "vanilla", "-c", "64",
         "--direction", direction, "--max-kl", "inf"],
        cwd=folder, check=True, capture_output=True, text=True).stdout
    steps = [int(x) for x in re.findall(r"step (\d+)", re.search(r"^ +step .*$", text, re.M)[0])]
    found, component = {}, None
    for line in text.splitlines():
        if m := re.match(r"  (\w+): above 0", line):
            component = m[1]
        elif line.startswith("  G/|v|") and component:
            means = re.findall(rf"({NUMBER}) \+- {NUMBER}", line)
            assert len(means) == len(steps), line
            found[component] = dict(zip(steps, map(float, means)))
    assert set(found) >= {"total", "pos", "neg"} and len(steps) == 4, text
    return found


def printed(folder):
    """Rows of numbers that the README's snippet prints."""
    snippet = re.search(r"```python\n(.*?)```", README, re.S)[1]
    out = subprocess.run([sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    rows = [[float(x) for x in re.findall(NUMBER, line)] for line in out.stdout.splitlines()
            if re.match(r"^[\s\d.eE+-]+$", line) and line.strip()]
    assert rows, out.stdout
    return rows


def compare(language, want, got):
    for step, value in want.items():
        assert step in got, f"{language}: no step {step} in {sorted(got)}"
        assert abs(got[step] - value) <= ROUNDING, f"{language}, step {step}: {got[step]}, show {value}"
    print(f"{language}: {len(want)} values as `show` has them")


def has(program, *probe):
    return shutil.which(program) and subprocess.run(
        [program, *probe], capture_output=True).returncode == 0


def there(why_not, program, *probe):
    """The same; what is not here may be left out, or the test fails (skip.py)."""
    if has(program, *probe):
        return True
    assert may_skip(why_not), f"left out where nothing may be: {why_not}"
    return False


# Where matplotlib is not here, this stands in for it: the code runs, and what it draws is counted.
STUB = """
import atexit, numpy
drawn = []
class Any:
    def __getattr__(self, name): return lambda *a, **k: None
class Axis(Any):
    def plot(self, x, y, **how):
        assert len(x) == len(y) and numpy.isfinite(y).all()
        drawn.append(numpy.ndim(y))
def subplots(n_row, n_column, squeeze, **how):
    assert not squeeze
    return Any(), [[Axis() for _ in range(n_column)] for _ in range(n_row)]
def show():
    print("drawn:", len(drawn), "of them seeds:", drawn.count(2))
"""


def written(language, command, folder, environment=None):
    """{component: {step: value}} of dpo vanilla that the code of `posweep snippet` prints."""
    code = subprocess.run([POSWEEP, "snippet", "../demo.h5", "--lang", language],
                          cwd=folder / "else", check=True, capture_output=True, text=True).stdout
    out = subprocess.run(command + [code], cwd=folder, capture_output=True, text=True,
                         env={**os.environ, **(environment or {})})
    assert out.returncode == 0, f"{language}: {out.stderr}"
    blocks = re.split(r"(?m)^((?:dpo|ppo) \w+) *$", out.stdout)
    names = blocks[1::2]
    assert names == ["dpo vanilla", "dpo flat", "ppo vanilla"], (language, out.stdout)
    rows = [[float(x) for x in re.findall(NUMBER, line)] for line in blocks[2].splitlines()]
    rows = [row[-4:] for row in rows if len(row) >= 4]  # step, total, pos, neg
    return {c: {int(r[0]): r[1 + i] for r in rows} for i, c in enumerate(("total", "pos", "neg"))}, out


def check_written(folder):
    want = shown(folder, "soft")
    stub, environment = folder / "stub", {"MPLBACKEND": "Agg"}
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        (stub / "matplotlib").mkdir(parents=True)
        (stub / "matplotlib" / "__init__.py").write_text("")
        (stub / "matplotlib" / "pyplot.py").write_text(STUB)
        environment["PYTHONPATH"] = str(stub)
    got, out = written("python", [sys.executable, "-c"], folder, environment)
    for c in want:
        compare(f"snippet in python, {c}", want[c], got[c])
    assert not stub.exists() or "drawn: 18 of them seeds: 9" in out.stdout, out.stdout
    if there("no R with rhdf5", "Rscript", "-e", "library(rhdf5)"):
        got, _ = written("r", ["Rscript", "-e"], folder)
        for c in want:
            compare(f"snippet in R, {c}", want[c], got[c])
        assert (folder / "Rplots.pdf").stat().st_size > 4000
    if there("no Julia with HDF5", "julia", "-e", "using HDF5, Plots"):
        written("julia", ["julia", "-e"], folder)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "demo.yaml").write_text(SWEEP)
        run = subprocess.run([POSWEEP, "run", "demo.yaml", "-o", "demo.h5"], cwd=folder,
                             capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        (folder / "else").mkdir()
        check_written(folder)
        want = shown(folder, "sampled")
        refused = subprocess.run([POSWEEP, "snippet", "demo.h5", "--lang", "pyton"], cwd=folder,
                                 capture_output=True, text=True)
        assert refused.returncode == 78 and 'did you mean "python"?' in refused.stderr
        rows = printed(folder)
        for i, component in enumerate(("total", "pos", "neg")):
            compare(f"README, {component}", want[component], {int(r[0]): r[1 + i] for r in rows})


if __name__ == "__main__":
    main()
