#!/bin/sh
# data.tokenizer: a sweep with the tokenizer of a model, from its folder to samples in the results;
# the same bits on 1 and 2 ranks; what it cannot be; and what happens when its files change.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
# shellcheck source=tests/support/tokenizer.sh
. "$POSWEEP_SOURCE/tests/support/tokenizer.sh"

make_tokenizer model
awk 'BEGIN {
    for (i = 0; i < 60; i++)
        printf "{\"chosen\":\"\\n\\nHuman: What is %d plus %d?\\n\\nAssistant: It is %d.\"," \
            "\"rejected\":\"\\n\\nHuman: What is %d plus %d?\\n\\nAssistant: </s> the %d\"}\n", \
            i, i % 7, i + i % 7, i, i % 7, 3 * i
}' >pairs.jsonl
cat >tok.yaml <<'END'
name: tok
seeds: [1]
base:
  task: none
  data: {pairs: pairs.jsonl, tokenizer: model, max_prompt: 48, max_response: 16}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 6, batch: 8}
  policy: {steps: 4, batch: 8, lr: 1e-4}
  final: {prompts: 4, max_new: 8}
  eval: {prompts: 2, samples: 2}
  trace: {every: 4, probe: 8}
END
expect 0 'vocabulary 121 (model: xxh3 [0-9a-f]*)' "$POSWEEP" plan tok.yaml
expect 0 '1 of 1 runs done' "$POSWEEP" run tok.yaml -o one.h5
expect 0 '1 of 1 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run tok.yaml -o two.h5 --set limits.ranks_per_run=2
for table in traces samples; do
    "$POSWEEP" export one.h5 --what $table -o one.csv
    "$POSWEEP" export two.h5 --what $table -o two.csv
    check "$table are the same on 1 and 2 ranks" cmp one.csv two.csv
done
expect 0 '^Human: What is [0-9]* plus [0-9]?$' cat one.csv
expect 0 'good' "$POSWEEP" check one.h5

# The words of a sweep file: bytes are the default, and another identity than a model's.
expect 0 'vocabulary 257;' "$POSWEEP" plan tok.yaml --set data.tokenizer=bytes --set data.max_prompt=32
expect 78 'data.tokenizer: there is no file .*/nowhere' "$POSWEEP" plan tok.yaml --set data.tokenizer=nowhere
expect 66 'no tokenizer in this folder; looked for' sh -c 'mkdir -p hollow && exec "$@"' sh \
    "$POSWEEP" plan tok.yaml --set data.tokenizer=hollow
expect 78 'data.tokenizer is given, but task is lists, whose tokens are its own words' "$POSWEEP" plan tok.yaml \
    --set task=lists --set data.pairs=
expect 78 'model.vocab' "$POSWEEP" plan tok.yaml --set model.vocab=100
expect 0 '1 runs of tok' "$POSWEEP" plan tok.yaml --set model.vocab=128

# A tokenizer without EOS, and one that another file names it for.
mkdir endless named
sed 's/<\/s>/<end>/' model/tokenizer.json >endless/tokenizer.json
cp endless/tokenizer.json named
echo '{"eos_token": "<end>"}' >named/tokenizer_config.json
sed -i 's/<|im_end|>/<|over|>/' endless/tokenizer.json
expect 65 'endless: the tokenizer has no EOS, .*tokenizer_config.json' "$POSWEEP" plan tok.yaml \
    --set data.tokenizer=endless
expect 0 '1 runs of tok' "$POSWEEP" plan tok.yaml --set data.tokenizer=named

# Other files under the same name are other data.
sed -i 's/"Ġ t", //' model/tokenizer.json
expect 65 'the data changed since this sweep was begun: now model: xxh3' "$POSWEEP" run tok.yaml -o one.h5 \
    --set policy.beta=0.3

# Rewards that are checked read what the tokens say.
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"question\": \"What is %d and 1\", \"answer\": \"#### %d\"}\n", i, i + 1 }' >sums.jsonl
expect 0 '1 of 1 runs done' "$POSWEEP" run tok.yaml -o sums.h5 --set data.pairs= --set data.format=gsm8k \
    --set data.sft=sums.jsonl --set policy.method=grpo --set reward.source=scorer --set rollout.samples=4 \
    --set rollout.max_new=8 --set policy.steps=4
expect 0 'score' "$POSWEEP" show sums.h5
