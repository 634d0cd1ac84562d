/* Whole vectors. The loops read and write each array once and hold no branch, so that the
 * compiler makes vectors of them and memory sets the pace. sqrtf and the division are correctly
 * rounded: the same bits as a scalar loop. */
#include "cpu.h"
#include <posweep/kernels/vecmath.h>

static void add(struct psw_exec *exec, int64_t n, const float *x, float *y)
{
    (void)exec;
    psw_vec_add(n, x, y);
}

static void axpy(struct psw_exec *exec, int64_t n, float a, const float *x, float *y)
{
    (void)exec;
    psw_vec_axpy(n, a, x, y);
}

static void scale(struct psw_exec *exec, int64_t n, float a, float *y)
{
    (void)exec;
    psw_vec_scale(n, a, y);
}

/* Eight lanes in a fixed order: vectorises without re-association by the compiler. */
static double block_dot(int64_t n, const float *x, const float *y)
{
    double lane[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; k++) lane[k] += (double)x[i + k] * (double)y[i + k];
    for (int k = 0; i < n; i++, k++) lane[k] += (double)x[i] * (double)y[i];
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) +
           ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}

static void multiply(struct psw_exec *exec, int64_t n, const float *x, float *y)
{
    (void)exec;
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) y[i] *= x[i];
}

static void dot(struct psw_exec *exec, int64_t n, const float *x, const float *y, double *sum)
{
    (void)exec;
    for (int64_t at = 0; at < n; at += PSW_DOT_BLOCK)
        *sum++ = block_dot(n - at < PSW_DOT_BLOCK ? n - at : PSW_DOT_BLOCK, x + at, y + at);
}

static void adamw(struct psw_exec *exec, const struct psw_adamw *how, int64_t n,
                  const float *restrict grad, float *restrict m, float *restrict v,
                  float *restrict param)
{
    const struct psw_adamw a = *how;
    (void)exec;
    for (int64_t i = 0; i < n; i++) {
        const float g = a.scale * grad[i];
        m[i] = PSW_FMAF(a.rest1, g, a.beta1 * m[i]);
        v[i] = PSW_FMAF(a.rest2 * g, g, a.beta2 * v[i]);
        param[i] =
            PSW_FMAF(a.step, m[i] / PSW_FMAF(sqrtf(v[i]), a.root, a.eps), a.keep * param[i]);
    }
}

static void sgd(struct psw_exec *exec, float keep, float step, int64_t n,
                const float *restrict grad, float *restrict param)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) param[i] = PSW_FMAF(step, grad[i], keep * param[i]);
}

static void precondition(struct psw_exec *exec, float root, float eps, int64_t n,
                         const float *v, const float *x, float *out)
{
    (void)exec;
    PSW_VECTOR_LOOP
    for (int64_t i = 0; i < n; i++) out[i] = x[i] / PSW_FMAF(sqrtf(v[i]), root, eps);
}

const struct psw_vector_ops psw_cpu_vector = {.add = add,
                                              .axpy = axpy,
                                              .scale = scale,
                                              .multiply = multiply,
                                              .dot = dot,
                                              .adamw = adamw,
                                              .sgd = sgd,
                                              .precondition = precondition};
