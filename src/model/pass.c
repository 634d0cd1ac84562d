/* Forward, backward, and both in one.
 *
 * Blocks have a parallel residual: x += dense(attention(norm1 x)) + down(gelu(up(norm2 x))).
 * The stream x is updated in place, since backward needs only its normalised form. Backward
 * reads activations and never writes them, so it can be called again with other weights. */
#include "model_internal.h"

#include <posweep/kernels/embedding.h>
#include <posweep/kernels/entropy.h>
#include <posweep/kernels/gelu.h>
#include <posweep/kernels/vecmath.h>
#include <string.h>

/* What one layer keeps for backward. */
struct layer_act {
    struct psw_layernorm_saved norm;
    float *in[PSW_LAYERNORM_OUTPUTS]; /* [n_tok][C] normalised, for attention and the MLP */
    float *qkv;                       /* [n_tok][H][3][D], rotated */
    float *mixed;                     /* [n_tok][C] what attention gives */
    float *lse;                       /* [n_tok][H] */
    float *slope, *hidden;            /* [n_tok][F] slope and value of GELU */
};

struct psw_act {
    int64_t n_tok, n_row;            /* room */
    float *x;                        /* [n_tok][C] residual stream */
    struct psw_layernorm_saved norm; /* of the rows */
    float *row_x, *row_y;            /* [n_row][C] before and after the final norm */
    float *prob;                     /* [n_row][V] or NULL */
    int has_prob;                    /* the last forward pass filled it */
    struct layer_act layer[];
};

static struct psw_layernorm_saved saved_alloc(struct psw_arena *arena, int64_t n_row, int64_t C)
{
    return (struct psw_layernorm_saved){psw_arena_f32(arena, n_row * C),
                                        psw_arena_f32(arena, n_row)};
}

static struct layer_act layer_alloc(struct psw_arena *arena, const struct psw_dims *d,
                                    int64_t n_tok)
{
    const struct psw_layernorm_saved norm = saved_alloc(arena, n_tok, d->C);
    return (struct layer_act){
        .norm = norm,
        .in = {psw_arena_f32(arena, n_tok * d->C), psw_arena_f32(arena, n_tok * d->C)},
        .qkv = psw_arena_f32(arena, n_tok * 3 * d->C),
        .mixed = psw_arena_f32(arena, n_tok * d->C),
        .lse = psw_arena_f32(arena, n_tok * d->H),
        .slope = psw_arena_f32(arena, n_tok * d->F),
        .hidden = psw_arena_f32(arena, n_tok * d->F),
    };
}

struct psw_act *psw_act_create(const struct psw_model *model, const struct psw_batch *shape,
                               struct psw_arena *arena, int keep_logits)
{
    const struct psw_dims *d = &psw_model_layout(model)->d;
    const int64_t n_tok = shape->n_tok, n_row = shape->n_row;
    struct psw_act *act =
        psw_arena_alloc(arena, sizeof *act + (size_t)d->L * sizeof act->layer[0]);
    const struct psw_act rest = {
        .n_tok = n_tok,
        .n_row = n_row,
        .x = psw_arena_f32(arena, n_tok * d->C),
        .norm = saved_alloc(arena, n_row, d->C),
        .row_x = psw_arena_f32(arena, n_row * d->C),
        .row_y = psw_arena_f32(arena, n_row * d->C),
        .prob = keep_logits ? psw_arena_f32(arena, n_row * d->V) : NULL,
    };
    if (act) *act = rest;
    for (int64_t l = 0; l < d->L; l++) {
        const struct layer_act layer = layer_alloc(arena, d, n_tok);
        if (act) act->layer[l] = layer;
    }
    return act;
}

static void layer_forward(const struct psw_pass *pass, const struct pass_dims *d, int64_t l,
                          struct psw_act *act)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct layer_param p = psw_layer_param(layout, l, pass->param);
    const struct psw_batch *batch = pass->batch;
    struct layer_act *a = &act->layer[l];

    psw_layernorm_forward(d->norm, p.norm, act->x, a->norm, a->in);
    psw_linear_forward(d->qkv, p.qkv, a->in[0], a->qkv);
    psw_rotary_forward(d->rotary, layout->rotary, batch->position, a->qkv);
    psw_attention_forward(pass->exec, d->attention, batch, a->qkv, a->mixed, a->lse);
    psw_linear_forward_add(d->dense, p.dense, a->mixed, act->x);

    psw_linear_forward(d->up, p.up, a->in[1], a->slope);
    psw_gelu_forward(d->up.n_row * d->up.n_out, a->slope, a->hidden, a->slope);
    psw_linear_forward_add(d->down, p.down, a->hidden, act->x);
}

/* Everything below the head: fills act up to the normalised rows. */
static void trunk_forward(const struct psw_pass *pass, const struct pass_dims *d,
                          struct psw_act *act)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct psw_batch *batch = pass->batch;
    if (psw_arena_is_measuring(pass->exec->scratch)) {
        psw_attention_forward(pass->exec, d->attention, batch, NULL, NULL, NULL);
        return;
    }
    PSW_ASSERT(batch->n_tok <= act->n_tok && batch->n_row <= act->n_row);
    psw_embedding_forward(batch->n_tok, layout->d.C, batch->token, pass->param + layout->embed,
                          act->x);
    for (int64_t l = 0; l < layout->d.L; l++) layer_forward(pass, d, l, act);
    psw_rows_gather(batch, layout->d.C, act->x, act->row_x);
    psw_layernorm_forward(d->final_norm, psw_final_param(layout, pass->param), act->row_x,
                          act->norm, &act->row_y);
}

static struct psw_head_in head_in(const struct psw_pass *pass, const struct psw_act *act)
{
    if (psw_arena_is_measuring(pass->exec->scratch)) return (struct psw_head_in){0};
    return (struct psw_head_in){.x = act->row_y,
                                .w = pass->param + psw_model_layout(pass->model)->head,
                                .target = pass->batch->row_target};
}

void psw_model_forward(const struct psw_pass *pass, struct psw_act *act, struct psw_rows out)
{
    const struct pass_dims d = psw_pass_dims(pass);
    trunk_forward(pass, &d, act);
    if (act) act->has_prob = act->prob && out.logp;
    if (out.logp)
        psw_head_forward(pass->exec, d.head, head_in(pass, act), out.logp,
                         act ? act->prob : NULL);
    if (out.entropy) psw_entropy_forward(pass->exec, d.head, head_in(pass, act), out.entropy);
    if (out.value && !psw_arena_is_measuring(pass->exec->scratch))
        psw_value_forward(d.value, psw_value_param(pass, pass->param), act->row_y, out.value);
}

void psw_model_hidden(const struct psw_pass *pass, struct psw_act *act, float *hidden)
{
    const struct pass_dims d = psw_pass_dims(pass);
    trunk_forward(pass, &d, act);
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    act->has_prob = 0;
    memcpy(hidden, act->row_y,
           (size_t)(pass->batch->n_row * psw_model_layout(pass->model)->d.C) * sizeof *hidden);
}

/* Scratch of the way back. */
struct back {
    float *x;                         /* [n_tok][C] cotangent of the stream */
    float *in[PSW_LAYERNORM_OUTPUTS]; /* [n_tok][C] */
    float *wide;                      /* [n_tok][max(F, 3C)] */
    float *row_y, *row_x;             /* [n_row][C] */
};

static void clear(float *x, int64_t n)
{
    memset(x, 0, (size_t)n * sizeof *x);
}

static struct back back_alloc(const struct psw_pass *pass)
{
    const struct psw_dims *d = &psw_model_layout(pass->model)->d;
    struct psw_arena *arena = pass->exec->scratch;
    const int64_t n_tok = pass->batch->n_tok, n_row = pass->batch->n_row;
    const int64_t wide = d->F > 3 * d->C ? d->F : 3 * d->C;
    return (struct back){
        .x = psw_arena_f32(arena, n_tok * d->C),
        .in = {psw_arena_f32(arena, n_tok * d->C), psw_arena_f32(arena, n_tok * d->C)},
        .wide = psw_arena_f32(arena, n_tok * wide),
        .row_y = psw_arena_f32(arena, n_row * d->C),
        .row_x = psw_arena_f32(arena, n_row * d->C),
    };
}

static void layer_backward(const struct psw_pass *pass, const struct pass_dims *d, int64_t l,
                           const struct layer_act *a, struct back *back, float *grad)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct layer_param p = psw_layer_param(layout, l, pass->param);
    const struct layer_grad g = psw_layer_grad(layout, l, grad);
    const struct psw_batch *batch = pass->batch;
    const int64_t n = batch->n_tok, C = layout->d.C, F = layout->d.F;

    /* 1. the MLP; its bias before GELU is summed where the slope is applied */
    clear(back->wide, n * F);
    psw_linear_backward(d->down, p.down, a->hidden, back->x, back->wide, g.down);
    psw_gelu_backward(n, F, a->slope, back->wide, g.up.b_bar);
    clear(back->in[1], n * C);
    psw_linear_backward(d->up, p.up, a->in[1], back->wide, back->in[1],
                        (struct psw_linear_grad){g.up.w_bar, NULL});

    /* 2. attention; in[0] holds the cotangent of its output first */
    clear(back->in[0], n * C);
    psw_linear_backward(d->dense, p.dense, a->mixed, back->x, back->in[0], g.dense);
    clear(back->wide, n * 3 * C);
    psw_attention_backward(pass->exec, d->attention, batch,
                           (struct psw_attention_saved){a->qkv, a->mixed, a->lse, back->in[0]},
                           back->wide);
    psw_rotary_backward(d->rotary, layout->rotary, batch->position, back->wide);
    clear(back->in[0], n * C);
    psw_linear_backward(d->qkv, p.qkv, a->in[0], back->wide, back->in[0], g.qkv);

    /* 3. both norms, beside the residual that x already carries */
    psw_layernorm_backward(d->norm, p.norm, a->norm, (const float *const *)back->in, back->x,
                           g.norm);
}

/* From the cotangent of the normalised rows (back->row_y) to all gradients below the head. */
static void trunk_backward(const struct psw_pass *pass, const struct pass_dims *d,
                           const struct psw_act *act, struct back *back, float *grad)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct psw_batch *batch = pass->batch;
    const int64_t C = layout->d.C;
    if (psw_arena_is_measuring(pass->exec->scratch)) {
        psw_attention_backward(pass->exec, d->attention, batch, (struct psw_attention_saved){0},
                               NULL);
        return;
    }
    clear(back->row_x, batch->n_row * C);
    psw_layernorm_backward(d->final_norm, psw_final_param(layout, pass->param), act->norm,
                           (const float *const[]){back->row_y}, back->row_x,
                           (struct psw_layernorm_grad){.w_bar = {grad + layout->norm_w},
                                                       .b_bar = {grad + layout->norm_b}});
    clear(back->x, batch->n_tok * C);
    for (int64_t r = 0; r < batch->n_row; r++)
        psw_vec_add(C, back->row_x + r * C, back->x + batch->row_source[r] * C);
    for (int64_t l = layout->d.L - 1; l >= 0; l--)
        layer_backward(pass, d, l, &act->layer[l], back, grad);
    psw_embedding_backward(batch->n_tok, C, batch->token, back->x, grad + layout->embed);
}

/* Where the vocabulary head adds its gradients. */
static struct psw_head_grad head_grad(const struct psw_pass *pass, struct back *back,
                                      float *grad)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    if (psw_arena_is_measuring(pass->exec->scratch)) return (struct psw_head_grad){0};
    return (struct psw_head_grad){back->row_y, grad + layout->head};
}

static void value_backward(const struct psw_pass *pass, const struct pass_dims *d,
                           const struct psw_act *act, const float *weight, struct back *back,
                           float *grad)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    psw_value_backward(
        d->value, psw_value_param(pass, pass->param), act->row_y, weight,
        (struct psw_value_grad){back->row_y, grad + layout->value_w, grad + layout->value_b});
}

/* The heads add to back->row_y, which begins as zeros. */
static void clear_rows(const struct psw_pass *pass, struct back *back)
{
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    clear(back->row_y, pass->batch->n_row * psw_model_layout(pass->model)->d.C);
}

void psw_model_backward(const struct psw_pass *pass, struct psw_act *act,
                        struct psw_row_weights weight, float *grad)
{
    const struct pass_dims d = psw_pass_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    struct back back = back_alloc(pass);
    clear_rows(pass, &back);
    if (weight.logp)
        psw_head_backward(pass->exec, d.head, head_in(pass, act), weight.logp,
                          act && act->has_prob ? act->prob : NULL,
                          head_grad(pass, &back, grad));
    if (weight.entropy)
        psw_entropy_backward(pass->exec, d.head, head_in(pass, act), weight.entropy,
                             head_grad(pass, &back, grad));
    if (weight.value) value_backward(pass, &d, act, weight.value, &back, grad);
    trunk_backward(pass, &d, act, &back, grad);
    psw_arena_rewind(pass->exec->scratch, mark);
}

/* Forward, a head that adds its gradients, and the way back below it. soft: against the pass's
 * soft target. */
static void forward_and_back(const struct psw_pass *pass, struct psw_act *act, int soft,
                             const float *weight, float *row, float *grad)
{
    const struct pass_dims d = psw_pass_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    trunk_forward(pass, &d, act);
    if (act) act->has_prob = 0;
    struct back back = back_alloc(pass);
    clear_rows(pass, &back);
    const struct psw_head_in in = head_in(pass, act);
    if (soft)
        psw_head_soft_nll(pass->exec, d.head, in, pass->soft, weight, row,
                          head_grad(pass, &back, grad));
    else
        psw_head_nll(pass->exec, d.head, in, weight, row, head_grad(pass, &back, grad));
    trunk_backward(pass, &d, act, &back, grad);
    psw_arena_rewind(pass->exec->scratch, mark);
}

void psw_model_nll(const struct psw_pass *pass, struct psw_act *act, const float *weight,
                   float *logp, float *grad)
{
    forward_and_back(pass, act, 0, weight, logp, grad);
}

void psw_model_soft_nll(const struct psw_pass *pass, struct psw_act *act, const float *weight,
                        float *soft, float *grad)
{
    forward_and_back(pass, act, 1, weight, soft, grad);
}
