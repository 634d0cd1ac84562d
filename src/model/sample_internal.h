/* What the decoder's files share: the rows of one step, and the buffers it runs in. */
#ifndef POSWEEP_MODEL_SAMPLE_INTERNAL_H
#define POSWEEP_MODEL_SAMPLE_INTERNAL_H

#include <posweep/kernels/decode_attention.h>
#include <posweep/model/model.h>
#include <posweep/model/sample.h>
#include <posweep/util/arena.h>
#include <stdint.h>

/** Sizes that memory follows from. */
struct psw_decoder_size {
    int64_t n_slot;   /* sequences decoded at a time */
    int64_t max_row;  /* tokens fed in one step */
    int64_t capacity; /* cached positions of a slot */
};

/** Buffers of the decoder; all in one arena, pointers NULL when it is measuring. */
struct psw_decoder {
    const struct psw_model_layout *layout;
    const float *param;
    struct psw_decoder_size size;
    float *cache;                                 /* [n_slot][L] caches */
    float *x, *x_hat, *rstd, *norm1, *norm2;      /* [max_row][C], rstd [max_row] */
    float *qkv, *mixed, *up, *active, *score;     /* [max_row][3C], [C], [F], [F] */
    float *last, *last_norm, *logit, *weight;     /* [n_slot][C], [C], [V]; weight [V] */
    int32_t *row_token, *row_position, *row_slot; /* [max_row] what to feed */
    int32_t *pick;                                /* [n_slot] rows whose logits are wanted */
    int64_t n_row, n_pick;
};

/** Take the buffers from the arena. */
void psw_decoder_init(struct psw_decoder *dec, const struct psw_model *model,
                      const float *param, struct psw_decoder_size size,
                      struct psw_arena *arena);

/** How many sequences psw_model_sample decodes at a time. */
int64_t psw_sampler_n_slot(const struct psw_model *model, const struct psw_sample_shape *shape);

/** The cache of one layer of one slot. */
struct psw_decode_cache psw_decoder_cache(const struct psw_decoder *dec, int64_t slot,
                                          int64_t layer);

/** Copy the first n_position cached positions of all layers. */
void psw_decoder_copy(const struct psw_decoder *dec, int64_t from_slot, int64_t n_position,
                      int64_t to_slot);

/** Feed the rows: their keys and values enter the caches, and logits of picked rows are made,
 *  in order. Rows of one slot stand in order of position. */
void psw_decoder_step(struct psw_decoder *dec);

#endif
