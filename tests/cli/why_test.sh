#!/bin/sh
# What posweep why tells of a run: with the journal, without it, before there is a results file.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

expect 0 '2 of 2 runs done' "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" -o x.h5 \
    --set trace.directions=on --set log.every=1
expect 0 '  attempt 1  done' "$POSWEEP" why x.h5 flat
check 'settings are told' grep -q '^policy.reweight: false' out.txt
check 'a diagnosis follows' grep -q '^# diagnosis' out.txt
check 'gradient norms were looked at' grep -q 'without finding anything: .*ended badly' out.txt
check 'nothing of pairs is missing' test -z "$(grep 'to be had.*\(displacement\|entangle\)' out.txt)"
hash=$(sed -n '1s/ .*//p' out.txt)

# The results file alone, as it is sent to a colleague: the same settings and diagnosis.
sed -n '/^# settings/,$p' out.txt >with.txt
mkdir sent && cp x.h5 sent
expect 0 "^$hash  dpo flat seed 1: done after 1 attempt" "$POSWEEP" why sent/x.h5 "$hash"
sed -n '/^# settings/,$p' out.txt >without.txt
sed -i '/limits\./d' with.txt without.txt
check 'settings and diagnosis are the same' cmp with.txt without.txt

# Which run?
expect 66 'nearest is ........, "dpo flat seed 1"' "$POSWEEP" why sent/x.h5 'dpo flut seed 1'
expect 66 'fits 0 runs by hash and 2 by name, the first of them ........, "dpo vanilla seed 1"' \
    "$POSWEEP" why sent/x.h5 dpo
expect 66 'fits 2 runs by hash' "$POSWEEP" why sent/x.h5 ''
expect 64 'which run' "$POSWEEP" why sent/x.h5
expect 64 'is too much' "$POSWEEP" why sent/x.h5 a b
expect 66 'no journal: no sweep was run with this output' "$POSWEEP" why none.h5 a

# The journal alone.
mkdir begun && cp x.h5.journal begun
expect 0 '^# diagnosis: the run is not in the results file yet' "$POSWEEP" why begun/x.h5 flat

# What is no results file.
mkdir bad && echo hello >bad/x.h5
expect 65 'bad/x.h5' "$POSWEEP" why bad/x.h5 flat
[ "$N_BAD" -eq 0 ]
