#!/bin/sh
# config.json alone is enough to plan: memory per rank of every well-known model, in order of size.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

configs=${POSWEEP_DATA:-$POSWEEP_SOURCE/../shared/data}/model-configs
[ -d "$configs" ] || skip 'no sample data'

cat >plan.yaml <<'END_YAML'
seeds: [1]
limits: {memory_gib: 100000}
base:
  task: lists
  lists: {sft: 16, pairs: 16}
  model: {from: model, context: 64}
  sft: {steps: 1, batch: 4}
  policy: {steps: 1, batch: 4}
  final: {prompts: 4, max_new: 8}
  eval: {prompts: 4}
  trace: {every: 1, probe: 4}
END_YAML
mkdir model
n=0
for config in "$configs"/*.config.json; do
    cp -f "$config" model/config.json
    expect 0 'MiB/rank' "$POSWEEP" plan plan.yaml
    awk -v name="$(basename "$config")" '$1 == "dpo" {print name, $5; exit}' out.txt >>memory.txt
    n=$((n + 1))
done
check 'all of them were planned' [ "$(grep -c ' [0-9.][0-9.]*$' memory.txt)" -eq "$n" ]
check 'there are nineteen' [ "$n" -eq 19 ]
# Twice the parameters, twice the memory, about: 12B over 6.9B, 160M over 70M.
between() {
    awk -v a="$1" -v b="$2" -v lo="$3" -v hi="$4" '
        $1 == a ".config.json" {x = $2}
        $1 == b ".config.json" {y = $2}
        END {exit !(x > 0 && y / x > lo && y / x < hi)}' memory.txt
}
check '12B is 1.73 times 6.9B' between pythia-6.9b pythia-12b 1.65 1.8
check '160M is 2.30 times 70M' between pythia-70m pythia-160m 2.1 2.4
