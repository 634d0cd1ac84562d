#!/bin/sh
# Several jobs on one sweep: they split it without a word to each other, one is killed at work, and
# the file is that of a single job, byte for byte in all that is not volatile.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

sed 's/seeds: \[1\]/seeds: [1, 2, 3]/' "$POSWEEP_SOURCE/sweeps/smallest.yaml" >all.yaml
run() {
    "$POSWEEP" run all.yaml --set policy.steps=300 --set trace.every=100 \
        --set trace.cosine_every=300 --set log.every=50 --set limits.checkpoint_s=0.2 "$@"
}
# until_says TEXT FILE: wait until the text is in the file, but not for ever.
until_says() {
    tries=0
    until grep -q -e "$1" "$2" || [ $tries -gt 400 ]; do tries=$((tries + 1)) && sleep 0.05; done
    check "'$1' is said in $2" test $tries -le 400
}
expect 0 '6 of 6 runs done' run -o alone.h5

# Three jobs; the second one is killed with -9 as soon as it has a part. One before them met an error.
echo 'job 7: exit status 66' >out.h5.ended
for i in 1 2 3; do
    SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_ID=$i SLURM_ARRAY_TASK_MIN=1 \
        "$POSWEEP" run all.yaml --set policy.steps=300 --set trace.every=100 \
        --set trace.cosine_every=300 --set log.every=50 --set limits.checkpoint_s=0.2 \
        -o out.h5 --shared=4 >"log.$i" 2>&1 &
    echo $! >"pid.$i"
done
until_says 'to do of' log.2
kill -9 "$(cat pid.2)"
for i in 1 3; do
    wait "$(cat pid.$i)" || { bad "job $i ended with $?" && sed 's/^/    /' log.$i >&2; }
done
wait "$(cat pid.2)"
check 'the second job was killed' test $? -eq 137
check 'a job found the file complete' grep -q '6 of 6 runs done' log.1 log.3
check 'no part is without runs: pairs of one seed stay together' grep -q 'part . of 3$' log.1 log.3
check 'shared is as computed alone' same_datasets alone.h5 out.h5
check 'all is well: no error is told any more' test ! -e out.h5.ended
check 'parts and work are gone' test ! -e out.h5.parts -a ! -e out.h5.work -a ! -e out.h5.journal.lock
expect 0 '(6 before)' run -o out.h5
expect 0 '(6 before)' run -o out.h5 --shared

# More runs are asked for later: only these are shared.
sed -i 's/seeds: \[1, 2, 3\]/seeds: [1, 2, 3, 4]/' all.yaml
expect 0 '1 run to do of 1' run -o out.h5 --shared=2
expect 0 '8 done of 8 runs' "$POSWEEP" status out.h5

# What is begun in parts goes on in parts, and as the same sweep.
"$POSWEEP" run all.yaml --set policy.steps=100000 -o begun.h5 --shared=2 >begun.log 2>&1 &
until_says 'to do of' begun.log
kill -USR1 $!
wait $!
check 'stopped with 75' test $? -eq 75
expect 0 'shared in 2 parts: 0 done, 0 at work, 2 waiting' "$POSWEEP" status begun.h5
expect 0 '"n_part": 2' "$POSWEEP" status begun.h5 --json
expect 0 'dpo vanilla seed 1: ' "$POSWEEP" why begun.h5 'vanilla seed 1'
expect 0 '8 done of 8 runs' "$POSWEEP" status out.h5 --watch=0.1

# Who watches a job that waits in a queue sees it begin, and how it ends without beginning.
expect 66 'no sweep was run with this output' "$POSWEEP" status later.h5
expect 66 'no sweep was run' "$POSWEEP" status nowhere/later.h5 --watch=0.1
"$POSWEEP" status later.h5 --watch=0.1 >later.log 2>&1 &
until_says 'later.h5: no sweep with this output yet; waiting' later.log
cp out.h5.journal later.h5.journal
check 'a watch that began before the sweep ends with it' wait $!
check 'and has seen it' grep -q '8 done of 8 runs' later.log
"$POSWEEP" status never.h5 --watch=0.1 >never.log 2>&1 &
until_says 'never.h5: no sweep' never.log
echo 'job 7: exit status 78' >never.h5.ended
wait $!
check 'a start that failed ends it, too' test $? -eq 66
check 'saying how' grep -q 'last start ended with an error: job 7: exit status 78' never.log
expect 73 'begun.h5: is being computed in parts' "$POSWEEP" run all.yaml -o begun.h5
expect 78 'begun.h5.parts: is being computed, with 8 runs that this sweep file does not ask for' \
    "$POSWEEP" run all.yaml -o begun.h5 --shared --set policy.lr=1e-5

# Others work on: the error of one job is told.
"$POSWEEP" run all.yaml --set policy.steps=100000 -o begun.h5 --shared=2 >again.log 2>&1 &
until_says 'to do of' again.log
expect 78 '' "$POSWEEP" run all.yaml -o begun.h5 --shared --set policy.lr=1e-5
expect 0 'a job of it ended with an error:' "$POSWEEP" status begun.h5
check 'and which' grep -q '^  2.*exit status 78: begun.h5.parts: is being computed, with 8 runs' out.txt
expect 0 '"ended": "2.*exit status 78: ' "$POSWEEP" status begun.h5 --json
kill -USR1 $!
wait $!
check 'stopped with 75 again' test $? -eq 75

# Other settings: status counts what the jobs were asked for, not what the file has from before.
"$POSWEEP" run all.yaml --set policy.steps=100000 -o out.h5 --shared=2 >changed.log 2>&1 &
until_says 'to do of' changed.log
expect 0 'smallest: .* of 8 runs$' "$POSWEEP" status out.h5
kill -USR1 $!
wait $!
check 'stopped with 75 once more' test $? -eq 75
