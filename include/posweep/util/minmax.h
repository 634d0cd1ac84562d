/* The smaller and the larger of two counts. */
#ifndef POSWEEP_UTIL_MINMAX_H
#define POSWEEP_UTIL_MINMAX_H

#include <stdint.h>

static inline int64_t psw_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t psw_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
