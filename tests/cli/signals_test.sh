#!/bin/sh
# Signals stop a sweep with everything saved: a lost terminal like a TERM; under mpirun, which ends
# with 1 whatever its ranks say, the same command goes on as well.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

# begin OUT COMMAND...: start a sweep of minutes, $job, and wait until a run is under way. Its first
# stage is long, so that no signal meets the moment between two stages, when no group has anything to save.
begin() {
    out=$1
    shift
    "$@" "$POSWEEP" run "$SWEEP" -o "$out" --set sft.steps=300000 --set policy.steps=300000 \
        --set policy.lr=1e-6 --set trace.every=300000 --set trace.cosine_every=0 --set log.every=1000 >"$out.txt" 2>&1 &
    job=$!
    n=0
    until "$POSWEEP" status "$out" 2>/dev/null | grep -q '1 running'; do
        n=$((n + 1))
        [ $n -le 300 ] || return 1
        sleep 0.1
    done
}

check 'a run is under way' begin hup.h5 env
kill -HUP "$job"
wait "$job"
check "SIGHUP ends it with 75, not $?" test $? -eq 75
# Still in the shared stage, its runs are queued.
expect 0 'interrupted\|2 queued' "$POSWEEP" status hup.h5
check 'and says that all is saved' grep -q 'everything is saved' hup.h5.txt

check 'a run is under way (nohup)' begin nohup.h5 nohup
kill -HUP "$job"
sleep 1
check 'nohup still lets it work without a terminal' kill -USR1 "$job"
wait "$job"

# The waits are stretched here, so that a busy machine is not killed in the middle of its writing. What
# ranks print after a TERM, the mpirun of Open MPI 5 shows no more: their journal tells.
check 'a run is under way (mpirun)' begin mpirun.h5 env OMPI_MCA_odls_base_sigkill_timeout=5 \
    PRTE_MCA_odls_base_sigkill_timeout=5 "$MPIEXEC" -n 2
kill -TERM "$job"
wait "$job"
check "mpirun ends with 1 on a TERM, not $?" test $? -eq 1
check 'though its ranks have saved all' grep -q -a 'stopped in sft at step [0-9]' mpirun.h5.journal
check 'a run is under way (mpirun, USR1)' begin usr1.h5 "$MPIEXEC" -n 2
kill -USR1 "$job"
wait "$job"
check "mpirun passes USR1 on, and the 75 back, not $?" test $? -eq 75
check 'how long saving took is said' grep -q 'all groups saved in [0-9.]* s (1 of them)' usr1.h5.txt
check 'and how well the ranks were used' \
    grep -q 'makespan [0-9.]* s on 1 rank, [0-9.]* times the bound (work [0-9.]* s, longest chain' usr1.h5.txt

# An end that the user names.
expect 78 'too short to start any of the . tasks left' "$POSWEEP" run "$SWEEP" -o until.h5 --until 2s
expect 78 "the job's end was [0-9]* s before its start, by the clock of this host" \
    env POSWEEP_END_TIME=1000000000 "$POSWEEP" run "$SWEEP" -o until.h5
expect 64 "until: '25:00' is no time such as" "$POSWEEP" run "$SWEEP" -o until.h5 --until 25:00
expect 64 'until: 2001-.* is over' "$POSWEEP" run "$SWEEP" -o until.h5 --until 2001-09-09T01:46
[ "$N_BAD" -eq 0 ]
