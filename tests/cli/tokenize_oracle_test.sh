#!/bin/sh
# Ids of random texts, held against another implementation, for every tokenizer that is at hand: those
# of the sample data, and of packages beside the other implementation (NODE_PATH).
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

oracle=$POSWEEP_SOURCE/tests/cli/tokenize_oracle.cjs
node -e 'require("@huggingface/tokenizers")' 2>/dev/null || skip 'no other tokenizers'
node "$oracle" 2000 >texts.jsonl

n_tokenizer=0
for folder in "${POSWEEP_DATA:-$POSWEEP_SOURCE/../shared/data}"/tokenizers/* \
    "${POSWEEP_DATA:-$POSWEEP_SOURCE/../shared/data}"/model-* "${NODE_PATH%%:*}"/@lenml/*/models; do
    [ -f "$folder/tokenizer.json" ] || continue
    n_tokenizer=$((n_tokenizer + 1))
    node "$oracle" "$folder" <texts.jsonl >want.jsonl
    "$POSWEEP" tokenize "$folder" --jsonl <texts.jsonl >got.jsonl
    check "$folder: other ids than the oracle's" cmp want.jsonl got.jsonl
done
check 'a tokenizer was compared' test "$n_tokenizer" -gt 0
