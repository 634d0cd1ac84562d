#!/bin/sh
# limits.backend: a sweep on the reference backend measures what one on the cpu does, within
# rounding; the file tells which it was; runs of the two are not mixed unasked.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP" -o cpu.h5
cp cpu.h5 first.h5
expect 0 '^2 runs' "$POSWEEP" plan "$SWEEP" --set limits.backend=reference
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP" -o reference.h5 --set limits.backend=reference

# Nothing is left to do: nobody minds. Something is: not with another backend, unless told.
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP" -o cpu.h5 --set limits.backend=reference
expect 78 'another backend (cpu before, reference now)' \
    "$POSWEEP" run "$SWEEP" -o cpu.h5 --set limits.backend=reference --set policy.beta=0.3
expect 0 'differs from the one before in backend' "$POSWEEP" run "$SWEEP" -o cpu.h5 \
    --set limits.backend=reference --set policy.beta=0.3 --accept-changed-cpu
expect 78 'limits.backend: expected cpu | reference, found "gpu"' \
    "$POSWEEP" plan "$SWEEP" --set limits.backend=gpu

for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'
# Sums of float32 in two orders, 20 + 8 steps of training: 2e-6 of the largest were seen.
cat >tell.py <<'END'
import h5py, numpy as np
a, b = h5py.File("first.h5"), h5py.File("reference.h5")
assert a["final_hash"][0] != b["final_hash"][0], "the backend makes no difference"
assert b"backend=reference" in b["provenance/sessions"][()]
assert b"backend=cpu" in a["provenance/sessions"][()]
for name in ("G", "G_soft", "v_norm", "train_loss", "grad_norm"):
    x, y = a[name][()], b[name][()]
    assert (np.isnan(x) == np.isnan(y)).all(), name
    assert np.nanmax(abs(x - y)) <= 2e-5 * np.nanmax(abs(x)), (name, np.nanmax(abs(x - y)))
print("as told")
END
expect 0 '^as told' "$python" tell.py
[ "$N_BAD" -eq 0 ]
