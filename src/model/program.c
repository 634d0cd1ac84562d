/* From a family's rows to a program: tensors found by name, and slots that are never needed at
 * the same time put into one buffer, widest first. */
#include "model_internal.h"

#include <stdio.h>
#include <string.h>

static const struct psw_tensor *tensor_of(const struct psw_model *m, const char *layer,
                                          const char *module, const char *kind)
{
    char name[PSW_TENSOR_NAME_BYTES];
    snprintf(name, sizeof name, "%s%s.%s", layer, module, kind);
    return psw_model_find(m, name);
}

/* Rows of a tensor and of those that continue it. */
static int64_t rows_from(const struct psw_model *m, const struct psw_tensor *t)
{
    const int64_t n_col = t->n_col ? t->n_col : 1;
    int64_t n_row = t->n_row;
    for (t++; t < m->tensor + m->n_tensor && t->continues; t++) {
        PSW_ASSERT(n_col == (t->n_col ? t->n_col : 1));
        n_row += t->n_row;
    }
    return n_row;
}

/* Look up the modules of an operation; base: what offsets count from. */
static void bind_modules(const struct psw_model *m, const struct op_row *row, const char *layer,
                         int64_t base, struct bound_op *o)
{
    const int64_t n_row = row->op->gain ? psw_model_size(m, row->op->gain) : o->n_out;
    for (int k = 0; k < 2; k++) {
        o->w[k] = o->b[k] = -1;
        if (!row->module[k]) continue;
        const struct psw_tensor *w = tensor_of(m, layer, row->module[k], "weight");
        const struct psw_tensor *b = tensor_of(m, layer, row->module[k], "bias");
        PSW_ASSERT(w && rows_from(m, w) == n_row);
        PSW_ASSERT(w->n_col == 0 || w->n_col == o->n_in);
        PSW_ASSERT(!b || rows_from(m, b) == n_row);
        o->w[k] = w->offset - base;
        if (b) o->b[k] = b->offset - base;
        o->n_module++;
    }
}

static struct bound_op bind(const struct psw_model *m, const struct op_row *row)
{
    const enum size_name *slot = m->family->slot;
    return (struct bound_op){.op = row->op,
                             .in = row->in,
                             .out = {row->out[0], row->out[1]},
                             .n_in = psw_model_size(m, slot[row->in]),
                             .n_out = psw_model_size(m, slot[row->out[0]])};
}

/* What an operation saves gets slots behind the family's. */
static void add_saved(const struct psw_model *m, struct program *p, struct bound_op *o)
{
    for (int k = 0; k < 2 && o->op->saved[k] != SIZE_NONE; k++) {
        PSW_ASSERT(p->n_slot < PROGRAM_SLOTS);
        o->saved[k] = p->n_slot++;
        p->width[o->saved[k]] = psw_model_size(m, o->op->saved[k]);
    }
}

/* First and last operation that touches a slot; last < first: none does. */
struct lifetime {
    int first, last;
};

static void touch(struct lifetime *life, int slot, int op)
{
    if (slot == STREAM) return;
    if (life[slot].last < life[slot].first) life[slot].first = op;
    life[slot].last = op;
}

static void lifetimes(const struct program *p, enum walk walk, struct lifetime *life)
{
    for (int s = 0; s < p->n_slot; s++) life[s] = (struct lifetime){0, -1};
    for (int i = 0; i < p->n_op; i++) {
        const struct bound_op *o = &p->op[i];
        touch(life, o->in, i);
        for (int k = 0; k < 2; k++) {
            touch(life, o->out[k], i);
            if (walk == DECODE) touch(life, o->saved[k], i);
        }
    }
}

/* Slots that are one array: the output of an operation in place is its input. */
static void join(const struct program *p, enum walk walk, struct lifetime *life, int *same)
{
    for (int s = 0; s < p->n_slot; s++) same[s] = s;
    for (int i = 0; i < p->n_op; i++) {
        const struct bound_op *o = &p->op[i];
        if (!(o->op->in_place >> walk & 1) || o->in == o->out[0]) continue;
        PSW_ASSERT(life[o->in].last == i && o->n_in == o->n_out);
        same[o->out[0]] = same[o->in];
        life[same[o->in]].last = life[o->out[0]].last;
        life[o->out[0]].last = -1;
    }
}

static int overlap(struct lifetime a, struct lifetime b)
{
    return a.first <= b.last && b.first <= a.last;
}

/* The first buffer that is free while the slot lives, or a new one. */
static void place(const struct program *p, const struct lifetime *life, int slot,
                  struct buffer_plan *plan)
{
    for (int b = 0; b <= plan->n_buffer; b++) {
        int is_free = 1;
        for (int s = 0; s < p->n_slot; s++)
            if (plan->of[s] == b && overlap(life[s], life[slot])) is_free = 0;
        if (!is_free) continue;
        if (b == plan->n_buffer) plan->width[plan->n_buffer++] = p->width[slot];
        plan->of[slot] = b;
        return;
    }
}

static void plan_walk(struct program *p, enum walk walk)
{
    struct buffer_plan *plan = &p->plan[walk];
    struct lifetime life[PROGRAM_SLOTS];
    int same[PROGRAM_SLOTS];
    for (int s = 0; s < p->n_slot; s++) plan->of[s] = -1;
    lifetimes(p, walk, life);
    join(p, walk, life, same);
    for (;;) { /* widest first, so that no buffer has to grow */
        int widest = -1;
        for (int s = 0; s < p->n_slot; s++)
            if (plan->of[s] < 0 && life[s].first <= life[s].last &&
                (widest < 0 || p->width[s] > p->width[widest]))
                widest = s;
        if (widest < 0) break;
        place(p, life, widest, plan);
    }
    for (int s = 0; s < p->n_slot; s++) plan->of[s] = plan->of[same[s]];
}

/* Backward clears a cotangent before the first operation that adds to it. */
static void mark_clears(struct program *p)
{
    int seen[PROGRAM_SLOTS] = {0};
    for (int i = p->n_op - 1; i >= 0; i--) {
        struct bound_op *o = &p->op[i];
        o->clears = o->in != STREAM && !seen[o->in] && !o->op->sets_bar;
        seen[o->in] = 1;
    }
}

void psw_program_bind(struct psw_model *m)
{
    struct program *p = &m->program;
    char layer[PSW_TENSOR_NAME_BYTES];
    for (; m->family->slot[p->n_slot] != SIZE_NONE; p->n_slot++)
        p->width[p->n_slot] = psw_model_size(m, m->family->slot[p->n_slot]);
    snprintf(layer, sizeof layer, "%s0.", m->family->layer);
    const struct op_row *block = m->dims.sequential ? m->family->sequential : m->family->block;
    for (const struct op_row *row = block; row->op; row++) {
        PSW_ASSERT(p->n_op < PROGRAM_OPS);
        struct bound_op *o = &p->op[p->n_op++];
        *o = bind(m, row);
        bind_modules(m, row, layer, p->layer0, o);
        add_saved(m, p, o);
    }
    p->norm = bind(m, &m->family->norm);
    bind_modules(m, &m->family->norm, "", 0, &p->norm);
    mark_clears(p);
    for (enum walk walk = BACKWARD; walk < N_WALK; walk++) plan_walk(p, walk);
}
