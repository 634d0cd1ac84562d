/* The BLAS in the process: which it is, whether it is a tuned one, and its threads.
 *
 * Sites choose the library behind a generic name, at build time or later (update-alternatives,
 * modules, LD_LIBRARY_PATH), so the running process is asked, not the build. This is the one
 * place that knows tuned libraries; `bootstrap` and CMake ask it through blas_probe.c. */
#ifndef POSWEEP_KERNELS_BLAS_H
#define POSWEEP_KERNELS_BLAS_H

#include <stdint.h>

enum { PSW_BLAS_NAME_BYTES = 160, PSW_BLAS_PATH_BYTES = 1024, PSW_BLAS_ADVICE_BYTES = 1536 };

struct psw_blas {
    int is_tuned;                      /* 1: one of the tuned libraries that are known */
    char name[PSW_BLAS_NAME_BYTES];    /* "OpenBLAS 0.3.21 ... Zen"; "CBLAS" if none of them */
    char library[PSW_BLAS_PATH_BYTES]; /* the file behind its links; "" if linked statically */
};

/** Find the library that this process takes cblas_sgemm from. Bits of results depend on it, so
 *  runs record its name. */
void psw_blas_find(struct psw_blas *out);

/** What is lost with a BLAS that is not tuned, and what to install: one line without its end,
 *  "" for a tuned one. Returns out. */
const char *psw_blas_advice(const struct psw_blas *blas, char out[PSW_BLAS_ADVICE_BYTES]);

/** Pin the number of threads of the BLAS library, where it has a switch (OpenBLAS, BLIS, MKL,
 *  FlexiBLAS). Returns 1 if a switch was found, else 0. */
int psw_blas_pin(int n_thread);

/** The core type that OpenBLAS has to be told, with OPENBLAS_CORETYPE in the environment before
 *  the process begins, because it does not know this processor and took slower kernels; NULL:
 *  none, or another BLAS. The second asks the library and processor of this process. */
const char *psw_blas_core_for(const char *core, int has_avx2, int has_avx512);
const char *psw_blas_better_core(void);

/** One product of host matrices by the library itself, for yardsticks: c = a b + beta c, with b
 *  transposed (NT) or a (TN). Shapes: c [m][n], k products each; ld*: from row to row. */
enum psw_blas_form { PSW_BLAS_NT, PSW_BLAS_NN, PSW_BLAS_TN };
struct psw_blas_product {
    int64_t m, n, k, lda, ldb, ldc;
    float beta;
};
void psw_blas_multiply(enum psw_blas_form form, struct psw_blas_product p, const float *a,
                       const float *b, float *c);

#endif
