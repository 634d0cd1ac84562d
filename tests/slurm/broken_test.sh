#!/bin/sh
# 24 runs on four pretend nodes, while everything goes wrong that a cluster does to a job: a warning
# by SIGUSR1, a node that is drained, SIGTERM with 10 s of grace, nodes whose slurmd dies, a scancel and
# a second job. The file is that of a sweep which nobody disturbed.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/slurm.sh
. "$POSWEEP_SOURCE/tests/support/slurm.sh"
start_slurm 4 2 KillWait=10 SlurmdTimeout=10
cd "$SCRATCH" || exit 1

cat >sweep.yaml <<'TEXT'
name: broken
base:
  task: lists
  lists: {sft: 64, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, context: 64}
  sft: {steps: 2, batch: 8}
  policy: {method: dpo, steps: 32000, batch: 8, lr: 1.0e-6}
  log: {every: 4000}
  final: {prompts: 2, max_new: 4}
  trace: {every: 16000, probe: 8, cosine_every: 0}
limits: {checkpoint_s: 1}
seeds: [1, 2, 3, 4, 5, 6, 7, 8]
blocks:
  - variants: {vanilla: {}, flat: {policy.reweight: off}, cdpo: {preset: cdpo}}
TEXT
check 'a sweep that nobody disturbs' "$MPIEXEC" -n 3 "$POSWEEP" run sweep.yaml -o calm.h5

submit() {
    "$POSWEEP" submit sweep.yaml -o out.h5 --nodes 2 --ntasks-per-node 2 --mem-per-cpu 200 --time 10 \
        --yes >submit.txt 2>&1
    job=$(sed -n 's/^Submitted job \([0-9]*\).*/\1/p' submit.txt)
}
nodes() { scontrol show hostnames "$(field "$job" NodeList)"; }
n_done() {
    "$POSWEEP" status out.h5 2>/dev/null |
        awk 'NR == 1 { for (i = 2; i <= NF; i++) if ($i ~ /^done/) n = $(i - 1) } END { print n + 0 }'
}
done_more() { [ "$(n_done)" -gt "$before" ]; }
# The job has started again so many times, and works.
works() {
    wait_until 90 has "$job" Restarts "$1" && wait_until 60 has "$job" JobState RUNNING || return 1
    before=$(n_done)
    wait_until 60 done_more
}

submit
check 'the job works' works 0
scancel --full --signal=USR1 "$job"
check 'after SIGUSR1 it goes on' works 1

drained=$(nodes | head -n 1)
scontrol update nodename="$drained" state=drain reason=test
scancel --full --signal=USR1 "$job"
check 'after a node was drained it goes on' works 2
check 'without that node' sh -c "! scontrol show hostnames '$(field "$job" NodeList)' | grep -qx $drained"

scontrol requeue "$job" # SIGTERM, and SIGKILL after KillWait
check 'after SIGTERM with 10 s of grace it goes on' works 3
check 'and had saved all' grep -q 'all groups saved' "posweep-$job.log"

scontrol update nodename="$drained" state=resume
n=4
for which in tail head; do # the node of rank 0, which lives on there with its lock, is the first
    dead=$(nodes | $which -n 1)
    kill -KILL "$(cat "$SCRATCH/slurm/slurmd-$dead.pid")"
    check "after a slurmd died it goes on ($which)" works $n
    check 'on other nodes' sh -c "! scontrol show hostnames '$(field "$job" NodeList)' | grep -qx $dead"
    n=$((n + 1))
done

scancel "$job"
check 'a cancelled job stays cancelled' wait_until 60 has "$job" JobState CANCELLED
check 'before the sweep was done' test "$(n_done)" -lt 24
submit
check 'another job takes over' works 0
check 'and ends' wait_until 300 is_over "$job"
check 'well' has "$job" JobState COMPLETED
check 'with all runs done' test "$(n_done)" -eq 24
check 'the file is whole' "$POSWEEP" check out.h5
check 'and that of the sweep that nobody disturbed' same_datasets calm.h5 out.h5
[ "$N_BAD" -eq 0 ] || sed 's/^/    log: /' "posweep-$job.log" >&2
echo "$N_OK checks passed"
