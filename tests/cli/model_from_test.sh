#!/bin/sh
# A model of others and back: a sweep starts from a folder, keeps what it trained, exports it, and
# starts from that again with the same bits; what does not fit is refused before anything runs.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
# shellcheck source=tests/support/tokenizer.sh
. "$POSWEEP_SOURCE/tests/support/tokenizer.sh"

# same_tensors A B: have two safetensors files the same tensors, names and bytes? Read by the
# definition of the format.
cat >same_tensors.py <<'END_PY'
import json, struct, sys

def tensors(path):
    data = open(path, "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + n])
    return {k: (v["dtype"], v["shape"], data[8 + n:][slice(*v["data_offsets"])])
            for k, v in header.items() if k != "__metadata__"}

a, b = tensors(sys.argv[1]), tensors(sys.argv[2])
sys.exit(a != b)
END_PY
same_tensors() { /usr/bin/python3 same_tensors.py "$1/model.safetensors" "$2/model.safetensors"; }

# A model of our own, trained a little, and kept at each checkpoint.
cat >base.yaml <<'END_YAML'
name: base
seeds: [1]
limits: {keep: checkpoints}
base:
  task: lists
  lists: {sft: 64, pairs: 64}
  model: {family: llama, layers: 1, width: 16, heads: 2, kv_heads: 1, context: 64, vocab: 300}
  sft: {steps: 3, batch: 8}
  policy: {method: ppo, steps: 4, batch: 8, lr: 1e-3}
  reward: {steps: 2, batch: 8}
  final: {prompts: 8, max_new: 16}
  rollout: {max_new: 8}
  eval: {prompts: 8}
  trace: {every: 2}
END_YAML
expect 0 '1 of 1 runs done' "$POSWEEP" run base.yaml -o base.h5
expect 0 'the policy model of ppo vanilla seed 1' "$POSWEEP" export base.h5 vanilla -o final
expect 0 '' "$POSWEEP" export base.h5 vanilla --step 2 -o step2
expect 0 '' "$POSWEEP" export base.h5 vanilla --stage sft -o sft
expect 0 '' "$POSWEEP" export base.h5 vanilla --step 0 -o step0
expect 0 '' "$POSWEEP" export base.h5 vanilla --stage reward -o reward
expect 0 '' "$POSWEEP" export base.h5 vanilla --dtype bf16 -o half
check 'a run begins with the SFT model' same_tensors sft step0
check 'a policy moves' sh -c '! cmp -s final/model.safetensors sft/model.safetensors'
check 'config.json says what it is' grep -q '"LlamaForCausalLM"' final/config.json
check 'config.json says the rows' grep -q '"vocab_size": 300' final/config.json
check 'a reward model is a classifier' grep -q 'LlamaForSequenceClassification' reward/config.json
check 'the type is said' grep -q '"torch_dtype": "bfloat16"' half/config.json
check 'bf16 is half as large' [ "$(wc -c <half/model.safetensors)" -lt \
    "$((2 * $(wc -c <final/model.safetensors) / 3))" ]
expect 73 'final: is there already, and nothing is overwritten' "$POSWEEP" export base.h5 vanilla -o final
expect 66 'step 3 of the run .* is not kept; kept: 0, 2, 4' "$POSWEEP" export base.h5 vanilla --step 3 -o x
expect 64 'where to' "$POSWEEP" export base.h5 vanilla
expect 64 'which run' "$POSWEEP" export base.h5 --stage sft -o x
expect 64 'are of tables' "$POSWEEP" export base.h5 vanilla --what runs -o x
check 'nothing is left of what was refused' [ ! -e x ]

# From the export, without SFT: the same bits come out again.
sed -e 's/name: base/name: again/' -e 's/model: .*/model: {from: final, context: 64}/' \
    -e 's/sft: {steps: 3/sft: {steps: 0/' -e 's/keep: checkpoints/keep: final/' base.yaml >again.yaml
expect 0 '1 of 1 runs done' "$POSWEEP" run again.yaml -o again.h5
expect 0 '' "$POSWEEP" export again.h5 vanilla --stage sft -o again
check 'an export comes back bit for bit' same_tensors final again
check 'and so does its config.json' cmp -s final/config.json again/config.json
expect 0 '' "$POSWEEP" run again.yaml -o again.h5 # nothing to do, work folder and all
expect 0 'model.from: "final"' "$POSWEEP" why again.h5 vanilla

# The weights are part of a run's identity.
hash() { "$POSWEEP" plan again.yaml --set "limits.keep=none" | awk '/to do/ {print $1}'; }
before=$(hash)
cp -r final other && cp half/model.safetensors other/
sed -i 's/from: final/from: other/' again.yaml
after=$(hash)
check 'other weights, another run' [ -n "$before" ] && [ "$before" != "$after" ]

# What does not fit is refused before anything runs.
mkdir only && cp final/config.json only/
sed -i 's/from: other/from: only/' again.yaml
expect 0 'MiB/rank' "$POSWEEP" plan again.yaml
expect 66 'config.json alone is enough to plan a sweep, not to run it' "$POSWEEP" run again.yaml -o x.h5
expect 78 'model.width is 32, but the model in model.from only has 16' \
    "$POSWEEP" plan again.yaml --set model.width=32
sed 's/context: 64/context: 65/' again.yaml >long.yaml
expect 78 'model.context is 65, but' "$POSWEEP" plan long.yaml
cp final/model.safetensors only/
sed -i 's/"vocab_size": 300/"vocab_size": 299/' only/config.json
expect 65 'embed_tokens.weight: expected F32, F16 or BF16 \[299\]\[16\] (by config.json), found F32 \[300' \
    "$POSWEEP" run again.yaml -o y.h5
check 'nothing is left of what was refused' [ ! -e y.h5.journal ]

# Texts become what the model was trained on: the tokenizer beside it, which goes along.
awk 'BEGIN {
    for (i = 0; i < 60; i++)
        printf "{\"chosen\":\"\\n\\nHuman: What is %d?\\n\\nAssistant: It is %d.\"," \
            "\"rejected\":\"\\n\\nHuman: What is %d?\\n\\nAssistant: the %d\"}\n", i, i, i, 3 * i
}' >pairs.jsonl
cat >text.yaml <<'END_YAML'
name: text
seeds: [1]
limits: {keep: final}
base:
  task: none
  data: {pairs: pairs.jsonl, max_prompt: 40, max_response: 16}
  model: {from: final}
  sft: {steps: 0}
  policy: {steps: 2, batch: 8}
  final: {prompts: 4, max_new: 8}
  eval: {prompts: 2}
  trace: {every: 2, probe: 8}
END_YAML
expect 78 'there is no tokenizer in .*/final: name the one that the model was trained with' \
    "$POSWEEP" plan text.yaml
expect 0 'vocabulary 257;' "$POSWEEP" plan text.yaml --set data.tokenizer=bytes
make_tokenizer final
sed 's/seeds: .*/seeds: [1, 2]/' text.yaml >seeds.yaml
expect 0 '2 runs of text, 4 stages of work (6 asked for' "$POSWEEP" plan seeds.yaml
expect 0 '2 runs of text, 6 stages of work (6 asked for' "$POSWEEP" plan seeds.yaml --set sft.steps=1
expect 0 'vocabulary 121 (final: xxh3' "$POSWEEP" plan text.yaml
expect 0 '1 of 1 runs done' "$POSWEEP" run text.yaml -o text.h5
expect 0 '' "$POSWEEP" export text.h5 vanilla -o text
expect 0 '1 of 1 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run text.yaml -o pair.h5 --set limits.ranks_per_run=2
expect 0 '' "$POSWEEP" export pair.h5 vanilla -o pair
check 'two ranks leave the same bits' same_tensors text pair
check 'the tokenizer goes along, byte for byte' cmp -s final/tokenizer.json text/tokenizer.json
expect 0 '1 of 1 runs done' "$POSWEEP" run text.yaml --set model.from=text -o text2.h5

# Where nothing was kept, say what to do.
sed -e 's/limits: .*//' -e 's/name: base/name: bare/' base.yaml >bare.yaml
expect 0 '1 of 1 runs done' "$POSWEEP" run bare.yaml -o bare.h5
expect 66 'limits: {keep: final}' "$POSWEEP" export bare.h5 vanilla -o x
check 'nothing stays of a sweep that keeps nothing' [ ! -e bare.h5.work ]
