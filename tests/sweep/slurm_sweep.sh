#!/bin/sh
# A sweep under Slurm on two pretend nodes: SIGUSR1 in the middle makes it save itself and exit with
# 75, the job requeues itself and goes on; so it does when a worker is stopped and does not answer, and
# when a worker is killed. Then it completes the results file.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/slurm.sh
. "$POSWEEP_SOURCE/tests/support/slurm.sh"
start_slurm 2 2

OUT=$SCRATCH/out.h5
cd "$SCRATCH" || exit 1
submit() {
    sbatch --parsable --nodes=2 --ntasks-per-node=2 --time=10 --output="$SCRATCH/job.log" \
        "$POSWEEP_SOURCE/slurm/sweep.sbatch" "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o "$OUT" \
        --set policy.steps=60000 --set policy.lr=1e-6 --set trace.every=20000 \
        --set trace.cosine_every=0 \
        --set log.every=5000 --set limits.stop_s=5 --set limits.checkpoint_s=2 \
        --set limits.widen_s=0 # each start is one attempt at each run
}

is() { has "$job" "$1" "$2"; }

job=$(submit) || bad 'sbatch refused the job'
check 'the job starts' wait_until 30 is JobState RUNNING
check 'the journal appears' wait_until 60 test -s "$OUT.journal"
both_run() { "$POSWEEP" status "$OUT" | grep -q '^smallest: 2 running'; }
check 'both runs are at work' wait_until 60 both_run
sleep 1
check 'the job still runs' is JobState RUNNING
scancel --full --signal=USR1 "$job"
check 'the job requeues itself' wait_until 60 is Restarts 1
check 'the program exited with 75' grep -qi 'exit code:* *75' "$SCRATCH/job.log"
check 'nothing is left half-written' test -z "$(find "$(dirname "$OUT")" -name '*.tmp')"

# The process of a rank of the job: ranks are told apart by their environment.
pid_of() {
    for pid in $(pgrep -x posweep); do
        { tr '\0' '\n' <"/proc/$pid/environ" >environ.txt; } 2>/dev/null || continue
        { tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q ' run '; } 2>/dev/null || continue # not the doctor
        grep -qx "SLURM_JOB_ID=$job" environ.txt && grep -qx "SLURM_PROCID=$1" environ.txt &&
            echo "$pid"
    done
}
has_rank() { [ -n "$(pid_of "$1")" ]; }
# Attempts at both runs; the workers of them are ranks 1 and 2.
n_begun() { "$POSWEEP" status "$OUT" | grep -c "attempt $1 *on n"; }
at_work() { [ "$(n_begun "$1")" -eq 2 ]; }

# --- A worker that hangs does not keep the others, nor the job's end, waiting -----------------------
check 'the job starts again' wait_until 60 has_rank 2
check 'and works' wait_until 60 at_work 2
sleep 1
kill -STOP "$(pid_of 2)"
scancel --full --signal=USR1 "$job"
check 'the job requeues itself without the hung rank' wait_until 60 is Restarts 2
check 'which is named' grep -q 'rank 2 on n[12] did not answer' job.log

# --- A worker that is killed -------------------------------------------------------------------------
check 'the job starts once more' wait_until 60 has_rank 2
check 'and works then' wait_until 60 at_work 3
sleep 1
kill -KILL "$(pid_of 2)"
check 'the job requeues itself after the loss' wait_until 60 is Restarts 3
check 'counting it' wait_until 30 grep -q 'a rank was lost (1 in a row); requeued' job.log

check 'the job ends' wait_until 300 is_over "$job"
check 'the job completes' is JobState COMPLETED
check 'it was requeued three times' is Restarts 3
check 'nothing counts losses any more' test ! -e "posweep-$job.lost"
check 'the results file is whole' "$POSWEEP" check "$OUT"
[ "$N_BAD" -eq 0 ] || sed 's/^/    log: /' "$SCRATCH/job.log" >&2
echo "$N_OK checks passed"
