# shellcheck shell=sh
# For scenarios with a sweep of two runs one of which is long, whose file gains runs meanwhile:
# one.yaml, two.yaml (a seed more), other.yaml (has lost runs), bad.yaml (cannot be read), wide.yaml (a
# run that does not fit). To be sourced after scenario.sh.

cat >one.yaml <<'TEXT'
name: tail
seeds: [1]
base:
  task: lists
  lists: {sft: 128, pairs: 64}
  model: {layers: 1, width: 64, heads: 2, rotary_pct: 0.5, context: 48}
  sft: {steps: 10, batch: 8}
  policy: {method: dpo, steps: 100, batch: 8, lr: 1e-6}
  final: {prompts: 8, max_new: 12}
  trace: {every: 100, probe: 8, cosine_every: 0}
  log: {every: 1000}
blocks:
  - variants: {short: {}, long: {policy.steps: 3000, trace.every: 3000}}
limits: {widen_s: 0}
TEXT
sed 's/seeds: \[1\]/seeds: [1, 2]/' one.yaml >two.yaml
sed 's/steps: 100, /steps: -1, /' two.yaml >bad.yaml # it cannot be read
sed 's/seeds: \[1\]/seeds: [2, 3]/' one.yaml >other.yaml
sed 's/{short: {}, /{wide: {model.width: 8192, model.layers: 400}, short: {}, /' one.yaml >wide.yaml

# until_says PATTERN: wait for it in the log, as long as the job lives.
until_says() {
    tries=0
    until grep -q -e "$1" log || ! kill -0 "$job" 2>/dev/null || [ $tries -gt 2000 ]; do
        tries=$((tries + 1)) && sleep 0.02
    done
}
# begin NAME OPTION...: perform NAME.yaml until its short run is done.
begin() {
    name=$1
    shift
    : >log
    "$MPIEXEC" -n 4 "$POSWEEP" run "$name.yaml" -o "$name.h5" -v "$@" >log 2>&1 &
    job=$!
    until_says 'policy dpo short seed 1: done'
}
# becomes FILE: the sweep file that is performed has another content now.
becomes() { cp "$1" new && mv new "$name.yaml"; }
# first A B: in the log A comes, and before B.
first() { sed -n "/$2/q; p" log | grep -q -e "$1"; }
n_said() { grep -c -e "$1" log; }
