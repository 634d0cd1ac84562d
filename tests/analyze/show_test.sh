#!/bin/sh
# What `posweep show` says when it cannot show: it names what it got and what to do.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
SWEEP=$POSWEEP_SOURCE/sweeps/smallest.yaml

expect 66 'nothing.h5: no such file' "$POSWEEP" show nothing.h5
expect 78 'smallest.yaml is a sweep file; show reads the results file .* smallest.h5 unless' \
    "$POSWEEP" show "$SWEEP"
expect 0 '2 of 2 runs done' "$POSWEEP" run "$SWEEP"
expect 78 'no variant "vanila"; did you mean "vanilla"?' "$POSWEEP" show smallest.h5 -V vanila
expect 78 'no method "dop"; did you mean "dpo"?' "$POSWEEP" show smallest.h5 -m dop
expect 78 'no direction "sfot"; did you mean "soft"?' \
    "$POSWEEP" show smallest.h5 --direction sfot
expect 78 'is a journal; the results file beside it is smallest.h5' \
    "$POSWEEP" show smallest.h5.journal
expect 64 'a number > 0' "$POSWEEP" show smallest.h5 --max-kl 0
expect 0 'dpo vanilla' "$POSWEEP" show smallest.h5 -m dpo --summary
check 'a picture is drawn' "$POSWEEP" show smallest.h5 --all --svg all.svg
check 'the picture is there' grep -q '</svg>' all.svg

# A journal without a results file: nobody works on it, or it is too early.
cp smallest.h5.journal early.h5.journal
expect 66 'early.h5: not written yet, and nobody works on the sweep (2 of 2 runs done)' \
    "$POSWEEP" show early.h5
"$POSWEEP" run "$SWEEP" -o slow.h5 --set sft.steps=100000 -q &
writer=$!
tries=0
until [ -s slow.h5.journal ] || [ "$tries" -gt 200 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
expect 66 'slow.h5: not written yet; .* comes 60 s after the start' "$POSWEEP" show slow.h5
kill -KILL "$writer"
wait "$writer" 2>/dev/null || :
