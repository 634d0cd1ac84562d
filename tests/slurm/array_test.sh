#!/bin/sh
# A sweep as an array of three jobs that start at the same moment; one is killed at work, and the
# sweep file gains a seed meanwhile. The file is that of one job that had been asked for all.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# shellcheck source=tests/support/slurm.sh
. "$POSWEEP_SOURCE/tests/support/slurm.sh"
cat >sweep.yaml <<'TEXT'
name: array
base:
  task: lists
  lists: {sft: 64, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, context: 64}
  sft: {steps: 2, batch: 8}
  policy: {method: dpo, steps: 3000, batch: 8, lr: 1.0e-6}
  log: {every: 1000}
  final: {prompts: 2, max_new: 4}
  trace: {every: 3000, probe: 8, cosine_every: 0}
limits: {checkpoint_s: 1}
replicates: 3
blocks:
  - variants: {vanilla: {}, flat: {policy.reweight: off}}
TEXT
check 'a sweep in one job' "$MPIEXEC" -n 3 "$POSWEEP" run sweep.yaml -o calm.h5 --set replicates=4
start_slurm 3 2
cd "$SCRATCH" || exit 1

"$POSWEEP" submit sweep.yaml -o out.h5 --jobs 3 --nodes 1 --ntasks-per-node 2 --mem-per-cpu 200 \
    --time 10 --yes >submit.txt 2>&1
job=$(sed -n 's/^Submitted job \([0-9]*\).*/\1/p' submit.txt)
at_work() { "$POSWEEP" status out.h5 2>/dev/null | grep -q ' 3 at work'; }
check 'three jobs work' wait_until 60 at_work
sed -i 's/replicates: 3/replicates: 4/' sweep.yaml
pid=$("$POSWEEP" status out.h5 | sed -n 's/.*at work: pid \([0-9]*\) on .*/\1/p' | tail -n 1)
check 'rank 0 of one of them is killed' kill -KILL "$pid"
ended() { [ -z "$(squeue -h)" ]; }
check 'all jobs end' wait_until 200 ended
check 'one of them after it was requeued' sh -c "cat posweep-${job}_*.log | grep -q 'a rank was lost.*; requeued'"
check 'with all runs done' sh -c "'$POSWEEP' status out.h5 | grep -q '^array: 8 done of 8 runs'"
check 'no error is left to tell' test ! -e out.h5.ended
check 'nor parts, nor work' test ! -e out.h5.parts -a ! -e out.h5.work
check 'the file is whole' "$POSWEEP" check out.h5
check 'and that of one job' same_datasets calm.h5 out.h5 provenance/spec_text
[ "$N_BAD" -eq 0 ] || tail -n 40 posweep-"$job"_*.log >&2
echo "$N_OK checks passed"
