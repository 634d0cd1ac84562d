/* Linear maps, one inner product per output. The bits of a row never depend on its neighbours,
 * so decoding is forward. */
#include "reference.h"

static void forward(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    const float *x, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++)
        for (int64_t o = 0; o < d.n_out; o++)
            y[r * d.n_out + o] =
                (float)((p.b ? p.b[o] : 0.0) +
                        psw_reference_inner(d.n_in, x + r * d.n_in, p.w + o * d.n_in));
}

static void forward_add(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, const float *x, float *y)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row; r++)
        for (int64_t o = 0; o < d.n_out; o++)
            y[r * d.n_out + o] +=
                (float)((p.b ? p.b[o] : 0.0) +
                        psw_reference_inner(d.n_in, x + r * d.n_in, p.w + o * d.n_in));
}

static void backward(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                     const float *x, const float *y_bar, float *x_bar,
                     struct psw_linear_grad grad)
{
    (void)exec;
    for (int64_t r = 0; r < d.n_row && x_bar; r++)
        for (int64_t i = 0; i < d.n_in; i++) {
            double sum = 0.0;
            for (int64_t o = 0; o < d.n_out; o++)
                sum += (double)y_bar[r * d.n_out + o] * p.w[o * d.n_in + i];
            x_bar[r * d.n_in + i] += (float)sum;
        }
    for (int64_t o = 0; o < d.n_out && grad.w_bar; o++)
        for (int64_t i = 0; i < d.n_in; i++) {
            double sum = 0.0;
            for (int64_t r = 0; r < d.n_row; r++)
                sum += (double)y_bar[r * d.n_out + o] * x[r * d.n_in + i];
            grad.w_bar[o * d.n_in + i] += (float)sum;
        }
    for (int64_t o = 0; o < d.n_out && grad.b_bar; o++) {
        double sum = 0.0;
        for (int64_t r = 0; r < d.n_row; r++) sum += y_bar[r * d.n_out + o];
        grad.b_bar[o] += (float)sum;
    }
}

/* y_dot += x_dot W' + x W_dot' + b_dot */
static void tangent_add_dot(struct psw_linear_dims d, struct psw_linear_param p,
                            struct psw_linear_param p_dot, const float *x, float *y_dot)
{
    const float *x_dot = x + d.n_row * d.n_in;
    for (int64_t r = 0; r < d.n_row; r++)
        for (int64_t o = 0; o < d.n_out; o++) {
            const float *w = p.w + o * d.n_in, *w_dot = p_dot.w + o * d.n_in;
            y_dot[r * d.n_out + o] +=
                (float)((p_dot.b ? p_dot.b[o] : 0.0) +
                        psw_reference_inner(d.n_in, x_dot + r * d.n_in, w) +
                        psw_reference_inner(d.n_in, x + r * d.n_in, w_dot));
        }
}

static void tangent_add(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, struct psw_linear_param p_dot,
                        const float *x, float *y)
{
    forward_add(exec, d, p, x, y);
    tangent_add_dot(d, p, p_dot, x, y + d.n_row * d.n_out);
}

static void tangent(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    struct psw_linear_param p_dot, const float *x, float *y)
{
    for (int64_t i = 0; i < 2 * d.n_row * d.n_out; i++) y[i] = 0.0f;
    tangent_add(exec, d, p, p_dot, x, y);
}

const struct psw_linear_ops psw_reference_linear = {.forward = forward,
                                                    .forward_add = forward_add,
                                                    .backward = backward,
                                                    .tangent = tangent,
                                                    .tangent_add = tangent_add,
                                                    .decode = forward,
                                                    .decode_add = forward_add};
