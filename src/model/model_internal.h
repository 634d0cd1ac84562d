/* The inside of a model: its tables, and its program as the walks read it. */
#ifndef POSWEEP_MODEL_INTERNAL_H
#define POSWEEP_MODEL_INTERNAL_H

#include "family.h"

#include <posweep/kernels/value.h>

enum { PROGRAM_OPS = 16, PROGRAM_SLOTS = 24 };

/** An operation with everything looked up. Offsets count from the first tensor of the layer;
 *  those of the model's norm from the first tensor of all. */
struct bound_op {
    const struct op *op;
    int in, out[2], saved[2]; /* slots; 0: none, but for in and out[0] */
    int clears;               /* backward: it is the first to add to the cotangent of `in` */
    int n_module;
    int64_t n_in, n_out; /* floats per token of in and out[0] */
    int64_t w[2], b[2];  /* offsets; -1: none */
};

/** Which slots share memory in a walk. A slot without a buffer is not there. */
struct buffer_plan {
    int n_buffer;
    int of[PROGRAM_SLOTS];        /* buffer of a slot; -1: none */
    int64_t width[PROGRAM_SLOTS]; /* floats per token of a buffer */
};

/** The block of a model, fixed when it is created. Slots are the family's and behind them what
 *  operations save. */
struct program {
    int n_op, n_slot;
    struct bound_op op[PROGRAM_OPS], norm;
    int64_t width[PROGRAM_SLOTS]; /* floats per token of a slot */
    int64_t layer0, stride;       /* first tensor of layer 0; from one layer to the next */
    struct buffer_plan plan[N_WALK];
};

struct psw_model {
    struct psw_model_dims dims;
    struct psw_model_layout layout;
    const struct family *family;
    struct psw_qkv qkv;
    float *angle;                   /* owned: cosines, then sines */
    struct psw_rotary_table rotary; /* [context][n_rotated / 2] */
    struct program program;
    struct psw_tensor *tensor;   /* owned */
    struct psw_product *product; /* owned */
    int64_t n_tensor, n_weight, n_product;
};

/** A size by its letter. */
int64_t psw_model_size(const struct psw_model *model, enum size_name name);

/** Look up and check the family's program, and plan the buffers of every walk. After the
 * tensors are there. A family that does not fit together is our own bug. */
void psw_program_bind(struct psw_model *model);

/** Make the table of tensors and find the ends of the model in it. */
psw_status psw_model_add_tensors(struct psw_model *model, struct psw_error *err);

/** Make the table of products. */
psw_status psw_model_list_products(struct psw_model *model, struct psw_error *err);

/** Take the stream and the buffers of a walk for n rows (n tokens, twice that if dual). Arrays
 *  of slots that are not there are NULL. Shapes: slot [PROGRAM_SLOTS]. */
void psw_program_buffers(const struct program *program, enum walk walk, int64_t n,
                         struct psw_arena *arena, float **slot);

/** The arrays of an operation among those of all slots. */
struct op_arrays psw_op_arrays(const struct bound_op *op, float *const *slot);

/** A call for the tokens of a pass; operation and arrays are still to be set. */
struct op_call psw_op_call(const struct psw_pass *pass);

/** Walk dry, for the scratch that operations take. */
void psw_program_measure(const struct psw_pass *pass, enum walk walk);

/** Shapes of the heads over the rows of a pass. */
struct psw_head_dims psw_head_dims(const struct psw_pass *pass);
struct psw_value_dims psw_value_dims(const struct psw_pass *pass);

/** The scalar head inside a parameter (or tangent) array of a model that has one. */
struct psw_value_param psw_value_param(const struct psw_pass *pass, const float *param);

#endif
