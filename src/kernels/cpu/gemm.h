/* Matrix products of the kernels: row-major views over CBLAS. */
#ifndef POSWEEP_KERNELS_CPU_GEMM_H
#define POSWEEP_KERNELS_CPU_GEMM_H

#include <stdint.h>

/** C [m][n] = alpha * (product over k) + beta * C. */
struct psw_gemm {
    int64_t m, n, k;
    float alpha, beta;
};

/** A matrix inside a wider one: element (i, j) is at[i * ld + j]. */
struct psw_view {
    const float *at;
    int64_t ld;
};

struct psw_view_out {
    float *at;
    int64_t ld;
};

/** A B' with a [m][k], b [n][k]: forward of linear maps. */
void psw_gemm_nt(struct psw_gemm g, struct psw_view a, struct psw_view b,
                 struct psw_view_out c);

/** A B with a [m][k], b [k][n]: cotangents of inputs. */
void psw_gemm_nn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                 struct psw_view_out c);

/** A' B with a [k][m], b [k][n]: cotangents of weights. */
void psw_gemm_tn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                 struct psw_view_out c);

/** The same three for small products with whole vectors (k of nt, n of nn and tn a multiple of
 *  8): 1 when it is done, 0 when it is left to the BLAS. */
int psw_gemm_small_nt(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c);
int psw_gemm_small_nn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c);
int psw_gemm_small_tn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c);

#endif
