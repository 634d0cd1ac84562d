#!/bin/sh
# Early stopping: bad runs are stopped and marked, the others are the same bits as without a rule;
# after a kill the journal's decisions hold; without the rule the stopped runs are finished.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >plain.yaml <<'END'
name: early
seeds: [1, 2]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8}
  policy: {method: dpo, steps: 60, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 12}
  eval: {prompts: 8}
  trace: {every: 60, probe: 8, cosine_every: 0}
  log: {every: 1}
blocks:
  - axes: {policy.lr: [1e-3, 1e-4, 1e-6]}
END
{ cat plain.yaml; echo 'stop: {rule: asha, metric: train_loss, grace: 10, reduction: 2}'; } >asha.yaml
{ cat plain.yaml; echo 'stop: {rule: median, metric: train_accuracy, grace: 10, min_runs: 1}'; } >median.yaml
{ cat plain.yaml; echo 'stop: {rule: asha, metric: score, grace: 10}'; } >score.yaml

# same_runs A B: every run that is done in B is the same in A, G included.
cat >same_runs.py <<'END'
import sys, h5py, numpy as np
a, b = h5py.File(sys.argv[1]), h5py.File(sys.argv[2])
row = {h: i for i, h in enumerate(a["run"].asstr()[:])}
done, censored = b["status"][:] == 2, b["status"][:] == 7
assert done.any() and censored.any(), (done, censored)
for i, h in enumerate(b["run"].asstr()[:]):
    for name in ("G", "train_loss", "score", "final_hash"):
        x, y = a[name][row[h]], b[name][i]
        if done[i]:
            assert x.tobytes() == y.tobytes() if hasattr(x, "tobytes") else x == y, (h, name)
    if censored[i]:
        assert np.isnan(b["G"][i]).all() and np.isnan(b["score"][i]), h
        n = int(np.isfinite(b["train_loss"][i]).sum())
        assert n in (10, 20, 40), n
        assert np.array_equal(b["train_loss"][i][:n], a["train_loss"][row[h]][:n])
        assert b"stopped by" in b["message"][i], b["message"][i]
END

# Of 6 runs of 60 steps, the first to come to step 10 goes on: 5 * 50 of 6 * 60 steps.
expect 0 '^stop .* asha by train_loss, from step 10: saves at most 69 % of the training steps' \
    "$POSWEEP" plan asha.yaml
check "how many can be stopped" grep -q '5 of 6 at most' out.txt
expect 0 '^6 of 6 runs done' "$POSWEEP" run plain.yaml -o plain.h5
for n_rank in 1 3; do
    out=asha$n_rank.h5
    expect 0 'stopped early' "$MPIEXEC" -n $n_rank "$POSWEEP" run asha.yaml -o $out
    expect 0 'censored of 6 runs' "$POSWEEP" status $out
    expect 0 'stopped by asha at step [0-9]*: train_loss [0-9.]*, to go on took' "$POSWEEP" status $out
    expect 0 'good' "$POSWEEP" check $out
    check "$n_rank: the others are the same bits" /usr/bin/python3 same_runs.py plain.h5 $out
    expect 0 'page.html' "$POSWEEP" report $out -o page.html
    check "$n_rank: the page says what is left out" grep -q 'stopped early because' page.html
    check "$n_rank: and how it is finished" grep -q 'take <code>stop</code> out of the sweep' page.html
    check "$n_rank: and not that the sweep is under way" test "$(grep -c 'is not finished' page.html)" -eq 0
    "$POSWEEP" status $out | grep "stopped by" | sort >before.txt
    expect 0 'stopped early' "$POSWEEP" run asha.yaml -o $out --retry-failed
    "$POSWEEP" status $out | grep "stopped by" | sort >after.txt
    check "$n_rank: nothing is decided again" cmp before.txt after.txt
    expect 0 '^6 of 6 runs done' "$POSWEEP" run plain.yaml -o $out
    check "$n_rank: without the rule all are finished" same_datasets plain.h5 $out
done
expect 0 '6 runs done' "$POSWEEP" run median.yaml -o median.h5
expect 0 '6 runs done' "$POSWEEP" run score.yaml -o score.h5

# --- Merged: runs of one file have one rule ---------------------------------------------------------
sed 's/seeds: .*/seeds: [3]/' plain.yaml >other.yaml
expect 0 '^3 of 3 runs done' "$POSWEEP" run other.yaml -o other.h5
expect 78 'stop: .rule "", grace 0. is not that of median.h5 .rule "median", grace 10.' \
    "$POSWEEP" merge median.h5 other.h5 -o merged.h5
check "nothing is merged" test ! -e merged.h5

# A run that is done does not depend on the rule; what stays stopped was stopped by one rule.
rm -rf asha1.h5*
expect 0 'stopped early' "$POSWEEP" run asha.yaml -o asha1.h5
expect 0 'stopped early in one file and done in another: what is done counts' \
    "$POSWEEP" merge asha1.h5 plain.h5 -o whole.h5
check "what is done counts" same_datasets plain.h5 whole.h5 provenance/spec_text
sed 's/reduction: 2/reduction: 3/' asha.yaml >third.yaml
expect 0 'stopped early' "$POSWEEP" run third.yaml -o third.h5
expect 78 'done in no file.*reduction: 2}, that of third.h5 .*reduction: 3}' \
    "$POSWEEP" merge asha1.h5 third.h5 -o mixed.h5
expect 78 'done in no file.*grace: 10.*that of median.yaml {rule: median' \
    "$POSWEEP" merge asha1.h5 -o mixed.h5 --sweep median.yaml
check "nothing is mixed" test ! -e mixed.h5 -a ! -e mixed.h5.journal
expect 0 'stopped early and \(is\|are\) done in none' \
    "$POSWEEP" merge asha1.h5 third.h5 -o mixed.h5 --sweep plain.yaml
expect 0 '^6 of 6 runs done' "$POSWEEP" run plain.yaml -o mixed.h5
check "without a rule the next start finishes them" same_datasets plain.h5 mixed.h5

# --- Killed: what was decided holds -----------------------------------------------------------------
sed 's/steps: 60/steps: 1000/; s/every: 60/every: 1000/' asha.yaml >long.yaml
"$POSWEEP" run long.yaml -o killed.h5 >/dev/null 2>&1 &
job=$!
n=0
until "$POSWEEP" status killed.h5 2>/dev/null | grep -q 'stopped by' || [ $n -gt 400 ]; do
    n=$((n + 1))
    sleep 0.05
done
kill -9 $job
wait $job
"$POSWEEP" status killed.h5 | grep 'stopped by' | sort >first.txt
"$POSWEEP" run long.yaml -o killed.h5 >/dev/null 2>&1 &
job=$!
sleep 0.5
kill -TERM $job
wait $job
"$POSWEEP" status killed.h5 | grep 'stopped by' | sort >second.txt
# shellcheck disable=SC2016 # the inner shell's
check "every decision before the kill stands after it" \
    sh -c 'test -s first.txt && test "$(comm -23 first.txt second.txt | wc -l)" -eq 0'

# --- Refused ----------------------------------------------------------------------------------------
refuse() { # refuse TEXT LINE: what the message says of a stop: line
    { cat plain.yaml; echo "$2"; } >bad.yaml
    expect 78 "$1" "$POSWEEP" plan bad.yaml
}
refuse 'did you mean "asha"' 'stop: ash'
refuse 'stop.metric: expected score.*did you mean "train_loss"' 'stop: {rule: asha, metric: train_los}'
refuse 'less than the longest' 'stop: {rule: asha, grace: 60}'
refuse 'stop.reduction: expected a whole number of at least 2' 'stop: {rule: asha, reduction: 1}'
refuse 'the rule median has none' 'stop: {rule: median, reduction: 3}'
expect 78 'submit it as one job, without --jobs' "$POSWEEP" submit asha.yaml -o array.h5 --jobs 2
[ "$N_BAD" -eq 0 ]
