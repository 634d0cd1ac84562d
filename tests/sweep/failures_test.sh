#!/bin/sh
# Runs that diverge, wherever they do, are recorded results: the others are done, the exit status is
# 0, the file is good, and nothing is tried again without being asked for.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >sweep.yaml <<'END'
name: failures
seeds: [1]
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 20, batch: 8}
  policy: {method: dpo, steps: 8, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 16}
  trace: {every: 4, probe: 8, cosine_every: 4, directions: true}
  log: {every: 2}
blocks:
  - variants:
      vanilla: {}
      adamw_jumps: {policy.lr: 1000, policy.weight_decay: 10}
      # each step multiplies the parameters by -1e6
      sgd_jumps: {policy: {lr: 1000, weight_decay: 1000, optimizer: sgd, clip: 0}}
      at_the_last_step:
        policy: {lr: 1000, weight_decay: 1000, optimizer: sgd, clip: 0, steps: 1}
        trace: {every: 1, cosine_every: 1}
      sft_jumps: {sft: {lr: 1000, weight_decay: 10}}
      flat: {preset: flat}
END

expect 0 '^2 of 6 runs done, 4 diverged' "$MPIEXEC" -n 3 "$POSWEEP" run sweep.yaml -o f.h5
check 'it says how to see why' grep -q 'see why: posweep status' out.txt
expect 0 'good' "$POSWEEP" check f.h5
check 'nothing is left to go on from' test ! -e f.h5.work
"$POSWEEP" status f.h5 >status.txt 2>&1
for variant in adamw_jumps sgd_jumps at_the_last_step; do
    expect 0 "$variant .*at step 0: the norm of the parameters is .*, more than 4 times" cat status.txt
done
expect 0 'sft_jumps .*(sft dpo sft_jumps seed 1), which diverged' cat status.txt

# Again: nothing to do, and the plan says so, with or without a results file. When asked for, they are tried again and diverge again.
expect 0 'output *f.h5: 2 of 6 runs are done already, 4 diverged' "$POSWEEP" plan sweep.yaml -o f.h5
check 'no work is planned for them' grep -q '^6 runs of failures, 0 stages' out.txt
check 'it says why' grep -q 'sft_jumps .* diverged$' out.txt
cp f.h5.journal killed.h5.journal # as after a kill before the first results file
expect 0 'output *killed.h5: 2 of 6 runs' "$POSWEEP" plan sweep.yaml -o killed.h5
expect 0 '^2 of 6 runs done (6 before)' "$POSWEEP" run sweep.yaml -o f.h5
expect 0 '^2 of 6 runs done (2 before), 4 diverged' \
    "$POSWEEP" run sweep.yaml -o f.h5 --retry-failed

# What cannot be removed at the end (here: its path is too long) takes nothing from the results.
long=$(printf '%0250d' 0)
mkdir -p left.h5.work/sft-0000000000000000.state
(
    cd left.h5.work/sft-0000000000000000.state || exit 1
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do mkdir "$long" && cd "$long" || exit 1; done
)
expect 0 'left behind, may be removed: .*left.h5.work' \
    "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o left.h5
expect 0 'good' "$POSWEEP" check left.h5
