"""Open a results file the way users do and look at what they look at."""
import json
import sys

import h5py
import netCDF4
import numpy
import xarray

path, whole = sys.argv[1:3]
UNITS = {"1", "s", "s-1", "byte"}  # what UDUNITS reads as it is meant

for engine in ("h5netcdf", "netcdf4", None):
    with xarray.open_dataset(path, engine=engine) if engine else xarray.open_dataset(path) as ds:
        assert dict(ds.sizes)["run"] == 6 and dict(ds.sizes)["checkpoint"] == 5, (engine, ds.sizes)
        assert ds.G.dims == ("run", "checkpoint", "component"), (engine, ds.G.dims)
        assert [str(c) for c in ds.component.values] == ["total", "pos", "neg", "nll"], engine
        assert [str(r) for r in ds.run.values][:2] == ["00000000000000a1", "00000000000000a2"], engine
        assert list(ds.variant.values.astype(str)) == ["vanilla"] * 3 + ["flat"] * 3, engine
        total = ds.G.sel(component="total")
        parts = ds.G.sel(component="pos") + ds.G.sel(component="neg")
        numpy.testing.assert_allclose(total, parts)
        assert numpy.isnan(total[5]).all() and numpy.isnan(total[1, 4]), engine
        assert numpy.isfinite(total[:5, :4]).all(), engine
        assert ds.G.sel(component="pos", run="00000000000000a1").values[0] == 0.29, engine
        # G of a variant, averaged over its seeds: the first thing anybody does
        mean = ds.G.groupby("variant").mean("run")
        assert mean.sizes["variant"] == 2, engine
        numpy.testing.assert_allclose(mean.sel(variant="vanilla", component="pos")[0], 0.3)
        assert ds.policy_beta.dtype == "f8" and ds.policy_batch.dtype == "i8", engine
        assert list(ds.policy_reweight.values.astype(str)) == ["on"] * 3 + ["off"] * 3, engine
        assert ds.step.values[0, 2] == 40 and numpy.isnan(ds.step.values[1, 4]), engine
        assert ds.train_loss.dims == ("run", "log_step") and "units" in ds.train_loss.attrs
        assert list(ds.status.values) == [2, 2, 2, 2, 2, 4], engine
        assert ds.status.attrs["flag_meanings"].split()[4] == "diverged", engine
        assert "not a number" in str(ds.message.values[5]), engine
        findings = ds.final_degenerate.attrs
        assert findings["flag_meanings"].split() == ["cut", "repeats"], engine
        assert list(findings["flag_masks"]) == [1, 2], engine
        assert list(ds.final_degenerate.values[:3]) == [0, 3, 0], engine
        assert list(ds.direction.values.astype(str)) == ["chosen", "adam"], engine
        chosen = ds.G_dir.sel(run="00000000000000a1", checkpoint=2, direction="chosen")
        numpy.testing.assert_allclose(chosen.sel(component="neg"), -0.21)
        assert int(ds.row_size.sum()) == ds.sizes["token"] == ds.token_kappa.size, engine
        assert ds.token_kappa.dtype == "f4" and "method" in ds.coords, engine
        assert all(v.attrs["units"] in UNITS for v in ds.variables.values()), engine
        assert ds.G.attrs["long_name"].endswith("in nat squared"), engine
        assert ds.policy_batch.attrs["long_name"].endswith("in pair"), engine
        texts = [str(x) for x in ds.config.values]  # joined of their characters
        assert texts == ['{"policy.beta": 0.1}'] * 3 + ['{"policy.beta": 0.05, "\u00fc": ""}'] * 3, texts
        ds.load()

# Where nothing is missing, integers stay integers: step can be asked for, and selected by.
for engine in ("h5netcdf", "netcdf4"):
    with xarray.open_dataset(whole, engine=engine) as ds:
        for name in ("step", "train_step", "row_size", "sequence_item", "seed", "block"):
            assert name not in ds or ds[name].dtype.kind == "i", (engine, name, ds[name].dtype)
        assert (ds.step == 40).sum() == 6, engine
        by_step = ds.G.isel(run=0).swap_dims(checkpoint="step")
        assert by_step.sel(step=40, component="pos") == ds.G[0, 2, 1], engine

with h5py.File(path) as f:
    for name, item in f.items():
        if isinstance(item, h5py.Dataset):
            assert item.attrs["long_name"] and item.attrs["units"], name
            is_text = h5py.check_string_dtype(item.dtype) is not None
            assert is_text or item.dtype.kind in "fiu", (name, item.dtype)
            assert [d[0].name for d in item.dims if len(d)] or "CLASS" in item.attrs, name
    assert numpy.isnan(f["G"].fillvalue) and f["step"].fillvalue == -1
    assert f["step"].dtype == "<i8" and f["status"].dtype == "i1"
    assert f["final_degenerate"].dtype == f["final_degenerate"].attrs["flag_masks"].dtype == "i1"
    assert f["entry/alignment/G"] == f["G"] and f["entry/alignment/G_errors"] == f["G_se"]
    assert "name: fixture" in f["provenance/spec_text"][()].decode()
    assert f["config"].dtype == "S1" and f["config"].shape == (6, len(f["config_char"]))
    assert json.loads(f["config"][4].tobytes().rstrip(b"\0")) == {"policy.beta": 0.05, "\u00fc": ""}
    assert "slurm_job=none" in f["provenance/sessions"][()].decode()
    volatile = {n for n, d in f.items() if "volatile" in d.attrs}
    assert volatile == {"attempts", "hosts", "tokens_per_s", "wall_s"}, volatile

with netCDF4.Dataset(path) as f:
    assert f["G"].dimensions == ("run", "checkpoint", "component")
    assert f["step"][:].mask[1, 4] and f["variant"][0] == "vanilla"
print("opened by xarray (h5netcdf, netcdf4), h5py and netCDF4")
