/* Matrix products: CBLAS, called by views, but for the small ones. */
#include "gemm.h"

#include "any_cblas.h"
#include <posweep/kernels/blas.h>
#include <posweep/util/cast.h>

static void blas(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, struct psw_gemm g,
                 const struct psw_view *ab, struct psw_view_out c)
{
    if (g.m == 0 || g.n == 0) return;
    cblas_sgemm(CblasRowMajor, ta, tb, psw_int_cast(g.m), psw_int_cast(g.n), psw_int_cast(g.k),
                g.alpha, ab[0].at, psw_int_cast(ab[0].ld), ab[1].at, psw_int_cast(ab[1].ld),
                g.beta, c.at, psw_int_cast(c.ld));
}

void psw_gemm_nt(struct psw_gemm g, struct psw_view a, struct psw_view b, struct psw_view_out c)
{
    if (psw_gemm_small_nt(g, a, b, c)) return;
    blas(CblasNoTrans, CblasTrans, g, (struct psw_view[2]){a, b}, c);
}

void psw_gemm_nn(struct psw_gemm g, struct psw_view a, struct psw_view b, struct psw_view_out c)
{
    if (psw_gemm_small_nn(g, a, b, c)) return;
    blas(CblasNoTrans, CblasNoTrans, g, (struct psw_view[2]){a, b}, c);
}

void psw_gemm_tn(struct psw_gemm g, struct psw_view a, struct psw_view b, struct psw_view_out c)
{
    if (psw_gemm_small_tn(g, a, b, c)) return;
    blas(CblasTrans, CblasNoTrans, g, (struct psw_view[2]){a, b}, c);
}

void psw_blas_multiply(enum psw_blas_form form, struct psw_blas_product p, const float *a,
                       const float *b, float *c)
{
    const struct psw_gemm g = {p.m, p.n, p.k, 1.0f, p.beta};
    const struct psw_view ab[2] = {{a, p.lda}, {b, p.ldb}};
    blas(form == PSW_BLAS_TN ? CblasTrans : CblasNoTrans,
         form == PSW_BLAS_NT ? CblasTrans : CblasNoTrans, g, ab,
         (struct psw_view_out){c, p.ldc});
}
