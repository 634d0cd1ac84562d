/* A harness: one input, whatever its bytes. libFuzzer calls it where the compiler is clang
 * (-DPSW_FUZZ=ON); else fuzz_main.c does, with damaged copies of the seeds. */
#ifndef POSWEEP_TESTS_FUZZ_H
#define POSWEEP_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Returns 0; aborts where something is wrong. The name is libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#endif
