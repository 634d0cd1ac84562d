#!/bin/sh
# What a sweep of seconds says of its progress, in its log and to posweep status: never hours, never more
# running than ranks work, and both in the same words.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
sed 's/^seeds:.*/seeds: [1, 2, 3, 4, 5, 6, 7, 8]/' "$POSWEEP_SOURCE/sweeps/smallest.yaml" >eight.yaml

"$MPIEXEC" -n 3 "$POSWEEP" run eight.yaml -o e.h5 --set policy.steps=1500 --set trace.every=500 \
    --set trace.cosine_every=0 --set log.every=500 >log.txt 2>&1 &
job=$!
while kill -0 $job 2>/dev/null; do
    "$POSWEEP" status e.h5 >>seen.txt 2>/dev/null
    sleep 0.2
done
wait $job
check "the sweep ends with 0, not $?" test $? -eq 0
check 'status was seen at work' grep -q ' running on 2 ranks; last record ' seen.txt
check 'and told of the time left' grep -q '% of the work; .* in 1 session, .* left$' seen.txt
check 'the log tells in the same words' \
    grep -q '^20.* of 16 runs done, [012] running; [0-9]* % of the work, .* left' log.txt
check 'no more runs than ranks that work' \
    test -z "$(grep -h ' running on 2 ranks' seen.txt | grep -v '; [12] running on')"
check 'hours are not spoken of' test -z "$(grep -h '[0-9] \(h\|d\) [0-9].* left' seen.txt log.txt)"
check 'nor milliseconds' test -z "$(grep -h '[0-9] *ms' seen.txt log.txt)"
expect 0 '16 done of 16 runs' "$POSWEEP" status e.h5
expect 0 '^\[##############################\]  100 % of the work' "$POSWEEP" status e.h5
[ "$N_BAD" -eq 0 ] || tail -n 30 log.txt seen.txt >&2
[ "$N_BAD" -eq 0 ]
