#!/bin/sh
# A stop in the middle of the sampling of D', which takes seconds here and minutes for large
# models: by one rank and by a group of two it is obeyed soon, and the run that goes on ends with
# the bits of one that was left alone.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >long.yaml <<'END'
name: long
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 2, width: 128, heads: 2, context: 192}
  sft: {steps: 2, batch: 8}
  policy: {method: dpo, steps: 2, batch: 8, lr: 1e-4}
  final: {prompts: 512}
  eval: {prompts: 0}
  trace: {every: 2, probe: 8, cosine_every: 0}
END

# resume.state is written when training is done; then D' is sampled.
wait_for_sampling() {
    for _ in $(seq 2000); do
        [ -n "$(find . -path "./$1*" -name resume.state)" ] && sleep 0.05 && return 0
        sleep 0.02
    done
    return 1
}

expect 0 '1 of 1 run' "$POSWEEP" run long.yaml -o whole.h5
for n_rank in 1 3; do
    out=cut$n_rank.h5
    set -- "$MPIEXEC" -n $n_rank "$POSWEEP" run long.yaml -o $out \
        --set "limits.ranks_per_run=$((n_rank > 1 ? 2 : 1))"
    "$@" >cut.txt 2>&1 &
    pid=$!
    check "$n_rank: training came to its end" wait_for_sampling cut$n_rank
    begin=$(date +%s)
    kill -USR1 $pid
    wait $pid
    took=$(($(date +%s) - begin))
    check "$n_rank: a stop takes 30 s at most, not $took s" test $took -le 30
    expect 0 'stopped in the sampling of [0-9]* responses' "$POSWEEP" status $out
    expect 0 '1 of 1 run' "$@"
    same_datasets whole.h5 $out provenance/spec_text # the --set
done
[ "$N_BAD" -eq 0 ]
