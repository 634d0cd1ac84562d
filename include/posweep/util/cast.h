/* Checked narrowing: `int` appears only where BLAS, MPI or BLACS ask for it. */
#ifndef POSWEEP_UTIL_CAST_H
#define POSWEEP_UTIL_CAST_H

#include <limits.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** A count as the `int` of a library call. Overflow is our own bug: sizes are checked at input.
 */
static inline int psw_int_cast(int64_t n)
{
    PSW_ASSERT(n >= INT_MIN && n <= INT_MAX);
    return (int)n;
}

#endif
