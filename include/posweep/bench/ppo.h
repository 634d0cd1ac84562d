/* What one step of PPO costs, part by part, and how much of it is arithmetic: the policy
 * stage's own step on the generated task `lists`, rewarded by its scorer, with a separate
 * critic and one minibatch per epoch. The policy is a short SFT's, so that responses end as
 * they do in training. */
#ifndef POSWEEP_BENCH_PPO_H
#define POSWEEP_BENCH_PPO_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

struct psw_bench_ppo_opts {
    int64_t n_layer, width, n_head, context;
    int64_t batch, max_new; /* responses per step, their longest */
    int64_t epochs;
    int64_t n_sft; /* steps of the SFT */
    int64_t n_rep; /* measured steps, after one to warm up; below 10: none of them is logged */
    const char *work_dir; /* for the files of the stages; made, and removed */
};

enum { PSW_BENCH_PPO_PARTS = 10 };
/** Names of the parts; the last one is the rest. */
extern const char *const PSW_BENCH_PPO_PART[PSW_BENCH_PPO_PARTS];

/** Medians over the steps. Products: the matrix products of the passes alone (products.h),
 *  with the shapes of the same step, in turn with it; sampling: the linear maps and attention
 *  of its sampling, likewise. */
struct psw_bench_ppo_result {
    double step_s, part_s[PSW_BENCH_PPO_PARTS];
    double products_s, sampling_s;
    double share;         /* median of products and sampling over the time of their step */
    double mean_tok, tok; /* length of a response, tokens through a pass */
    int64_t n_param;
    size_t memory_bytes; /* of the stage */
};

/** Time steps of PPO on one rank and thread.
 *  MPI: Local, after MPI_Init. Errors: PSW_EINVAL for sizes; PSW_ENOMEM; those of files. */
psw_status psw_bench_ppo(const struct psw_bench_ppo_opts *opts,
                         struct psw_bench_ppo_result *out,
                         struct psw_error *err) PSW_MUST_CHECK;

#endif
