/* Entropy of the next token's distribution per row, H(softmax(x W' / t)) in nat.
 *
 * The same shapes and chunks as the vocabulary head (head.h), whose targets are not read. */
#ifndef POSWEEP_KERNELS_ENTROPY_H
#define POSWEEP_KERNELS_ENTROPY_H

#include <posweep/kernels/head.h>

struct psw_entropy_ops {
    /** Shapes: entropy [n_row]. */
    void (*forward)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *entropy);

    /** Add the cotangents of sum_r weight[r] * (-entropy[r]); dH/dlogit_j = -p_j (log p_j + H)
     *  / t. Logits are computed again. Shapes: weight [n_row]. */
    void (*backward)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, struct psw_head_grad grad);

    /** Value and tangent along (x_dot, w_dot): minus the covariance of a logit and its tangent.
     *  Shapes: in.x dual [2][n_row][C], w_dot [V][C], entropy dual [2][n_row]. */
    void (*tangent)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *entropy);
};

#include <posweep/kernels/backend.h>

#endif
