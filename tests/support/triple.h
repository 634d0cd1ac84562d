/* What every kernel triple must satisfy, checked in one place.
 *
 * An operation maps one flat array of inputs (data and weights back to back) to one of outputs.
 * A naive twin in double precision gives values, and by central difference tangents; backward
 * is held by <out_bar, J in_dot> = <J' out_bar, in_dot>, and must add to what is there. */
#ifndef POSWEEP_TESTS_TRIPLE_H
#define POSWEEP_TESTS_TRIPLE_H

#include <stdint.h>

struct triple {
    int64_t n_in, n_out;
    void (*naive)(const double *in, double *out);
    void (*forward)(const float *in, float *out);
    void (*backward)(const float *in, const float *out_bar, float *in_bar);
    void (*tangent)(const float *in, const float *in_dot, float *out, float *out_dot);
};

/** Fails the running test unless all identities hold within tolerance, relative to the largest
 *  magnitude of what is compared. Inputs are uniform in (-1, 1). */
void triple_check(const struct triple *op, double tolerance);

#endif
