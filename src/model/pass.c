/* Forward, backward, and both in one: the program of the block is walked for every layer, up
 * and down.
 *
 * The stream x is updated in place; all other slots, and what operations save, are kept for
 * backward, layer by layer. Backward reads activations and never writes them, so it can be
 * called again with other weights. */
#include "model_internal.h"

#include <posweep/kernels/backend.h>

struct psw_act {
    int64_t n_tok, n_row; /* room */
    float *x;             /* [n_tok][C] residual stream */
    float *row_x, *row_y; /* [n_row][C] before and after the final norm */
    float *row_saved[2];  /* what that keeps */
    float *prob;          /* [n_row][V] or NULL */
    int has_prob;         /* the last forward pass filled it */
    float *kept[];        /* [L][n_slot - 1] slots but the stream, [n_tok][width] each */
};

struct psw_act *psw_act_create(const struct psw_model *model, const struct psw_batch *shape,
                               struct psw_arena *arena, int keep_logits)
{
    const struct psw_dims *d = &model->layout.d;
    const struct program *p = &model->program;
    const int64_t n_tok = shape->n_tok, n_row = shape->n_row, n_kept = p->n_slot - 1;
    const enum size_name *saved = p->norm.op->saved;
    struct psw_act *act =
        psw_arena_alloc(arena, sizeof *act + (size_t)(d->L * n_kept) * sizeof act->kept[0]);
    struct psw_act rest = {
        .n_tok = n_tok,
        .n_row = n_row,
        .x = psw_arena_f32(arena, n_tok * d->C),
        .row_x = psw_arena_f32(arena, n_row * d->C),
        .row_y = psw_arena_f32(arena, n_row * d->C),
        .prob = keep_logits ? psw_arena_f32(arena, n_row * d->V) : NULL,
    };
    for (int k = 0; k < 2 && saved[k] != SIZE_NONE; k++)
        rest.row_saved[k] = psw_arena_f32(arena, n_row * psw_model_size(model, saved[k]));
    if (act) *act = rest;
    for (int64_t i = 0; i < d->L * n_kept; i++) {
        float *kept = psw_arena_f32(arena, n_tok * p->width[1 + i % n_kept]);
        if (act) act->kept[i] = kept;
    }
    return act;
}

/* All slots of a layer. */
static void slots_of(const struct psw_model *model, const struct psw_act *act, int64_t layer,
                     float **slot)
{
    const int64_t n_kept = model->program.n_slot - 1;
    slot[STREAM] = act->x;
    for (int64_t s = 0; s < n_kept; s++) slot[1 + s] = act->kept[layer * n_kept + s];
}

/* The norm of the rows that predict. */
static struct op_call row_norm(const struct psw_pass *pass, const struct psw_act *act)
{
    struct op_call c = psw_op_call(pass);
    c.op = &pass->model->program.norm;
    c.n_row = pass->batch->n_row;
    c.param = pass->param;
    c.at = (struct op_arrays){act->row_x, {act->row_y}, {act->row_saved[0], act->row_saved[1]}};
    return c;
}

/* Everything below the head: fills act up to the normalised rows. */
static void trunk_forward(const struct psw_pass *pass, struct psw_act *act)
{
    const struct psw_model *m = pass->model;
    const struct program *p = &m->program;
    const struct psw_batch *batch = pass->batch;
    float *slot[PROGRAM_SLOTS];
    if (psw_arena_is_measuring(pass->exec->scratch)) {
        psw_program_measure(pass, FORWARD);
        return;
    }
    PSW_ASSERT(batch->n_tok <= act->n_tok && batch->n_row <= act->n_row);
    psw_exec_ops(pass->exec)
        ->embedding->forward(pass->exec, batch->n_tok, m->layout.d.C, batch->token,
                             pass->param + m->layout.embed, act->x);
    struct op_call c = psw_op_call(pass);
    for (int64_t l = 0; l < m->layout.d.L; l++) {
        slots_of(m, act, l, slot);
        c.param = pass->param + p->layer0 + l * p->stride;
        for (c.op = p->op; c.op < p->op + p->n_op; c.op++) {
            c.at = psw_op_arrays(c.op, slot);
            c.op->op->forward(&c);
        }
        psw_exec_beat(pass->exec);
    }
    psw_exec_backend(pass->exec)
        ->buffer->gather(pass->exec, batch->n_row, m->layout.d.C, batch->row.source, act->x,
                         act->row_x);
    c = row_norm(pass, act);
    c.op->op->forward(&c);
}

static struct psw_head_in head_in(const struct psw_pass *pass, const struct psw_act *act)
{
    if (psw_arena_is_measuring(pass->exec->scratch)) return (struct psw_head_in){0};
    return (struct psw_head_in){.x = act->row_y,
                                .w = pass->param + pass->model->layout.head,
                                .target = pass->batch->row.target};
}

void psw_model_forward(const struct psw_pass *pass, struct psw_act *act, struct psw_rows out)
{
    const struct psw_head_dims d = psw_head_dims(pass);
    trunk_forward(pass, act);
    if (act) act->has_prob = act->prob && out.logp;
    if (out.logp)
        psw_exec_ops(pass->exec)
            ->head->forward(pass->exec, d, head_in(pass, act), out.logp,
                            act ? act->prob : NULL);
    if (out.entropy)
        psw_exec_ops(pass->exec)
            ->entropy->forward(pass->exec, d, head_in(pass, act), out.entropy);
    if (out.value && !psw_arena_is_measuring(pass->exec->scratch))
        psw_exec_ops(pass->exec)
            ->value->forward(pass->exec, psw_value_dims(pass),
                             psw_value_param(pass, pass->param), act->row_y, out.value);
}

void psw_model_hidden(const struct psw_pass *pass, struct psw_act *act, float *hidden)
{
    trunk_forward(pass, act);
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    act->has_prob = 0;
    psw_exec_backend(pass->exec)
        ->buffer->copy(pass->exec, pass->batch->n_row * pass->model->layout.d.C, act->row_y,
                       hidden);
}

/* Cotangents of the way back. */
struct back {
    float *slot[PROGRAM_SLOTS];
    float *row_y, *row_x; /* [n_row][C] */
};

static void clear(struct psw_exec *exec, float *x, int64_t n)
{
    psw_exec_backend(exec)->buffer->fill(exec, n, 0.0f, x);
}

static struct back back_alloc(const struct psw_pass *pass)
{
    const int64_t n = pass->batch->n_row * pass->model->layout.d.C;
    struct psw_arena *arena = pass->exec->scratch;
    struct back back;
    psw_program_buffers(&pass->model->program, BACKWARD, pass->batch->n_tok, arena, back.slot);
    back.row_y = psw_arena_f32(arena, n);
    back.row_x = psw_arena_f32(arena, n);
    return back;
}

static void layer_backward(const struct psw_pass *pass, int64_t layer,
                           const struct psw_act *act, const struct back *back, float *grad)
{
    const struct program *p = &pass->model->program;
    const int64_t first = p->layer0 + layer * p->stride;
    float *slot[PROGRAM_SLOTS];
    struct op_call c = psw_op_call(pass);
    slots_of(pass->model, act, layer, slot);
    c.param = pass->param + first;
    c.grad = grad + first;
    for (int i = p->n_op - 1; i >= 0; i--) {
        c.op = &p->op[i];
        c.at = psw_op_arrays(c.op, slot);
        c.bar = psw_op_arrays(c.op, back->slot);
        if (c.op->clears) clear(pass->exec, c.bar.in, c.n_row * c.op->n_in);
        c.op->op->backward(&c);
    }
    psw_exec_beat(pass->exec);
}

/* From the cotangent of the normalised rows (back->row_y) to all gradients below the head. */
static void trunk_backward(const struct psw_pass *pass, const struct psw_act *act,
                           struct back *back, float *grad)
{
    const struct psw_model_layout *layout = &pass->model->layout;
    const struct psw_batch *batch = pass->batch;
    const int64_t C = layout->d.C;
    float *x = back->slot[STREAM];
    if (psw_arena_is_measuring(pass->exec->scratch)) {
        psw_program_measure(pass, BACKWARD);
        return;
    }
    clear(pass->exec, back->row_x, batch->n_row * C);
    struct op_call c = row_norm(pass, act);
    c.grad = grad;
    c.bar = (struct op_arrays){.in = back->row_x, .out = {back->row_y}};
    c.op->op->backward(&c);
    clear(pass->exec, x, batch->n_tok * C);
    psw_exec_backend(pass->exec)
        ->buffer->scatter_add(pass->exec, batch->n_row, C, batch->row.source, back->row_x, x);
    for (int64_t l = layout->d.L - 1; l >= 0; l--) layer_backward(pass, l, act, back, grad);
    psw_exec_ops(pass->exec)
        ->embedding->backward(pass->exec, batch->n_tok, C, batch->token, x,
                              grad + layout->embed);
}

/* Where the vocabulary head adds its gradients. */
static struct psw_head_grad head_grad(const struct psw_pass *pass, struct back *back,
                                      float *grad)
{
    const struct psw_model_layout *layout = &pass->model->layout;
    if (psw_arena_is_measuring(pass->exec->scratch)) return (struct psw_head_grad){0};
    return (struct psw_head_grad){back->row_y, grad + layout->head};
}

static void value_backward(const struct psw_pass *pass, const struct psw_act *act,
                           const float *weight, struct back *back, float *grad)
{
    const struct psw_model_layout *layout = &pass->model->layout;
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    psw_exec_ops(pass->exec)
        ->value->backward(pass->exec, psw_value_dims(pass), psw_value_param(pass, pass->param),
                          act->row_y, weight,
                          (struct psw_value_grad){back->row_y, grad + layout->value_w,
                                                  grad + layout->value_b});
}

/* The heads add to back->row_y, which begins as zeros. */
static void clear_rows(const struct psw_pass *pass, struct back *back)
{
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    clear(pass->exec, back->row_y, pass->batch->n_row * pass->model->layout.d.C);
}

void psw_model_backward(const struct psw_pass *pass, struct psw_act *act,
                        struct psw_row_weights weight, float *grad)
{
    const struct psw_head_dims d = psw_head_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    struct back back = back_alloc(pass);
    clear_rows(pass, &back);
    if (weight.logp)
        psw_exec_ops(pass->exec)
            ->head->backward(pass->exec, d, head_in(pass, act), weight.logp,
                             act && act->has_prob ? act->prob : NULL,
                             head_grad(pass, &back, grad));
    if (weight.entropy)
        psw_exec_ops(pass->exec)
            ->entropy->backward(pass->exec, d, head_in(pass, act), weight.entropy,
                                head_grad(pass, &back, grad));
    if (weight.value) value_backward(pass, act, weight.value, &back, grad);
    trunk_backward(pass, act, &back, grad);
    psw_arena_rewind(pass->exec->scratch, mark);
}

/* Forward, a head that adds its gradients, and the way back below it. soft: against the pass's
 * soft target. */
static void forward_and_back(const struct psw_pass *pass, struct psw_act *act, int soft,
                             const float *weight, float *row, float *grad)
{
    const struct psw_head_dims d = psw_head_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    trunk_forward(pass, act);
    if (act) act->has_prob = 0;
    struct back back = back_alloc(pass);
    clear_rows(pass, &back);
    const struct psw_head_in in = head_in(pass, act);
    if (soft)
        psw_exec_ops(pass->exec)
            ->head->soft_nll(pass->exec, d, in, &pass->soft, weight, row,
                             head_grad(pass, &back, grad));
    else
        psw_exec_ops(pass->exec)
            ->head->nll(pass->exec, d, in, weight, row, head_grad(pass, &back, grad));
    trunk_backward(pass, act, &back, grad);
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
