/* Element by element over two buffers. */
#include "buffers.h"

#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/minmax.h>

enum { BLOCK = 1024 };

static double fold(struct psw_exec *exec, int64_t n, const float *a, const float *b,
                   double (*step)(double so_far, double a, double b))
{
    const struct psw_buffer_ops *buffer = psw_exec_backend(exec)->buffer;
    float x[BLOCK], y[BLOCK];
    double result = 0.0;
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t m = psw_min(n - at, BLOCK);
        buffer->read(exec, m, a + at, x);
        buffer->read(exec, m, b + at, y);
        for (int64_t i = 0; i < m; i++) result = step(result, (double)x[i], (double)y[i]);
    }
    return result;
}

static double add_product(double sum, double a, double b)
{
    return sum + a * b;
}

static double add_size(double sum, double a, double b)
{
    return sum + fabs(a * b);
}

double psw_worse(double a, double b)
{
    return isnan(a) || b <= a ? a : b;
}

static double larger_distance(double worst, double a, double b)
{
    return psw_worse(worst, fabs(a - b) / (1.0 + fabs(b)));
}

static double or_differs(double differs, double a, double b)
{
    return a == b && signbit(a) == signbit(b) ? differs : 1.0;
}

double psw_buffers_inner(struct psw_exec *exec, int64_t n, const float *a, const float *b)
{
    return fold(exec, n, a, b, add_product);
}

double psw_buffers_scale(struct psw_exec *exec, int64_t n, const float *a, const float *b)
{
    return fold(exec, n, a, b, add_size);
}

double psw_buffers_distance(struct psw_exec *exec, int64_t n, const float *a, const float *b)
{
    return fold(exec, n, a, b, larger_distance);
}

double psw_buffers_differ(struct psw_exec *exec, int64_t n, const float *a, const float *b)
{
    return fold(exec, n, a, b, or_differs);
}

void psw_buffers_combine(struct psw_exec *exec, int64_t n, const float *y, float a,
                         const float *z, float *x)
{
    const struct psw_backend *backend = psw_exec_backend(exec);
    if (x != y) backend->buffer->copy(exec, n, y, x);
    backend->vector->axpy(exec, n, a, z, x);
}
