#!/bin/sh
# A run that takes longer than limits.run_s saves itself and has timed out; the others go on, and
# --retry-failed goes on with it, to the same bits as without any limit. The time of earlier attempts
# counts.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >sweep.yaml <<'END'
name: timeout
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8}
  policy: {method: dpo, steps: 4, batch: 8, lr: 1e-6}
  final: {prompts: 8, max_new: 12}
  trace: {every: 4, probe: 8, cosine_every: 0}
  log: {every: 1000}
blocks:
  - variants: {short: {}, long: {policy.steps: 3000, trace.every: 3000}}
END
begin=$(date +%s.%N)
expect 0 '^2 of 2 runs done' "$POSWEEP" run sweep.yaml -o whole.h5
# Far from what either run takes, on any machine.
limit_s=$(echo "$begin $(date +%s.%N)" | awk '{ print ($2 - $1) / 4 }')
for n_rank in 1 3; do
    out=limit$n_rank.h5
    expect 70 '^1 of 2 runs done, 1 timed out' \
        "$MPIEXEC" -n $n_rank "$POSWEEP" run sweep.yaml -o $out --set "limits.run_s=$limit_s"
    expect 0 '^timeout: 1 done, 1 timeout of 2 runs' "$POSWEEP" status $out
    expect 0 'long.*: longer than limits.run_s: stopped in .* at step [0-9]*; it is saved' "$POSWEEP" status $out
    expect 0 'good' "$POSWEEP" check $out
    expect 70 '^1 of 2 runs done (2 before), 1 timed out' "$POSWEEP" run sweep.yaml -o $out
    expect 0 '^2 of 2 runs done (1 before)' \
        "$MPIEXEC" -n $n_rank "$POSWEEP" run sweep.yaml -o $out --retry-failed
    # shellcheck disable=SC2016 # the inner shell's
    check "$n_rank: it went on from where it was" sh -c \
        '"$1" why "$2" long | grep -q "went on from a later place"' - "$POSWEEP" $out
    check "$n_rank: and ends with the same bits" same_datasets whole.h5 $out
done

# --- Stopped in between: the time before counts -----------------------------------------------------
# Long enough not to end before it is stopped, on any machine.
sed 's/: 3000/: 50000/g' sweep.yaml >stopped.yaml
"$POSWEEP" run stopped.yaml -o stopped.h5 --set limits.run_s=1000 >stopped.txt 2>&1 &
job=$!
n=0
until "$POSWEEP" why stopped.h5 long 2>/dev/null | grep -q 'started on' || [ $n -gt 600 ]; do
    n=$((n + 1))
    sleep 0.05
done
sleep 0.5
kill -TERM $job
wait $job
n_before=$("$POSWEEP" why stopped.h5 long | sed -n 's/.*interrupted: stopped in .* at step \([0-9]*\).*/\1/p')
expect 70 'timed out' "$POSWEEP" run stopped.yaml -o stopped.h5 --set limits.run_s=0.4
n_step=$("$POSWEEP" status stopped.h5 | sed -n 's/.*longer than limits.run_s: stopped in .* at step \([0-9]*\);.*/\1/p')
check "it stops at once: at step $n_step, after $n_before" test "$n_step" -le $((n_before + 5))
[ "$N_BAD" -eq 0 ]
