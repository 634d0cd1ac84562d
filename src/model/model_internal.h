/* Shapes, parameters and gradients of a pass's parts, as the kernels take them. */
#ifndef POSWEEP_MODEL_INTERNAL_H
#define POSWEEP_MODEL_INTERNAL_H

#include <posweep/kernels/attention.h>
#include <posweep/kernels/head.h>
#include <posweep/kernels/layernorm.h>
#include <posweep/kernels/linear.h>
#include <posweep/kernels/value.h>
#include <posweep/model/model.h>

struct layer_param {
    struct psw_layernorm_param norm;
    struct psw_linear_param qkv, dense, up, down;
};

struct layer_grad {
    struct psw_layernorm_grad norm;
    struct psw_linear_grad qkv, dense, up, down;
};

/** Shapes of every kernel of a pass. */
struct pass_dims {
    struct psw_layernorm_dims norm, final_norm;
    struct psw_linear_dims qkv, dense, up, down;
    struct psw_rotary_dims rotary;
    struct psw_qkv attention;
    struct psw_head_dims head;
    struct psw_value_dims value;
};

/** Where queries, keys and values stand in a token's row. */
struct psw_qkv psw_model_qkv(const struct psw_model_layout *layout);

struct pass_dims psw_pass_dims(const struct psw_pass *pass);

/** Parameters of layer l inside a parameter (or tangent) array. */
struct layer_param psw_layer_param(const struct psw_model_layout *layout, int64_t l,
                                   const float *param);
struct layer_grad psw_layer_grad(const struct psw_model_layout *layout, int64_t l, float *grad);

struct psw_layernorm_param psw_final_param(const struct psw_model_layout *layout,
                                           const float *param);

/** The scalar head inside a parameter (or tangent) array of a model that has one. */
struct psw_value_param psw_value_param(const struct psw_pass *pass, const float *param);

/** Rows x[source] of x, one after another. Shapes: x [n_tok][C], out [n_row][C]. */
void psw_rows_gather(const struct psw_batch *batch, int64_t C, const float *x, float *out);

#endif
