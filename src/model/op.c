/* The operations over the kernels. Shapes follow from the widths of slots. */
#include "decoder.h"
#include "model_internal.h"

#include <posweep/kernels/backend.h>

static const struct psw_op_table *ops(const struct op_call *c)
{
    return psw_exec_ops(c->exec);
}

/* A tensor inside an array; NULL: the module has none. */
static const float *at(const float *param, int64_t offset)
{
    return offset < 0 ? NULL : param + offset;
}

static float *into(float *grad, int64_t offset)
{
    return offset < 0 ? NULL : grad + offset;
}

/* 1. LayerNorm of one or two modules; keeps the normalised input and 1 / deviation */

static struct psw_layernorm_dims norm_dims(const struct op_call *c)
{
    return (struct psw_layernorm_dims){.n_row = c->n_row,
                                       .C = c->op->n_in,
                                       .n_out = c->op->n_module,
                                       .eps = c->model->dims.norm_eps};
}

static struct psw_layernorm_param norm_param(const struct op_call *c, const float *param)
{
    const struct bound_op *o = c->op;
    return (struct psw_layernorm_param){{at(param, o->w[0]), at(param, o->w[1])},
                                        {at(param, o->b[0]), at(param, o->b[1])}};
}

static void layernorm_forward(const struct op_call *c)
{
    ops(c)->layernorm->forward(c->exec, norm_dims(c), norm_param(c, c->param), c->at.in,
                               (struct psw_layernorm_saved){c->at.saved[0], c->at.saved[1]},
                               c->at.out);
}

static void layernorm_backward(const struct op_call *c)
{
    const struct bound_op *o = c->op;
    ops(c)->layernorm->backward(
        c->exec, norm_dims(c), norm_param(c, c->param),
        (struct psw_layernorm_saved){c->at.saved[0], c->at.saved[1]},
        (const float *const *)c->bar.out, c->bar.in,
        (struct psw_layernorm_grad){{into(c->grad, o->w[0]), into(c->grad, o->w[1])},
                                    {into(c->grad, o->b[0]), into(c->grad, o->b[1])}});
}

static void layernorm_tangent(const struct op_call *c)
{
    ops(c)->layernorm->tangent(c->exec, norm_dims(c), norm_param(c, c->param),
                               norm_param(c, c->param_dot), c->at.in, c->at.out);
}

const struct op PSW_OP_LAYERNORM = {.saved = {SIZE_C, SIZE_ONE},
                                    .forward = layernorm_forward,
                                    .backward = layernorm_backward,
                                    .tangent = layernorm_tangent,
                                    .decode = layernorm_forward};

/* 2. RMSNorm, which keeps the same */

static struct psw_rmsnorm_dims rms_dims(const struct op_call *c)
{
    return (struct psw_rmsnorm_dims){c->n_row, c->op->n_in, c->model->dims.norm_eps};
}

static void rmsnorm_forward(const struct op_call *c)
{
    ops(c)->rmsnorm->forward(c->exec, rms_dims(c), c->param + c->op->w[0], c->at.in,
                             (struct psw_rmsnorm_saved){c->at.saved[0], c->at.saved[1]},
                             c->at.out[0]);
}

static void rmsnorm_backward(const struct op_call *c)
{
    ops(c)->rmsnorm->backward(c->exec, rms_dims(c), c->param + c->op->w[0],
                              (struct psw_rmsnorm_saved){c->at.saved[0], c->at.saved[1]},
                              c->bar.out[0], c->bar.in, c->grad + c->op->w[0]);
}

static void rmsnorm_tangent(const struct op_call *c)
{
    ops(c)->rmsnorm->tangent(c->exec, rms_dims(c), c->param + c->op->w[0],
                             c->param_dot + c->op->w[0], c->at.in, c->at.out[0]);
}

const struct op PSW_OP_RMSNORM = {.saved = {SIZE_C, SIZE_ONE},
                                  .forward = rmsnorm_forward,
                                  .backward = rmsnorm_backward,
                                  .tangent = rmsnorm_tangent,
                                  .decode = rmsnorm_forward};

/* 3. linear maps, written or added to the output */

static struct psw_linear_dims linear_dims(const struct op_call *c)
{
    return (struct psw_linear_dims){c->n_row, c->op->n_in, c->op->n_out};
}

static struct psw_linear_param linear_param(const struct op_call *c, const float *param)
{
    return (struct psw_linear_param){at(param, c->op->w[0]), at(param, c->op->b[0])};
}

static void linear_forward(const struct op_call *c)
{
    ops(c)->linear->forward(c->exec, linear_dims(c), linear_param(c, c->param), c->at.in,
                            c->at.out[0]);
}

static void linear_forward_add(const struct op_call *c)
{
    ops(c)->linear->forward_add(c->exec, linear_dims(c), linear_param(c, c->param), c->at.in,
                                c->at.out[0]);
}

static void linear_backward(const struct op_call *c)
{
    ops(c)->linear->backward(
        c->exec, linear_dims(c), linear_param(c, c->param), c->at.in, c->bar.out[0], c->bar.in,
        (struct psw_linear_grad){into(c->grad, c->op->w[0]), into(c->grad, c->op->b[0])});
}

static void linear_tangent(const struct op_call *c)
{
    ops(c)->linear->tangent(c->exec, linear_dims(c), linear_param(c, c->param),
                            linear_param(c, c->param_dot), c->at.in, c->at.out[0]);
}

static void linear_tangent_add(const struct op_call *c)
{
    ops(c)->linear->tangent_add(c->exec, linear_dims(c), linear_param(c, c->param),
                                linear_param(c, c->param_dot), c->at.in, c->at.out[0]);
}

static void linear_decode(const struct op_call *c)
{
    ops(c)->linear->decode(c->exec, linear_dims(c), linear_param(c, c->param), c->at.in,
                           c->at.out[0]);
}

static void linear_decode_add(const struct op_call *c)
{
    ops(c)->linear->decode_add(c->exec, linear_dims(c), linear_param(c, c->param), c->at.in,
                               c->at.out[0]);
}

static int linear_product(const struct psw_model *model, const struct bound_op *o,
                          struct psw_product *out)
{
    (void)model;
    *out = (struct psw_product){.n_in = o->n_in, .n_out = o->n_out, .weight = o->w[0]};
    return 1;
}

const struct op PSW_OP_LINEAR = {.forward = linear_forward,
                                 .backward = linear_backward,
                                 .tangent = linear_tangent,
                                 .decode = linear_decode,
                                 .product = linear_product};

const struct op PSW_OP_LINEAR_ADD = {.forward = linear_forward_add,
                                     .backward = linear_backward,
                                     .tangent = linear_tangent_add,
                                     .decode = linear_decode_add,
                                     .product = linear_product};

/* 4. RMSNorm of the heads of queries and keys, in place */

static struct psw_headnorm_dims headnorm_dims(const struct op_call *c)
{
    return (struct psw_headnorm_dims){c->n_row, c->model->dims.norm_eps, c->model->qkv};
}

static struct psw_headnorm_param headnorm_param(const struct op_call *c, const float *param)
{
    return (struct psw_headnorm_param){param + c->op->w[0], param + c->op->w[1]};
}

static void headnorm_forward(const struct op_call *c)
{
    ops(c)->headnorm->forward(c->exec, headnorm_dims(c), headnorm_param(c, c->param),
                              (struct psw_rmsnorm_saved){c->at.saved[0], c->at.saved[1]},
                              c->at.in);
}

static void headnorm_backward(const struct op_call *c)
{
    ops(c)->headnorm->backward(
        c->exec, headnorm_dims(c), headnorm_param(c, c->param),
        (struct psw_rmsnorm_saved){c->at.saved[0], c->at.saved[1]}, c->bar.in,
        (struct psw_headnorm_grad){c->grad + c->op->w[0], c->grad + c->op->w[1]});
}

static void headnorm_tangent(const struct op_call *c)
{
    ops(c)->headnorm->tangent(c->exec, headnorm_dims(c), headnorm_param(c, c->param),
                              headnorm_param(c, c->param_dot), c->at.in);
}

const struct op PSW_OP_HEADNORM = {.in_place = 1u << FORWARD | 1u << BACKWARD | 1u << TANGENT |
                                               1u << DECODE,
                                   .saved = {SIZE_QK, SIZE_H2},
                                   .gain = SIZE_D,
                                   .forward = headnorm_forward,
                                   .backward = headnorm_backward,
                                   .tangent = headnorm_tangent,
                                   .decode = headnorm_forward};

/* 5. rotary positions, in place */

static struct psw_rotary_dims rotary_dims(const struct op_call *c)
{
    return (struct psw_rotary_dims){
        .n_tok = c->n_row, .n_rotated = c->model->dims.rotary_dims, .qkv = c->model->qkv};
}

static void rotary_forward(const struct op_call *c)
{
    ops(c)->rotary->forward(c->exec, rotary_dims(c), c->model->rotary, c->position, c->at.in);
}

static void rotary_backward(const struct op_call *c)
{
    ops(c)->rotary->backward(c->exec, rotary_dims(c), c->model->rotary, c->position, c->bar.in);
}

static void rotary_tangent(const struct op_call *c)
{
    ops(c)->rotary->tangent(c->exec, rotary_dims(c), c->model->rotary, c->position, c->at.in);
}

const struct op PSW_OP_ROTARY = {.in_place = 1u << FORWARD | 1u << BACKWARD | 1u << TANGENT |
                                             1u << DECODE,
                                 .forward = rotary_forward,
                                 .backward = rotary_backward,
                                 .tangent = rotary_tangent,
                                 .decode = rotary_forward};

/* 6. attention; keeps the log of the sum of every query's weights */

static void attention_forward(const struct op_call *c)
{
    ops(c)->attention->forward(c->exec, c->model->qkv, c->batch, c->at.in, c->at.out[0],
                               c->at.saved[0]);
}

static void attention_backward(const struct op_call *c)
{
    ops(c)->attention->backward(
        c->exec, c->model->qkv, c->batch,
        (struct psw_attention_saved){c->at.in, c->at.out[0], c->at.saved[0], c->bar.out[0]},
        c->bar.in);
}

static void attention_tangent(const struct op_call *c)
{
    ops(c)->attention->tangent(c->exec, c->model->qkv, c->batch, c->at.in, c->at.out[0]);
}

static void attention_decode(const struct op_call *c)
{
    psw_decoder_attend(c->decoder, &c->model->qkv, c->at.in, c->at.out[0]);
}

static int attention_product(const struct psw_model *model, const struct bound_op *o,
                             struct psw_product *out)
{
    (void)o;
    *out = (struct psw_product){.is_attention = 1, .weight = -1, .qkv = model->qkv};
    return 1;
}

const struct op PSW_OP_ATTENTION = {.takes_scratch = 1,
                                    .saved = {SIZE_H},
                                    .forward = attention_forward,
                                    .backward = attention_backward,
                                    .tangent = attention_tangent,
                                    .decode = attention_decode,
                                    .product = attention_product};

/* 7. GELU; forward leaves the slope in its input's place */

static void gelu_forward(const struct op_call *c)
{
    ops(c)->gelu->forward(c->exec, c->n_row, c->op->n_in, c->at.in, c->at.out[0], c->at.in);
}

static void gelu_backward(const struct op_call *c)
{
    ops(c)->gelu->backward(c->exec, c->n_row, c->op->n_in, c->at.in, c->bar.in, NULL);
}

static void gelu_tangent(const struct op_call *c)
{
    ops(c)->gelu->tangent(c->exec, c->n_row, c->op->n_in, c->at.in);
}

const struct op PSW_OP_GELU = {.in_place = 1u << BACKWARD | 1u << TANGENT,
                               .sets_bar = 1,
                               .forward = gelu_forward,
                               .backward = gelu_backward,
                               .tangent = gelu_tangent,
                               .decode = gelu_forward};

/* 8. SwiGLU */

static void swiglu_forward(const struct op_call *c)
{
    ops(c)->swiglu->forward(c->exec, c->n_row, c->op->n_out, c->at.in, c->at.out[0]);
}

static void swiglu_backward(const struct op_call *c)
{
    ops(c)->swiglu->backward(c->exec, c->n_row, c->op->n_out, c->at.in, c->bar.out[0],
                             c->bar.in);
}

static void swiglu_tangent(const struct op_call *c)
{
    ops(c)->swiglu->tangent(c->exec, c->n_row, c->op->n_out, c->at.in, c->at.out[0]);
}

const struct op PSW_OP_SWIGLU = {.sets_bar = 1,
                                 .forward = swiglu_forward,
                                 .backward = swiglu_backward,
                                 .tangent = swiglu_tangent,
                                 .decode = swiglu_forward};
