#!/bin/sh
# Data files that change between two starts of a sweep: refused with both contents, or accepted
# and told by the results; what only looks like a change is none.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

# rows N [ANSWER]: pairs about sums.
rows() {
    awk -v n="$1" -v say="${2:-It is}" 'BEGIN {
        for (i = 0; i < n; i++)
            printf "{\"prompt\":\"What is %d plus %d?\",\"chosen\":\"%s %d.\",\"rejected\":\"%d\"}\n",
                i, i % 7, say, i + i % 7, 3 * i
    }'
}

# sweep N: the sweep file, with N variants on one SFT model.
sweep() {
    variants=$(awk -v n="$1" 'BEGIN { for (i = 2; i <= n; i++) printf ", b%d: {policy: {beta: 0.%d}}", i, i }')
    cat >data.yaml <<END
name: data
seeds: [1]
base:
  task: none
  data: {pairs: a.jsonl, heldout: h.jsonl, max_prompt: 64, max_response: 48}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 128}
  sft: {steps: 5, batch: 8}
  policy: {steps: 4, batch: 8, lr: 1e-4}
  final: {prompts: 8, max_new: 8}
  trace: {every: 4, probe: 8}
blocks:
  - variants: {vanilla: {}$variants}
END
}
run() { "$POSWEEP" run data.yaml -o data.h5 --keep-work "$@"; }
n_sft() { find data.h5.work -name 'sft-*.state' | wc -l; }
hash_of() { grep -o "$1: [0-9]* bytes[^,]*, xxh3 [0-9a-f]*" out.txt | head -n 1 | grep -o '[0-9a-f]*$'; }

rows 40 >a.jsonl
rows 8 'Sure:' | sed 's/What/Who/' >h.jsonl
rows 41 >other.jsonl
sweep 2
expect 0 '2 of 2 runs done' run
check 'runs on one data set share one SFT stage' test "$(n_sft)" -eq 1

# No change: touched, packed, found elsewhere.
sweep 3
touch a.jsonl
expect 0 '3 of 3 runs done (2 before)' run
gzip -c a.jsonl >packed && mv packed a.jsonl
sweep 4
expect 0 '4 of 4 runs done (3 before)' run
mkdir elsewhere && mv a.jsonl elsewhere
sweep 5
expect 0 '5 of 5 runs done (4 before)' env POSWEEP_DATA="$SCRATCH/elsewhere" \
    "$POSWEEP" run data.yaml -o data.h5 --keep-work
check 'what has not changed shares the SFT stage still' test "$(n_sft)" -eq 1

# A change: refused with name and both contents, and nothing done.
cp other.jsonl a.jsonl
sweep 6
cp data.h5 before.h5
for command in plan run; do
    expect 65 'the data changed since this sweep was begun: now a.jsonl: ' \
        "$POSWEEP" $command data.yaml -o data.h5
    check "$command names two contents" test "$(hash_of 'now a.jsonl')" != \
        "$(hash_of 'before a.jsonl')"
    check "$command names the old content" test -n "$(hash_of 'before a.jsonl')"
    expect 65 'accept-changed-data' "$POSWEEP" $command data.yaml -o data.h5
done
check 'a refused start leaves the results alone' cmp -s data.h5 before.h5
expect 0 '5 done' "$POSWEEP" status data.h5
expect 0 'done' "$POSWEEP" why data.h5 'dpo b3'

# Accepted: told, and no stage of the old data is used for the new.
expect 0 'accepted: a.jsonl' run --accept-changed-data
expect 0 'good' "$POSWEEP" check data.h5
check 'changed data have an SFT stage of their own' test "$(n_sft)" -eq 2
cat >look.py <<'END'
import sys
try:
    import h5py
except ImportError:
    sys.exit(77)
with h5py.File("data.h5") as f:
    variant = [v.decode() if isinstance(v, bytes) else v for v in f["variant"][()]]
    of = {v: h.decode() if isinstance(h, bytes) else h for v, h in zip(variant, f["data_hash"][()])}
    new = of.pop("b6")
    assert len(set(of.values())) == 1 and new not in of.values(), (of, new)
    for hash, n in ((new, 41), (of["vanilla"], 40)):
        text = f["provenance"].attrs["data_" + hash]
        text = text.decode() if isinstance(text, bytes) else text
        assert "pairs a.jsonl: " in text and "heldout h.jsonl: " in text, text
    assert f["data_cut_responses_pairs"][0] == 0 and f["data_cut_prompts_heldout"][0] == 0
END
/usr/bin/python3 look.py
case $? in
0) ;;
77) left_out 'no Python with h5py' ;;
*) bad 'the results do not tell which run had which data' ;;
esac

# What was accepted is what holds from then on.
sweep 7
expect 0 '7 of 7 runs done (6 before)' run
mv elsewhere/a.jsonl a.jsonl
sweep 8
expect 65 'the data changed' run

# A file that no wanted run reads is not looked at.
sed 's/a.jsonl/b.jsonl/' data.yaml >moved.yaml && cp a.jsonl b.jsonl && rm a.jsonl
expect 0 '8 of 8 runs done' "$POSWEEP" run moved.yaml -o data.h5
rows 3 >b.jsonl
expect 0 '8 of 8 runs done (8 before)' "$POSWEEP" run moved.yaml -o data.h5

# Replies that are cut are told of, with numbers.
expect 0 '[0-9]* of 16 responses of heldout (.* are cut to data.max_response 8' \
    "$POSWEEP" plan data.yaml --set data.pairs=other.jsonl --set data.max_response=8
expect 0 'data: .* responses of heldout (.* are cut to data.max_response 8.*data.long: drop' \
    "$POSWEEP" run data.yaml -o cut.h5 --set data.pairs=other.jsonl --set data.max_response=8
