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

struct psw_exec;

/** Rows to draw for: row r of them from row source[r] of the logits, with u[r] in (0, 1). All
 * in host memory, results too. */
struct psw_draw_rows {
    int64_t n_row;
    const int32_t *source; /* NULL: row r of the logits */
    const double *u;
    int32_t *token; /* [n_row] drawn; -1 when a logit of its row is NaN or +infinity */
    float *logp;    /* [n_row] or NULL; of the token in nat, as under psw_draw_ops.tokens */
};

struct psw_draw_ops {
    /** Draw one token per row: the one whose share of [0, 1) holds u, tokens in order of id.
     *  Equal probabilities count in order of id when truncating. logp: under the temperature
     *  (under temperature 1 when that is 0), before top-k and top-p, so that it can stand
     *  beside another policy's. Waits for the results.
     *  Shapes: logit [][n_vocab]; weight [n_vocab] is scratch. */
    void (*tokens)(struct psw_exec *exec, const struct psw_draw_opts *opts, int64_t n_vocab,
                   const float *logit, struct psw_draw_rows rows, float *weight);
};

#endif
