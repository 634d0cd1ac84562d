#!/bin/sh
# policy.steps raised: finished runs whose training was kept (limits.keep_training) go on from where
# it ended, and what they find is what a fresh sweep with so many steps finds, to the bit; where a
# schedule runs towards the end, or what was kept is damaged, training begins anew.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# One of each: pairs, a critic of its own, a controller and a shared critic, groups; the
# schedules of `falling` and `fading` depend on the end. 3 and 9 steps end between two checkpoints, 6 at one.
cat >base.yaml <<'END'
name: steps
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 32, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8, lr: 1e-3}
  policy: {method: dpo, batch: 16, lr: 1e-3}
  reward: {steps: 10, batch: 8}
  rollout: {max_new: 12}
  final: {prompts: 8, max_new: 12}
  trace: {every: 2, probe: 8, cosine_every: 4, directions: true}
  log: {every: 2}
limits: {keep_training: true}
blocks:
END
cat base.yaml - >steps.yaml <<'END'
  - variants:
      vanilla: {policy: {warmup: 2, negative: {off_until: 2}}}
      falling: {policy.decay: linear}
      fading: {policy.negative: {schedule: linear, to: 0}}
  - set: {policy: {method: ppo, epochs: 2}}
    variants:
      separate: {policy: {minibatches: 2, critic_lr: 1e-2}}
      shared: {policy: {critic: shared, kl_target: 0.1, kl_horizon: 50}, reward.source: scorer}
  - set: {policy: {method: grpo, epochs: 2}, reward.source: scorer, rollout.samples: 4}
    variants: {vanilla: {}}
END
cat base.yaml - >one.yaml <<'END'
  - set: {policy: {method: ppo, epochs: 2}}
    variants: {separate: {policy: {minibatches: 2, critic_lr: 1e-2}}}
END
run() { # run FILE STEPS...
    out=$1 steps=$2
    shift 2
    "$POSWEEP" run steps.yaml -o "$out" --set "policy.steps=$steps" -v "$@"
}
went_on() { grep -c "goes on from step $1," out.txt; } # went_on STEP: how many runs
kept() { find x.h5.work/kept/training -mindepth 2 -maxdepth 2 -name "$1" | wc -l; }

# --- From 3 to 6 to 9 steps ---------------------------------------------------------------------------
expect 0 '^6 of 6 runs done' run x.h5 3
check 'nothing is there to go on from' test "$(grep -c 'goes on from' out.txt)" -eq 0
check 'what a longer run can use is kept' test "$(kept 000003)" -eq 4
check 'of the rest nothing is' test "$(find x.h5.work -name 'policy-*' | wc -l)" -eq 0
plan() { "$POSWEEP" plan steps.yaml -o x.h5 --set "policy.steps=$1"; }
expect 0 '^go on     4 runs can go on from step 3 of finished ones' plan 6
expect 0 '^          of which at most .* MiB stay: the training of 4 runs' plan 6
work() { sed -n 's/^work *\([^ ]*\) TFLOP.*/\1/p' out.txt; }
left=$(work)
expect 0 '^work ' "$POSWEEP" plan steps.yaml -o none.h5 --set policy.steps=6
less() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }'; }
check 'and only what is left of them is counted' less "$left" "$(work)"
{ cat steps.yaml && echo 'stop: {rule: median, grace: 2}'; } >stop.yaml
expect 0 '^6 runs of steps' "$POSWEEP" plan stop.yaml -o x.h5 --set policy.steps=6
check 'a rung that was passed by must be told' test "$(grep -c '^go on' out.txt)" -eq 0
sed -i 's/grace: 2/grace: 3/' stop.yaml
expect 0 '^go on     4 runs' "$POSWEEP" plan stop.yaml -o x.h5 --set policy.steps=6
expect 0 'nothing is left to do' plan 3
check 'what is done goes on nowhere' test "$(grep -c '^go on' out.txt)" -eq 0
expect 0 '0 of 6 runs are done' plan 2
check 'nor do fewer steps' test "$(grep -c '^go on' out.txt)" -eq 0
expect 0 '^6 of 6 runs done' run x.h5 6
check 'it is said at the start' grep -q 'note: 4 runs can go on from step 3 of finished ones' out.txt
check 'four go on' test "$(went_on 3)" -eq 4
check 'and leave theirs' test "$(kept 000006)" -eq 4 -a "$(kept 000003)" -eq 0
expect 0 '^6 of 6 runs done' run x.h5 9
check 'four go on again' test "$(went_on 6)" -eq 4
expect 0 '^6 of 6 runs done' run nine.h5 9 --set limits.keep_training=false
check 'not kept unless asked for' test ! -e nine.h5.work
check 'each is as if it had had 9 steps from the start' same_datasets nine.h5 x.h5 provenance/spec_text
expect 0 good "$POSWEEP" check x.h5

# --- Taken away ------------------------------------------------------------------------------------------
expect 0 'dpo vanilla seed 1' "$POSWEEP" prune x.h5 'dpo vanilla seed 1' --work --yes
check 'with its run a training goes' test "$(kept 000009)" -eq 3
expect 0 'not asked for any more: done' "$POSWEEP" prune x.h5 --unasked --work --yes
check 'the shorter runs have none any more' test "$(kept 000009)" -eq 3
expect 0 'kept trainings, too' "$POSWEEP" prune x.h5 --work --yes
check 'all go' test ! -e x.h5.work/kept/training
expect 0 '5 done' "$POSWEEP" status x.h5

# --- Interrupted within what is added ------------------------------------------------------------------
only() { # only FILE STEPS...: the run of ppo with its own critic
    out=$1 steps=$2
    shift 2
    "$POSWEEP" run one.yaml -o "$out" --set "policy.steps=$steps" -v "$@"
}
expect 0 '^1 of 1 runs done' only k.h5 4
"$POSWEEP" run one.yaml -o k.h5 --set policy.steps=100 -v --set limits.checkpoint_s=0.01 >out.txt 2>&1 &
job=$!
n=0
until find k.h5.work -path '*/policy-*' -name 'ckpt-000010.state' | grep -q . || [ $n -gt 400 ]; do
    n=$((n + 1))
    sleep 0.02
done
kill -9 $job
wait $job
check 'it was under way' test "$(find k.h5.work -name 'ckpt-000010.state' | wc -l)" -eq 1
check 'and not at its end' test "$(find k.h5.work -name 'ckpt-000100.state' | wc -l)" -eq 0
check 'from step 4' test "$(went_on 4)" -eq 1
expect 0 '^1 of 1 runs done' only k.h5 100
check 'and goes on from its own state' test "$(grep -c 'goes on from step' out.txt)" -eq 0
expect 0 '^1 of 1 runs done' only whole.h5 100
check 'killed and continued it is the same' same_datasets whole.h5 k.h5 provenance/spec_text

# --- Both at once ----------------------------------------------------------------------------------------
sed '$s/}$/}\n    axes: {policy.steps: [8, 4]}/' one.yaml >both.yaml
expect 0 '^2 of 2 runs done' "$POSWEEP" run both.yaml -o both.h5
expect 0 '^2 of 2 runs done' "$POSWEEP" run both.yaml -o each.h5 --set limits.keep_training=false
check 'two in one sweep are the same' same_datasets each.h5 both.h5 provenance/spec_text

# --- Damaged -------------------------------------------------------------------------------------------
harm() { # harm NAME: a kept training with this file damaged
    rm -rf h.h5*
    expect 0 '^1 of 1 runs done' only h.h5 4
    file=$(find h.h5.work/kept/training -name "$1")
    printf 'XXXXXXXX' | dd of="$file" bs=1 seek=4000 conv=notrunc status=none
    expect 0 '^1 of 1 runs done' only h.h5 8
    check "that $1 is damaged is said" grep -q "$1: .*moved to" out.txt
    check "with $1 damaged it is the same" same_datasets eight.h5 h.h5 provenance/spec_text
}
expect 0 '^1 of 1 runs done' only eight.h5 8
for name in resume.state ckpt-000002.state rollout-000002.rec; do harm $name; done
[ "$N_BAD" -eq 0 ]
