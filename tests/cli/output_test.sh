#!/bin/sh
# Where a sweep writes: what cannot be written is refused before any work, and results that no
# journal can continue are not replaced.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

expect 66 'there is no folder ./nowhere; create it' "$POSWEEP" run "$SWEEP" -o ./nowhere/x.h5
mkdir folder.h5
expect 78 'folder.h5: is not a file' "$POSWEEP" run "$SWEEP" -o folder.h5
check 'nothing was begun' test ! -e folder.h5.journal

expect 0 'disk ' "$POSWEEP" plan "$SWEEP"
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP"
expect 0 'output *smallest.h5: 2 of 2 runs are done already' "$POSWEEP" plan "$SWEEP"
cp smallest.h5 copy.h5
rm smallest.h5.journal
expect 78 'its journal smallest.h5.journal does not' "$POSWEEP" run "$SWEEP"
check 'the results are untouched' cmp -s smallest.h5 copy.h5

# Last bits depend on the machine: a sweep does not go on with another kind unless that is accepted,
# and a start that was refused changes nothing of that.
posweep_elsewhere() { OPENBLAS_CORETYPE=Prescott "$POSWEEP" "$@"; }
if [ "$("$POSWEEP" --version)" != "$(posweep_elsewhere --version)" ]; then
    sed 's/, flat: {preset: flat}//' "$SWEEP" >one.yaml
    expect 0 '1 of 1 runs done' "$POSWEEP" run one.yaml -o moved.h5
    refused() {
        expect 78 'moved.h5: .*another blas (.* before, .* now).*--accept-changed-cpu' \
            posweep_elsewhere run "$SWEEP" -o moved.h5
    }
    refused
    refused
    expect 0 'differs from the one before in blas (' \
        posweep_elsewhere run "$SWEEP" -o moved.h5 --accept-changed-cpu
    expect 0 'differ' "$POSWEEP" run "$SWEEP" -o moved.h5 --accept-changed-cpu --set policy.steps=9
    check 'the acceptance is recorded' grep -aq 'accept_changed_cpu=yes' moved.h5
    # Where nothing is left to do, nothing can differ.
    expect 0 '(2 before)' posweep_elsewhere run "$SWEEP" -o moved.h5
fi

# Less than was asked for is told of.
expect 0 "final.prompts is 99999, the data has 1016 held-out prompts for D' and all are used" \
    "$POSWEEP" plan "$SWEEP" --set final.prompts=99999
expect 0 'eval.prompts is 99999, the data has 1016 others for the evaluation and all are used' \
    "$POSWEEP" plan "$SWEEP" --set eval.prompts=99999
