#!/bin/sh
# A sweep file that plans its seeds: batches are added until it is decided, whatever interrupts.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

# flops follow from the settings: a variant of more steps has more, one of other weights as many.
planned() {
    sed -e "s/^seeds:.*/replicates: {batch: 2, max: $1, alpha: 0.2, baseline: vanilla, metric: $2}/" \
        -e "s/flat: {preset: flat}/other: {$3}/" "$SWEEP"
}
planned 6 flops 'policy.steps: 12' >more.yaml
planned 4 flops 'preset: flat' >same.yaml
n_runs() { "$POSWEEP" check "$1" >/dev/null && "$POSWEEP" status "$1" | grep -q "of $2 runs"; }

expect 0 'above are the first 2; 2 are added at a time until flops of every cell is decided' \
    "$POSWEEP" plan more.yaml
check 'and when that can end' grep -q 'The first look that can find anything is at 4$' out.txt

# Found at the second look: with 4 pairs 2 of 16 patterns are as extreme, and 0.13 may be spent.
expect 0 '^seeds 1 to 4: 1 of 1 comparisons of flops with variant vanilla decided; no more are needed' \
    "$POSWEEP" run more.yaml
check 'the first look went on' grep -q '^seeds 1 to 2: 0 of 1 .* going on to 4' out.txt
check 'it says what was found' grep -q 'dpo other: differs (found by the look at 4 seeds)' out.txt
check 'there are 8 runs' n_runs more.h5 8
expect 0 'no more are needed' "$POSWEEP" run more.yaml
check 'nothing is asked twice' test "$(grep -c '^seeds 1 to' out.txt)" -eq 1
check 'and nothing is run again' grep -q '8 of 8 runs done (8 before)' out.txt

# Killed in the middle of the second batch: the plan and what is found are the same.
"$POSWEEP" run more.yaml -o cut.h5 >cut.log 2>&1 &
pid=$! i=0
until grep -q 'going on to 4' cut.log || [ $((i += 1)) -gt 600 ]; do sleep 0.05; done
kill -9 "$pid"
wait "$pid" 2>/dev/null
check 'it was in the second batch' grep -q 'going on to 4' cut.log
check 'and had not decided' test "$(grep -c 'comparisons of flops with variant vanilla decided; no more' cut.log)" -eq 0
expect 0 'dpo other: differs (found by the look at 4 seeds)' "$POSWEEP" run more.yaml -o cut.h5
check 'what was done stays, the rest is done' grep -Eq '8 of 8 runs done \([4-7] before\)' out.txt
decided() { "$POSWEEP" compare "$1" --baseline vanilla --metric flops --csv | tail -n +2; }
check 'and the answer is that of an undisturbed sweep' test "$(decided cut.h5)" = "$(decided more.h5)"

# Never found: it ends at max.
expect 0 '^  dpo other: not distinguishable at n = 4, the last look' "$POSWEEP" run same.yaml
check 'there are 8 runs' n_runs same.h5 8

# More ranks decide as one.
expect 0 'seeds 1 to 4: 1 of 1 comparisons' \
    "$MPIEXEC" -n 2 "$POSWEEP" run more.yaml -o two.h5
check 'there are 8 runs' n_runs two.h5 8

# A count on the command line takes the plan's place.
expect 0 '^2 of 2 runs done' "$POSWEEP" run more.yaml -o one.h5 --set replicates=1

# What cannot be compared is said, and nothing is lost.
planned 6 scroe 'preset: flat' >typo.yaml
expect 78 'replicates: no metric "scroe"; did you mean "score"?' "$POSWEEP" run typo.yaml
check 'the first batch is there' n_runs typo.h5 4
