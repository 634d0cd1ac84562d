/* What a family of transformers is written in: rows of tensors and rows of operations.
 *
 * A model is: rows of an embedding; blocks, all alike, that read and add to the residual
 * stream; a norm of the rows that predict; a vocabulary head. A family says what the tensors
 * are called and what a block does, as a list of operations that read and write slots. Nothing
 * else in posweep depends on the family. */
#ifndef POSWEEP_MODEL_FAMILY_H
#define POSWEEP_MODEL_FAMILY_H

#include "op.h"

/** Initial values: the two projections that write to the stream begin smaller by sqrt(2 L). */
enum init_rule { INIT_ZERO, INIT_ONE, INIT_NORMAL, INIT_RESIDUAL, INIT_VALUE };

/** Where a tensor belongs: to every block (its name then follows the block's), or once to the
 *  model. A tied model has no head of its own. */
enum tensor_role { ROLE_BLOCK, ROLE_MODEL, ROLE_EMBED, ROLE_HEAD, ROLE_VALUE };

/** One tensor. It begins at a multiple of 16 floats, or right behind the tensor before it when
 *  it continues that: rows that one product computes together. */
struct tensor_row {
    const char *name; /* as Hugging Face names it; NULL ends the table */
    enum size_name n_row, n_col;
    enum init_rule init;
    enum tensor_role role;
    int continues;
};

/** One operation: out = op(in). A module is the name of its tensors without ".weight" and
 *  ".bias"; it has a bias where the table of tensors has one. */
struct op_row {
    const struct op *op; /* NULL ends the program */
    int in, out[2];      /* slots; a second output with its own module, or 0 */
    const char *module[2];
};

/** Slot 0 is the residual stream, in every family: operations read it and add to it. */
enum { STREAM = 0 };

/** A family. Tables are static. */
struct family {
    const char *layer; /* what precedes the number of a block: "gpt_neox.layers." */
    const struct tensor_row *tensor;
    const enum size_name *slot; /* floats per token of each slot, the stream first */
    const struct op_row *block;
    const struct op_row *sequential; /* the block where dims ask for it; NULL: not a choice */
    struct op_row norm;              /* of the rows that predict, stream to slot 1 */
};

/** The family of that number. */
const struct family *psw_family_of(enum psw_family family);

#endif
