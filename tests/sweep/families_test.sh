#!/bin/sh
# Families other than plain gpt_neox go all the way: SFT, reference, reward model, DPO and PPO with both
# critics, traces, in the memory that is planned (an arena that runs over ends the program); bits do
# not depend on the ranks.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# SWEEP N_RUN N_RANK: alone, and on so many ranks
all_the_way() {
    yaml=$POSWEEP_SOURCE/tests/support/$1.yaml
    expect 0 "^$2 runs of $1" "$POSWEEP" plan "$yaml"
    expect 0 "$2 of $2 runs done" "$POSWEEP" run "$yaml" -o "$1-one.h5"
    expect 0 'good' "$POSWEEP" check "$1-one.h5"
    expect 0 "$2 of $2 runs done" "$MPIEXEC" -n "$(($3 + 1))" "$POSWEEP" run "$yaml" -o "$1-more.h5" \
        --set "limits.ranks_per_run=$3"
}
all_the_way llama 4 4
all_the_way families 6 2
expect 0 'model.rotary_pct is given, but matters only with a family that rotates a part' \
    "$POSWEEP" plan "$POSWEEP_SOURCE/tests/support/llama.yaml" --set model.rotary_pct=0.5
expect 78 'model: window 6 is not possible in family llama' \
    "$POSWEEP" plan "$POSWEEP_SOURCE/tests/support/llama.yaml" --set model.window=6

for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'
for name in llama families; do
    expect 0 ' 0 different' "$python" "$POSWEEP_SOURCE/tests/support/compare_h5.py" "$name-one.h5" \
        "$name-more.h5" provenance/spec_text
done
cat >tell.py <<'END'
import h5py, numpy as np
for name in "llama", "families":
    f = h5py.File(name + "-one.h5")
    label = [t.decode() if isinstance(t, bytes) else t for t in f["component"][()]]
    for r in range(len(f["G"])):
        g = f["G"][r][:, [label.index(x) for x in ("pos", "neg", "kl", "entropy", "value") if x in label]]
        total = f["G"][r][:, label.index("total")]
        assert np.isfinite(total).all()
        assert np.allclose(np.nansum(g, -1), total, rtol=1e-9, atol=1e-12)
print("as told")
END
expect 0 '^as told' "$python" tell.py
[ "$N_BAD" -eq 0 ]
