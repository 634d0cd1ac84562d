/* A transformer: embedding, blocks of its family, a norm, a vocabulary head (its own or the
 * embedding), and for reward models and critics a scalar head.
 *
 * A model is immutable: sizes, the parameter table, the program of its block and rotary tables.
 * Parameters, gradients and tangents are buffers of psw_model_n_param floats laid out by that
 * table; the caller owns them. They and all other arrays of floats here belong to the backend
 * of the exec that is passed along (kernels/backend.h). No function here communicates, and none
 * allocates but from the arenas given: a measuring arena in exec->scratch (or for
 * psw_act_create) counts without touching memory, so that memory is planned by the code that
 * uses it. The same inputs give the same bits. */
#ifndef POSWEEP_MODEL_MODEL_H
#define POSWEEP_MODEL_MODEL_H

#include <posweep/data/batch.h>
#include <posweep/kernels/dims.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/head_soft.h>
#include <posweep/kernels/qkv.h>
#include <posweep/kernels/rotary.h>
#include <posweep/model/families.h>
#include <posweep/util/status.h>

struct psw_model_dims {
    enum psw_family family;
    int64_t n_layer, width, hidden, n_vocab, context;
    struct { /* attention */
        int64_t n_head;
        int64_t n_kv_head;  /* of keys and values, divides n_head; 0: n_head */
        int64_t head_width; /* 0: width / n_head */
        int64_t window;     /* tokens that a token sees, itself included; 0: all before it */
    };
    struct {                 /* rotary positions */
        int64_t rotary_dims; /* per head, even; not read where a family rotates all of it */
        double rotary_base;
        struct psw_rope_scaling scaling;
    };
    double norm_eps, init_std;
    int sequential; /* gpt_neox: the feed-forward part reads what attention added */
    int tied;       /* the head is the embedding */
    int value;      /* a scalar head beside the vocabulary's, on the same normalised rows */
};

enum { PSW_TENSOR_NAME_BYTES = 80 };

/** One tensor of the parameter array. n_col is 0 for vectors. */
struct psw_tensor {
    char name[PSW_TENSOR_NAME_BYTES]; /* as Hugging Face names it */
    int64_t offset;                   /* in floats; a multiple of 16, unless it continues the
                                         tensor before it */
    int64_t n_row, n_col;
    int continues;    /* stands right behind the tensor before it: one product makes both */
    double init_std;  /* 0: every element is init_mean */
    double init_mean; /* 1 for gains, else 0 */
};

/** Elements of a tensor. */
static inline int64_t psw_tensor_n_elem(const struct psw_tensor *t)
{
    return t->n_row * (t->n_col ? t->n_col : 1);
}

struct psw_model; /* opaque, owns its tables */

/** Check the sizes and build the tables. Owns: the caller destroys.
 *  Errors: PSW_EINVAL names the size that cannot be; PSW_ENOMEM. */
psw_status psw_model_create(const struct psw_model_dims *dims, struct psw_model **out,
                            struct psw_error *err) PSW_MUST_CHECK;

/** Accepts NULL. */
void psw_model_destroy(struct psw_model *model);

const struct psw_model_dims *psw_model_dims(const struct psw_model *model);

/** Length of a parameter array in floats, a multiple of 16: tensors are padded to 64 bytes
 * (those that one product computes together behind the last of them), and padding stays zero.
 */
int64_t psw_model_n_param(const struct psw_model *model);

/** Number of weights proper, without the padding. */
int64_t psw_model_n_weight(const struct psw_model *model);

/** All tensors in the order of their offsets; borrowed. Those of the scalar head come last: the
 *  parameters of a model without it are the beginning of those of the model with it. */
const struct psw_tensor *psw_model_table(const struct psw_model *model, int64_t *n_tensor);

/** The tensor of that name, or NULL. */
const struct psw_tensor *psw_model_find(const struct psw_model *model, const char *name);

/** Initial parameters: gains 1, biases 0, matrices normal(0, init_std), the two projections
 *  that write to the residual stream normal(0, init_std / sqrt(2 n_layer)) as in GPT-2, the
 *  scalar head normal(0, 1 / sqrt(width + 1)). Keyed by seed, tensor and element.
 *  Shapes: param [n_param]. */
void psw_model_init(const struct psw_model *model, struct psw_exec *exec, uint64_t seed,
                    float *param);

/** What the passes below work on. Plain data; everything is borrowed. */
struct psw_pass {
    const struct psw_model *model;
    struct psw_exec *exec;
    const float *param;            /* [n_param] */
    const struct psw_batch *batch; /* positions < context, tokens < n_vocab */
    double temperature;            /* logits are divided by it; 0 means 1 */
    struct psw_soft_target soft;   /* of the rows, for psw_rows.soft; zeros: none */
};

struct psw_act; /* opaque: activations of one batch, in an arena */

/** Room for the activations of any batch whose n_tok and n_row do not exceed those of shape.
 *  keep_logits: also for n_row * n_vocab probabilities, which saves backward a third of the
 *  head. NULL from a measuring arena (the passes below accept that with a measuring scratch).
 *  Owns: the arena. */
struct psw_act *psw_act_create(const struct psw_model *model, const struct psw_batch *shape,
                               struct psw_arena *arena, int keep_logits);

/** What a pass can give of a row: log-probability of its target, entropy of softmax(logits /
 *  temperature) in nat, the scalar head's value (of models that have it), and the
 *  log-probability expected of a token drawn from the pass's soft target (of
 *  psw_model_tangent alone, and together with logp; psw_model_soft_nll). NULL: not wanted
 *  and not computed; without logp and entropy the vocabulary head is skipped. With a measuring
 *  scratch any other pointer says that memory is to be planned for it; it is not followed.
 *  Shapes: [n_row] each. */
struct psw_rows {
    float *logp, *entropy, *value, *soft;
};

/** -dL/d(quantity) of every row, of a loss L. NULL: zeros, and nothing is computed.
 *  Shapes: [n_row] each. */
struct psw_row_weights {
    const float *logp, *entropy, *value;
};

/** What is wanted of each row; fills act. */
void psw_model_forward(const struct psw_pass *pass, struct psw_act *act, struct psw_rows out);

/** grad += sum over rows and quantities of weight * (-d quantity / d param), where weight is
 *  -dL/d quantity, so grad is that of L. After psw_model_forward on the same pass, whatever it
 *  gave; may be called again with other weights. Shapes: grad [n_param]. */
void psw_model_backward(const struct psw_pass *pass, struct psw_act *act,
                        struct psw_row_weights weight, float *grad);

/** Forward and backward in one, for weights of log-probabilities known beforehand. keep_logits
 *  is not used. Shapes: weight, logp [n_row], grad [n_param]. */
void psw_model_nll(const struct psw_pass *pass, struct psw_act *act, const float *weight,
                   float *logp, float *grad);

/** The normalised rows that the heads read: what a soft target is made of.
 *  Shapes: hidden [n_row][C]. */
void psw_model_hidden(const struct psw_pass *pass, struct psw_act *act, float *hidden);

/** psw_model_nll with pass->soft in the place of the rows' targets.
 *  Shapes: weight, soft [n_row], grad [n_param]. */
void psw_model_soft_nll(const struct psw_pass *pass, struct psw_act *act, const float *weight,
                        float *soft, float *grad);

/** Quantities of the rows and their derivatives along param_dot, in one pass that keeps
 *  nothing. What is wanted in dot must be wanted in at. With param_dot = v, kappa of a row is
 *  -dot.logp. */
void psw_model_tangent(const struct psw_pass *pass, const float *param_dot, struct psw_rows at,
                       struct psw_rows dot);

/** What callers name of a model: sizes, and where the ends of it stand in a parameter array. */
struct psw_model_layout {
    struct psw_dims d;
    int64_t embed, head;      /* [V][C] each; equal when tied */
    int64_t value_w, value_b; /* scalar head, [C], [1]; 0 without it */
};

const struct psw_model_layout *psw_model_layout(const struct psw_model *model);

/** A matrix product that every token of a forward pass takes part in: a linear map, or
 * attention to the tokens that it sees. Predictions and benchmarks are made of these. */
struct psw_product {
    int is_attention;
    int64_t n_in, n_out; /* of a linear map */
    int64_t weight;      /* its offset, [n_out][n_in]; of several tensors, if they continue */
    struct psw_qkv qkv;  /* of attention */
};

/** The products in the order of a forward pass. The last is the vocabulary head, which only
 * rows that predict take part in. Borrowed. */
const struct psw_product *psw_model_products(const struct psw_model *model, int64_t *n);

/** How much goes through a pass. */
struct psw_load {
    double n_tok, n_row; /* tokens, and rows with logits */
    double n_seen;       /* pairs of a token and one that it would see without a window; a
                            model with one counts at most its window for each token */
};

/** Floating-point operations of the products of one forward pass; a backward pass makes twice
 * as many, and a tangent pass, too, beside its own forward pass. */
double psw_model_flops(const struct psw_model *model, struct psw_load load);

/** Weights that a token reads: all, but of an embedding that is looked up only its row. */
int64_t psw_model_n_read(const struct psw_model *model);

#endif
