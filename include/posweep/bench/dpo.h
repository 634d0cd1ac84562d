/* How fast a DPO step is on preference pairs, with each prompt computed once and with it
 * computed for both sides. Both ways are timed in turn on the same pairs. */
#ifndef POSWEEP_BENCH_DPO_H
#define POSWEEP_BENCH_DPO_H

#include <posweep/model/model.h>

struct psw_bench_dpo_opts {
    struct psw_model_dims dims;
    const struct psw_example *const *pair; /* [batch * (n_rep + 1)] */
    int64_t batch, n_rep;                  /* repetitions after one to warm up */
    int n_shard;
};

/** One way. Medians over the repetitions, each on its own batch. */
struct psw_bench_dpo_way {
    double step_s, pairs_per_s;
    double tok, flop; /* of a step, means over the repetitions */
};

struct psw_bench_dpo_result {
    struct psw_bench_dpo_way shared, copied;
    double ratio;      /* median of copied over shared time of the same batch */
    double flop_ratio; /* what the FLOPs promise */
    size_t memory_bytes;
};

/** Time the policy stage's own step: forward, objective, backward, AdamW.
 *  MPI:    Local, after MPI_Init. Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_dpo(const struct psw_bench_dpo_opts *opts,
                         struct psw_bench_dpo_result *out,
                         struct psw_error *err) PSW_MUST_CHECK;

#endif
