#!/bin/sh
# Every benchmark runs, small.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

expect 64 "no benchmark 'dispach'" "$POSWEEP" bench dispach
expect 64 'which benchmark' "$POSWEEP" bench
expect 64 'count' "$POSWEEP" bench dispatch --items none
expect 0 'us per task' "$POSWEEP" bench dispatch --items 100
expect 0 '^3  *200 ' "$MPIEXEC" -n 3 "$POSWEEP" bench dispatch --items 200
check 'the journal of the benchmark is gone' test -z "$(ls posweep-bench* 2>/dev/null)"
expect 0 '^cut pareto *exactly *200 *32 ' "$POSWEEP" bench schedule --items 200 --batch 32
expect 78 'at most 10,000,000' "$POSWEEP" bench schedule --items 10000001
expect 64 "no shape 'z'" "$POSWEEP" bench sample --shape z
expect 0 '^tiny  *2 ' "$POSWEEP" bench sample --shape tiny --batch 2 --repeat 1
expect 0 '^tiny  *40  *32 ' "$POSWEEP" bench sample --shape tiny --items 40 --repeat 1
expect 0 '^tiny  *2  *8  *64 ' "$POSWEEP" bench sample --shape tiny --repeat 1
expect 0 '^tiny  ' "$POSWEEP" bench step --shape tiny --repeat 1
expect 0 'x the pairs/s (FLOPs promise 1' "$POSWEEP" bench dpo --batch 1 --repeat 1
expect 0 'of the step (>= 0.6)' "$POSWEEP" bench ppo --batch 8 --repeat 1 --items 5
check 'the work folder of the benchmark is gone' test -z "$(ls -d posweep-bench* 2>/dev/null)"
expect 0 '^sample and score ' "$POSWEEP" bench ppo --shape tiny --batch 16 --repeat 1 --items 1
expect 78 '1 to 64 are possible' "$POSWEEP" bench ppo --repeat 65
expect 0 '^16 ' "$POSWEEP" bench trace --items 1 --repeat 1
expect 0 'x LAPACK on the same cores' "$MPIEXEC" -n 2 "$POSWEEP" bench spectrum --items 300 --batch 64
expect 0 '^tiny  *2 ' "$MPIEXEC" -n 2 "$POSWEEP" bench ranks --shape tiny --batch 1 --repeat 1
printf '{"chosen": "\\n\\nHuman: a\\n\\nAssistant: b", "rejected": "\\n\\nHuman: a\\n\\nAssistant: c"}\n' >one.jsonl
expect 65 'one.jsonl' "$POSWEEP" bench dpo --data one.jsonl
