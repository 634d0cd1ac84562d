#!/bin/sh
# Runs that are added to a sweep file in the tail of a sweep begin on ranks that idle, long before
# the last of the others ends; also when the job is killed while it plans anew. With `all` (nightly) at
# two places, and beside a run that has widened.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/tail_sweep.sh
. "$POSWEEP_SOURCE/tests/support/tail_sweep.sh"

expect 0 '^4 of 4 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run two.yaml -o two.h5
cp one.yaml a.yaml
begin a
becomes two.yaml
wait $job
check 'it ends well' test $? -eq 0
check 'what was added is told' grep -q 'note: a.yaml asks for 2 more runs by now' log
check 'it begins beside the long run' first 'policy dpo short seed 2: attempt 1' 'policy dpo long seed 1: done'
check 'all of it is of this start' grep -q '^4 of 4 runs done in ' log
check 'and so is the one makespan' test "$(n_said 'makespan .* on 3 ranks')" -eq 1
check 'as if it had been asked for at once' same_datasets two.h5 a.h5
expect 0 'long seed 1: done after 2 attempts' "$POSWEEP" why a.h5 'long seed 1'
expect 0 'attempt 1  interrupted: stopped in policy at step' "$POSWEEP" why a.h5 'long seed 1'

how=${1:-some}
for text in 'stopping: to begin' '4 of 4\|3 runs to do'; do
    [ "$how" = all ] || [ "$text" != 'stopping: to begin' ] || continue
    cp one.yaml b.yaml
    begin b
    becomes two.yaml
    until_says "$text"
    pkill -KILL -o -P $job
    wait $job
    check "it was killed after '$text'" test $? -ne 0
    expect 0 '^4 of 4 runs done' "$MPIEXEC" -n 4 "$POSWEEP" run b.yaml -o b.h5
    check "killed after '$text', the same bits" same_datasets two.h5 b.h5
    rm -f b.h5 b.h5.journal
done

# The long run has got two ranks by then: they are there for others, too.
if [ "$how" = all ]; then
    cp one.yaml w.yaml
    begin w --set limits.widen_s=0.2
    until_says 'policy dpo long seed 1: attempt [0-9] on 2 ranks'
    becomes two.yaml
    wait $job
    check 'a widened run saves itself' grep -q 'policy dpo long seed 1: interrupted' log
    check 'and goes on beside what was added' first 'policy dpo short seed 2: attempt 1' 'policy dpo long seed 1: done'
    check 'to the same bits' same_datasets two.h5 w.h5 provenance/spec_text
fi

# What is not to be performed disturbs nobody, and is said once.
cp one.yaml c.yaml
begin c
becomes other.yaml
until_says 'asks for other runs by now'
becomes bad.yaml
wait $job
check 'a file that lost runs and one that cannot be read end nothing' test $? -eq 0
check 'the first was told, once' test "$(n_said 'c.yaml asks for other runs by now')" -eq 1
check 'and so was the other' test "$(n_said 'whether runs were added cannot be told: c.yaml:')" -eq 1
check 'nothing was stopped' test "$(n_said 'policy dpo long seed 1: attempt')" -eq 1
check 'what was asked for is done' grep -q '^2 of 2 runs done' log

cp one.yaml d.yaml
begin d
becomes wide.yaml
wait $job
check 'a run that does not fit is an error of the start' test $? -eq 69 -o $? -eq 71
check 'the others go on without it' grep -q 'going on without the runs that were added: d.yaml:.* dpo wide seed 1: its' log
check 'to their end' grep -q 'policy dpo long seed 1: done' log
check 'and are in the file' test "$("$POSWEEP" status d.h5 | grep -c '^tail: 2 done of 2 runs')" -eq 1
[ "$N_BAD" -eq 0 ]
