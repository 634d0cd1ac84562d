#!/bin/sh
# open_everywhere.sh MAKE_FIXTURE: does a results file open, without arguments, in xarray (both
# engines), h5py, netCDF4 and ncdump? What is not installed is left out (77), but not where
# POSWEEP_NO_SKIP is set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import xarray, h5netcdf, netCDF4, h5py' 2>/dev/null; then
        "$1" "$folder/fixture.h5"
        "$1" "$folder/whole.h5" whole
        "$1" "$folder/begun.h5" begun
        "$python" "$here/open_everywhere.py" "$folder/fixture.h5" "$folder/whole.h5"
        "$python" "$here/viewers.py" "$folder/fixture.h5" "$folder/whole.h5" "$folder/begun.h5"
        if command -v ncdump >/dev/null || [ -n "${POSWEEP_NO_SKIP:-}" ]; then
            ncdump -h "$folder/fixture.h5" >"$folder/header"
            grep -q 'double G(run, checkpoint, component)' "$folder/header"
            ncdump "$folder/fixture.h5" >/dev/null
        fi
        exit 0
    fi
done
echo "no Python with xarray, h5netcdf, netCDF4 and h5py"
[ -z "${POSWEEP_NO_SKIP:-}" ] && exit 77
