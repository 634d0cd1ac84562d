/* Rows of the embedding table. */
#include "reference.h"

static void forward(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                    const float *w, float *x)
{
    (void)exec;
    for (int64_t t = 0; t < n_tok; t++)
        for (int64_t i = 0; i < C; i++) x[t * C + i] = w[token[t] * C + i];
}

static void backward(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                     const float *x_bar, float *w_bar)
{
    (void)exec;
    for (int64_t t = 0; t < n_tok; t++)
        for (int64_t i = 0; i < C; i++) w_bar[token[t] * C + i] += x_bar[t * C + i];
}

static void tangent(struct psw_exec *exec, int64_t n_tok, int64_t C, const int32_t *token,
                    const float *w, const float *w_dot, float *x)
{
    forward(exec, n_tok, C, token, w, x);
    forward(exec, n_tok, C, token, w_dot, x + n_tok * C);
}

const struct psw_embedding_ops psw_reference_embedding = {
    .forward = forward, .backward = backward, .tangent = tangent};
