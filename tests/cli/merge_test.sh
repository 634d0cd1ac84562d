#!/bin/sh
# posweep merge: what several starts computed of one sweep, or of several, in one file; the same
# file as one start would have written.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# sweep NAME SEEDS
sweep() { sed "s/seeds: \[1\]/seeds: [$2]/" "$POSWEEP_SOURCE/sweeps/smallest.yaml" >"$1.yaml"; }
sweep all '1, 2'
sweep a 1
sweep b 2
for name in all a b; do expect 0 'runs done' "$POSWEEP" run $name.yaml; done

expect 0 '4 of 4 runs done, from 2 files: out.h5' \
    "$POSWEEP" merge a.h5 b.h5 -o out.h5 --sweep all.yaml
check 'merged is as computed at once' same_datasets all.h5 out.h5
expect 0 'good' "$POSWEEP" check out.h5
expect 0 '(4 before)' "$POSWEEP" run all.yaml -o out.h5
check 'nothing was computed again' same_datasets all.h5 out.h5

# Without the sweep file: all that they asked for; further merges, and one that is continued.
expect 0 '4 of 4 runs done' "$POSWEEP" merge a.h5 b.h5 -o union.h5
expect 0 '4 runs were in several files, and equal' \
    "$POSWEEP" merge union.h5 all.h5 -o twice.h5 --sweep all.yaml
check 'merged again is the same' same_datasets all.h5 twice.h5
expect 0 '2 of 2 runs done' "$POSWEEP" run a.yaml --set policy.lr=3e-4 -o c.h5
expect 0 '6 of 6 runs done' "$POSWEEP" merge all.h5 c.h5 -o more.h5
expect 0 'good' "$POSWEEP" check more.h5
expect 0 'policy_lr=0.0003' "$POSWEEP" compare more.h5 --baseline vanilla
expect 0 'merged_from=all.h5, c.h5' grep -a 'merged_from=' more.h5
(cat all.yaml && echo --- && sed 's/lr: 1e-4/lr: 3e-4/' all.yaml) >both.yaml
expect 0 '8 of 8 runs done (6 before)' "$POSWEEP" run both.yaml -o more.h5
expect 0 '8 of 8 runs done' "$POSWEEP" merge more.h5 b.h5 -o more.h5

# Refused, with nothing written.
expect 78 'out.h5: exists and would be replaced' "$POSWEEP" merge a.h5 b.h5 -o out.h5
expect 66 'none.h5.journal: there is no journal' "$POSWEEP" merge a.h5 none.h5 -o new.h5
expect 64 'where to' "$POSWEEP" merge a.h5 b.h5
posweep_elsewhere() { OPENBLAS_CORETYPE=Prescott "$POSWEEP" "$@"; }
if [ "$("$POSWEEP" --version)" != "$(posweep_elsewhere --version)" ]; then
    expect 0 'runs done' posweep_elsewhere run a.yaml -o moved.h5
    expect 78 'a.h5 and moved.h5 were computed on different machines, blas' \
        "$POSWEEP" merge a.h5 moved.h5 -o new.h5
    expect 65 'is done in a.h5 and in moved.h5, and its "[a-zA-Z_]*" differs' \
        "$POSWEEP" merge a.h5 moved.h5 -o new.h5 --accept-changed-cpu
fi
check 'nothing was written' test ! -e new.h5 -a ! -e new.h5.journal -a ! -e new.h5.journal.lock
