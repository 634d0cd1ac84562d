/* Whole vectors of floats: sums, products, and the update of parameters by an optimiser.
 *
 * Element by element but for dot, so that any cut of a vector gives the same bits. */
#ifndef POSWEEP_KERNELS_VECTOR_H
#define POSWEEP_KERNELS_VECTOR_H

#include <stdint.h>

struct psw_exec;

enum { PSW_DOT_BLOCK = 65536 };

/** The scalars of one step of AdamW, prepared in double by the caller, so that all backends
 *  take the same:  g = scale grad;  m = beta1 m + rest1 g;  v = beta2 v + rest2 g^2;
 *  param = keep param + step m / (sqrt(v) root + eps). */
struct psw_adamw {
    float scale, beta1, rest1, beta2, rest2;
    float keep; /* 1 - lr * weight decay */
    float step; /* -lr / (1 - beta1^t) */
    float root; /* 1 / sqrt(1 - beta2^t) */
    float eps;
};

struct psw_vector_ops {
    /** y += x;  y += a x;  y = a y;  y *= x, element by element. */
    void (*add)(struct psw_exec *exec, int64_t n, const float *x, float *y);
    void (*axpy)(struct psw_exec *exec, int64_t n, float a, const float *x, float *y);
    void (*scale)(struct psw_exec *exec, int64_t n, float a, float *y);
    void (*multiply)(struct psw_exec *exec, int64_t n, const float *x, float *y);

    /** Inner products of blocks of PSW_DOT_BLOCK elements, the last may be shorter, in double:
     *  a whole product is their sum in order, whoever computed which. Waits.
     *  Shapes: sum [ceil(n / PSW_DOT_BLOCK)], host memory. */
    void (*dot)(struct psw_exec *exec, int64_t n, const float *x, const float *y, double *sum);

    /** One step of AdamW.
     *  Source: Loshchilov & Hutter 2019, algorithm 2, as PyTorch computes it (bias-corrected,
     *          eps outside the root). */
    void (*adamw)(struct psw_exec *exec, const struct psw_adamw *how, int64_t n,
                  const float *grad, float *m, float *v, float *param);

    /** param = keep param + step grad. */
    void (*sgd)(struct psw_exec *exec, float keep, float step, int64_t n, const float *grad,
                float *param);

    /** Adam's preconditioner, out = x / (sqrt(v) root + eps); out may be x. */
    void (*precondition)(struct psw_exec *exec, float root, float eps, int64_t n,
                         const float *v, const float *x, float *out);
};

#endif
