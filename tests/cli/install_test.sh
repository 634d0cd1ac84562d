#!/bin/sh
# `cmake --install`: the program works from where it was put, with its sweeps and its job script, and
# finds libraries that lie outside the system's folders.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"
command -v cmake >/dev/null || skip 'no cmake'
build=$(dirname "$(dirname "$POSWEEP")")
[ -f "$build/cmake_install.cmake" ] || skip "no build tree at $build"

expect 0 '' cmake --install "$build" --prefix "$SCRATCH/to"
installed=$SCRATCH/to/bin/posweep
share=$SCRATCH/to/share/posweep
expect 0 '^posweep [0-9]' "$installed" --version
expect 0 '2 runs' "$installed" plan "$share/sweeps/smallest.yaml"
check "the sizes of a sweep's model are there, too" [ -f "$share/sweeps/pythia-2.8b/config.json" ]
check 'the job script can be executed' test -x "$share/slurm/sweep.sbatch"

# Man pages and completions say what the program says, and are well formed.
man=$SCRATCH/to/share/man
every_command() {
    for command in $("$installed" --help | sed -n '/^Topics/q; s/^  \([a-z]*\)  *.*/\1/p'); do
        grep -Fqx ".SS $command" "$man/man1/posweep.1" || return 1
        grep -q "[ '(]${command}[ ')]" "$1" || return 1
    done
}
for shell in bash-completion/completions/posweep zsh/site-functions/_posweep \
    fish/vendor_completions.d/posweep.fish; do
    check "every command is in the manual and in $shell" every_command "$SCRATCH/to/share/$shell"
done
check 'settings are in the manual of the sweep file' grep -q 'policy\.lr' "$man/man5/posweep-sweep.5"
if command -v groff >/dev/null; then
    groff -man -Tutf8 -ww -z "$man"/man?/* >groff.txt 2>&1
    check 'troff has no complaint' test ! -s groff.txt
fi
completed() {
    bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _posweep; echo "${COMPREPLY[@]}"' - \
        "$SCRATCH/to/share/bash-completion/completions/posweep" "$@"
}
check 'bash completes a command' test "$(completed posweep sta)" = status
check 'and an option' test "$(completed posweep run --keep)" = --keep-work
check 'and a topic' test "$(completed posweep help measu)" = measurement
check 'and leaves files to the shell' test -z "$(completed posweep show '')"

# A program that is linked to a library beside it, installed with the settings of ours.
mkdir -p own/src own/lib
cat >own/src/CMakeLists.txt <<END
cmake_minimum_required(VERSION 3.22)
project(own LANGUAGES C)
include($POSWEEP_SOURCE/src/cli/install.cmake)
add_executable(own own.c)
target_link_libraries(own PRIVATE $SCRATCH/own/lib/libanswer.so)
install(TARGETS own RUNTIME DESTINATION bin)
END
echo 'int answer(void) { return 42; }' >own/lib/answer.c
echo 'int answer(void); int main(void) { return answer() - 42; }' >own/src/own.c
check 'the library is built' "${CC:-cc}" -shared -fPIC -o own/lib/libanswer.so own/lib/answer.c
expect 0 '' cmake -S own/src -B own/build
expect 0 '' cmake --build own/build
expect 0 '' cmake --install own/build --prefix "$SCRATCH/to"
rm -r own/build
check 'it finds its library from where it was put' to/bin/own
[ "$N_BAD" -eq 0 ]
