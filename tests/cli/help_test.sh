#!/bin/sh
# What posweep says about itself, and what it answers to a wrong command line.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

expect 0 'mpirun -n 3 posweep run' "$POSWEEP" --help
expect 0 'Usage: posweep COMMAND' "$POSWEEP" help
expect 64 'Usage: posweep COMMAND' "$POSWEEP"
expect 0 '^posweep [0-9]*\.[0-9]*\.[0-9]*$' "$POSWEEP" --version
expect 0 '^commit  *\([0-9a-f]\{40\}\|unknown\)' "$POSWEEP" --version
expect 0 '^MPI  *[A-Z]' "$POSWEEP" --version
expect 0 '^HDF5 .*HDF5 [12]\.' "$POSWEEP" --version
expect 0 '^BLAS  *[^ ]' "$POSWEEP" --version
expect 64 "unknown command 'hepl'. Did you mean 'help'?" "$POSWEEP" hepl
expect 64 "unknown command 'xyzzy'\$" "$POSWEEP" xyzzy
expect 64 "unknown option '--verbos'" "$POSWEEP" --verbos
expect 64 "no help on 'hepl'. Did you mean 'help'?" "$POSWEEP" help hepl
expect 64 "no help on 'conifg'. Did you mean 'config'?" "$POSWEEP" help conifg
expect 64 "no help on 'learning_rate'. Did you mean 'policy.lr'?" "$POSWEEP" help learning_rate
expect 0 '^  limits.widen_s  *10  *that more ranks must save' "$POSWEEP" help limits.widen_s
expect 64 'invalid option' "$POSWEEP" help -z
expect 0 'policy.beta' "$POSWEEP" help config

# Every command of the overview explains itself, and refuses an option it does not know.
"$POSWEEP" --help | sed -n '/^Topics/q; s/^  \([a-z][a-z]*\)  *.*/\1/p' | grep -v '^posweep$\|^mpirun$' >commands.txt
check 'the overview lists commands' test -s commands.txt
while read -r command; do
    expect 0 "^Usage: posweep $command" "$POSWEEP" help "$command"
    expect 0 "^Usage: posweep $command" "$POSWEEP" "$command" --help
    expect 64 'unrecognized option' "$POSWEEP" "$command" --no-such-option
done <commands.txt

# The topic of methods has a row of each.
for method in dpo dpo_robust orpo sft ppo dapo; do
    expect 0 "^  $method  *[-(\\[m]" "$POSWEEP" help methods
done

# Every topic has something to say.
"$POSWEEP" --help | sed -n '/^Topics/,/^$/s/^  \([a-z][a-z]*\)  *.*/\1/p' >topics.txt
check 'the overview lists topics' test -s topics.txt
while read -r topic; do
    expect 0 '..' "$POSWEEP" help "$topic"
done <topics.txt

# What cannot be written is a failure.
if [ -w /dev/full ]; then
    to_full_disk() { "$@" >/dev/full; }
    expect 74 'No space left' to_full_disk "$POSWEEP" --help
fi
