#!/bin/sh
# Large data files: the index is made once, whoever asks next uses it, on one rank and on two, with
# the same results; and planning a file takes no more memory than the bound, however long it is.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

COMPARE=$POSWEEP_SOURCE/tests/support/compare_h5.py
for python in python3 /usr/bin/python3; do
    "$python" -c 'import h5py' 2>/dev/null && break
done
"$python" -c 'import h5py' 2>/dev/null || skip 'no Python with h5py'

# Few rows, long texts that are cut short: quick to train on. 20 MB, and a large one of 64 MB.
"$python" - <<'END_OF_ROWS'
import json
for name, n in (("pairs.jsonl", 2000), ("large.jsonl", 6400)):
    with open(name, "w") as out:
        for i in range(n):
            text = f" no {i}" + " and so on" * 500
            out.write(json.dumps({"prompt": f"{i} or not?", "chosen": " yes" + text,
                                  "rejected": text}) + "\n")
END_OF_ROWS
cat >index.yaml <<'END_OF_SWEEP'
name: index
replicates: 2
base:
  task: none
  model:  {layers: 1, width: 16, heads: 2, context: 48}
  sft:    {steps: 4, batch: 8}
  policy: {method: dpo, steps: 4, batch: 8}
  final:  {prompts: 8, max_new: 8}
  eval:   {prompts: 8, pairs: 16}
  trace:  {every: 2, probe: 8}
  data:   {pairs: pairs.jsonl, max_prompt: 16, max_response: 16}
END_OF_SWEEP

index() { ls -i -- *.posweep-index; }

expect 0 'its index' "$POSWEEP" run index.yaml -o one.h5
index >first.txt
expect 0 '^ *1 ' wc -l first.txt
expect 0 '2 of 2 runs done' "$MPIEXEC" -n 2 "$POSWEEP" run index.yaml -o two.h5
expect 0 '2 of 2 runs done' "$MPIEXEC" -n 3 "$POSWEEP" run index.yaml -o shared.h5 \
    --set limits.ranks_per_run=2
index | cmp -s - first.txt || bad 'the index was made again'
expect 0 ' 0 different' "$python" "$COMPARE" one.h5 two.h5
expect 0 ' 0 different' "$python" "$COMPARE" one.h5 shared.h5 provenance/spec_text

# It is beside the results, or where the sweep says; a damaged one is told of and made again.
mkdir kept
rm -- *.posweep-index
expect 0 'its index' "$MPIEXEC" -n 2 "$POSWEEP" run index.yaml -o three.h5 --set limits.index=kept
expect 0 'posweep-index' ls kept
expect 0 ' 0 different' "$python" "$COMPARE" one.h5 three.h5 provenance/spec_text
for file in kept/*; do printf x | dd of="$file" bs=1 seek=20000 conv=notrunc 2>dd.txt; done
expect 0 'does not hold' "$POSWEEP" plan index.yaml --set limits.index=kept
"$POSWEEP" plan index.yaml --set limits.index=kept >plan.txt 2>&1
grep -q 'does not hold' plan.txt && bad 'the index that was made again does not hold'

# What is private and writable is bounded, of a small file and of one that does not fit into it: 30 MB
# above what libraries take when they are loaded (some OpenBLAS waits for ever where it gets less).
# within MB COMMAND...
within() {
    limit=$1
    shift
    # shellcheck disable=SC3045 # dash and bash have it
    (ulimit -d $((limit * 1024)) && exec timeout 30 "$@")
}
if ! "$POSWEEP" --version | grep -qi sanitize; then
    least=10
    until within $least "$POSWEEP" --version >loaded.txt 2>&1 || [ $least -gt 1000 ]; do
        least=$((least * 2))
    done
    for file in pairs large large; do # with an index, making one, with it
        expect 0 'held-out pairs' within $((least + 30)) "$POSWEEP" plan index.yaml --set \
            data.pairs=$file.jsonl --set data.max_response=5900 --set model.context=6000
    done
fi
