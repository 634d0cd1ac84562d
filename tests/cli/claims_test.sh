#!/bin/sh
# posweep claims from the command line: a sweep that can be asked some of them, as text and JSON.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

cat >x.yaml <<'END'
replicates: 3
base:
  task: lists
  lists: {sft: 256, pairs: 64}
  model: {layers: 1, width: 16, heads: 2, rotary_pct: 0.5, context: 64}
  sft: {steps: 10, batch: 8}
  policy: {steps: 6, batch: 8, lr: 1e-3}
  final: {prompts: 8, max_new: 16}
  eval: {prompts: 8}
  trace: {every: 2, probe: 8, cosine_every: 2}
blocks:
  - variants: {vanilla: {}, flat: {preset: flat}, cdpo: {preset: cdpo}}
END
expect 0 '9 of 9 runs done' "$POSWEEP" run x.yaml -o x.h5
expect 0 'undecided (n = 3): p .* among 4 claims' "$POSWEEP" claims x.h5
check 'controls stand beside' grep -q 'control  cosine of v and the gradient  *[-+][0-9]' out.txt
check 'what is not there is named' grep -q 'needs two seeds of ppo vanilla$' out.txt
check 'lines are short' test -z "$(grep '.\{101\}' out.txt)"
expect 0 '^ 7   cdpo raises' "$POSWEEP" claims x.h5 --claim 7
expect 78 'no claim 8: there are 1 to 7' "$POSWEEP" claims x.h5 --claim 8
expect 64 'a number between 0 and 1' "$POSWEEP" claims x.h5 --alpha 2
expect 64 'which results file' "$POSWEEP" claims
expect 78 'x.yaml is a sweep file; claims reads' "$POSWEEP" claims x.yaml

# With one seed nothing can be asked.
expect 0 '2 of 2 runs done' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o one.h5
expect 0 '^0 supported, 0 contradicted, 0 undecided, 10 cannot be asked' "$POSWEEP" claims one.h5

cat >read.py <<'END'
import json, sys
claims = json.load(sys.stdin)
assert len(claims) == 10 and claims[0]["number"] == 1
asked = [c for c in claims if c["verdict"] != "not asked"]
assert {c["n_family"] for c in claims} == {len(asked)} == {4}
assert all(c["n_needed"] is None or c["n_needed"] > 3 for c in asked)
assert all("needs" in c and c["p"] is None for c in claims if c not in asked)
first = asked[0]["numbers"][0]
assert first["n"] == 3 and first["p"] >= 0.25 and first["low"] is None  # 2^(1 - 3): no interval
END
claims_json() { "$POSWEEP" claims "$@" --json | python3 read.py; }
check 'JSON holds the same' claims_json x.h5
[ "$N_BAD" -eq 0 ]
