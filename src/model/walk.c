/* What the walks over a program share. */
#include "model_internal.h"

void psw_program_buffers(const struct program *p, enum walk walk, int64_t n,
                         struct psw_arena *arena, float **slot)
{
    const struct buffer_plan *plan = &p->plan[walk];
    float *buffer[PROGRAM_SLOTS];
    slot[STREAM] = psw_arena_f32(arena, n * p->width[STREAM]);
    for (int b = 0; b < plan->n_buffer; b++)
        buffer[b] = psw_arena_f32(arena, n * plan->width[b]);
    for (int s = STREAM + 1; s < PROGRAM_SLOTS; s++)
        slot[s] = s < p->n_slot && plan->of[s] >= 0 ? buffer[plan->of[s]] : NULL;
}

/* Slot 0 stands for none, but as input and first output. */
static float *optional(float *const *slot, int s)
{
    return s ? slot[s] : NULL;
}

struct op_arrays psw_op_arrays(const struct bound_op *o, float *const *slot)
{
    return (struct op_arrays){
        .in = slot[o->in],
        .out = {slot[o->out[0]], optional(slot, o->out[1])},
        .saved = {optional(slot, o->saved[0]), optional(slot, o->saved[1])},
    };
}

struct op_call psw_op_call(const struct psw_pass *pass)
{
    return (struct op_call){.model = pass->model,
                            .exec = pass->exec,
                            .n_row = pass->batch->n_tok,
                            .batch = pass->batch,
                            .position = pass->batch->position};
}

void psw_program_measure(const struct psw_pass *pass, enum walk walk)
{
    const struct program *p = &pass->model->program;
    struct op_call c = psw_op_call(pass);
    for (int i = 0; i < p->n_op; i++) {
        c.op = &p->op[i];
        if (!c.op->op->takes_scratch) continue;
        if (walk == FORWARD) c.op->op->forward(&c);
        if (walk == BACKWARD) c.op->op->backward(&c);
        if (walk == TANGENT) c.op->op->tangent(&c);
    }
}

struct psw_head_dims psw_head_dims(const struct psw_pass *pass)
{
    const struct psw_dims *d = &pass->model->layout.d;
    return (struct psw_head_dims){pass->batch->n_row, d->C, d->V,
                                  pass->temperature == 0.0 ? 1.0 : pass->temperature};
}

struct psw_value_dims psw_value_dims(const struct psw_pass *pass)
{
    return (struct psw_value_dims){pass->batch->n_row, pass->model->layout.d.C};
}

struct psw_value_param psw_value_param(const struct psw_pass *pass, const float *param)
{
    const struct psw_model_layout *layout = &pass->model->layout;
    PSW_ASSERT(pass->model->dims.value);
    return (struct psw_value_param){param + layout->value_w, param + layout->value_b};
}
