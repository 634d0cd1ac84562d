/* How fast sampling is, beside what the machine allows.
 *
 * Two floors stand under a step: every weight is read once, and every token costs its FLOPs.
 * Both are measured in turn with the step itself, because shared machines drift. */
#ifndef POSWEEP_BENCH_SAMPLE_SPEED_H
#define POSWEEP_BENCH_SAMPLE_SPEED_H

#include <posweep/model/model.h>
#include <stddef.h>

struct psw_bench_sample_opts {
    struct psw_model_dims dims; /* context > n_prompt + n_new */
    int64_t n_seq;              /* sequences at a time */
    int64_t n_prompt, n_new;    /* tokens; one more is drawn at the end */
    int64_t n_rep;              /* measured repetitions, after one to warm up */
};

/** Medians over the repetitions. A step draws and feeds one token of every sequence; the prompt
 *  is timed apart and left out. FLOPs are those of the model's products, with the mean number
 * of cached positions. */
struct psw_bench_sample_result {
    double step_s, tok_per_s, prefill_s;
    double weight_bytes, stream_s;         /* one read of all weights */
    double flop_per_step, gemm_flop_per_s; /* rate of a large SGEMM */
    double floor_s; /* the larger of stream_s and the FLOPs at the SGEMM rate */
    double ratio;   /* floor_s / step_s: 1 is perfect */
    size_t memory_bytes;
};

/** Time psw_model_sample at temperature 1 on one thread.
 *  Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_sample(const struct psw_bench_sample_opts *opts,
                            struct psw_bench_sample_result *out,
                            struct psw_error *err) PSW_MUST_CHECK;

#endif
