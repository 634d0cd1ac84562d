#!/bin/sh
# posweep tokenize: ids and pieces of standard input, lines of JSON, the way back, and refusals.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# A byte-level tokenizer whose file puts BOS before a text; "é" is two tokens.
mkdir model
cat >model/tokenizer.json <<'END'
{"added_tokens": [{"id": 9, "content": "<s>", "special": true}, {"id": 10, "content": "</s>", "special": true}],
 "normalizer": {"type": "NFC"},
 "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
 "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
                    "special_tokens": {"<s>": {"ids": [9]}}},
 "decoder": {"type": "ByteLevel"},
 "model": {"type": "BPE", "merges": ["a b", "Ġ ab"],
           "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4, "Ã": 5, "©": 6, "Ċ": 7, "\"": 8}}}
END
with() {
    input=$1
    shift
    printf '%s' "$input" | "$POSWEEP" tokenize "$@"
}

expect 0 '^       4  " ab"$' with 'ab ab' model
expect 0 '^       9  "<s>"$' with 'ab ab' model
expect 0 '^3 tokens of 5 bytes$' with 'ab ab' model
expect 0 '^2 tokens of 5 bytes$' with 'ab ab' model --bare
expect 0 '^       5  "\\xc3"$' with 'é' model/tokenizer.json
expect 0 '^       7  "\\n"$' with '
' model
expect 0 '^0 tokens' with '' model --bare
expect 0 '^{"ids": \[9, 2, 4\]}$' with '{"text": "ab ab"}' model --jsonl
expect 0 '^{"ids": \[\]}$' with '{"text": ""}' model --jsonl --bare
expect 0 '^{"text": "é ab"}$' with '{"ids": [9, 5, 6, 4, 10]}' model --jsonl --decode --bare
expect 0 '^{"text": "<s>é</s>"}$' with '{"ids": [9, 5, 6, 10]}' model --jsonl --decode
expect 0 '^ab ab' with '2 4
7' model --decode
expect 0 '^�$' with '5 7' model --decode

# There and back, line by line: decomposed letters come back composed, as the file's normaliser has it.
printf '{"text": "ab\\n\\"é ab"}\n{"text": ""}\n' >texts.jsonl
printf '{"text": "ab\\n\\"é ab"}\n' | sed 's/é/e\\u0301/' >decomposed.jsonl
"$POSWEEP" tokenize model --jsonl --bare <texts.jsonl >ids.jsonl
"$POSWEEP" tokenize model --jsonl --bare --decode <ids.jsonl >back.jsonl
check 'texts come back' cmp texts.jsonl back.jsonl
"$POSWEEP" tokenize model --jsonl --bare <decomposed.jsonl >composed.jsonl
check 'a normal form has one line of ids' sh -c 'head -n 1 ids.jsonl | cmp - composed.jsonl'

# A megabyte on one line.
awk 'BEGIN { printf "{\"text\": \""; for (i = 0; i < 350000; i++) printf " ab"; print "\"}" }' >long.jsonl
"$POSWEEP" tokenize model --jsonl --bare <long.jsonl | tr -cd , | wc -c >n_comma
check 'a megabyte has 350,000 tokens' test "$(tr -d ' ' <n_comma)" -eq 349999

# What is wrong is said, with its place.
expect 64 'which tokenizer' "$POSWEEP" tokenize
expect 66 'nowhere: No such file' with '' nowhere
expect 66 'no tokenizer in this folder' with '' .
expect 65 'standard input: the tokenizer has no token for' with 'abc' model
expect 65 'standard input: byte 2 .*0xff' with "$(printf 'ab\377')" model
expect 65 'standard input:2: expected {"text"' with '{"text": "a"}
{"txt": "a"}' model --jsonl
expect 65 'standard input:1: column [0-9]*: ' with '{"text": "a' model --jsonl
expect 65 'standard input:1: id 11 is none of the tokenizer.s, which are 0 to 10' with '{"ids": [11]}' model --jsonl --decode
expect 65 'standard input:1: expected {"ids"' with '{"ids": "2"}' model --jsonl --decode
expect 65 'id -1 is none' with '4294967298' model --decode
expect 65 'number 2 is no number' with '2 x' model --decode
sed 's/"NFC"/"Nmt"/' model/tokenizer.json >nmt.json
expect 69 'nmt.json: normalizer "Nmt" is not known; known are' with '' nmt.json
mkdir piece && printf '\n\016\n\005<unk>' >piece/tokenizer.model
expect 69 'SentencePiece.*save_pretrained' with '' piece

# A pattern that would take for ever ends in a message, not in a hang.
sed 's/{"type": "ByteLevel", "add_prefix_space": false}/{"type": "Split", "behavior": "Isolated", "pattern": {"Regex": "(a+a+)+[bc]"}}/' \
    model/tokenizer.json >slow.json
expect 65 'gives up' with 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' slow.json
