/* Rotary positions: the first R dimensions of queries and keys are rotated in pairs
 * (i, i + R/2) by position * base^(-2i/R); the rest pass. (Su et al. 2021, in gpt_neox's
 * half-split layout.) All in place on rows that qkv.h describes. */
#ifndef POSWEEP_KERNELS_ROTARY_H
#define POSWEEP_KERNELS_ROTARY_H

#include <posweep/kernels/qkv.h>

struct psw_rotary_dims {
    int64_t n_tok;
    int64_t n_rotated; /* R, even, at most the width of a head; 0: nothing happens */
    struct psw_qkv qkv;
};

/** Angles of every position, in host memory. Shapes: cosine, sine [context][R/2], borrowed. */
struct psw_rotary_table {
    const float *cosine, *sine;
};

enum psw_rope_kind { PSW_ROPE_PLAIN, PSW_ROPE_LINEAR, PSW_ROPE_LLAMA3 };

/** How a model that goes beyond the context it was first trained on turns its pairs slower:
 *  linear: all by factor; llama3: by factor where a turn takes more than original_context /
 *  low_freq_factor tokens, not at all below original_context / high_freq_factor, and in between
 *  by a mean of both. Members that a kind does not name are not read.
 *  Source: Chen et al. 2023 (linear); Hugging Face's rope_type llama3. */
struct psw_rope_scaling {
    enum psw_rope_kind kind;
    double factor;
    double low_freq_factor, high_freq_factor;
    int64_t original_context;
};

/** Fill the tables, in host memory (angles in double). Shapes: [context][n_rotated / 2]. */
void psw_rotary_fill(int64_t context, int64_t n_rotated, double base,
                     struct psw_rope_scaling scaling, float *cosine, float *sine);

struct psw_exec;

struct psw_rotary_ops {
    void (*forward)(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv);

    /** The inverse rotation: turns the cotangent of the output into that of the input, in
     *  place. */
    void (*backward)(struct psw_exec *exec, struct psw_rotary_dims d,
                     struct psw_rotary_table table, const int32_t *position, float *qkv_bar);

    /** Value and tangent. Shapes: qkv dual [2][n_tok][qkv.row]. */
    void (*tangent)(struct psw_exec *exec, struct psw_rotary_dims d,
                    struct psw_rotary_table table, const int32_t *position, float *qkv);
};

#endif
