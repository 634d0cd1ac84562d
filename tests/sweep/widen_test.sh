#!/bin/sh
# A run that is left when the others have ended saves itself and goes on with the ranks of all, to
# the same bits as on one rank; also when the job is killed while it does.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# Three ranks work. More of them for `long` at once would make the others wait.
cat >sweep.yaml <<'EOF'
name: widen
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 64, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8}
  policy: {method: dpo, steps: 400, batch: 8, lr: 1e-6}
  final: {prompts: 8, max_new: 12}
  trace: {every: 400, probe: 8, cosine_every: 0}
  log: {every: 1000}
blocks:
  - variants: {a: {}, b: {policy.lr: 2e-6}, long: {policy.steps: 1200, trace.every: 1200}}
limits: {widen_s: 0.2}
EOF
expect 0 '^3 of 3 runs done' "$POSWEEP" run sweep.yaml -o one.h5

expect 0 'long seed 1: goes on with more ranks: saved, to go on with 2 ranks in place of 1' \
    "$MPIEXEC" -n 4 "$POSWEEP" run sweep.yaml -o wide.h5 -v
expect 0 'long seed 1: done after 2 attempts' "$POSWEEP" why wide.h5 long
expect 0 'attempt 2  started on .* (2 ranks)$' "$POSWEEP" why wide.h5 long
expect 0 'good' "$POSWEEP" check wide.h5
check 'more ranks on its way, the same bits' same_datasets one.h5 wide.h5

# Rank 0 is killed as soon as the run was asked to save itself.
"$MPIEXEC" -n 4 "$POSWEEP" run sweep.yaml -o killed.h5 -v >killed.txt 2>&1 &
job=$!
n=0
until grep -q 'long seed 1: is to save itself' killed.txt || ! kill -0 $job 2>/dev/null || [ $n -gt 6000 ]; do
    n=$((n + 1))
    sleep 0.02
done
pkill -KILL -o -P $job
wait $job
expect 0 'is to save itself' cat killed.txt
expect 0 '^3 of 3 runs done' "$MPIEXEC" -n 4 "$POSWEEP" run sweep.yaml -o killed.h5
check 'killed in between, the same bits' same_datasets one.h5 killed.h5

expect 0 '^3 of 3 runs done' "$MPIEXEC" -n 4 "$POSWEEP" run sweep.yaml -o narrow.h5 --set limits.widen_s=0
expect 0 'long seed 1: done after 1 attempt$' "$POSWEEP" why narrow.h5 long
[ "$N_BAD" -eq 0 ]
