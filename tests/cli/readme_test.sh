#!/bin/sh
# The README keeps up with the program: its table of datasets is that of `posweep help results`
# (to renew it, put that text between the two marks), and its sweep file is one.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

readme=$POSWEEP_SOURCE/README.md
"$POSWEEP" help results >datasets.txt
sed -n '/<!-- datasets:begin/,/<!-- datasets:end/p' "$readme" | sed '1d;$d' >in-readme.txt
check 'the table of datasets in README.md is not that of posweep help results' \
    diff in-readme.txt datasets.txt

# shellcheck disable=SC2016
sed -n '/^```yaml/,/^```/p' "$readme" | sed '1d;$d' >example.yaml
expect 0 '^54 runs' "$POSWEEP" plan example.yaml --ranks 8

# Every sweep file of the repository is accepted (or lacks only the data, which are not in it).
for sweep in "$POSWEEP_SOURCE"/sweeps/*.yaml; do
    "$POSWEEP" plan "$sweep" >out.txt 2>&1 || grep -q 'there is no file' out.txt ||
        bad "$sweep: $(cat out.txt)"
done
