#!/bin/sh
# A journal or a whole output folder that is removed, moved or replaced while a sweep runs is noticed:
# the sweep stops with 74 and says what is lost.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

# begin FOLDER STEPS: start a sweep, $job, and wait until its first run is under way.
begin() {
    mkdir "$1"
    "$POSWEEP" run "$SWEEP" -o "$1/x.h5" --work-dir "$1.work" --set policy.steps="$2" \
        --set trace.every="$2" --set trace.cosine_every=0 --set log.every=1000 >"$1.txt" 2>&1 &
    job=$!
    n=0
    until "$POSWEEP" status "$1/x.h5" 2>/dev/null | grep -q '1 running'; do
        n=$((n + 1))
        [ $n -le 300 ] || return 1
        sleep 0.1
    done
}
# stops NAME PATTERN: the sweep ends by itself with 74 and says it.
stops() {
    wait "$job"
    status=$?
    check "a sweep with its journal $1 ends with 74, not $status" test $status -eq 74
    check "and says so ($1)" grep -q "$2" "$1.txt"
}

check 'a run is under way' begin removed 60000
rm removed/x.h5.journal
stops removed 'x.h5.journal: was removed or moved while the sweep ran'

check 'a run is under way' begin replaced 60000
cp replaced/x.h5.journal copy && mv copy replaced/x.h5.journal
stops replaced 'x.h5.journal: was replaced while the sweep ran'

check 'a run is under way' begin folder 60000
rm -r folder
stops folder 'x.h5.journal: was removed or moved'

# Noticed at the end at the latest.
check 'a run is under way' begin late 3000
mv late later
stops late 'x.h5.journal: was removed or moved'
[ "$N_BAD" -eq 0 ]
