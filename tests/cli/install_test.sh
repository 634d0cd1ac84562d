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
