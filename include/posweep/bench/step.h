/* How fast a training step is, beside the matrix products it consists of.
 *
 * GEMM-only is every matrix product of the step on its shapes and nothing else, through the
 * same BLAS, with attention over full T x T squares: the yardstick that a step is held to.
 * Both are timed in turn, because shared machines drift. */
#ifndef POSWEEP_BENCH_STEP_H
#define POSWEEP_BENCH_STEP_H

#include <posweep/model/model.h>

/** One optimiser step over param in place, e.g. AdamW. */
typedef void psw_bench_update(void *ctx, int64_t n, float *param, const float *grad);

struct psw_bench_step_opts {
    struct psw_model_dims dims;
    int64_t T, B;             /* B sequences of T tokens, every token predicts */
    int64_t n_rep;            /* measured repetitions, after one to warm up */
    int n_thread;             /* BLAS threads */
    psw_bench_update *update; /* NULL: no optimiser */
    void *ctx;
};

/** Medians over the repetitions. FLOPs per token: 6 (L (4 C^2 + 2 C F) + V C) + 12 L C T. */
struct psw_bench_step_result {
    double step_s, gemm_s, forward_s, tangent_s, update_s;
    double tok_per_s, gemm_tok_per_s, gflop_per_s;
    double ratio; /* median over repetitions of gemm_s / step_s of the same repetition */
    size_t memory_bytes;
};

/** Time psw_model_nll + update, and beside it GEMM-only, forward and tangent.
 *  Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_step(const struct psw_bench_step_opts *opts,
                          struct psw_bench_step_result *out,
                          struct psw_error *err) PSW_MUST_CHECK;

#endif
