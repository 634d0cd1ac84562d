/* Root-mean-square normalisation (rmsnorm.h) of every head of queries and of keys by itself,
 * before they are rotated; one gain for all heads of queries, one for all heads of keys, and
 * values pass. All in place on rows that qkv.h describes; D is the width of a head.
 *
 * The bits of a token depend on that token alone.
 *  Source: the q_norm and k_norm of Hugging Face's Qwen3Attention. */
#ifndef POSWEEP_KERNELS_HEADNORM_H
#define POSWEEP_KERNELS_HEADNORM_H

#include <posweep/kernels/qkv.h>
#include <posweep/kernels/rmsnorm.h>

struct psw_headnorm_dims {
    int64_t n_tok;
    double eps;
    struct psw_qkv qkv;
};

/** Gains of queries and keys, [D] each. Also used for tangents. */
struct psw_headnorm_param {
    const float *q, *k;
};

/** Where their gradients are added. */
struct psw_headnorm_grad {
    float *q_bar, *k_bar;
};

struct psw_headnorm_ops {
    /** Fills saved, heads of queries first.
     *  Shapes: qkv [n_tok][qkv.row], saved x_hat [n_tok][n_head + n_kv_head][D],
     *          rstd [n_tok][n_head + n_kv_head]. */
    void (*forward)(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_rmsnorm_saved saved, float *qkv);

    /** Turns the cotangent of the output into that of the input, in place, and adds those of
     *  the gains. */
    void (*backward)(struct psw_exec *exec, struct psw_headnorm_dims d,
                     struct psw_headnorm_param p, struct psw_rmsnorm_saved saved,
                     float *qkv_bar, struct psw_headnorm_grad grad);

    /** Value and tangent. Shapes: qkv dual [2][n_tok][qkv.row]. */
    void (*tangent)(struct psw_exec *exec, struct psw_headnorm_dims d,
                    struct psw_headnorm_param p, struct psw_headnorm_param p_dot, float *qkv);
};

#endif
