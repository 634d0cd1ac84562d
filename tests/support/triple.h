/* What every kernel triple must satisfy on every backend, checked in one place.
 *
 * A test runs once per backend (kernel_test): it calls operations as
 * OP.linear->forward(&kernel_exec, ...). An operation maps one flat array of inputs (data and
 * weights back to back) to one of outputs. Its tangent is held by central differences of its
 * forward, its backward by <out_bar, J in_dot> = <J' out_bar, in_dot>; backward must add to
 * what is there. What another backend gives is compared with the reference, number by number.
 */
#ifndef POSWEEP_TESTS_TRIPLE_H
#define POSWEEP_TESTS_TRIPLE_H

#include <posweep/kernels/backend.h>
#include <stdint.h>

/** The backend under test, with a scratch arena of its own. */
extern struct psw_exec kernel_exec;
#define OP psw_exec_backend(&kernel_exec)->op

struct triple {
    int64_t n_in, n_out;
    void (*forward)(const float *in, float *out);
    void (*backward)(const float *in, const float *out_bar, float *in_bar);
    void (*tangent)(const float *in, const float *in_dot, float *out, float *out_dot);
};

/** Fails the running test unless all identities hold within tolerance, relative to the largest
 *  magnitude of what is compared (central differences of floats: within 2e-3). Inputs are
 *  uniform in (-1, 1). */
void triple_check(const struct triple *op, double tolerance);

/** Fails unless |a - b| <= tolerance * (the largest |b|, at least 1) everywhere. */
void kernel_compare(int64_t n, const float *a, const float *b, double tolerance);

int kernel_on_cpu(void **state);
int kernel_on_reference(void **state);
int kernel_done(void **state);

/** One test on all backends, or on cpu alone. */
#define cpu_test(f)                                                                            \
    {                                                                                          \
#f " on cpu", f, kernel_on_cpu, kernel_done, NULL                                      \
    }
#define kernel_test(f)                                                                         \
    cpu_test(f),                                                                               \
    {                                                                                          \
#f " on reference", f, kernel_on_reference, kernel_done, NULL                          \
    }

#endif
