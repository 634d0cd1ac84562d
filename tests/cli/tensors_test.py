#!/usr/bin/python3
"""posweep spectrum --of tensors: singular values of the kept models' differences, against NumPy's of
the same files read here; the same on two ranks."""
import json
import os
import pathlib
import shutil
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
replicates: 2
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
  - variants: {vanilla: {}, flat: {preset: flat}}
limits: {keep: final}
"""


def load(path):
    """The tensors of a safetensors file."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    head = json.loads(data[8:8 + n])
    found = {}
    for name, row in head.items():
        if name == "__metadata__":
            continue
        assert row["dtype"] == "F32", row
        begin, end = row["data_offsets"]
        found[name] = np.frombuffer(data[8 + n + begin:8 + n + end], "<f4").reshape(row["shape"]).astype("f8")
    return found


def check_numbers(f):
    runs, tensors = (f[k].asstr()[()].tolist() for k in ("run", "tensor"))
    assert len(runs) == 4 and len(tensors) >= 5, tensors
    for i, run in enumerate(runs):
        folder = pathlib.Path("x.h5.work/kept") / run
        assert f["step"][i] == 4
        sft, policy = (load(folder / k / "model.safetensors") for k in ("sft", "policy-000004"))
        assert {k for k, v in policy.items() if v.ndim == 2} == set(tensors)
        for t, name in enumerate(tensors):
            s = np.linalg.svd(policy[name] - sft[name], compute_uv=False)
            assert (f["n_row"][t], f["n_column"][t]) == policy[name].shape
            got = f["singular_value"][i, t]
            n = min(len(s), len(got))
            assert np.abs(got[:n] - s[:n]).max() <= 1e-13 * s[0] and np.isnan(got[n:]).all(), name
            share = s**2 / (s**2).sum()
            for key, want in (("norm", np.sqrt((s**2).sum())), ("participation_ratio", 1 / (share**2).sum()),
                              ("effective_rank", np.exp(-(share * np.log(share)).sum()))):
                assert abs(f[key][i, t] - want) <= 1e-10 * want, (name, key, f[key][i, t], want)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        pathlib.Path("x.yaml").write_text(SWEEP)
        posweep("run", "x.yaml", "-o", "x.h5", "-q")
        text = posweep("spectrum", "x.h5", "--of", "tensors")
        assert "dpo flat: 2 seeds" in text and "effective rank" in text and "x.tensors.h5" in text, text
        assert max(map(len, text.splitlines())) <= 100, text
        assert "x.tensors.h5: good" in posweep("check", "x.tensors.h5")
        with h5py.File("x.tensors.h5") as f:
            check_numbers(f)
        one = pathlib.Path("x.tensors.h5").read_bytes()
        posweep("spectrum", "x.h5", "--of", "tensors", "-o", "two.h5", ranks=2)
        assert pathlib.Path("two.h5").read_bytes() == one
        assert "2 seeds" in posweep("spectrum", "x.h5", "--of", "tensors", "--variant", "flat")
        assert "found in x.h5; expected a results file" in posweep("show", "x.tensors.h5", status=78)
        shutil.move("x.h5.work", "elsewhere")
        assert "`limits: {keep: final}`" in posweep("spectrum", "x.h5", "--of", "tensors", status=66)
        assert posweep("spectrum", "x.h5", "--of", "tensors", "--work-dir", "elsewhere").startswith("Each matrix")
        assert "no picture" in posweep("spectrum", "x.h5", "--of", "tensors", "--svg", "x.svg", status=64)
        victim = sorted(pathlib.Path("elsewhere/kept").glob("*/policy-000004/model.safetensors"))[0]
        victim.write_bytes(victim.read_bytes()[:-8])
        assert "model.safetensors" in posweep("spectrum", "x.h5", "--of", "tensors", "--work-dir", "elsewhere", status=65)
        os.chdir("/")
    print("spectra are NumPy's")


main()
