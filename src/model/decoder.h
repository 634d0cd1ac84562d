/* The decoder: rows of one step through all layers, with a cache of keys and values. */
#ifndef POSWEEP_MODEL_DECODER_H
#define POSWEEP_MODEL_DECODER_H

#include "model_internal.h"

#include <posweep/kernels/attention.h>
#include <posweep/model/sample.h>

/** Sizes that memory follows from. */
struct psw_decoder_size {
    int64_t n_slot;                            /* sequences decoded at a time */
    int64_t max_row;                           /* tokens fed in one step */
    int64_t capacity;                          /* cached positions of a slot */
    const struct psw_attention_ops *attention; /* of the backend, whose the caches are */
};

/** What is fed in a step, and the rows whose logits are wanted. */
struct psw_decoder_feed {
    int32_t *token, *position, *slot; /* [max_row] */
    int32_t *pick;                    /* [n_slot] */
    int64_t n_row, n_pick;
};

/** Everything is in one arena; pointers are NULL when it is measuring. */
struct psw_decoder {
    const struct psw_model *model;
    struct psw_exec *exec;
    const float *param;
    struct psw_decoder_size size;
    struct psw_decoder_feed feed;
    float *cache, *score;       /* [n_slot][L] caches; [capacity] */
    float *slot[PROGRAM_SLOTS]; /* of the program, for max_row rows */
    struct op_arrays last;      /* of the norm, for the rows picked */
    float *logit;               /* [n_slot][V] */
    int64_t layer;              /* that is worked on */
};

/** Take the buffers from the arena. */
void psw_decoder_init(struct psw_decoder *dec, const struct psw_model *model,
                      struct psw_decoder_size size, struct psw_arena *arena);

/** Floats that a slot caches of one layer. */
int64_t psw_decoder_cache_n_elem(const struct psw_model *model, struct psw_decoder_size size);

/** Copy the first n_position cached positions of all layers. */
void psw_decoder_copy(const struct psw_decoder *dec, int64_t from_slot, int64_t n_position,
                      int64_t to_slot);

/** Put every row's keys and values in its cache, then let every row look at its own past.
 *  Shapes: qkv [n_row][layout->row], out [n_row][n_head * head_width]. */
void psw_decoder_attend(const struct psw_decoder *dec, const struct psw_qkv *layout,
                        const float *qkv, float *out);

/** Feed the rows: their keys and values enter the caches, and logits of picked rows are made,
 *  in order. Rows of one slot stand in order of position. */
void psw_decoder_step(struct psw_decoder *dec);

#endif
