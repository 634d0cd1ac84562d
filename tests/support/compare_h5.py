#!/usr/bin/env python3
"""compare_h5.py A B [EXCEPT...]: are the datasets of two results files the same, byte for byte?

Datasets marked `volatile` (times, hosts) and those named after the files may differ in their values,
but must exist in both. Exit status: 0 same, 1 different (says where), 77 h5py is not installed."""
import sys

try:
    import h5py
    import numpy
except ImportError:
    print("skipped: python3-h5py is not installed")
    sys.exit(77)


def datasets(file):
    """Everything that holds values, by path; links are not followed twice."""
    found = {}
    file.visititems(lambda name, item: found.__setitem__(name, item)
                    if isinstance(item, h5py.Dataset) else None)
    return found


def difference(a, b):
    """What is different between two datasets, or None."""
    if a.dtype != b.dtype or (a.shape != b.shape and not a.attrs.get("volatile", 0)):
        return f"{a.shape} {a.dtype} against {b.shape} {b.dtype}"
    if a.attrs.get("volatile", 0):
        return None
    x, y = a[()], b[()]
    p, q = pieces(x), pieces(y)
    bad = [i for i in range(len(p)) if p[i] != q[i]]
    if not bad:
        return None
    place = tuple(int(i) for i in numpy.unravel_index(bad[0], a.shape))
    return (f"{len(bad)} of {len(p)} elements, first at {place}: "
            f"{short(x, place)} against {short(y, place)}")


def differences(a, b):
    """Names of the datasets that two results files do not have alike."""
    with h5py.File(a, "r") as x, h5py.File(b, "r") as y:
        ours, theirs = datasets(x), datasets(y)
        return sorted(set(ours) ^ set(theirs)) + [
            n for n in sorted(set(ours) & set(theirs)) if difference(ours[n], theirs[n])]


def pieces(value):
    """The elements as bytes: NaN equals NaN, and -0 is not 0."""
    flat = numpy.atleast_1d(value).reshape(-1)
    return flat.tolist() if flat.dtype == object else [x.tobytes() for x in flat]


def short(value, place):
    return repr(numpy.asarray(value)[place] if place else value)[:60]


def main():
    skipped = set(sys.argv[3:])
    with h5py.File(sys.argv[1], "r") as a, h5py.File(sys.argv[2], "r") as b:
        ours, theirs = datasets(a), datasets(b)
        faults = [f"{name}: only in one of the files" for name in sorted(set(ours) ^ set(theirs))]
        for name in sorted(set(ours) & set(theirs) - skipped):
            what = difference(ours[name], theirs[name])
            if what:
                faults.append(f"{name}: {what}")
    print("\n".join(faults + [f"{len(ours)} datasets, {len(faults)} different"]))
    sys.exit(1 if faults or not ours else 0)


if __name__ == "__main__":
    main()
