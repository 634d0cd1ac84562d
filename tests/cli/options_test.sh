#!/bin/sh
# Options with wrong values are refused at once, with what was expected; logs carry dates.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

# --- Times ---------------------------------------------------------------------------------------
# "1m" was read as one second.
for time in 1x 1M -5 0 nan 1m30s ''; do
    expect 64 "snapshot: '$time' is no time > 0 such as 90, 90s, 2m or 1h" \
        "$POSWEEP" run "$SWEEP" -o x.h5 --snapshot "$time"
done

# --- Names and counts ------------------------------------------------------------------------------
expect 64 "output: '' is no name" "$POSWEEP" run "$SWEEP" -o ''
expect 64 "output: '' is no name" "$POSWEEP" plan "$SWEEP" -o ''
expect 64 "work-dir: '' is no name" "$POSWEEP" run "$SWEEP" --work-dir ''
for count in 0 -1 4x '' 99999999999; do
    expect 64 "ranks: '$count' is no count >= 1" "$POSWEEP" plan "$SWEEP" --ranks "$count"
done
expect 64 "gflops: '20x' is no rate" "$POSWEEP" plan "$SWEEP" --gflops 20x
check 'nothing was begun' test -z "$(ls)" -o "$(ls)" = out.txt

# --- The log in a file carries dates with their offset to UTC ----------------------------------------------
"$POSWEEP" run "$SWEEP" -o dated.h5 --verbose 2>dated.txt >/dev/null
date='^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9][+-][0-9][0-9]:[0-9][0-9] '
check 'the log has lines' grep -q "${date}info: " dated.txt
check 'every line of the log has a date' test -z "$(grep -v "$date" dated.txt)"
[ "$N_BAD" -eq 0 ]
