#include <support/support.h>
#include <support/triple.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct psw_exec kernel_exec;

static int begin(const struct psw_backend *backend)
{
    kernel_exec = (struct psw_exec){.n_thread = 1, .backend = backend};
    return psw_arena_create("scratch", 256 << 20, &kernel_exec.scratch, NULL) == PSW_OK ? 0
                                                                                        : -1;
}

int kernel_on_cpu(void **state)
{
    (void)state;
    return begin(&psw_backend_cpu);
}

int kernel_on_reference(void **state)
{
    (void)state;
    return begin(&psw_backend_reference);
}

int kernel_done(void **state)
{
    (void)state;
    psw_arena_destroy(kernel_exec.scratch);
    return 0;
}

void kernel_compare(int64_t n, const float *a, const float *b, double tolerance)
{
    double scale = 1.0;
    for (int64_t i = 0; i < n; i++) scale = fabs(b[i]) > scale ? fabs(b[i]) : scale;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)a[i] - b[i]) <= tolerance * scale))
            fail_msg("element %lld: %.9g, expected %.9g", (long long)i, a[i], b[i]);
}

/* What an operation gives at one place; in_bar is that of out_bar. */
struct at {
    float *in, *in_dot, *out_bar;       /* given */
    float *out, *value, *out_dot, *bar; /* forward's, tangent's two, backward's */
};

static float *array(int64_t n)
{
    float *x = calloc((size_t)n + 1, sizeof *x);
    assert_non_null(x);
    return x;
}

static struct at make(const struct triple *op)
{
    struct at a = {array(op->n_in),  array(op->n_in),  array(op->n_out), array(op->n_out),
                   array(op->n_out), array(op->n_out), array(op->n_in)};
    support_fill(a.in, op->n_in, 1.0f, 11);
    support_fill(a.in_dot, op->n_in, 1.0f, 12);
    support_fill(a.out_bar, op->n_out, 1.0f, 13);
    op->forward(a.in, a.out);
    op->tangent(a.in, a.in_dot, a.value, a.out_dot);
    op->backward(a.in, a.out_bar, a.bar);
    return a;
}

static void clear(struct at *a)
{
    float *const all[] = {a->in, a->in_dot, a->out_bar, a->out, a->value, a->out_dot, a->bar};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* The error is about step^2 times a third derivative, and a float's 6e-8 / step. */
static void check_difference(const struct triple *op, const struct at *a)
{
    const float step = 3e-3f;
    float *moved = array(op->n_in), *plus = array(op->n_out), *minus = array(op->n_out);
    for (int64_t i = 0; i < op->n_in; i++) moved[i] = a->in[i] + step * a->in_dot[i];
    op->forward(moved, plus);
    for (int64_t i = 0; i < op->n_in; i++) moved[i] = a->in[i] - step * a->in_dot[i];
    op->forward(moved, minus);
    for (int64_t i = 0; i < op->n_out; i++) plus[i] = (plus[i] - minus[i]) / (2.0f * step);
    kernel_compare(op->n_out, a->out_dot, plus, 2e-3);
    free(moved);
    free(plus);
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

static void check_adjoint(const struct triple *op, const struct at *a, double tolerance)
{
    float *twice = array(op->n_in);
    double scale = 0.0, unused = 0.0;
    const double left = inner(op->n_out, a->out_bar, a->out_dot, &scale);
    assert_true(fabs(left - inner(op->n_in, a->bar, a->in_dot, &unused)) <= tolerance * scale);

    memcpy(twice, a->bar, (size_t)op->n_in * sizeof *twice);
    op->backward(a->in, a->out_bar, twice);
    for (int64_t i = 0; i < op->n_in; i++)
        assert_close(twice[i], 2.0 * a->bar[i], 10.0 * tolerance);
    free(twice);
}

static void check_reference(const struct triple *op, const struct at *a, double tolerance)
{
    const struct psw_backend *under_test = kernel_exec.backend;
    kernel_exec.backend = &psw_backend_reference;
    struct at b = make(op);
    kernel_exec.backend = under_test;
    kernel_compare(op->n_out, a->out, b.out, tolerance);
    kernel_compare(op->n_out, a->out_dot, b.out_dot, tolerance);
    kernel_compare(op->n_in, a->bar, b.bar, tolerance);
    clear(&b);
}

void triple_check(const struct triple *op, double tolerance)
{
    struct at a = make(op);
    kernel_compare(op->n_out, a.value, a.out, tolerance);
    check_difference(op, &a);
    check_adjoint(op, &a, tolerance);
    check_reference(op, &a, tolerance);
    clear(&a);
}
