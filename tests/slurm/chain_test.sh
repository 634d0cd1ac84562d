#!/bin/sh
# Jobs that posweep submit makes, where Slurm may not requeue them: a chain goes on from job to job
# until the sweep is done, an error ends it, a job without followers ends as done so far; and where it
# may, a job requeues itself. SIGTERM alone saves.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/slurm.sh
. "$POSWEEP_SOURCE/tests/support/slurm.sh"
start_slurm 2 2 JobRequeue=0
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml
# What a shell inside another job hands down:
export SLURM_NTASKS=7 SLURM_CPU_BIND=mask_cpu:0x1 SLURM_JOB_ID=77

# submit NAME OPTION...: sets `jobs`, the ids in order.
submit() {
    name=$1
    shift
    "$POSWEEP" submit "$SWEEP" -o "$name.h5" --nodes 2 --ntasks-per-node 2 --mem-per-cpu 200 --yes \
        "$@" >"$name.txt" 2>&1
    jobs=$(sed -n 's/^Submitted job \([0-9]*\).*/\1/p' "$name.txt")
}
# A sweep that takes some seconds.
long() {
    submit "$@" --set policy.steps=40000 --set policy.lr=1e-6 --set trace.every=20000 \
        --set trace.cosine_every=0 --set log.every=5000 --set limits.checkpoint_s=2
}
nth() { echo "$jobs" | sed -n "$1p"; }
begun() { "$POSWEEP" status "$1.h5" 2>/dev/null | grep -q '[1-9] % of the work'; }

# --- A chain -------------------------------------------------------------------------------------------
long chain
check 'jobs that may not be requeued become a chain' grep -q 'may not be requeued here: a chain of 2' chain.txt
echo "$jobs" | xargs scancel
rm -f chain.h5*
long chain --chain 3
check 'of as many jobs as asked for' test "$(echo "$jobs" | wc -l)" -eq 3
first=$(nth 1) second=$(nth 2) third=$(nth 3)
check 'the first works' wait_until 60 begun chain
scancel --full --signal=USR1 "$first"
check 'the first ends as done so far, not as failed' wait_until 60 has "$first" JobState COMPLETED
check 'and says that the chain goes on' grep -q 'the next of its chain goes on (2 left)' "posweep-$first.log"
check 'the second goes on' wait_until 120 has "$second" JobState COMPLETED
check 'to the end' grep -q '2 of 2 runs done' "posweep-$first-$second.log"
check 'it said that it ends the chain' \
    grep -q 'exit status 0 ends the chain; 1 jobs' "posweep-$first-$second.log"
check 'the third is cancelled' wait_until 30 has "$third" JobState CANCELLED
check 'the results file is whole' "$POSWEEP" check chain.h5
check 'nothing is left of the chain' test -z "$(find . -maxdepth 1 -name 'posweep-*.end' -o -maxdepth 1 -name 'posweep-*.lost')"

# --- An error ends it ----------------------------------------------------------------------------------
submit wrong --chain 2 -- --snapshot soon
first=$(nth 1) second=$(nth 2)
check 'an error fails the job' wait_until 60 has "$first" JobState FAILED
check 'with its reason in the log' grep -q "snapshot: 'soon' is no time" "posweep-$first.log"
expect 66 "the last start ended with an error: .*job $first: exit status 64" "$POSWEEP" status wrong.h5
check 'and cancels the next' wait_until 30 has "$second" JobState CANCELLED

# --- No chain, SIGTERM alone ---------------------------------------------------------------------------
long alone --chain 1 --sbatch=--no-requeue
check 'a single job works' wait_until 60 begun alone
scancel --signal=TERM "$jobs"
check 'after SIGTERM it ends as done so far' wait_until 60 has "$jobs" JobState COMPLETED
check 'saying how to go on' grep -q 'everything is saved; it cannot be requeued .*: submit the same again' "posweep-$jobs.log"
"$POSWEEP" status alone.h5 >status.txt
check 'and what it was at is saved' grep -q '^smallest: .*interrupted of 2 runs' status.txt

# --- Cancelled: TERM, and KILL after KillWait --------------------------------------------------------
long gone --chain 1
check 'a job that may be requeued works' wait_until 60 begun gone
scancel "$jobs"
check 'it is cancelled' wait_until 30 has "$jobs" JobState CANCELLED
check 'having saved what it was at' wait_until 20 grep -q 'the job was cancelled, what it saved is kept' "posweep-$jobs.log"
"$POSWEEP" status gone.h5 >status.txt
check 'to be resumed' grep -q '^smallest: .*interrupted of 2 runs' status.txt
check 'and does not come back' has "$jobs" JobState CANCELLED

# --- Nodes that are not fit ---------------------------------------------------------------------------
# Each node has a folder of its own under this name.
unset SLURM_NTASKS SLURM_CPU_BIND SLURM_JOB_ID
# shellcheck disable=SC2016 # expanded by the script
printf '#!/bin/sh\nmkdir -p "own-$(hostname)" && cd "own-$(hostname)" && exec "%s" "$@"\n' "$POSWEEP" >astray
chmod +x astray
program=$POSWEEP
POSWEEP=$SCRATCH/astray
export POSWEEP
sbatch --wait --nodes=2 --ntasks-per-node=2 --output=astray.log "$POSWEEP_SOURCE/slurm/sweep.sbatch" \
    "$SWEEP" -o astray.h5 >/dev/null 2>&1
check 'a folder that only one node has ends the job' test $? -eq 78
POSWEEP=$program
if [ "$(hostname)" != "$(srun -N1 -n1 hostname)" ]; then
    check 'as the doctor says' grep -q '^bad   output .*n2 does not see what rank 0 wrote there' astray.log
    check 'before the sweep is begun' test -z "$(find . -name 'astray.h5*' ! -name '*.ended')"
    expect 66 'exit status 78: the nodes are not fit' "$POSWEEP" status astray.h5
    expect 78 '^bad   cores .*on n[12] ranks .* share cores (0)' \
        srun --nodes=2 --ntasks-per-node=2 taskset -c 0 "$POSWEEP" doctor
    expect 0 '^good  launcher   4 ranks on 2 nodes' srun --nodes=2 --ntasks-per-node=2 "$POSWEEP" doctor
    # The nodes still meet by the ring: only what the ranks read of it is another.
    expect 0 '^note  launcher   4 ranks on 2 nodes, but srun without SLURM_PMIX_FENCE=ring' \
        srun --nodes=2 --ntasks-per-node=2 env SLURM_PMIX_FENCE=mixed "$POSWEEP" doctor
    check 'clocks of one machine agree' grep -q '^good  clocks     the clocks of 2 nodes agree to' out.txt
    check 'both nodes write to the folder' grep -q '^good  output .*written from 2 nodes' out.txt
fi

# --- Nothing starts ------------------------------------------------------------------------------------
printf '#!/bin/sh\nkill -9 $$\n' >launcher
chmod +x launcher
export POSWEEP_LAUNCH="$SCRATCH/launcher"
submit dead --chain 1
check 'two starts that did nothing end the job' wait_until 90 has "$jobs" JobState FAILED
check 'with the reason' grep -q '2 starts in a row did nothing at all: not started again' "posweep-$jobs.log"
expect 66 '2 starts in a row did nothing at all' "$POSWEEP" status dead.h5
[ "$N_BAD" -eq 0 ] || tail -n 30 ./posweep-*.log >&2
[ "$N_BAD" -eq 0 ]
