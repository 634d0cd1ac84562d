/* Drawing a token from logits: temperature, top-k, top-p. */
#ifndef POSWEEP_KERNELS_DRAW_H
#define POSWEEP_KERNELS_DRAW_H

#include <stdint.h>

/** How to draw. Plain data. */
struct psw_draw_opts {
    double temperature; /* 0: the largest logit, lowest id among equals */
    double top_p;       /* 1: off. Keep the fewest tokens, most probable first, that hold it */
    int32_t top_k;      /* 0: off. Keep the k most probable; comes before top_p */
};

/** Draw one token with u in (0, 1): the token whose share of [0, 1) holds u, tokens in order of
 *  id. Equal probabilities count in order of id when truncating. logp (or NULL): its
 *  log-probability under the temperature (under temperature 1 when that is 0), before top-k
 *  and top-p, so that it can stand beside another policy's.
 *  Shapes: logit, weight: [n_vocab]; weight is scratch.
 *  Units:  logp in nat.
 *  Errors: -1 when a logit is NaN or +infinity. */
int32_t psw_draw_token(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                       double u, float *weight, float *logp);

/** The distribution that psw_draw_token draws from: temperature, cuts, then shares of what is
 *  left; one token has it all when the temperature is 0. log_sum (or NULL): log of the sum of
 *  exp(logit / temperature) over all tokens (temperature 1 when that is 0), cuts aside.
 *  Shapes: logit, prob [n_vocab]; prob may be logit.
 *  Errors: -1 when a logit is NaN or +infinity; prob is then NaN, and log_sum too. */
int psw_draw_distribution(const struct psw_draw_opts *opts, int64_t n_vocab, const float *logit,
                          float *prob, double *log_sum);

#endif
