/* The tangent pass: values and derivatives along one direction, side by side in dual arrays, so
 * that the product with a weight serves both. Nothing is kept for later. */
#include "model_internal.h"

#include <posweep/kernels/embedding.h>
#include <posweep/kernels/entropy.h>
#include <posweep/kernels/gelu.h>
#include <string.h>

/* All duals, [2][rows][width]. */
struct dual {
    float *x;                         /* stream */
    float *in[PSW_LAYERNORM_OUTPUTS]; /* normalised */
    float *wide;                      /* qkv, then the hidden layer */
    float *mixed;                     /* attention's output */
    float *row_x, *row_y;
    float *out, *more; /* [2][n_row] one quantity of the rows, and a second one */
};

static struct dual dual_alloc(const struct psw_pass *pass)
{
    const struct psw_dims *d = &psw_model_layout(pass->model)->d;
    struct psw_arena *arena = pass->exec->scratch;
    const int64_t n_tok = 2 * pass->batch->n_tok, n_row = 2 * pass->batch->n_row;
    const int64_t wide = d->F > 3 * d->C ? d->F : 3 * d->C;
    return (struct dual){
        .x = psw_arena_f32(arena, n_tok * d->C),
        .in = {psw_arena_f32(arena, n_tok * d->C), psw_arena_f32(arena, n_tok * d->C)},
        .wide = psw_arena_f32(arena, n_tok * wide),
        .mixed = psw_arena_f32(arena, n_tok * d->C),
        .row_x = psw_arena_f32(arena, n_row * d->C),
        .row_y = psw_arena_f32(arena, n_row * d->C),
        .out = psw_arena_f32(arena, n_row),
        .more = psw_arena_f32(arena, n_row),
    };
}

static void layer_tangent(const struct psw_pass *pass, const struct pass_dims *d, int64_t l,
                          const float *param_dot, struct dual *u)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct layer_param p = psw_layer_param(layout, l, pass->param);
    const struct layer_param p_dot = psw_layer_param(layout, l, param_dot);
    const struct psw_batch *batch = pass->batch;

    psw_layernorm_tangent(d->norm, p.norm, p_dot.norm, u->x, u->in);
    psw_linear_tangent(d->qkv, p.qkv, p_dot.qkv, u->in[0], u->wide);
    psw_rotary_tangent(d->rotary, layout->rotary, batch->position, u->wide);
    psw_attention_tangent(pass->exec, d->attention, batch, u->wide, u->mixed);
    psw_linear_tangent_add(d->dense, p.dense, p_dot.dense, u->mixed, u->x);

    psw_linear_tangent(d->up, p.up, p_dot.up, u->in[1], u->wide);
    psw_gelu_tangent(d->up.n_row * d->up.n_out, u->wide);
    psw_linear_tangent_add(d->down, p.down, p_dot.down, u->wide, u->x);
}

/* Everything below the head. */
static void trunk_tangent(const struct psw_pass *pass, const struct pass_dims *d,
                          const float *param_dot, struct dual *u)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct psw_batch *batch = pass->batch;
    const int64_t C = layout->d.C;
    psw_embedding_tangent(batch->n_tok, C, batch->token, pass->param + layout->embed,
                          param_dot + layout->embed, u->x);
    for (int64_t l = 0; l < layout->d.L; l++) layer_tangent(pass, d, l, param_dot, u);
    psw_rows_gather(batch, C, u->x, u->row_x);
    psw_rows_gather(batch, C, u->x + batch->n_tok * C, u->row_x + batch->n_row * C);
    psw_layernorm_tangent(d->final_norm, psw_final_param(layout, pass->param),
                          psw_final_param(layout, param_dot), u->row_x, &u->row_y);
}

/* Hand out a quantity, value and derivative. */
static void copy_out(const struct psw_pass *pass, const float *dual, float *at, float *dot)
{
    const size_t n_bytes = (size_t)pass->batch->n_row * sizeof *at;
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    memcpy(at, dual, n_bytes);
    if (dot) memcpy(dot, dual + pass->batch->n_row, n_bytes);
}

void psw_model_tangent(const struct psw_pass *pass, const float *param_dot, struct psw_rows at,
                       struct psw_rows dot)
{
    const struct psw_model_layout *layout = psw_model_layout(pass->model);
    const struct pass_dims d = psw_pass_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    const int is_dry = psw_arena_is_measuring(pass->exec->scratch);
    struct dual u = dual_alloc(pass);
    struct psw_head_in in = {0};
    const float *head_dot = NULL;
    PSW_ASSERT((at.logp || !dot.logp) && (at.entropy || !dot.entropy));
    PSW_ASSERT((at.value || !dot.value) && (at.soft || !dot.soft) && (at.logp || !at.soft));
    if (is_dry) {
        psw_attention_tangent(pass->exec, d.attention, pass->batch, NULL, NULL);
    } else {
        trunk_tangent(pass, &d, param_dot, &u);
        in = (struct psw_head_in){u.row_y, pass->param + layout->head, pass->batch->row_target};
        head_dot = param_dot + layout->head;
    }
    if (at.soft) {
        psw_head_soft_tangent(pass->exec, d.head, in, pass->soft, head_dot, u.out, u.more);
        copy_out(pass, u.more, at.soft, dot.soft);
    } else if (at.logp) {
        psw_head_tangent(pass->exec, d.head, in, head_dot, u.out);
    }
    if (at.logp) copy_out(pass, u.out, at.logp, dot.logp);
    if (at.entropy) {
        psw_entropy_tangent(pass->exec, d.head, in, head_dot, u.out);
        copy_out(pass, u.out, at.entropy, dot.entropy);
    }
    if (at.value && !is_dry) {
        psw_value_tangent(d.value, psw_value_param(pass, pass->param),
                          psw_value_param(pass, param_dot), u.row_y, u.out);
        copy_out(pass, u.out, at.value, dot.value);
    }
    psw_arena_rewind(pass->exec->scratch, mark);
}
