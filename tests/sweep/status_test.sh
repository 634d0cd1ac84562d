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

# How the last start ended, if that was with an error, while nobody has gone on since.
expect 0 '2 runs done' "$POSWEEP" run "$sweep" -o y.h5
again() { "$POSWEEP" run "$sweep" -o y.h5 --set policy.lr=2e-4 "$@"; }
expect 78 'accept-changed-cpu' again --set limits.backend=reference
expect 0 '^  2.*exit status 78: y.h5: what is there was computed with another backend' "$POSWEEP" status y.h5
"$POSWEEP" status y.h5 --json >y.json
check 'programs are told, too' grep -q '"ended": "2.*exit status 78: ' y.json
touch -d '1 minute ago' y.h5.ended
check 'what was told before the last record is not said' \
    test "$("$POSWEEP" status y.h5 | grep -c 'exit status')" -eq 0
expect 0 '2 runs done' again
check 'a good end leaves nothing to tell' test ! -e y.h5.ended
expect 78 'expected' "$POSWEEP" run "$sweep" -o none.h5 --set policy.lr=x
check 'what was refused before it left anything leaves nothing' test ! -e none.h5.ended
[ "$N_BAD" -eq 0 ]
