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

#include <posweep/kernels/backend.h>

#endif
