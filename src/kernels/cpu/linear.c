/* Linear maps. The bias is written (or added) first and the product added to it: BLAS then
 * skips its own pass that clears the output, so a bias costs nothing extra. */
#include "cpu.h"

#include "gemm.h"
#include <posweep/kernels/vecmath.h>
#include <string.h>

static void set_rows(struct psw_linear_dims d, const float *b, float *y)
{
    for (int64_t r = 0; r < d.n_row; r++)
        memcpy(y + r * d.n_out, b, (size_t)d.n_out * sizeof *y);
}

static void add_bias(struct psw_linear_dims d, const float *b, float *y)
{
    for (int64_t r = 0; r < d.n_row; r++) psw_vec_add(d.n_out, b, y + r * d.n_out);
}

/* y = beta y + x w' */
static void product(struct psw_linear_dims d, const float *w, const float *x, float beta,
                    float *y)
{
    psw_gemm_nt((struct psw_gemm){d.n_row, d.n_out, d.n_in, 1.0f, beta},
                (struct psw_view){x, d.n_in}, (struct psw_view){w, d.n_in},
                (struct psw_view_out){y, d.n_out});
}

static void forward(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    const float *x, float *y)
{
    (void)exec;
    if (p.b) set_rows(d, p.b, y);
    product(d, p.w, x, p.b ? 1.0f : 0.0f, y);
}

static void forward_add(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, const float *x, float *y)
{
    (void)exec;
    if (p.b) add_bias(d, p.b, y);
    product(d, p.w, x, 1.0f, y);
}

static void backward(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                     const float *x, const float *y_bar, float *x_bar,
                     struct psw_linear_grad grad)
{
    (void)exec;
    const struct psw_view bar = {y_bar, d.n_out};
    if (grad.b_bar) psw_vec_add_rows(d.n_row, d.n_out, y_bar, grad.b_bar);
    if (grad.w_bar)
        psw_gemm_tn((struct psw_gemm){d.n_out, d.n_in, d.n_row, 1.0f, 1.0f}, bar,
                    (struct psw_view){x, d.n_in}, (struct psw_view_out){grad.w_bar, d.n_in});
    if (x_bar)
        psw_gemm_nn((struct psw_gemm){d.n_row, d.n_in, d.n_out, 1.0f, 1.0f}, bar,
                    (struct psw_view){p.w, d.n_in}, (struct psw_view_out){x_bar, d.n_in});
}

static void tangent(struct psw_exec *exec, struct psw_linear_dims d, struct psw_linear_param p,
                    struct psw_linear_param p_dot, const float *x, float *y)
{
    (void)exec;
    const struct psw_linear_dims both = {2 * d.n_row, d.n_in, d.n_out};
    float *y_dot = y + d.n_row * d.n_out;
    if (p.b) {
        set_rows(d, p.b, y);
        set_rows(d, p_dot.b, y_dot);
    }
    product(both, p.w, x, p.b ? 1.0f : 0.0f, y);
    product(d, p_dot.w, x, 1.0f, y_dot);
}

static void tangent_add(struct psw_exec *exec, struct psw_linear_dims d,
                        struct psw_linear_param p, struct psw_linear_param p_dot,
                        const float *x, float *y)
{
    (void)exec;
    const struct psw_linear_dims both = {2 * d.n_row, d.n_in, d.n_out};
    float *y_dot = y + d.n_row * d.n_out;
    if (p.b) {
        add_bias(d, p.b, y);
        add_bias(d, p_dot.b, y_dot);
    }
    product(both, p.w, x, 1.0f, y);
    product(d, p_dot.w, x, 1.0f, y_dot);
}

const struct psw_linear_ops psw_cpu_linear = {.forward = forward,
                                              .forward_add = forward_add,
                                              .backward = backward,
                                              .tangent = tangent,
                                              .tangent_add = tangent_add,
                                              .decode = psw_cpu_linear_decode,
                                              .decode_add = psw_cpu_linear_decode_add};
