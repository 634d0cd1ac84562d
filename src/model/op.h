/* Operations: what blocks are made of. One row of functions each; to every walk over a program
 * belongs one function, so a kernel is named in one place. */
#ifndef POSWEEP_MODEL_OP_H
#define POSWEEP_MODEL_OP_H

#include <posweep/model/model.h>

/** Sizes by their letters, see kernels/dims.h; H times the width of a head is SIZE_Q. */
enum size_name {
    SIZE_NONE,
    SIZE_ONE,
    SIZE_C,
    SIZE_H,
    SIZE_D,
    SIZE_Q,   /* queries of a token */
    SIZE_KV,  /* keys of a token, or values */
    SIZE_QK,  /* queries and keys */
    SIZE_QKV, /* all three */
    SIZE_H2,  /* heads of queries, and those of keys */
    SIZE_F,
    SIZE_2F,
    SIZE_V,
    N_SIZE
};

/** The walks over a program. Backward goes from the last operation to the first and its arrays
 *  are cotangents; arrays of the tangent walk are dual. */
enum walk { FORWARD, BACKWARD, TANGENT, DECODE, N_WALK };

struct psw_decoder;
struct bound_op;

/** Arrays of an operation: of its slots, and what forward leaves for backward beside them. */
struct op_arrays {
    float *in, *out[2], *saved[2];
};

/** What an operation's functions get. Not every walk has everything. */
struct op_call {
    const struct bound_op *op;
    const struct psw_model *model;
    struct psw_exec *exec;
    int64_t n_row;                  /* tokens, or rows that predict */
    const struct psw_batch *batch;  /* not when decoding */
    const int32_t *position;        /* [n_row] */
    const float *param, *param_dot; /* of this layer */
    float *grad;
    struct op_arrays at;         /* values */
    struct op_arrays bar;        /* cotangents, of backward */
    struct psw_decoder *decoder; /* of decode */
};

struct op {
    unsigned in_place;       /* bits of walks: the output takes the input's place */
    int sets_bar;            /* backward writes bar.in rather than adding to it */
    int takes_scratch;       /* forward, backward and tangent run dry, too, to measure it */
    enum size_name saved[2]; /* floats per token */
    enum size_name gain;     /* rows of a module; SIZE_NONE: as many as out has floats */
    void (*forward)(const struct op_call *c);
    void (*backward)(const struct op_call *c); /* adds to gradients and, mostly, bar.in */
    void (*tangent)(const struct op_call *c);
    void (*decode)(const struct op_call *c); /* rows whose bits do not depend on each other */
    /* The products of one layer; 0 if there are none. weight: offset of the layer. */
    int (*product)(const struct psw_model *model, const struct bound_op *op,
                   struct psw_product *out);
};

extern const struct op PSW_OP_LAYERNORM;  /* one or two modules */
extern const struct op PSW_OP_RMSNORM;    /* one module, without bias */
extern const struct op PSW_OP_LINEAR;     /* a module with those that continue it */
extern const struct op PSW_OP_LINEAR_ADD; /* the same, added to the output */
extern const struct op PSW_OP_HEADNORM;   /* modules of queries and of keys; in place */
extern const struct op PSW_OP_ROTARY;     /* in place */
extern const struct op PSW_OP_ATTENTION;
extern const struct op PSW_OP_SWIGLU; /* of all gates, then all ups */
extern const struct op PSW_OP_GELU;   /* input and output are slots of their own */

#endif
