/* Element-wise functions and reductions over float arrays.
 *
 * The functions are our own polynomials: gcc and clang vectorise their loops without fast-math,
 * and with FMA they give the same bits on every machine. Reductions run in 16 independent
 * partial sums, folded in a fixed order: their bits depend on the length alone, not on the
 * width of the machine's vectors. */
#ifndef POSWEEP_KERNELS_VECMATH_H
#define POSWEEP_KERNELS_VECMATH_H

#include <math.h>
#include <stdint.h>

/** a * b + c, rounded once where the target has FMA; contraction is explicit, never implied. */
#ifdef __FMA__
#define PSW_FMAF(a, b, c) fmaf((a), (b), (c))
#else
#define PSW_FMAF(a, b, c) ((a) * (b) + (c))
#endif

/** Before a loop whose arrays are the same or apart, never shifted: it may be vectorised. */
#ifdef __clang__
#define PSW_VECTOR_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define PSW_VECTOR_LOOP _Pragma("GCC ivdep")
#endif

/** y = exp(x), relative error <= 3e-7; 0 below -87.3, exp(88) above 88. May be in place. */
void psw_vec_exp(int64_t n, const float *x, float *y);

/** y = tanh(x), absolute error <= 2e-7. May be in place. */
void psw_vec_tanh(int64_t n, const float *x, float *y);

/** y = erf(x), absolute error <= 3e-7. May be in place. */
void psw_vec_erf(int64_t n, const float *x, float *y);

/** GELU y = x Phi(x) with the exact normal distribution function, and its slope
 *  y' = Phi(x) + x phi(x); absolute errors <= 2e-7 (1 + |x|). Any two may be in place. */
void psw_vec_gelu(int64_t n, const float *x, float *y, float *slope);

/** SiLU y = x / (1 + exp(-x)) and its slope y' = s + x s (1 - s), s = 1 / (1 + exp(-x));
 * absolute errors <= 3e-7 (1 + |x|). Any two may be in place. */
void psw_vec_silu(int64_t n, const float *x, float *y, float *slope);

/** y = exp(x - shift); returns the sum of y. May be in place. */
float psw_vec_exp_sum(int64_t n, float shift, const float *x, float *y);

/** Largest element; -INFINITY when n is 0. */
float psw_vec_max(int64_t n, const float *x);

/** Sums over n elements, in fixed lanes. */
float psw_vec_sum(int64_t n, const float *x);
float psw_vec_dot(int64_t n, const float *x, const float *y);

/** y += a x;  y += x;  y = a y. */
void psw_vec_axpy(int64_t n, float a, const float *x, float *y);
void psw_vec_add(int64_t n, const float *x, float *y);
void psw_vec_scale(int64_t n, float a, float *y);

/** Add the sum of the rows of x to y, eight rows at a time.
 *  Shapes: x [n_row][n], y [n]. */
void psw_vec_add_rows(int64_t n_row, int64_t n, const float *x, float *y);

#endif
