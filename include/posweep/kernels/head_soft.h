/* The vocabulary head against soft targets: at every row the whole distribution that another
 * model draws the next token from takes the place of one drawn token.
 *
 * The quantity of a row is sum_v p_T(v) log p(v), minus the cross-entropy of the two: what
 * log p of a token drawn from p_T is on average. The cotangent of logit v is weight (p(v) -
 * p_T(v)) / temperature, exactly 0 where both distributions have the same bits. Rows go in
 * chunks; what is of size n_row * V is kept for one chunk only. */
#ifndef POSWEEP_KERNELS_HEAD_SOFT_H
#define POSWEEP_KERNELS_HEAD_SOFT_H

#include <posweep/kernels/draw.h>
#include <posweep/kernels/head.h>

/** Where p_T comes from. Borrowed. */
struct psw_soft_target {
    const float *x, *w;        /* [n_row][C] normalised hidden rows, [V][C] head */
    struct psw_draw_opts draw; /* how tokens are drawn from its logits */
};

/** The quantity of every row, and the cotangents of sum_r weight[r] * (-soft[r]) added.
 *  in.target is not read. Shapes: weight, soft [n_row]. */
void psw_head_soft_nll(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                       struct psw_soft_target target, const float *weight, float *soft,
                       struct psw_head_grad grad);

/** Value and tangent along (x_dot, w_dot) of the log-probability of in.target and of the
 *  quantity; p_T stays as it is.
 *  Shapes: in.x dual [2][n_row][C], w_dot [V][C], logp, soft dual [2][n_row]. */
void psw_head_soft_tangent(struct psw_exec *exec, struct psw_head_dims d, struct psw_head_in in,
                           struct psw_soft_target target, const float *w_dot, float *logp,
                           float *soft);

#endif
