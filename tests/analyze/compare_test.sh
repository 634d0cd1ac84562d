#!/bin/sh
# `posweep compare`: its table, its data, and what it says when it cannot compare.
# Usage: compare_test.sh MAKE_COMPARE
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
MAKE=$1
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

# --- The table -------------------------------------------------------------------------------------
check 'a file is made' "$MAKE" x.h5 3 2 6 5
expect 0 'variant_2 policy_beta=0.2' "$POSWEEP" compare x.h5 --baseline vanilla
check 'the table fits 100 columns' test -z "$(awk 'length > 100' out.txt)"
check 'the table is ASCII' test -z "$(LC_ALL=C grep '[^ -~]' out.txt)"
cp out.txt first.txt
"$POSWEEP" compare x.h5 --baseline vanilla >again.txt
check 'the same file gives the same table' cmp -s first.txt again.txt
expect 0 '^      differs$' "$POSWEEP" compare x.h5 --baseline vanilla -m score \
    --where variant=variant_1,policy.beta=0.1
expect 0 'differs alone, but not among 4 tests at n = 6 (8 seeds could show it)' \
    "$POSWEEP" compare x.h5 --baseline vanilla -m score
expect 0 'policy_beta=0.2' "$POSWEEP" compare x.h5 --by policy.beta --baseline 0.1 -m score,kl_ref

# Two variants at three betas and six seeds, by one command.
check 'a file is made' "$MAKE" three.h5 2 3 6 1
expect 0 'variant_1 policy_beta=0.3' "$POSWEEP" compare three.h5 --baseline vanilla -m score
check 'a row for each beta' test "$(grep -c 'variant_1 policy_beta=0.[123]$' out.txt)" -eq 3

# --- Data ------------------------------------------------------------------------------------------
expect 0 '^"score","dpo variant_1 policy_beta=0.1","dpo vanilla policy_beta=0.1",' \
    "$POSWEEP" compare x.h5 --baseline vanilla --csv
check 'every line of the CSV has as many fields' \
    test "$(awk -F, '{print NF}' out.txt | sort -u | wc -l)" -eq 1
expect 0 '"p_floor": 0.03125' "$POSWEEP" compare x.h5 --baseline vanilla --json

# --- Whole traces ----------------------------------------------------------------------------------
expect 0 '^  pos  *nowhere off 0: 0 of 3; largest d ' \
    "$POSWEEP" compare x.h5 --baseline vanilla -m score --trace
check 'the traces fit 100 columns' test -z "$(awk 'length > 100' out.txt)"
expect 0 '^"dpo variant_1 policy_beta=0.1","dpo vanilla policy_beta=0.1",pos_minus_neg,6,20,' \
    "$POSWEEP" compare x.h5 --baseline vanilla --trace --csv
expect 64 'traces come as text or as CSV' \
    "$POSWEEP" compare x.h5 --baseline vanilla --trace --json

# --- Looks -----------------------------------------------------------------------------------------
expect 0 'go on: the next look is at 12 seeds' \
    "$POSWEEP" compare x.h5 --baseline vanilla -m score --sequential 6,12
expect 64 'two counts such as 6,18' "$POSWEEP" compare x.h5 --baseline vanilla --sequential 6
expect 64 'two counts such as 6,18' "$POSWEEP" compare x.h5 --baseline vanilla --sequential 6,3

# --- Refusals --------------------------------------------------------------------------------------
expect 64 'what are the others held against' "$POSWEEP" compare x.h5
expect 64 'which results file' "$POSWEEP" compare --baseline vanilla
expect 64 'a number > 0 and < 1' "$POSWEEP" compare x.h5 --baseline vanilla --alpha 1
expect 64 'table or metric' "$POSWEEP" compare x.h5 --baseline vanilla --family all
expect 66 'nothing.h5: no such file' "$POSWEEP" compare nothing.h5 --baseline vanilla
expect 78 'is a sweep file; compare reads the results file' \
    "$POSWEEP" compare "$SWEEP" --baseline vanilla
expect 78 'no variant "vanila"; did you mean "vanilla"?' "$POSWEEP" compare x.h5 --baseline vanila
expect 78 'x.h5: --where: no policy_beta "0.5"; did you mean' \
    "$POSWEEP" compare x.h5 --baseline vanilla --where policy.beta=0.5
expect 78 'no metric "scroe"; did you mean "score"?' \
    "$POSWEEP" compare x.h5 --baseline vanilla -m scroe
expect 78 'no direction "sfot"; did you mean "soft"?' \
    "$POSWEEP" compare x.h5 --baseline vanilla -m Gv.pos:mean --direction sfot
check 'a file of one seed is made' "$MAKE" one.h5 2 1 1
expect 78 'one seed only' "$POSWEEP" compare one.h5 --baseline vanilla
head -c 2000 x.h5 >torn.h5
expect 65 'torn.h5' "$POSWEEP" compare torn.h5 --baseline vanilla
