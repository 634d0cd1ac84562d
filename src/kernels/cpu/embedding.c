/* Rows of the embedding table. */
#include <posweep/kernels/embedding.h>

#include <posweep/kernels/vecmath.h>
#include <string.h>

void psw_embedding_forward(int64_t n_tok, int64_t C, const int32_t *token, const float *w,
                           float *x)
{
    for (int64_t t = 0; t < n_tok; t++)
        memcpy(x + t * C, w + token[t] * C, (size_t)C * sizeof *x);
}

void psw_embedding_backward(int64_t n_tok, int64_t C, const int32_t *token, const float *x_bar,
                            float *w_bar)
{
    for (int64_t t = 0; t < n_tok; t++) psw_vec_add(C, x_bar + t * C, w_bar + token[t] * C);
}

void psw_embedding_tangent(int64_t n_tok, int64_t C, const int32_t *token, const float *w,
                           const float *w_dot, float *x)
{
    psw_embedding_forward(n_tok, C, token, w, x);
    psw_embedding_forward(n_tok, C, token, w_dot, x + n_tok * C);
}
