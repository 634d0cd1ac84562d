/* Optimisers: one update of a slice of the parameters, at memory speed. Arrays are buffers of
 * exec's backend.
 *
 * Element-wise, so any cut into slices gives the same bits. Arithmetic is float32 with explicit
 * fused multiply-adds; the scalars of a step are prepared in double. */
#ifndef POSWEEP_OPTIM_OPTIMIZER_H
#define POSWEEP_OPTIM_OPTIMIZER_H

#include <posweep/config/config.h>
#include <posweep/parallel/reduce.h>
#include <stdint.h>

struct psw_optimizer_opts {
    int kind; /* enum psw_optimizer */
    double beta1, beta2, eps;
    double weight_decay; /* decoupled (lr * decay * param), on all parameters alike */
};

struct psw_optimizer_opts psw_optimizer_opts_of(const struct psw_config_train *train);

/** One step. */
struct psw_update {
    int64_t t; /* updates so far plus one: 1 at the first step */
    double lr;
    double grad_scale; /* multiplies the gradient on the way in: 1/n of a mean, clip factor */
};

/** The arrays of a run, whole ([n_param] each); only the slice is touched. m and v are the
 * state of AdamW, zero before the first step; sgd leaves them alone (they may be NULL). */
struct psw_optimizer_arrays {
    float *param;
    const float *grad;
    float *m, *v;
};

/** Update param (and m, v) over [slice.begin, slice.end) by the rule of opts->kind. sgd is
 * plain param -= lr * (grad_scale * grad + decay * param), without momentum. MPI: Local.
 *  Source: Loshchilov & Hutter 2019, algorithm 2, as PyTorch computes it (bias-corrected, eps
 *          outside the root). */
void psw_optimizer_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                        struct psw_update update, struct psw_slice slice,
                        struct psw_optimizer_arrays arrays);

void psw_adamw_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                    struct psw_update update, struct psw_slice slice,
                    struct psw_optimizer_arrays arrays);
void psw_sgd_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                  struct psw_update update, struct psw_slice slice,
                  struct psw_optimizer_arrays arrays);

/** Apply Adam's preconditioner of the state after t >= 1 updates: out = x / (sqrt(v_hat) +
 * eps), v_hat = v / (1 - beta2^t). out may be x. With sgd out = x. Shapes: v, x, out:
 * [n_param], touched in the slice only. MPI: Local. */
void psw_optimizer_precondition(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                                int64_t t, struct psw_slice slice, const float *v,
                                const float *x, float *out);

#endif
