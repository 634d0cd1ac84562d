"""Open results files as HDF5 viewers do: follow `default` from the root, and ask of every NXdata
what h5web asks before it draws (packages/app/src/vis-packs/nexus: findSignalDataset,
findAxesDatasets, findErrorDataset, findAuxiliaryDatasets, assertNumericType)."""
import sys

import h5py
import numpy
import xarray


def text(value):
    assert isinstance(value, (str, bytes)), f"not a text: {value!r}"
    return value.decode() if isinstance(value, bytes) else value


def texts(value):
    if isinstance(value, (str, bytes)):
        return [text(value)]
    assert value.ndim == 1, "not a list"
    return [text(v) for v in value]


def number(group, name):
    """A numeric dataset of the group; the name is no path."""
    assert "/" not in name and name in group, f"{name} is not in {group.name}"
    found = group[name]
    assert isinstance(found, h5py.Dataset), f"{name} is no dataset"
    assert found.dtype.kind in "iuf", f"Expected dataset to have numeric type: {name}"
    return found


def title_of(group):
    """A field of NeXus: a scalar text dataset."""
    title = group["title"]
    assert title.shape == () and h5py.check_string_dtype(title.dtype) is not None
    return text(title[()])


def check_nxdata(group):
    """The signal, its errors and its axes, as a viewer takes them."""
    assert text(group.attrs["NX_class"]) == "NXdata" and title_of(group)
    name = text(group.attrs["signal"])
    signal = number(group, name)
    assert signal.ndim >= 1 and signal.size > 0
    axes = texts(group.attrs["axes"])
    assert len(axes) == signal.ndim, "one axis per dimension"
    for size, axis in zip(signal.shape, axes):
        if axis != ".":
            found = number(group, axis)
            assert found.shape == (size,), f"{axis} has another length"
            assert text(found.attrs["long_name"])
    beside = texts(group.attrs.get("auxiliary_signals", numpy.array([], "S1")))
    assert name not in beside
    for line in [name, *beside]:
        assert number(group, line).shape == signal.shape and text(group[line].attrs["long_name"])
        if line + "_errors" in group:
            assert number(group, line + "_errors").shape == signal.shape
    if "default_slice" in group.attrs:
        sliced = texts(group.attrs["default_slice"])
        assert len(sliced) == signal.ndim and all(s == "." or int(s) >= 0 for s in sliced)
    return signal


def check_file(path):
    """Every NXdata, and where the defaults lead; returns that group's content."""
    with h5py.File(path) as f:
        entry = f[text(f.attrs["default"])]
        assert text(entry.attrs["NX_class"]) == "NXentry"
        for name, group in entry.items():
            assert "/" not in name
            check_nxdata(group)
        plot = entry[text(entry.attrs["default"])]
        curves = {name: title_of(group) for name, group in entry.items()}
        return plot.name, {name: item[()] for name, item in plot.items()}, curves, dict(plot.attrs)


fixture, whole, begun = sys.argv[1:4]

name, plot, curves, attrs = check_file(fixture)
assert name == "/entry/dpo_vanilla" and set(curves) == {"dpo_vanilla", "dpo_flat", "alignment"}
assert curves["dpo_flat"] == "dpo flat: G / |v|, in nat, mean of 2 finished seeds"
assert plot["step"].dtype == "i4" and list(plot["step"]) == [0, 20, 40, 60]
assert texts(attrs["auxiliary_signals"]) == ["pos", "neg"]  # nll is not in this objective
with h5py.File(fixture) as f:
    rows = f["G"][:3, :, 1] / f["v_norm"][:3]  # pos of the three seeds; one lacks a checkpoint
    last = numpy.isfinite(rows).sum(1) - 1  # where the true G is 0: left out
    rows[range(3), last] = numpy.nan
    rows = rows[:, :4]
    count = numpy.isfinite(rows).sum(0)
    numpy.testing.assert_allclose(plot["pos"], numpy.nanmean(rows, 0))
    numpy.testing.assert_allclose(plot["pos_errors"],
                                  numpy.nanstd(rows, 0, ddof=1) / numpy.sqrt(count))
    assert list(count) == [3, 3, 3, 2]

name, plot, curves, attrs = check_file(whole)  # soft; v_soft is 0 at the last checkpoint
assert text(plot["title"]) == "dpo vanilla: G / |v|, soft targets, in nat, mean of 3 finished seeds"
assert list(plot["step"]) == [0, 20, 40, 60] and len(curves) == 3
with h5py.File(whole) as f:
    numpy.testing.assert_allclose(plot["total"], f["G_soft"][:3, :4, 0].mean(0))
name, plot, curves, attrs = check_file(begun)  # no run is done: no curve, and still no error
assert name == "/entry/alignment" and set(curves) == {"alignment"}

if hasattr(xarray, "open_datatree"):
    tree = xarray.open_datatree(fixture, engine="h5netcdf")
    assert tree["entry/dpo_vanilla"]["pos"].dims == ("step",)
with xarray.open_dataset(fixture, group="entry/dpo_vanilla") as curve:
    assert curve.pos.dims == ("step",) and float(curve.pos.sel(step=40)) > 0
print("viewers open on a plot")
