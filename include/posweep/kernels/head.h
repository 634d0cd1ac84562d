/* The vocabulary head: log-probability of a target token per row, log softmax(x W' /
 * t)[target].
 *
 * Rows go in chunks and the vocabulary in column blocks, so that logits are used while they are
 * in cache and nothing of size n_row * V is kept unless the caller gives room for it. */
#ifndef POSWEEP_KERNELS_HEAD_H
#define POSWEEP_KERNELS_HEAD_H

#include <posweep/kernels/exec.h>
#include <stdint.h>

struct psw_head_dims {
    int64_t n_row, C, V;
    double temperature; /* logits are divided by it */
};

/** x [n_row][C] normalised hidden rows, w [V][C], target [n_row] ids in [0, V), in host memory.
 */
struct psw_head_in {
    const float *x, *w;
    const int32_t *target;
};

/** Where gradients are added. Shapes: x_bar [n_row][C], w_bar [V][C]. */
struct psw_head_grad {
    float *x_bar, *w_bar;
};

struct psw_soft_target;

struct psw_head_ops {
    /** logp[r]. prob, if not NULL, keeps the probabilities for backward.
     *  Shapes: logp [n_row], prob [n_row][V] or NULL. */
    void (*forward)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    float *logp, float *prob);

    /** Add the cotangents of sum_r weight[r] * (-logp[r]). prob is forward's, or NULL: then
     *  logits are computed again. Shapes: weight [n_row]. */
    void (*backward)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const float *weight, const float *prob, struct psw_head_grad grad);

    /** Forward and backward in one sweep, for weights that are known beforehand. */
    void (*nll)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                const float *weight, float *logp, struct psw_head_grad grad);

    /** Value and tangent of logp along (x_dot, w_dot).
     *  Shapes: in.x dual [2][n_row][C], w_dot [V][C], logp dual [2][n_row]. */
    void (*tangent)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                    const float *w_dot, float *logp);

    /** nll against soft targets (head_soft.h): the quantity of every row, and the cotangents of
     *  sum_r weight[r] * (-soft[r]) added. in.target is not read.
     *  Shapes: weight, soft [n_row]. */
    void (*soft_nll)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                     const struct psw_soft_target *target, const float *weight, float *soft,
                     struct psw_head_grad grad);

    /** Value and tangent along (x_dot, w_dot) of the log-probability of in.target and of the
     *  quantity; p_T stays as it is.
     *  Shapes: in.x dual [2][n_row][C], w_dot [V][C], logp, soft dual [2][n_row]. */
    void (*soft_tangent)(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                         const struct psw_soft_target *target, const float *w_dot, float *logp,
                         float *soft);
};

#endif
