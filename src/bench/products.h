/* The matrix products of passes and of sampling, and nothing else: what their time is compared
 * with. Which they are says the model (psw_model_products). They go through the kernels that
 * the passes call, small ones and BLAS, with the same shapes, but on operands that lie close
 * together and are used again; so their time is, if anything, less than the products take in a
 * pass. */
#ifndef POSWEEP_BENCH_PRODUCTS_H
#define POSWEEP_BENCH_PRODUCTS_H

#include <posweep/data/batch.h>
#include <posweep/kernels/exec.h>
#include <posweep/model/model.h>

/** Operands; memory is the arena's. */
struct psw_products {
    const struct psw_model *model; /* borrowed */
    struct psw_exec exec;          /* of the cpu */
    int64_t n_slot, capacity;
    float *param, *grad; /* [P] */
    float *x, *y, *z;    /* [n_row][widest]: read, read, written */
    float *cache, *score;
    struct psw_products_slot {
        const struct psw_example *item; /* NULL: free */
        int32_t n_fed;
    } * slot; /* [n_slot] */
};

/** What memory follows from. */
struct psw_products_size {
    int64_t n_row; /* tokens of a batch, or fed in a step of the sampler */
    int64_t n_seq; /* that are sampled in one call */
    int64_t max_prompt, max_new;
};

/** Take and fill the operands; a measuring arena counts. */
void psw_products_init(struct psw_products *p, const struct psw_model *model,
                       struct psw_products_size size, struct psw_arena *arena);

/** Of a forward pass over the batch; n_head: how often the logits of its rows are made. */
void psw_products_forward(struct psw_products *p, const struct psw_batch *batch, int n_head);

/** Of a backward pass; has_head: from the vocabulary head, whose probabilities were kept. */
void psw_products_backward(struct psw_products *p, const struct psw_batch *batch, int has_head);

/** Linear maps and attention (its softmax included) of sampling one response of the given
 *  length to each prompt. A prompt is fed in one step. Shapes: item [n], with one response. */
void psw_products_sample(struct psw_products *p, const struct psw_example *const *item,
                         int64_t n);

#endif
