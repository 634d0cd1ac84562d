#include <support/support.h>
#include <support/triple.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* |a - b| against the largest |b|, at least 1. */
static void compare(int64_t n, const float *a, const double *b, double tolerance)
{
    double scale = 1.0;
    for (int64_t i = 0; i < n; i++) scale = fabs(b[i]) > scale ? fabs(b[i]) : scale;
    for (int64_t i = 0; i < n; i++) assert_true(fabs(a[i] - b[i]) <= tolerance * scale);
}

/* Central difference in double: error about step^2 and 1e-16 / step. */
static void naive_tangent(const struct triple *op, const float *in, const float *in_dot,
                          double *out_dot)
{
    const double step = 1e-5;
    double *moved = calloc((size_t)op->n_in, sizeof *moved);
    double *minus = calloc((size_t)op->n_out, sizeof *minus);
    for (int64_t i = 0; i < op->n_in; i++) moved[i] = in[i] + step * in_dot[i];
    op->naive(moved, out_dot);
    for (int64_t i = 0; i < op->n_in; i++) moved[i] = in[i] - step * in_dot[i];
    op->naive(moved, minus);
    for (int64_t i = 0; i < op->n_out; i++) out_dot[i] = (out_dot[i] - minus[i]) / (2.0 * step);
    free(moved);
    free(minus);
}

static double inner(int64_t n, const float *a, const float *b, double *scale)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i] * b[i];
        *scale += fabs((double)a[i] * b[i]);
    }
    return sum;
}

static void check_adjoint(const struct triple *op, const float *in, const float *in_dot,
                          const float *out_dot, double tolerance)
{
    float *out_bar = calloc((size_t)op->n_out, sizeof *out_bar);
    float *in_bar = calloc((size_t)op->n_in, sizeof *in_bar);
    float *twice = calloc((size_t)op->n_in, sizeof *twice);
    support_fill(out_bar, op->n_out, 1.0f, 13);
    op->backward(in, out_bar, in_bar);
    double scale = 0.0, unused = 0.0;
    const double left = inner(op->n_out, out_bar, out_dot, &scale);
    assert_true(fabs(left - inner(op->n_in, in_bar, in_dot, &unused)) <= tolerance * scale);

    memcpy(twice, in_bar, (size_t)op->n_in * sizeof *twice);
    op->backward(in, out_bar, twice);
    for (int64_t i = 0; i < op->n_in; i++)
        assert_close(twice[i], 2.0 * in_bar[i], 10.0 * tolerance);
    free(out_bar);
    free(in_bar);
    free(twice);
}

void triple_check(const struct triple *op, double tolerance)
{
    float *in = calloc((size_t)op->n_in, sizeof *in),
          *out = calloc((size_t)op->n_out, sizeof *out);
    float *in_dot = calloc((size_t)op->n_in, sizeof *in_dot);
    float *out_dot = calloc((size_t)op->n_out, sizeof *out_dot);
    double *in_f64 = calloc((size_t)op->n_in, sizeof *in_f64);
    double *naive = calloc((size_t)op->n_out, sizeof *naive);
    support_fill(in, op->n_in, 1.0f, 11);
    support_fill(in_dot, op->n_in, 1.0f, 12);
    for (int64_t i = 0; i < op->n_in; i++) in_f64[i] = in[i];

    op->naive(in_f64, naive);
    op->forward(in, out);
    compare(op->n_out, out, naive, tolerance);
    memset(out, 0, (size_t)op->n_out * sizeof *out);
    op->tangent(in, in_dot, out, out_dot);
    compare(op->n_out, out, naive, tolerance);
    naive_tangent(op, in, in_dot, naive);
    compare(op->n_out, out_dot, naive, tolerance);
    check_adjoint(op, in, in_dot, out_dot, tolerance);

    free(in);
    free(out);
    free(in_dot);
    free(out_dot);
    free(in_f64);
    free(naive);
}
