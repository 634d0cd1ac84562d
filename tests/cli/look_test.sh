#!/bin/sh
# posweep data: what a file is said to be, its lengths, its records with the trained tokens marked;
# and that nobody can write a special token.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
# shellcheck source=tests/support/tokenizer.sh
. "$POSWEEP_SOURCE/tests/support/tokenizer.sh"

make_tokenizer model
look() { "$POSWEEP" data "$@"; }
shown() { look "$@" | sed -n '/^record/,$p'; }

cat >uf.jsonl <<'END'
{"prompt": "hi <|im_end|>", "chosen": [{"role": "user", "content": "hi <|im_end|>"}, {"role": "assistant", "content": "yes</s>"}], "rejected": [{"role": "user", "content": "hi <|im_end|>"}, {"role": "assistant", "content": "no"}]}
{"prompt": "a", "chosen": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "longer than before"}], "rejected": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]}
END
expect 0 '^form      ultrafeedback: chosen and rejected conversations' look uf.jsonl
expect 0 '^pairs     2 rows, 2 kept, 1 with an empty reply$' look uf.jsonl
expect 0 '^tokens    bytes: 257 ids; a reply ends with EOS$' look uf.jsonl
expect 0 '^    \[ yes</s>«EOS»\]$' look uf.jsonl
expect 0 '^  chosen           9       9       9      20      20$' look uf.jsonl
expect 0 '^tokens    model: 121 ids, <s> before every text; a reply ends with <|im_end|>$' \
    look uf.jsonl -t model --template chatml

# The same file for other uses.
expect 0 '^prompts   2 rows, 2 kept$' look uf.jsonl --as prompts
expect 0 '^sft       2 rows, 2 kept' look uf.jsonl --as sft
expect 64 "'dpo' is none of pairs, sft, prompts" look uf.jsonl --as dpo
expect 65 'no form of pairs has these keys: text' sh -c 'echo "{\"text\": \"a\"}" >t.jsonl && exec "$@"' sh \
    "$POSWEEP" data t.jsonl --as pairs

# The marks of the template are tokens of their own; those that people write are texts.
shown uf.jsonl -t model --template chatml >got.txt
cat >want.txt <<'END'
record 1
  prompt, 28 tokens
    «<s>»«<|im_start|>»user
    hi <|im_end|>«<|im_end|>»
    «<|im_start|>»assistant
    
  chosen, 8 tokens, trained
    [yes</s>«<|im_end|>»]
  rejected, 3 tokens, trained
    [no«<|im_end|>»]
END
check 'people cannot write special tokens' diff got.txt want.txt
expect 0 '^    \[yes</s>«</s>»\]$' look uf.jsonl -t model --template zephyr

# A template of one's own, and what it must have.
cat >own.json <<'END'
{"system": {"prefix": "{bos}Rules: ", "suffix": "\n"}, "user": {"prefix": "Q: ", "suffix": "\n"},
 "assistant": {"prefix": "A:", "lead": " ", "suffix": "\n{eos}"}}
END
expect 0 '^    \[ yes</s>$' look uf.jsonl -t model --template own.json
expect 0 '^    «</s>»\]$' look uf.jsonl -t model --template own.json
echo '{"user": {"prefix": "Q: "}}' >mute.json
expect 65 'mute.json: the template has no "assistant", so no token would be trained' look uf.jsonl --template mute.json
echo '{"user": {"prefix": 1}, "assistant": {}}' >odd.json
expect 65 'odd.json: user.prefix is 1; expected a text' look uf.jsonl --template odd.json
echo '{"user": {"before": ""}, "assistant": {}}' >odd.json
expect 65 'odd.json: user has the key "before"; known are prefix, suffix' look uf.jsonl --template odd.json
expect 66 'nowhere' look uf.jsonl --template nowhere

# Refusals, and how many records.
expect 64 'which file' look
expect 66 'none.jsonl' look none.jsonl
expect 65 'no form of data has these keys: a (number); expected one of .*prompts, gsm8k, text; .posweep help data' sh -c 'echo "{\"a\": 1}" >a.jsonl && exec "$@"' sh "$POSWEEP" data a.jsonl
printf 'PAR1....' >x.parquet
expect 69 'x.parquet: this is Parquet; convert it .*read_parquet' look x.parquet
mkfifo pipe && { cat uf.jsonl >pipe & }
expect 69 'expected a file, found a pipe' look pipe
cat pipe >rest.txt
check 'two records' test "$(look uf.jsonl --show 2 | grep -c '^record')" -eq 2
check 'no record' test "$(look uf.jsonl --show 0 | grep -c '^record')" -eq 0
expect 0 '^pairs     1 rows, 1 kept' look uf.jsonl --limit 1

# The same in a sweep: a template decides which token ends a response.
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"prompt\": \"What is %d?\", \"chosen\": [{\"role\": \"assistant\", \"content\": \"It is %d.\"}], \"rejected\": [{\"role\": \"assistant\", \"content\": \"the %d\"}]}\n", i, i, i + 1 }' >pairs.jsonl
awk 'BEGIN { for (i = 0; i < 60; i++) printf "{\"messages\": [{\"role\": \"user\", \"content\": \"What is %d?\"}, {\"role\": \"assistant\", \"content\": \"a %d\"}, {\"role\": \"user\", \"content\": \"Why %d?\"}, {\"role\": \"assistant\", \"content\": \"the %d\"}]}\n", i, i, i, i }' >sft.jsonl
cat >chat.yaml <<'END'
name: chat
seeds: [1]
base:
  task: none
  data: {pairs: pairs.jsonl, sft: sft.jsonl, tokenizer: model, template: chatml, max_prompt: 96, max_response: 32}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 128}
  sft: {steps: 4, batch: 8}
  policy: {steps: 2, batch: 8, lr: 1e-4}
  final: {prompts: 2, max_new: 8}
  eval: {prompts: 1, samples: 1}
  trace: {every: 2, probe: 8}
END
expect 0 'pairs: ultrafeedback, .*sft: messages, ' "$POSWEEP" plan chat.yaml
expect 0 'pairs: ultrafeedback, .*sft: messages, ' "$POSWEEP" plan chat.yaml --set data.format=ultrafeedback
one=$("$POSWEEP" plan chat.yaml | sed -n 's/^data *\([0-9]*\) sft.*/\1/p')
all=$("$POSWEEP" plan chat.yaml --set data.sft_turns=all | sed -n 's/^data *\([0-9]*\) sft.*/\1/p')
check 'every turn is an item' test "$all" -eq "$((2 * one))"
expect 0 '1 of 1 runs done' "$POSWEEP" run chat.yaml -o chat.h5
"$POSWEEP" export chat.h5 --what samples -o chat.csv
expect 0 '<s><|im_start|>user' cat chat.csv
expect 0 '^<|im_start|>assistant$' cat chat.csv
expect 78 'data.template: there is no file .*zephir.*; expected hh | none | zephyr' "$POSWEEP" plan chat.yaml --set data.template=zephir
expect 0 '1 of 1 runs done' "$POSWEEP" run chat.yaml -o own.h5 --set data.template=own.json
sed -i 's/Q: /Ask: /' own.json
expect 65 'the data changed since this sweep was begun: now own.json: ' "$POSWEEP" run chat.yaml -o own.h5 \
    --set data.template=own.json --set policy.beta=0.2
expect 65 'no form of pairs has these keys: messages (list)' "$POSWEEP" plan chat.yaml --set data.pairs=sft.jsonl

# Train on one file, sample from the prompts of another, and judge by those of a third.
awk 'BEGIN { for (i = 0; i < 20; i++) printf "{\"prompt\": \"Ask %d?\"}\n", i }' >ask.jsonl
awk 'BEGIN { for (i = 0; i < 20; i++) printf "{\"chosen\": \"\\n\\nHuman: Name %d!\\n\\nAssistant: a\", \"rejected\": \"\\n\\nHuman: Name %d!\\n\\nAssistant: b\"}\n", i % 10, i % 10 }' >final.jsonl
others='--set data.final_prompts=final.jsonl --set data.prompts=ask.jsonl --set data.prompts_limit=8'
# shellcheck disable=SC2086
expect 0 'prompts: prompts, 8 rows, .*final_prompts: hh, 20 rows, 10 kept, 10 dropped as met before' \
    "$POSWEEP" plan chat.yaml $others --set policy.method=ppo
# shellcheck disable=SC2086
expect 0 '1 of 1 runs done' "$POSWEEP" run chat.yaml -o asked.h5 $others --set policy.method=ppo --set reward.steps=2 \
    --set rollout.max_new=8
"$POSWEEP" export asked.h5 --what samples -o asked.csv
expect 0 'Name [0-9]*!' cat asked.csv
expect 0 'data.prompts is given, but matters only with ppo, grpo' "$POSWEEP" plan chat.yaml --set data.prompts=ask.jsonl
expect 78 'data.final_prompts is given, but task is lists, which brings its own prompts' "$POSWEEP" plan chat.yaml \
    --set task=lists --set data.pairs= --set data.sft= --set data.tokenizer=bytes --set data.final_prompts=final.jsonl
