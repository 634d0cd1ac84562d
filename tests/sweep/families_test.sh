#!/bin/sh
# llama goes all the way: SFT, reference, reward model, DPO and PPO with both critics, traces, in the
# memory that is planned (an arena that runs over ends the program); bits do not depend on the ranks.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

SWEEP=$POSWEEP_SOURCE/tests/support/llama.yaml
expect 0 '^4 runs of llama' "$POSWEEP" plan "$SWEEP"
expect 0 '4 of 4 runs done' "$POSWEEP" run "$SWEEP" -o one.h5
expect 0 'good' "$POSWEEP" check one.h5
expect 0 '4 of 4 runs done' "$MPIEXEC" -n 5 "$POSWEEP" run "$SWEEP" -o four.h5 \
    --set limits.ranks_per_run=4
expect 0 'model.rotary_pct is given, but matters only with a family that rotates a part' \
    "$POSWEEP" plan "$SWEEP" --set model.rotary_pct=0.5

for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'
expect 0 ' 0 different' "$python" "$POSWEEP_SOURCE/tests/support/compare_h5.py" one.h5 four.h5 \
    provenance/spec_text
cat >tell.py <<'END'
import h5py, numpy as np
f = h5py.File("one.h5")
label = [t.decode() if isinstance(t, bytes) else t for t in f["component"][()]]
for r in range(4):
    g = f["G"][r][:, [label.index(x) for x in ("pos", "neg", "kl", "entropy", "value") if x in label]]
    total = f["G"][r][:, label.index("total")]
    assert np.isfinite(total).all()
    assert np.allclose(np.nansum(g, -1), total, rtol=1e-9, atol=1e-12)
print("as told")
END
expect 0 '^as told' "$python" tell.py
[ "$N_BAD" -eq 0 ]
