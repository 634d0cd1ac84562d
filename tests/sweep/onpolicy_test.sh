#!/bin/sh
# On-policy methods beside dpo, as a user meets them: the same sweep gives the same bits on 1, 2 and
# 4 ranks per run and after interruptions anywhere; every command works on its file; wrong settings
# are refused with their key, their value and what to do.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

SWEEP=$POSWEEP_SOURCE/tests/support/onpolicy.yaml
COMPARE=$POSWEEP_SOURCE/tests/support/compare_h5.py

# --- Wrong settings ----------------------------------------------------------------------------
cat >one.yaml <<'END'
name: one
seeds: [1]
base:
  task: lists
  lists: {sft: 64, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 2, batch: 8}
  policy: {method: grpo, steps: 2, batch: 8, epochs: 1}
  reward: {source: scorer}
  rollout: {samples: 4, max_new: 8}
  final: {prompts: 8, max_new: 8}
  trace: {every: 2, probe: 8}
  log: {every: 1}
blocks:
  - variants: {vanilla: {}}
END
# refuse PATTERN SETTING...: plan and run say it, with where it stands, and leave nothing behind.
refuse() {
    pattern=$1
    shift
    expect 78 "$pattern" "$POSWEEP" plan one.yaml "$@"
    expect 78 "$pattern" "$POSWEEP" run one.yaml -o bad.h5 "$@"
    check "no output of a refused sweep ($pattern)" test ! -e bad.h5
}
expect 0 '^1 runs' "$POSWEEP" plan one.yaml
refuse 'one.yaml:8:.*rollout.samples is 1: grpo compares .* at least 2' --set rollout.samples=1
refuse 'policy.batch 10 is not a multiple of the 4 .*rollout.samples' --set policy.batch=10
refuse 'policy.minibatches 3 does not divide the 2 prompts' --set policy.minibatches=3
refuse 'policy.tau: expected number in .0, 1., found "1.5"' --set policy.tau=1.5
refuse 'policy.clip_low: expected number in (0, 1., found "0"' --set policy.clip_low=0
refuse 'rollout.max_new 48 leaves no room .* model.context 48' --set rollout.max_new=48
refuse 'rollout.overlong 8 is not below rollout.max_new 8' --set rollout.overlong=8
expect 0 'note .*rollout.max_new is 47, the data has [1-9][0-9] tokens of room' \
    "$POSWEEP" plan one.yaml --set rollout.max_new=47
i=0
while [ $i -lt 60 ]; do
    i=$((i + 1))
    printf '{"chosen":"\\n\\nHuman: %s a b c d e f g h\\n\\nAssistant: yes","rejected":' $i
    printf '"\\n\\nHuman: %s a b c d e f g h\\n\\nAssistant: no"}\n' $i
done >pairs.jsonl
refuse 'reward.source is scorer, but data.format auto has none: use a reward model' \
    --set task=none --set data.pairs=pairs.jsonl
# Prompts as long as the context are refused, one token less is enough.
hh() {
    "$POSWEEP" "$@" --set task=none --set data.pairs=pairs.jsonl --set reward.source=model \
        --set reward.steps=2 --set reward.batch=4 --set reward.warmup=0
}
expect 78 'data.max_prompt 48 + data.max_response 1 = 49 .* model.context 48' \
    hh plan one.yaml --set data.max_prompt=48 --set data.max_response=1
expect 0 '1 of 1 runs done' \
    hh run one.yaml -o hh.h5 --set data.max_prompt=47 --set data.max_response=1
expect 0 'good' "$POSWEEP" check hh.h5

# --- Runs that diverge are recorded ----------------------------------------------------------------
for method in ppo grpo dapo; do
    expect 0 '1 diverged' "$POSWEEP" run one.yaml -o "nan-$method.h5" --set policy.method=$method \
        --set policy.lr=1000 --set policy.weight_decay=1000 --set policy.epochs=20
    expect 0 'diverged at step [01]:\|at step [01] is .*training diverged' \
        "$POSWEEP" status "nan-$method.h5"
    expect 0 'good' "$POSWEEP" check "nan-$method.h5"
done

# --- Every command ------------------------------------------------------------------------------------
sweep() {
    out=$1 ranks=$2
    shift 2
    "$@" run "$SWEEP" -o "$out" --set "limits.ranks_per_run=$ranks"
}
expect 0 '9 stages of work' "$POSWEEP" plan "$SWEEP"
expect 0 '6 of 6 runs done' sweep one.h5 1 "$POSWEEP"
expect 0 'good' "$POSWEEP" check one.h5
expect 0 '6 done of 6 runs' "$POSWEEP" status one.h5
expect 0 '^ppo shared  *1 of 1' "$POSWEEP" show one.h5
expect 0 '^  value: above 0: [0-9]* %' "$POSWEEP" show one.h5 -V shared
expect 0 'reward of SFT [-0-9]' "$POSWEEP" show one.h5 -V by_model
expect 0 'accuracy of the reward model [0-9]' "$POSWEEP" show one.h5 -V by_model
expect 0 '^  shuffled: above 0: [0-9]* %' "$POSWEEP" show one.h5 --all -V by_model
run=$("$POSWEEP" plan "$SWEEP" | sed -n 's/^ *\([0-9a-f]\{16\}\)  dapo .*/\1/p')
expect 0 '^rollout.redraws: 2' "$POSWEEP" why one.h5 "$run"

# --- The same bits ------------------------------------------------------------------------------------
for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'
# The text of the sweep file holds the ranks asked for.
same() { "$python" "$COMPARE" "$1" "$2" provenance/spec_text; }
expect 0 '6 of 6 runs done' sweep four.h5 4 "$MPIEXEC" -n 5 "$POSWEEP"
expect 0 ' 0 different' same one.h5 four.h5

# stop_at PATTERN RANKS: start, wait until a file like this is there, ask to stop.
cat >sweep.sh <<'END'
exec "$MPIEXEC" -n $(($1 + 1)) "$POSWEEP" run "$2" -o stopped.h5 --set "limits.ranks_per_run=$1"
END
stop_at() {
    sh sweep.sh "$2" "$SWEEP" >stop.txt 2>&1 &
    running=$!
    left=600
    # shellcheck disable=SC2086 # $1 is a pattern
    until ls $1 >/dev/null 2>&1; do
        left=$((left - 1))
        if [ "$left" -le 0 ] || ! kill -0 "$running"; then break; fi
        sleep 0.02
    done
    kill -USR1 "$running"
    wait "$running"
    status=$?
    [ "$status" -eq 75 ] || sed 's/^/    /' stop.txt >&2
    [ "$status" -eq 75 ]
}
export MPIEXEC POSWEEP
check 'stopped in training' stop_at 'stopped.h5.work/policy-*.d/rollout-000000.rec' 4
check 'stopped behind training' stop_at 'stopped.h5.work/policy-*.d/rollout-000004.rec' 1
expect 0 '6 of 6 runs done' sweep stopped.h5 2 "$MPIEXEC" -n 3 "$POSWEEP"
expect 0 ' 0 different' same one.h5 stopped.h5

# --- What the file tells ------------------------------------------------------------------------------
cat >tell.py <<'END'
import h5py, numpy as np
f = h5py.File("one.h5")
text = lambda x: [t.decode() if isinstance(t, bytes) else t for t in x]
method, variant = text(f["method"][()]), text(f["variant"][()])
label = text(f["component"][()])
G = f["G"][()]
for r, m in enumerate(method):
    row = lambda name: f[name][r]
    if m == "dpo":
        assert np.isnan(row("train_score")).all()
        continue
    assert np.isfinite(row("train_score")).all() and np.isfinite(row("approx_kl")).all()
    assert (m == "ppo") == np.isfinite(row("value_loss")).all(), (m, row("value_loss"))
    assert np.isnan(row("value_loss")).all() or m == "ppo"
    assert np.isfinite(row("reward_model_accuracy")) == (variant[r] in ("by_model", "shared"))
    parts = [label.index(x) for x in ("pos", "neg", "kl", "entropy", "value") if x in label]
    g = G[r][:, parts]
    total = G[r][:, label.index("total")]
    assert np.allclose(np.nansum(g, -1), total, rtol=1e-9, atol=1e-12), (m, variant[r])
kl = f["kl_coef"][variant.index("by_scorer")]
assert kl[0] == 0.05 and len(set(kl)) > 1, kl
print("as told")
END
expect 0 '^as told' "$python" tell.py
[ "$N_BAD" -eq 0 ]
