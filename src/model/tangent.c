/* The tangent pass: values and derivatives along one direction, side by side in dual arrays, so
 * that the product with a weight serves both. Nothing is kept for later. */
#include "model_internal.h"

#include <posweep/kernels/backend.h>

/* All duals, [2][rows][width]. */
struct dual {
    float *slot[PROGRAM_SLOTS];
    float *row_x, *row_y;
    float *out, *more; /* [2][n_row] one quantity of the rows, and a second one */
};

static struct dual dual_alloc(const struct psw_pass *pass)
{
    struct psw_arena *arena = pass->exec->scratch;
    const int64_t n_row = 2 * pass->batch->n_row, C = pass->model->layout.d.C;
    struct dual u;
    psw_program_buffers(&pass->model->program, TANGENT, 2 * pass->batch->n_tok, arena, u.slot);
    u.row_x = psw_arena_f32(arena, n_row * C);
    u.row_y = psw_arena_f32(arena, n_row * C);
    u.out = psw_arena_f32(arena, n_row);
    u.more = psw_arena_f32(arena, n_row);
    return u;
}

/* Everything below the head. */
static void trunk_tangent(const struct psw_pass *pass, const float *param_dot, struct dual *u)
{
    const struct program *p = &pass->model->program;
    const struct psw_model_layout *layout = &pass->model->layout;
    const struct psw_batch *batch = pass->batch;
    const int64_t C = layout->d.C;
    const struct psw_buffer_ops *buffer = psw_exec_backend(pass->exec)->buffer;
    float *x = u->slot[STREAM];
    struct op_call c = psw_op_call(pass);
    psw_exec_ops(pass->exec)
        ->embedding->tangent(pass->exec, batch->n_tok, C, batch->token,
                             pass->param + layout->embed, param_dot + layout->embed, x);
    for (int64_t l = 0; l < layout->d.L; l++) {
        c.param = pass->param + p->layer0 + l * p->stride;
        c.param_dot = param_dot + p->layer0 + l * p->stride;
        for (c.op = p->op; c.op < p->op + p->n_op; c.op++) {
            c.at = psw_op_arrays(c.op, u->slot);
            c.op->op->tangent(&c);
        }
        psw_exec_beat(pass->exec);
    }
    buffer->gather(pass->exec, batch->n_row, C, batch->row.source, x, u->row_x);
    buffer->gather(pass->exec, batch->n_row, C, batch->row.source, x + batch->n_tok * C,
                   u->row_x + batch->n_row * C);
    c.op = &p->norm;
    c.n_row = batch->n_row;
    c.param = pass->param;
    c.param_dot = param_dot;
    c.at = (struct op_arrays){.in = u->row_x, .out = {u->row_y}};
    c.op->op->tangent(&c);
}

/* Hand out a quantity, value and derivative. */
static void copy_out(const struct psw_pass *pass, const float *dual, float *at, float *dot)
{
    const struct psw_buffer_ops *buffer = psw_exec_backend(pass->exec)->buffer;
    const int64_t n = pass->batch->n_row;
    if (psw_arena_is_measuring(pass->exec->scratch)) return;
    buffer->copy(pass->exec, n, dual, at);
    if (dot) buffer->copy(pass->exec, n, dual + n, dot);
}

void psw_model_tangent(const struct psw_pass *pass, const float *param_dot, struct psw_rows at,
                       struct psw_rows dot)
{
    const struct psw_model_layout *layout = &pass->model->layout;
    const struct psw_head_dims d = psw_head_dims(pass);
    const struct psw_arena_mark mark = psw_arena_mark(pass->exec->scratch);
    const int is_dry = psw_arena_is_measuring(pass->exec->scratch);
    struct dual u = dual_alloc(pass);
    struct psw_head_in in = {0};
    const float *head_dot = NULL;
    PSW_ASSERT((at.logp || !dot.logp) && (at.entropy || !dot.entropy));
    PSW_ASSERT((at.value || !dot.value) && (at.soft || !dot.soft) && (at.logp || !at.soft));
    if (is_dry) {
        psw_program_measure(pass, TANGENT);
    } else {
        trunk_tangent(pass, param_dot, &u);
        in = (struct psw_head_in){u.row_y, pass->param + layout->head, pass->batch->row.target};
        head_dot = param_dot + layout->head;
    }
    if (at.soft) {
        psw_exec_ops(pass->exec)
            ->head->soft_tangent(pass->exec, d, in, &pass->soft, head_dot, u.out, u.more);
        copy_out(pass, u.more, at.soft, dot.soft);
    } else if (at.logp) {
        psw_exec_ops(pass->exec)->head->tangent(pass->exec, d, in, head_dot, u.out);
    }
    if (at.logp) copy_out(pass, u.out, at.logp, dot.logp);
    if (at.entropy) {
        psw_exec_ops(pass->exec)->entropy->tangent(pass->exec, d, in, head_dot, u.out);
        copy_out(pass, u.out, at.entropy, dot.entropy);
    }
    if (at.value && !is_dry) {
        psw_exec_ops(pass->exec)
            ->value->tangent(pass->exec, psw_value_dims(pass),
                             psw_value_param(pass, pass->param),
                             psw_value_param(pass, param_dot), u.row_y, u.out);
        copy_out(pass, u.out, at.value, dot.value);
    }
    psw_arena_rewind(pass->exec->scratch, mark);
}
