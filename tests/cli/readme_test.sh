#!/bin/sh
# The README keeps up with the program: its table of datasets is that of `posweep help results`
# (to renew it, put that text between the two marks).
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

readme=$POSWEEP_SOURCE/README.md
"$POSWEEP" help results >datasets.txt
sed -n '/<!-- datasets:begin/,/<!-- datasets:end/p' "$readme" | sed '1d;$d' >in-readme.txt
check 'the table of datasets in README.md is not that of posweep help results' \
    diff in-readme.txt datasets.txt
