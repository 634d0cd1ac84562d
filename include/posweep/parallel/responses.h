/* Responses that a team of ranks samples together: the same tokens on every rank, whatever
 * their number. D' and rollouts are made of them. */
#ifndef POSWEEP_PARALLEL_RESPONSES_H
#define POSWEEP_PARALLEL_RESPONSES_H

#include <posweep/model/sample.h>
#include <posweep/parallel/shards.h>

/** Responses to a list of prompts, one example per prompt with n_sample responses each. The
 *  arrays belong to the struct, the prompts' tokens to whoever gave them. */
struct psw_responses {
    int64_t n_prompt, n_sample;         /* samples of each prompt, at most PSW_EXAMPLE_SEQS */
    int64_t n_seq;                      /* n_prompt * n_sample */
    int64_t stride;                     /* longest response that is allowed */
    int32_t *token;                     /* [n_seq][stride] owned */
    int32_t *n_token;                   /* [n_seq] owned, at least 1 once sampled */
    struct psw_example *example;        /* [n_prompt] owned */
    const struct psw_example **pointer; /* [n_prompt] owned: &example[i] */
};

/** Room for responses. MPI: Local. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_responses_init(int64_t n_prompt, int64_t n_sample, int64_t stride,
                              struct psw_responses *out, struct psw_error *err);

/** Accepts a zeroed struct. MPI: Local. */
void psw_responses_clear(struct psw_responses *r);

/** The prompts to respond to; responses are forgotten. Shapes: prompt [n_prompt]. MPI: Local.
 */
void psw_responses_set_prompts(struct psw_responses *r,
                               const struct psw_example *const *prompt);

/** Make token and n_token, as they are, the responses of the examples. MPI: Local. */
void psw_responses_attach(struct psw_responses *r);

/** Every response as long as it may get, of unset tokens: for planning memory. MPI: Local. */
void psw_responses_bound(struct psw_responses *r);

/** The longest response that leaves room for these prompts in the context, at most `most` (0:
 *  any); 0 when a prompt fills it. MPI: Local. */
int64_t psw_responses_limit(const struct psw_example *const *prompt, int64_t n_prompt,
                            int64_t context, int64_t most);

/** Who keeps the responses of shards. Zeroed: nobody. Both are asked in ascending order, each
 * on the rank that the shard is of. MPI: Local. */
struct psw_shard_keeper {
    void *ctx;
    int (*has)(void *ctx, int shard);   /* they are in place: nothing is to be sampled */
    void (*done)(void *ctx, int shard); /* sampled just now */
};

/** What samples. Borrowed. */
struct psw_sampler {
    const struct psw_team *team;
    const struct psw_model *model;
    struct psw_exec *exec; /* its scratch has room for psw_responses_layout */
    const float *param;    /* [P] */
    struct psw_sample_stop
        stop; /* MPI: Collective (team->comm). Same on all ranks: the answer */
    struct psw_shard_keeper keeper;
};

/** Sample every response; each shard of prompts is sampled alone, so the draws do not depend on
 * the ranks. opts: max_new is set to the stride; first_item counts from the first response.
 * MPI:    Collective (team->comm). Same on all ranks: everything.
 * Errors: PSW_EDIVERGED, PSW_EINVAL; PSW_ESTOP when the stop is wanted: the responses are none.
 */
psw_status psw_responses_sample(const struct psw_sampler *with,
                                const struct psw_sample_opts *opts, struct psw_responses *r,
                                struct psw_error *err);

/** Take what sampling these prompts takes, on any rank, and give it back: for planning, in a
 *  measuring arena. with->param is not read. MPI: Local. */
void psw_responses_layout(const struct psw_sampler *with, const struct psw_responses *r,
                          struct psw_arena *arena);

#endif
