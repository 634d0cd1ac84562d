/* Whole vectors, element by element. */
#include "reference.h"

#include <math.h>

static void axpy(struct psw_exec *exec, int64_t n, float a, const float *x, float *y)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) y[i] = (float)((double)a * x[i] + y[i]);
}

static void add(struct psw_exec *exec, int64_t n, const float *x, float *y)
{
    axpy(exec, n, 1.0f, x, y);
}

static void scale(struct psw_exec *exec, int64_t n, float a, float *y)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) y[i] *= a;
}

static void multiply(struct psw_exec *exec, int64_t n, const float *x, float *y)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) y[i] *= x[i];
}

static void dot(struct psw_exec *exec, int64_t n, const float *x, const float *y, double *sum)
{
    (void)exec;
    for (int64_t at = 0; at < n; at += PSW_DOT_BLOCK)
        *sum++ = psw_reference_inner(n - at < PSW_DOT_BLOCK ? n - at : PSW_DOT_BLOCK, x + at,
                                     y + at);
}

static void adamw(struct psw_exec *exec, const struct psw_adamw *how, int64_t n,
                  const float *grad, float *m, float *v, float *param)
{
    const struct psw_adamw a = *how;
    (void)exec;
    for (int64_t i = 0; i < n; i++) {
        const double g = (double)a.scale * grad[i];
        m[i] = (float)((double)a.beta1 * m[i] + a.rest1 * g);
        v[i] = (float)((double)a.beta2 * v[i] + a.rest2 * g * g);
        param[i] = (float)((double)a.keep * param[i] +
                           a.step * m[i] / (sqrt((double)v[i]) * a.root + a.eps));
    }
}

static void sgd(struct psw_exec *exec, float keep, float step, int64_t n, const float *grad,
                float *param)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++)
        param[i] = (float)((double)keep * param[i] + (double)step * grad[i]);
}

static void precondition(struct psw_exec *exec, float root, float eps, int64_t n,
                         const float *v, const float *x, float *out)
{
    (void)exec;
    for (int64_t i = 0; i < n; i++) out[i] = (float)(x[i] / (sqrt((double)v[i]) * root + eps));
}

const struct psw_vector_ops psw_reference_vector = {.add = add,
                                                    .axpy = axpy,
                                                    .scale = scale,
                                                    .multiply = multiply,
                                                    .dot = dot,
                                                    .adamw = adamw,
                                                    .sgd = sgd,
                                                    .precondition = precondition};
