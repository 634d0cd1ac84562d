#!/bin/sh
# The reference BLAS, which some systems have under the generic name, builds and runs and is many
# times slower: whoever gets it is told, and others hear nothing.
# shellcheck source=tests/support/scenario.sh
. "$POSWEEP_SOURCE/tests/support/scenario.sh"

WARNING='none of the tuned ones that are known'
quietly() { ! "$@" 2>&1 | grep -q "$WARNING"; }

reference=
for folder in /usr/lib/*/blas /usr/lib64/blas; do
    [ -e "$folder/libblas.so.3" ] && reference=$folder
done
[ -n "$reference" ] || skip 'no reference BLAS'

# The library path is that of the reference; how the program was linked is not changed. Leaks are
# other tests' business: with this library LeakSanitizer itself breaks at the end of a run.
with_reference() {
    LD_LIBRARY_PATH=$reference ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 "$@"
}
with_reference "$POSWEEP" --version | grep -q "^BLAS .*$reference/" ||
    skip 'the program is not linked with the generic BLAS'

expect 0 "$WARNING" with_reference "$POSWEEP" --version
expect 0 'libopenblas-dev' with_reference "$POSWEEP" --version
expect 0 "warning: .*$WARNING" with_reference "$POSWEEP" selftest
expect 0 "warning: .*$WARNING" with_reference "$POSWEEP" bench sample --shape tiny --repeat 1
expect 0 "warning: .*$WARNING" with_reference "$POSWEEP" plan "$POSWEEP_SOURCE/sweeps/smallest.yaml"
expect 0 "warning: .*$WARNING" with_reference "$POSWEEP" run "$POSWEEP_SOURCE/sweeps/smallest.yaml" \
    -o reference.h5
expect 0 '' with_reference "$POSWEEP" plan --quiet "$POSWEEP_SOURCE/sweeps/smallest.yaml"
check '--quiet is quiet' quietly with_reference "$POSWEEP" plan --quiet "$POSWEEP_SOURCE/sweeps/smallest.yaml"

if "$POSWEEP" --version | grep -q '^BLAS  *\(OpenBLAS\|BLIS\|MKL\|FlexiBLAS\)'; then
    check 'no warning with a tuned BLAS' quietly "$POSWEEP" --version
    check 'no warning with a tuned BLAS' quietly "$POSWEEP" selftest
fi

# An OpenBLAS that does not know the processor is told which kernels to take, unless the user did.
if "$POSWEEP" --version | grep -q '^BLAS  *OpenBLAS' && grep -q -w avx2 /proc/cpuinfo; then
    unset OPENBLAS_CORETYPE
    expect 0 '^BLAS .*\(Haswell\|Zen\|SkylakeX\|Cooperlake\|SapphireRapids\)' "$POSWEEP" --version
    expect 0 '^BLAS .*Prescott' env OPENBLAS_CORETYPE=Prescott "$POSWEEP" --version
fi
