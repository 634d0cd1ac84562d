/* Medians: what timings are summed up by. */
#ifndef POSWEEP_UTIL_MEDIAN_H
#define POSWEEP_UTIL_MEDIAN_H

#include <stdint.h>

/** The median of n >= 1 numbers, the mean of the two in the middle when n is even; sorts x.
 *  Shapes: x [n]. */
double psw_median(double *x, int64_t n);

#endif
