#!/bin/sh
# The README keeps up with the program: the settings and the kinds of G that it names exist, and
# its sweep file is one.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

readme=$POSWEEP_SOURCE/README.md
"$POSWEEP" help results >datasets.txt

# known FILE PATTERN: what matches it in the README stands in FILE.
known() {
    grep -o "$2" "$readme" | tr -d '`:' | sort -u >named.txt
    check "README.md names nothing like $2" test -s named.txt
    while read -r name; do
        check "README.md names $name, which does not exist" grep -q -w -F -e "$name" "$1"
    done <named.txt
}
"$POSWEEP" help config >settings.txt
# shellcheck disable=SC2016
known settings.txt '`[a-z]*\.[a-z_.]*[`:]'
# shellcheck disable=SC2016
known datasets.txt '`G[A-Za-z_]*`'

# block N: the N-th example in YAML.
block() { awk -v n="$1" '/^```yaml/ { at++; inside = 1; next } /^```/ { inside = 0 } inside && at == n' "$readme"; }
block 1 >example.yaml
expect 0 '^54 runs' "$POSWEEP" plan example.yaml --ranks 8
# Nothing but the model is missing from the second.
{ echo 'name: given' && block 2; } >given.yaml
expect 66 'given.yaml:.*model.from: there is no folder .*pythia-70m (relative paths start' "$POSWEEP" plan given.yaml

# Every sweep file of the repository is accepted (or lacks only the data, which are not in it).
for sweep in "$POSWEEP_SOURCE"/sweeps/*.yaml; do
    "$POSWEEP" plan "$sweep" >out.txt 2>&1 || grep -q -E 'there is no (file|folder)' out.txt ||
        bad "$sweep: $(cat out.txt)"
done
