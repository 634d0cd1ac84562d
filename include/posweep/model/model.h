/* The transformer of gpt_neox (Pythia): embedding, blocks with parallel residual, partial
 * rotary positions, LayerNorm with bias, exact GELU, untied or tied vocabulary head, and for
 * reward models and critics a scalar head.
 *
 * A model is immutable: sizes, the parameter table and rotary tables. Parameters, gradients and
 * tangents are float arrays of psw_model_n_param elements laid out by that table; the caller
 * owns them. No function here communicates, and none allocates but from the arenas given: a
 * measuring arena in exec->scratch (or for psw_act_create) counts without touching memory, so
 * that memory is planned by the code that uses it. The same inputs give the same bits. */
#ifndef POSWEEP_MODEL_MODEL_H
#define POSWEEP_MODEL_MODEL_H

#include <posweep/data/batch.h>
#include <posweep/kernels/dims.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/head_soft.h>
#include <posweep/kernels/rotary.h>
#include <posweep/util/status.h>

struct psw_model_dims {
    int64_t n_layer, width, n_head, hidden, n_vocab, context;
    int64_t rotary_dims; /* per head, even */
    double rotary_base, norm_eps, init_std;
    int tied;  /* the head is the embedding */
    int value; /* a scalar head beside the vocabulary's, on the same normalised rows */
};

enum { PSW_TENSOR_NAME_BYTES = 80 };

/** One tensor of the parameter array. n_col is 0 for vectors. */
struct psw_tensor {
    char name[PSW_TENSOR_NAME_BYTES]; /* as Hugging Face names it */
    int64_t offset;                   /* in floats; a multiple of 16 */
    int64_t n_row, n_col;
    double init_std;  /* 0: every element is init_mean */
    double init_mean; /* 1 for gains, else 0 */
};

struct psw_model; /* opaque, owns its tables */

/** Check the sizes and build the tables. Owns: the caller destroys.
 *  Errors: PSW_EINVAL names the size that cannot be; PSW_ENOMEM. */
psw_status psw_model_create(const struct psw_model_dims *dims, struct psw_model **out,
                            struct psw_error *err) PSW_MUST_CHECK;

/** Accepts NULL. */
void psw_model_destroy(struct psw_model *model);

const struct psw_model_dims *psw_model_dims(const struct psw_model *model);

/** Length of a parameter array in floats, a multiple of 16: tensors are padded to 64 bytes, and
 *  padding stays zero. */
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
void psw_model_init(const struct psw_model *model, uint64_t seed, float *param);

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

/** Where the weights of one layer stand: offsets into a parameter array. */
struct psw_layer_offsets {
    int64_t norm1_w, norm1_b; /* before attention, [C] */
    int64_t norm2_w, norm2_b; /* before the MLP, [C] */
    int64_t qkv_w, qkv_b;     /* [3C][C], [3C]; rows [H][3][D]: per head q, k, v */
    int64_t dense_w, dense_b; /* attention output, [C][C], [C] */
    int64_t up_w, up_b;       /* [F][C], [F] */
    int64_t down_w, down_b;   /* [C][F], [C] */
};

/** Everything a pass reads of a model; for the passes and the decoder. Borrowed. */
struct psw_model_layout {
    struct psw_dims d;
    int64_t context, n_rotated;
    double norm_eps;
    struct psw_rotary_table rotary; /* [context][n_rotated / 2] */
    const struct psw_layer_offsets *layer;
    int64_t embed, head; /* [V][C] each; equal when tied */
    int64_t norm_w, norm_b;
    int64_t value_w, value_b; /* scalar head, [C], [1]; 0 without it */
};

const struct psw_model_layout *psw_model_layout(const struct psw_model *model);

#endif
