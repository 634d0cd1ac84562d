#!/bin/sh
# posweep prune: what would go is shown, what goes is computed again when it is still asked for, and
# the file is then as it was.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

sed 's/flat: {preset: flat}/flat: {preset: flat}, hot: {policy.lr: 900}/' \
    "$POSWEEP_SOURCE/sweeps/smallest.yaml" >hot.yaml
run() { "$POSWEEP" run hot.yaml --set limits.keep=final -o x.h5 --keep-work "$@"; }
expect 0 '1 diverged' run
cp x.h5 whole.h5
cp x.h5.journal whole.h5.journal

expect 64 'what is to go' "$POSWEEP" prune x.h5
expect 0 'x.h5: nothing to take out' "$POSWEEP" prune x.h5 --failed
expect 0 'dpo hot seed 1: diverged' "$POSWEEP" prune x.h5 --diverged
expect 0 'nothing was done' "$POSWEEP" prune x.h5 --where variant=flat,policy.lr=1e-4
expect 0 'nothing to take out' "$POSWEEP" prune x.h5 --where variant=flat,policy.lr=2e-4
expect 78 'no setting "policy.bta"' "$POSWEEP" prune x.h5 --where policy.bta=1
expect 78 'fits 0 runs' "$POSWEEP" prune x.h5 nobody
check 'so far nothing has changed' cmp -s x.h5.journal whole.h5.journal

# What was said while a run was worked on is in the work folder, and of one that failed in the journal.
check 'every stage has a log' test "$(find x.h5.work/run-logs -name '*.log' | wc -l)" -ge 4
expect 0 'the end of its log' "$POSWEEP" why x.h5 'dpo hot seed 1'
expect 0 'hot seed 1: attempt 1, pid' "$POSWEEP" why x.h5 'dpo hot seed 1'

# A run and its models go, and come back.
check 'two models are kept' test "$(find x.h5.work/kept -name 'policy-*' | wc -l)" -eq 2
expect 0 'dpo flat seed 1: done' "$POSWEEP" prune x.h5 'dpo flat seed 1' --work --yes
check 'one model is left' test "$(find x.h5.work/kept -name 'policy-*' | wc -l)" -eq 1
expect 0 '1 queued, 1 done, 1 diverged of 3' "$POSWEEP" status x.h5
expect 0 good "$POSWEEP" check x.h5
check 'no second journal stays' test ! -e x.h5.journal.bak
expect 0 '2 of 3 runs done (2 before)' run
check 'computed again it is the same' same_datasets whole.h5 x.h5

# Runs that nobody asks for, and the whole work folder.
sed -i 's/, hot: .*}}/}/' hot.yaml
expect 0 '2 of 2 runs done' run
sed 's/vanilla: {}, //' hot.yaml >one.yaml
expect 0 'not in it: 1 finished run' "$POSWEEP" run one.yaml --set limits.keep=final -o x.h5 --keep-work
expect 0 'not asked for any more: done' "$POSWEEP" prune x.h5 --unasked --yes
expect 0 'nothing to take out' "$POSWEEP" prune x.h5 --unasked
expect 0 'all stages in x.h5.work' "$POSWEEP" prune x.h5 --work --yes
check 'stages are gone' test "$(find x.h5.work -name 'sft-*' -maxdepth 1 | wc -l)" -eq 0
expect 0 '1 done of 1 runs' "$POSWEEP" status x.h5
