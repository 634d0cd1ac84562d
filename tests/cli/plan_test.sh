#!/bin/sh
# posweep plan: a summary of cells with their swept settings, long lists in short, and what the next
# start makes of an output that is there already.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
sed -e 's/^seeds:.*/seeds: [1, 2, 3, 4, 5, 6]/' \
    -e 's/^  - variants/  - axes: {policy.beta: [0.05, 0.1]}\n    variants/' "$SWEEP" >swept.yaml
first_line() { grep -v warning: out.txt | head -n 1 | grep -q "$1"; }
n_lines() { [ "$(grep -c "$1" out.txt)" -eq "$2" ]; }

# --- Summary first, with what was swept -------------------------------------------------------------
expect 0 '^sketches  at most 0.[0-9] MiB in the journal' "$POSWEEP" plan swept.yaml --set trace.sketch=64
expect 0 '^  dpo  *flat  *policy_beta=0.05  *6  *0 ' "$POSWEEP" plan swept.yaml
check 'without them nothing is said of sketches' n_lines '^sketches' 0
check 'the summary comes first' first_line '^24 runs of smallest, 36 stages of work'
check 'one line per cell' n_lines '^  dpo ' 4
check 'the runs are not listed' n_lines 'to do$' 0
check 'but it says how to' grep -q '^--all lists the 24 runs' out.txt
expect 0 '^  [0-9a-f]\{16\}  dpo  *flat  *policy_beta=0.1  *6  [0-9a-f]\{16\}  to do$' \
    "$POSWEEP" plan swept.yaml --all
check 'all runs are listed' n_lines 'to do$' 24
# What the seeds can show.
expect 0 'the smallest p that a paired sign-flip test can reach is 0.03125' "$POSWEEP" plan swept.yaml
expect 0 'one comparison at 0.05 finds a difference of 1.79 standard deviations' \
    "$POSWEEP" plan swept.yaml
expect 0 'so no comparison can reach 0.05: that takes 6 seeds' "$POSWEEP" plan "$SWEEP"
# More cells than a screen has lines.
betas=$(seq -s ', ' 1 21)
sed "s/^  - variants/  - axes: {policy.beta: [$betas]}\n    variants/" "$SWEEP" >long.yaml
expect 0 '^  \.\.\. and 12 more; --all lists them' "$POSWEEP" plan long.yaml
check 'the rest is not there' n_lines '^  dpo ' 30
expect 0 '^  dpo .*policy_beta=21 ' "$POSWEEP" plan long.yaml --all

# --- Rows that leave an output are said, before and after, and come back without work --------------------
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP" -o x.h5
expect 0 '^work  *nothing is left to do' "$POSWEEP" plan "$SWEEP" -o x.h5
expect 0 '2 finished runs more in its journal are not asked for now: left out of x.h5' \
    "$POSWEEP" plan "$SWEEP" -o x.h5 --set policy.lr=1e-3
expect 0 'warning: x.h5: 2 finished runs of earlier starts are not asked for now' \
    "$POSWEEP" run "$SWEEP" -o x.h5 --set policy.lr=1e-3
check 'and at the end' grep -q '^not in it: 2 finished runs .* kept in x.h5.journal' out.txt
expect 0 '^2 of 2 runs done (2 before)' "$POSWEEP" run "$SWEEP" -o x.h5
expect 0 '2 done of 2 runs' "$POSWEEP" status x.h5
[ "$N_BAD" -eq 0 ]
