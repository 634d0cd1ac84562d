#!/bin/sh
# What the job script decides from how posweep ended, with stand-ins for posweep and Slurm.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# posweep: what $HANGS names hangs; `doctor` writes what $DOCTOR_TELLS says, and ends with $DOCTOR;
# `run` writes what $TELLS says, and ends with $ENDS.
cat >posweep <<'END_OF_FILE'
#!/bin/sh
[ "$1" != "$HANGS" ] || exec sleep 60
[ "$1" = run ] || { [ -z "$DOCTOR_TELLS" ] || echo "$DOCTOR_TELLS" >"$POSWEEP_EXIT_FILE"; exit "${DOCTOR:-0}"; }
[ -z "$TELLS" ] || echo "$TELLS" >"$POSWEEP_EXIT_FILE"
echo "fence $SLURM_PMIX_FENCE"
exit "$ENDS"
END_OF_FILE
cat >scontrol <<'END_OF_FILE'
#!/bin/sh
case "$*" in
*requeue*) echo "$2" >>requeued.txt && kill -TERM $$ && [ -z "$NO_REQUEUE" ] ;; # Slurm's may come first
*) echo "JobId=7 JobState=${STATE:-RUNNING} Reason=${REASON:-None}" ;;
esac
END_OF_FILE
printf '#!/bin/sh\necho "$*" >>cancelled.txt\n' >scancel
chmod +x posweep scontrol scancel
PATH=$PWD:$PATH
export POSWEEP="$PWD/posweep" POSWEEP_LAUNCH=env SLURM_JOB_ID=7 TELLS ENDS DOCTOR DOCTOR_TELLS='' HANGS='' NO_REQUEUE STATE REASON
unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID SLURM_PMIX_FENCE
unset POSWEEP_CHAIN POSWEEP_CHAIN_LEFT POSWEEP_MAX_LOST POSWEEP_DOCTOR

# ends STATUS TELLS ENDS PATTERN...: a start whose posweep tells and ends so; the job's exit status,
# and what it says.
ends() {
    want=$1 TELLS=$2 ENDS=$3 pattern=$4
    rm -f requeued.txt cancelled.txt
    # shellcheck disable=SC2016 # expanded by the inner shell
    expect "$want" "$pattern" sh -c 'bash "$0" sweep.yaml; status=$?; echo; exit $status' \
        "$POSWEEP_SOURCE/slurm/sweep.sbatch"
}
requeued() { check "requeued as $1" grep -qx "$1" requeued.txt; }
not_requeued() { check "not requeued after: $TELLS, $ENDS" test ! -e requeued.txt; }

# --- Ends, and early ends ------------------------------------------------------------------------------
ends 0 '0 0 9' 0 '^fence ring$' && not_requeued
SLURM_PMIX_FENCE=tree ends 0 '0 0 9' 0 '^fence tree$'
ends 70 '70 0 9' 70 '' && not_requeued
ends 78 '' 78 '' && not_requeued
ends 75 '75 0 9' 75 'everything is saved; requeued' && requeued 7
SLURM_ARRAY_JOB_ID=40 SLURM_ARRAY_TASK_ID=2
export SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID
ends 75 '75 0 9' 75 requeued && requeued 40_2
unset SLURM_ARRAY_JOB_ID SLURM_ARRAY_TASK_ID
# mpirun has a status of its own after a SIGTERM:
ends 75 '75 0 9' 1 'everything is saved; requeued' && requeued 7

# --- Losses count while nothing is gained ---------------------------------------------------------------
for i in 1 2 3; do ends 137 'begun 5' 137 "a rank was lost ($i in a row); requeued"; done
requeued 7
ends 137 'begun 6' 137 'lost (1 in a row); requeued' # the journal has more than at the loss before
ends 75 'begun 6' 75 'ranks did not answer (2 in a row); requeued'
ends 74 '74 6 8' 74 'trouble of the machine (1 in a row); requeued'
POSWEEP_MAX_LOST=2
export POSWEEP_MAX_LOST
ends 137 'begun 8' 137 '2 in a row'
ends 137 'begun 8' 137 '3 times in a row without a gain: not started again' && not_requeued
unset POSWEEP_MAX_LOST
ends 137 'begun 8' 137 '1 in a row' # the count was cleared
ends 75 '75 8 8' 75 requeued
check 'an early end clears the count' test ! -e posweep-7.lost

# --- Starts that do nothing -----------------------------------------------------------------------------
ends 74 '74 3 3' 74 '1 in a row'
ends 74 '74 3 3' 74 '2 starts in a row did nothing at all: not started again' && not_requeued
ends 74 '74 3 3' 74 '1 in a row'
ends 74 '74 3 4' 74 'requeued'
ends 74 '74 4 4' 74 '2 in a row\|1 in a row'
rm -f posweep-7.lost
ends 137 '' 0 'ended with 0, but posweep did not end'
ends 137 '' 137 'did nothing at all: not started again' && not_requeued
ends 1 '' 1 '' && not_requeued # a launcher that was called wrongly
ends 1 'begun 2' 1 'a rank was lost (1 in a row)' && requeued 7
ends 14 'begun 3' 14 'a rank was lost (1 in a row)' && requeued 7 # the MPI of rank 0 lost another
ends 70 'begun 4' 70 'a rank was lost (1 in a row)' && requeued 7
ends 14 '' 14 'a rank was lost (2 in a row)' && requeued 7
ends 127 '' 127 '' && not_requeued # there is no such program
rm -f posweep-7.lost

# --- Starts that hang -----------------------------------------------------------------------------------
export POSWEEP_BEGIN_S=1
HANGS=doctor
ends 143 '0 0 9' 0 'posweep doctor did not begin within 1 s'
HANGS=run
ends 143 '0 0 9' 0 '2 starts in a row did nothing at all: not started again' && not_requeued
HANGS=''
POSWEEP_BEGIN_S=0
ends 0 '0 0 9' 0 '^fence ring$'
unset POSWEEP_BEGIN_S
rm -f posweep-7.lost

# --- Nodes that are not fit -----------------------------------------------------------------------------
DOCTOR=78
ends 78 '0 0 9' 0 'POSWEEP_DOCTOR=off' && not_requeued
export POSWEEP_DOCTOR=off
ends 0 '0 0 9' 0 ''
unset POSWEEP_DOCTOR
# srun has killed the ranks that were slower to say so.
DOCTOR=143
DOCTOR_TELLS=78
ends 78 '0 0 9' 0 'POSWEEP_DOCTOR=off' && not_requeued
DOCTOR_TELLS=64
ends 64 '0 0 9' 0 '' && not_requeued
DOCTOR_TELLS=''
DOCTOR=137
ends 137 '0 0 9' 0 'a rank was lost (1 in a row); requeued'
DOCTOR=0
rm -f posweep-7.lost

# --- No requeueing, cancelled jobs ----------------------------------------------------------------------
NO_REQUEUE=1
ends 0 '75 0 9' 75 'it cannot be requeued (.*): submit the same again to go on'
ends 137 'begun 1' 137 'submit the same again'
rm -f posweep-7.lost
export POSWEEP_CHAIN_LEFT=2
ends 0 '75 0 9' 75 'the next of its chain goes on (2 left)'
check 'nobody is cancelled' test ! -e cancelled.txt
NO_REQUEUE='' STATE=COMPLETING
ends 75 '75 0 9' 75 'the job was cancelled.* next of its chain goes on (2 left): scancel --name=posweep-7$' &&
    not_requeued
REASON=TimeLimit
ends 75 '75 0 9' 75 requeued && requeued 7
# A node was lost, and Slurm has put the job into its queue again by itself.
STATE=PENDING
ends 137 'begun 1' 137 '(1 in a row); requeued$' && not_requeued
rm -f posweep-7.lost
STATE=RUNNING REASON=None

# --- What ends it stands where posweep status looks ------------------------------------------------------
with_output() { # STATUS TELLS ENDS ARGUMENT...: as ends, of a sweep with these arguments
    want=$1 TELLS=$2 ENDS=$3
    shift 3
    # shellcheck disable=SC2016 # expanded by the inner shell
    expect "$want" '' sh -c 'bash "$0" sweep.yaml "$@"; status=$?; echo; exit $status' \
        "$POSWEEP_SOURCE/slurm/sweep.sbatch" "$@"
}
unset POSWEEP_CHAIN_LEFT
with_output 65 '65 0 9' 65 -o a.h5
check 'an error is told' grep -q 'job 7: exit status 65: see the log of the job$' a.h5.ended
with_output 65 '65 0 9' 65 -oa.h5
check 'once' test "$(wc -l <a.h5.ended)" -eq 1
with_output 0 '0 0 9' 0 --output=a.h5
check 'and no more after a good start' test ! -e a.h5.ended
DOCTOR=78
with_output 78 '0 0 9' 0 --output a.h5
check 'nodes that are not fit are told' grep -q 'job 7: exit status 78: the nodes are not fit' a.h5.ended
DOCTOR=0
echo 'job 8: exit status 78: told by another' >a.h5.ended
with_output 73 '73 0 9' 73 -o a.h5
check 'of what is in use its user tells' grep -qx 'job 8: exit status 78: told by another' a.h5.ended
with_output 75 '75 0 9' 75 -o a.h5
check 'to go on is no error' test ! -e a.h5.ended
with_output 137 '' 137 -o a.h5
check 'nor is a loss that starts it again' test ! -e a.h5.ended
with_output 137 '' 137 -o a.h5
check 'the last one is' grep -q '2 starts in a row did nothing at all: not started again' a.h5.ended
rm -f posweep-7.lost
export POSWEEP_CHAIN_LEFT=2

# --- A chain --------------------------------------------------------------------------------------------
ends 0 '0 0 9' 0 'exit status 0 ends the chain; 2 jobs'
check 'followers are cancelled by their name' grep -q -e '--name=posweep-7$' cancelled.txt
check 'and leave nothing' test ! -e posweep-7.end
printf '#!/bin/sh\nexit 1\n' >scancel
ends 65 '' 65 'exit status 65 ends the chain'
export SLURM_JOB_ID=8 POSWEEP_CHAIN=7 POSWEEP_CHAIN_LEFT=1
ends 65 '0 0 9' 0 'job 7 ended the chain with exit status 65'
check 'one that could not be cancelled starts nothing' test ! -e posweep-8.exit
export SLURM_JOB_ID=9 POSWEEP_CHAIN_LEFT=0
ends 65 '0 0 9' 0 'job 7 ended the chain'
check 'the last one tidies up' test ! -e posweep-7.end
[ "$N_BAD" -eq 0 ]
