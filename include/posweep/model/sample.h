/* Sampling from the policy: batched decoding with a cache of keys and values.
 *
 * Sequences are decoded together so that weights are read once per step for all of them. A
 * prompt is computed once however many responses are drawn from it; a finished sequence gives
 * its place to the next one waiting. Each value is computed from its own sequence alone, in a
 * fixed order, and each draw is keyed by (rng, item, token), so that a response is the same
 * bits whatever is decoded beside it. (It is not bit for bit what psw_model_forward computes,
 * which sums in the order of the BLAS.) */
#ifndef POSWEEP_MODEL_SAMPLE_H
#define POSWEEP_MODEL_SAMPLE_H

#include <posweep/data/batch.h>
#include <posweep/kernels/exec.h>
#include <posweep/model/model.h>
#include <posweep/util/rng.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/** How to sample. Plain data. */
struct psw_sample_opts {
    double temperature; /* 0: greedy, lowest id among equals */
    double top_p;       /* 1: off */
    int32_t top_k;      /* 0: off; comes before top_p */
    int32_t max_new;    /* tokens per response, at least 1; and the row length of the outputs */
    int32_t eos;        /* a response ends with it; -1: with the length only */
    struct psw_rng rng; /* the draw of token t of sequence s is at (first_item + s, t) */
    uint64_t first_item; /* so that a shard draws what the whole would have drawn */
};

/** Hears each token as it is drawn: that of sequence s = prompt * n_sample + response. */
struct psw_sample_listener {
    void (*hear)(void *ctx, int64_t seq, int32_t token); /* NULL: nobody listens */
    void *ctx;
};

/** Asked after every PSW_SAMPLE_ASK_STEPS steps of the decoder: sampling ends where the answer
 * is not 0, and nothing of it counts. */
struct psw_sample_stop {
    int (*is_wanted)(void *ctx); /* NULL: to the end */
    void *ctx;
};

enum { PSW_SAMPLE_ASK_STEPS = 32 };

/** What to respond to, and how. Borrowed. */
struct psw_sample_in {
    const struct psw_example *const *prompt; /* [n_prompt]; their responses are ignored */
    int64_t n_prompt;
    int32_t n_sample; /* responses to each prompt */
    const struct psw_sample_opts *opts;
    struct psw_sample_listener listener;
    struct psw_sample_stop stop;
};

/** The responses, prompt by prompt; of a row only the first n_token are set. Borrowed. */
struct psw_sample_out {
    int32_t *token;   /* [n_prompt * n_sample][max_new] */
    int32_t *n_token; /* [n_prompt * n_sample], EOS included */
    float *logp;      /* [n_prompt * n_sample][max_new]; NULL: not wanted */
};

/** What memory depends on. */
struct psw_sample_shape {
    int64_t n_seq;                     /* n_prompt * n_sample */
    int64_t max_prompt, max_new;       /* tokens */
    const struct psw_backend *backend; /* NULL: cpu */
};

/** How many sequences psw_model_sample decodes at a time. */
int64_t psw_model_sample_n_slot(const struct psw_model *model,
                                const struct psw_sample_shape *shape);

/** Take what psw_model_sample takes from exec->scratch, and give it back: for planning, in a
 *  measuring arena. The number of sequences decoded at a time follows from the dimensions, and
 *  with it this bound, which does not grow with n_seq beyond it. */
void psw_model_sample_layout(const struct psw_model *model,
                             const struct psw_sample_shape *shape, struct psw_arena *arena);

/** The bytes of it, of buffers and in host memory together. Errors: PSW_ENOMEM. */
psw_status psw_model_sample_bytes(const struct psw_model *model,
                                  const struct psw_sample_shape *shape, size_t *n_bytes,
                                  struct psw_error *err);

/** Draw n_sample responses to each prompt.
 *  A response ends with EOS, after max_new tokens, or when prompt and response fill the
 * context; a prompt that fills it alone gets none. logp: log-probability of each drawn token
 * under the temperature (under 1 when that is 0), before top-k and top-p.
 * With a measuring scratch arena memory is counted and nothing else done. Runs on one thread.
 *  Units:  logp in nat.
 *  Errors: PSW_EINVAL for options, or a prompt that is empty, longer than the context or
 * outside the vocabulary; PSW_EDIVERGED when logits are not finite; PSW_ESTOP. */
psw_status psw_model_sample(const struct psw_model *model, struct psw_exec *exec,
                            const float *param, const struct psw_sample_in *in,
                            const struct psw_sample_out *out, struct psw_error *err);

#endif
