/* How fast rollouts are sampled: more responses than there are slots, which end when they end;
 * and what it saves to draw several responses to one prompt. All on one thread. */
#ifndef POSWEEP_BENCH_ROLLOUT_SPEED_H
#define POSWEEP_BENCH_ROLLOUT_SPEED_H

#include <posweep/model/model.h>
#include <stddef.h>

/** Responses end with EOS, whose share of the probability is about 1 / end_tok: the bias of the
 *  final norm of a random model points along EOS's row of the head. */
struct psw_bench_rollout_opts {
    struct psw_model_dims dims; /* context >= n_prompt + max_new */
    int64_t n_seq;              /* responses, each to its own prompt */
    int64_t n_prompt, max_new;  /* tokens */
    double end_tok;             /* mean length, were it not for max_new */
    int64_t n_rep;              /* measured repetitions */
};

/** Medians over the repetitions. Rates are drawn tokens over the time of the whole call,
 *  prompts included. The floor: the weights are read once in each of the fewest steps that
 *  these lengths allow, or the FLOPs of all tokens at the rate of a large SGEMM, whichever
 *  takes longer. */
struct psw_bench_rollout_result {
    int64_t n_slot;                /* sequences at a time */
    double mean_tok;               /* length that came out, EOS included */
    double tok_per_s;              /* of responses that end with EOS or max_new */
    double floor_tok_per_s, ratio; /* tok_per_s over the floor's: 1 is perfect */
    double equal_tok_per_s;        /* of responses of the mean length, all alike */
    double equal_ratio; /* median of both rates of one repetition, first over second */
    double occupancy; /* share of a slot's steps that draw, in the fewest steps there can be */
    size_t memory_bytes;
};

/** Time psw_model_sample at temperature 1. Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_rollout(const struct psw_bench_rollout_opts *opts,
                             struct psw_bench_rollout_result *out,
                             struct psw_error *err) PSW_MUST_CHECK;

struct psw_bench_group_opts {
    struct psw_model_dims dims; /* context >= n_prompt + n_new */
    int64_t n_group, n_sample;  /* prompts, responses to each */
    int64_t n_prompt, n_new;    /* tokens; all responses are equally long */
    int64_t n_rep;
};

/** Medians over the repetitions. The responses are the same both ways. */
struct psw_bench_group_result {
    double apart_s, shared_s; /* every response with a prompt of its own; one for n_sample */
    double ratio;             /* median of apart over shared of one repetition */
    double flop_ratio;        /* what the FLOPs promise */
};

/** Time n_sample responses to a prompt as such, and as responses to n_sample prompts.
 *  Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_group(const struct psw_bench_group_opts *opts,
                           struct psw_bench_group_result *out,
                           struct psw_error *err) PSW_MUST_CHECK;

#endif
