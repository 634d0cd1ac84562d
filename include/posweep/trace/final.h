/* The final responses D': what the converged policy of a run says to held-out prompts. */
#ifndef POSWEEP_TRACE_FINAL_H
#define POSWEEP_TRACE_FINAL_H

#include <posweep/config/config.h>
#include <posweep/data/dataset.h>
#include <posweep/model/shards.h>

/** Sampled responses, one example per prompt with up to PSW_EXAMPLE_SEQS samples each, the same
 * on every rank. The arrays belong to the struct. */
struct psw_final {
    int64_t n_prompt, n_sample;         /* samples of each prompt */
    int64_t n_seq;                      /* n_prompt * n_sample */
    int64_t stride;                     /* longest response that was allowed */
    int32_t *token;                     /* [n_seq][stride] owned */
    int32_t *n_token;                   /* [n_seq] owned, at least 1 */
    struct psw_example *example;        /* [n_prompt] owned */
    const struct psw_example **pointer; /* [n_prompt] owned: &example[i] */
};

/** What the responses are like. */
struct psw_final_quality {
    double score;      /* mean by the task's scorer; NaN without one */
    double eos_rate;   /* share that ended by EOS */
    double length_tok; /* mean response length, EOS counted */
    double distinct_1, distinct_2;
    int degenerate; /* 1: hardly any EOS or diversity; G along it means little */
};

/** What samples. Borrowed. */
struct psw_sampler {
    const struct psw_team *team;
    const struct psw_model *model;
    struct psw_exec *exec; /* its scratch has room for psw_final_scratch bytes */
    const struct psw_config *config;
    const float *param; /* [P] */
};

/** Sample responses to the first held-out prompts; each shard of prompts is sampled alone, so
 * the draws do not depend on the ranks. MPI:    Collective (team->comm). Same on all ranks:
 * everything. Owns:   the caller clears. Errors: PSW_EINVAL when there is no held-out prompt,
 * PSW_EDIVERGED, PSW_ENOMEM. */
psw_status psw_final_sample(const struct psw_sampler *with, const struct psw_dataset *data,
                            struct psw_final *out, struct psw_error *err);

/** Scratch bytes that sampling takes, for the longest responses of psw_final_bound. */
psw_status psw_final_scratch(const struct psw_model *model, const struct psw_final *bound,
                             int n_shard, size_t *n_bytes, struct psw_error *err);

/** The same struct with every response as long as it may get and no sampling: for planning
 * memory. MPI: Local. Owns: the caller clears. Errors: as psw_final_sample. */
psw_status psw_final_bound(const struct psw_config *config, const struct psw_dataset *data,
                           struct psw_final *out, struct psw_error *err);

/** Measure quality. Errors: PSW_ENOMEM. */
psw_status psw_final_measure(const struct psw_final *final, const struct psw_dataset *data,
                             struct psw_final_quality *out, struct psw_error *err);

/** Score of every response by the task's scorer (NaN without one).
 *  Shapes: out [n_seq]. */
void psw_final_scores(const struct psw_final *final, const struct psw_dataset *data,
                      double *out);

/** Accepts a zeroed struct. */
void psw_final_clear(struct psw_final *final);

#endif
