#!/bin/sh
# Preference files as they come: good, gzipped, cut, empty, not UTF-8, broken, odd, missing. Bad
# ones are refused before anything runs, with file, line and column; odd rows are counted.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# rows N: pairs about sums.
rows() {
    awk -v n="$1" 'BEGIN {
        for (i = 0; i < n; i++) {
            ask = "\\n\\nHuman: What is " i " plus " i % 7 "?\\n\\nAssistant: "
            printf "{\"chosen\":\"%sIt is %d.\",\"rejected\":\"%sMaybe %d, “who” knows\"}\n",
                ask, i + i % 7, ask, 3 * i
        }
    }'
}
pair() { printf '{"chosen":"%s","rejected":"%s"}\n' "$1" "$2"; }

rows 40 >good.jsonl
gzip -c good.jsonl >good.jsonl.gz
head -c "$(($(wc -c <good.jsonl.gz) / 2))" good.jsonl.gz >cut.jsonl.gz
: >empty.jsonl
{ rows 5 && printf '{"chosen":"\377","rejected":""}\n' && rows 5; } >bytes.jsonl
{ rows 5 && echo '{"chosen":"x' && rows 5; } >broken.jsonl
ask='\n\nHuman: Same?\n\nAssistant: '
{ rows 40 && pair '\n\nHuman: a\n\nAssistant: b' '\n\nHuman: c\n\nAssistant: d' &&
    pair "${ask}yes" "${ask}yes" && pair "${ask}a long answer $(rows 3 | tr -d '"\\\n')" "${ask}no"; } >odd.jsonl

cat >data.yaml <<'END'
name: data
seeds: [1]
base:
  task: none
  data: {pairs: good.jsonl, max_prompt: 64, max_response: 48}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 128}
  sft: {steps: 5, batch: 8}
  policy: {steps: 4, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 8}
  trace: {every: 4, probe: 8}
END
with() { "$POSWEEP" "$1" data.yaml -o "$2.h5" --set "data.pairs=$2"; }

expect 0 '1 of 1 runs done' with run good.jsonl
expect 0 'good' "$POSWEEP" check good.jsonl.h5
expect 0 '1 of 1 runs done' with run good.jsonl.gz
for command in plan run; do
    expect 65 'cut.jsonl.gz: .*truncated' with $command cut.jsonl.gz
    expect 65 'empty.jsonl: .*empty' with $command empty.jsonl
    expect 65 'bytes.jsonl:6:[0-9]*:.*0xff' with $command bytes.jsonl
    expect 65 'broken.jsonl:6:[0-9]*:' with $command broken.jsonl
    expect 78 'nowhere.jsonl' with $command nowhere.jsonl
done
expect 65 'data.yaml:1: dpo vanilla seed 1: .*empty.jsonl: ' with plan empty.jsonl
check 'refused data leave no results behind' test ! -e broken.jsonl.h5
expect 0 '1 with different prompts' with plan odd.jsonl
expect 0 '1 with chosen = rejected' with plan odd.jsonl
expect 0 '1 of 1 runs done' with run odd.jsonl
expect 0 'drop' "$POSWEEP" plan data.yaml --set data.pairs=odd.jsonl --set data.long=drop

# The same file found below POSWEEP_DATA.
mkdir elsewhere && mv good.jsonl elsewhere
expect 78 'POSWEEP_DATA' with plan good.jsonl
expect 0 'kept' env POSWEEP_DATA="$SCRATCH/elsewhere" "$POSWEEP" plan data.yaml

# Generated data depend on the seed: those of every seed are held against the context.
cat >lists.yaml <<'END'
name: lists
seeds: [10]
base:
  task: lists
  lists: {sft: 16, pairs: 8, error: 0.1}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 22}
  sft: {steps: 2, batch: 8}
  final: {prompts: 8, max_new: 4}
  trace: {every: 2, probe: 8}
blocks:
  - set: {policy: {method: dpo, steps: 2, batch: 8}}
END
sed 's/^seeds:.*/seeds: [10, 1]/' lists.yaml >tight.yaml
expect 0 '^1 runs' "$POSWEEP" plan lists.yaml
expect 78 'tight.yaml:11: dpo vanilla seed 1: .* exceed model.context 22' "$POSWEEP" plan tight.yaml

# Generated data that cannot fit are refused by number, before any of them is made: in 4 GiB of
# address space, because the refusal must not need the memory that it speaks of. Sanitizers take more.
limit='ulimit -v 4194304; exec "$@"'
if "$POSWEEP" --version | grep -qi sanitize; then
    limit='exec "$@"'
fi
for setting in lists.sft=1000000000 lists.pairs=1000000000; do
    for command in plan run; do
        expect 71 "tight.yaml:11: .*${setting%=*} 1000000000: the generated data need [0-9.]* [GT]iB" \
            sh -c "$limit" sh \
            "$POSWEEP" $command tight.yaml -o big.h5 --set "$setting" --set limits.memory_gib=2
    done
done
expect 71 'sums.sft 500000000: the generated data need' "$POSWEEP" plan tight.yaml \
    --set task=sums --set sums.sft=500000000 --set limits.memory_gib=40
expect 78 'exceed model.context' "$POSWEEP" plan tight.yaml --set lists.sft=100000 \
    --set limits.memory_gib=2
