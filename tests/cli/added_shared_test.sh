#!/bin/sh
# Runs that are added to the file of a sweep that jobs share begin where ranks of a job idle, or in a
# job that has no part left; a job that took some and is killed leaves them to the others.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
# shellcheck source=tests/support/tail_sweep.sh
. "$POSWEEP_SOURCE/tests/support/tail_sweep.sh"

expect 0 '^4 of 4 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run two.yaml -o two.h5
cp one.yaml a.yaml
begin a --shared=1
becomes two.yaml
wait $job
check 'it ends well' test $? -eq 0
check 'what was added begins beside the long run' \
    first 'policy dpo short seed 2: attempt 1' 'policy dpo long seed 1: done'
check 'and is done by this start' grep -q '^4 of 4 runs done in ' log
check 'as if it had been asked for at once' same_datasets two.h5 a.h5
check 'no parts are left' test ! -e a.h5.parts -a ! -e a.h5.work

# Two jobs, a run each. Who has done the short one takes what was added, and is killed with it.
cp one.yaml b.yaml
name=b
for i in 2 1; do
    SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_MIN=1 \
        "$MPIEXEC" -n 2 "$POSWEEP" run b.yaml -o b.h5 -v --shared=2 >log.$i 2>&1 &
    job=$!
    cp /dev/null log
    until grep -q 'to do of' log.$i || ! kill -0 $job 2>/dev/null; do sleep 0.02; done
    [ $i -eq 2 ] && other=$job
done
becomes two.yaml
until grep -q 'policy dpo .* seed 2: attempt 1' log.1 || ! kill -0 $job 2>/dev/null; do sleep 0.02; done
# It took its share, one; on a slow machine it has done that, and taken the other.
expect 0 'shared in [34] parts' "$POSWEEP" status b.h5
check 'it took one of the two' sh -c "sed -n '/part 3 of 3/,/part 4/p' log.1 | grep -q ': 1 run to do of 1,'"
pkill -KILL -o -P $job
wait $job
check 'the one that took them is killed' test $? -ne 0
wait "$other"
check 'the other one ends well' test $? -eq 0
check 'with all of it done' grep -q '^4 of 4 runs done in ' log.2
check 'to the same bits' same_datasets two.h5 b.h5
check 'and no parts are left' test ! -e b.h5.parts -a ! -e b.h5.work

cp one.yaml c.yaml
begin c --shared=1
becomes wide.yaml
wait $job
check 'a run that does not fit is an error in the end' test $? -ne 0
check 'the others go on without it' grep -q 'going on without the runs that were added: c.yaml:.* dpo wide seed 1: its' log
check 'to their end' first 'going on without' 'policy dpo long seed 1: done'
expect 0 '2 done' "$POSWEEP" status c.h5
echo "$N_OK checks passed"
