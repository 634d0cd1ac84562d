/* Where the parts of a layer stand in a parameter array, and the shapes of a pass. */
#include "model_internal.h"

#include <string.h>

struct psw_qkv psw_model_qkv(const struct psw_model_layout *layout)
{
    return psw_qkv_by_head(layout->d.H, layout->d.D);
}

struct pass_dims psw_pass_dims(const struct psw_pass *pass)
{
    const struct psw_model_layout *m = psw_model_layout(pass->model);
    const int64_t n = pass->batch->n_tok, n_row = pass->batch->n_row;
    const struct psw_dims d = m->d;
    return (struct pass_dims){
        .norm = {n, d.C, 2, m->norm_eps},
        .final_norm = {n_row, d.C, 1, m->norm_eps},
        .qkv = {n, d.C, 3 * d.C},
        .dense = {n, d.C, d.C},
        .up = {n, d.C, d.F},
        .down = {n, d.F, d.C},
        .rotary = {n, m->n_rotated, psw_model_qkv(m)},
        .attention = psw_model_qkv(m),
        .value = {n_row, d.C},
        .head = {n_row, d.C, d.V, pass->temperature == 0.0 ? 1.0 : pass->temperature},
    };
}

struct layer_param psw_layer_param(const struct psw_model_layout *layout, int64_t l,
                                   const float *param)
{
    const struct psw_layer_offsets *o = &layout->layer[l];
    return (struct layer_param){
        .norm = {{param + o->norm1_w, param + o->norm2_w},
                 {param + o->norm1_b, param + o->norm2_b}},
        .qkv = {param + o->qkv_w, param + o->qkv_b},
        .dense = {param + o->dense_w, param + o->dense_b},
        .up = {param + o->up_w, param + o->up_b},
        .down = {param + o->down_w, param + o->down_b},
    };
}

struct layer_grad psw_layer_grad(const struct psw_model_layout *layout, int64_t l, float *grad)
{
    const struct psw_layer_offsets *o = &layout->layer[l];
    return (struct layer_grad){
        .norm = {{grad + o->norm1_w, grad + o->norm2_w},
                 {grad + o->norm1_b, grad + o->norm2_b}},
        .qkv = {grad + o->qkv_w, grad + o->qkv_b},
        .dense = {grad + o->dense_w, grad + o->dense_b},
        .up = {grad + o->up_w, grad + o->up_b},
        .down = {grad + o->down_w, grad + o->down_b},
    };
}

struct psw_layernorm_param psw_final_param(const struct psw_model_layout *layout,
                                           const float *param)
{
    return (struct psw_layernorm_param){.w = {param + layout->norm_w},
                                        .b = {param + layout->norm_b}};
}

struct psw_value_param psw_value_param(const struct psw_pass *pass, const float *param)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    PSW_ASSERT(psw_model_dims(pass->model)->value);
    return (struct psw_value_param){param + layout->value_w, param + layout->value_b};
}

void psw_rows_gather(const struct psw_batch *batch, int64_t C, const float *x, float *out)
{
    for (int64_t r = 0; r < batch->n_row; r++)
        memcpy(out + r * C, x + batch->row_source[r] * C, (size_t)C * sizeof *x);
}
