#!/bin/sh
# A long run is seen from outside while it runs, how far it is as well, and is known to the next start
# when everything is killed.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

sweep=$POSWEEP_SOURCE/sweeps/smallest.yaml
# seen PATTERN: `posweep status` says it within a minute.
seen() {
    n=0
    until "$POSWEEP" status x.h5 2>/dev/null | grep -q "$1"; do
        n=$((n + 1))
        [ $n -le 300 ] || return 1
        sleep 0.2
    done
}

# One process, so that a kill of it is a kill of everything. A run takes minutes.
"$POSWEEP" run "$sweep" -o x.h5 --set policy.steps=30000 --set policy.lr=1e-6 --set trace.every=30000 \
    --set trace.cosine_every=0 --set log.every=1000 --set limits.checkpoint_s=3600 \
    >log.txt 2>&1 &
job=$!
check 'the run that runs is seen running' seen '1 running'
check 'and how far it is' seen ' [1-9][0-9]*%  on '
check 'while it runs' kill -KILL $job
wait $job
"$POSWEEP" why x.h5 vanilla >why.txt 2>&1
check 'the attempt is not forgotten' grep -q '1 attempt' why.txt
