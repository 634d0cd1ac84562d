#!/bin/sh
# The identities hold on this machine, for more than one seed.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

for seed in 1 2 3; do
    expect 0 '^ok .*tangent = explicit' "$POSWEEP" selftest --seed $seed
done
expect 64 'count' "$POSWEEP" selftest --seed x
expect 0 '^ok .*tangent = explicit' "$POSWEEP" selftest --backend reference
expect 64 "no backend 'abacus'" "$POSWEEP" selftest --backend abacus
