/* The tensors of a model: a family's rows, once or for every layer, dealt out one after
 * another; names, sizes and initial values follow from the rows. */
#include "model_internal.h"

#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/minmax.h>
#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN_FLOATS = 16, INIT_BLOCK = 1024 };

/* Of models with a scalar head, in every family. */
static const struct tensor_row VALUE[] = {
    {"score.weight", SIZE_ONE, SIZE_C, INIT_VALUE, ROLE_VALUE, 0},
    {"score.bias", SIZE_ONE, SIZE_NONE, INIT_ZERO, ROLE_VALUE, 0},
    {0},
};

int64_t psw_model_size(const struct psw_model *m, enum size_name name)
{
    const struct psw_dims *d = &m->layout.d;
    const int64_t queries = m->qkv.n_head * m->qkv.head_width;
    const int64_t keys = m->qkv.n_kv_head * m->qkv.head_width;
    const int64_t sizes[N_SIZE] = {[SIZE_ONE] = 1,
                                   [SIZE_C] = d->C,
                                   [SIZE_H] = d->H,
                                   [SIZE_Q] = queries,
                                   [SIZE_KV] = keys,
                                   [SIZE_F] = d->F,
                                   [SIZE_2F] = 2 * d->F,
                                   [SIZE_V] = d->V,
                                   [SIZE_QKV] = m->qkv.row,
                                   [SIZE_D] = d->D,
                                   [SIZE_QK] = queries + keys,
                                   [SIZE_H2] = d->H + m->qkv.n_kv_head};
    return sizes[name];
}

static int64_t round_up(int64_t n)
{
    return (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static double init_std(const struct psw_model *m, enum init_rule rule)
{
    const struct psw_dims *d = &m->layout.d;
    if (rule == INIT_NORMAL) return m->dims.init_std;
    if (rule == INIT_RESIDUAL) return m->dims.init_std / sqrt(2.0 * (double)d->L);
    return rule == INIT_VALUE ? 1.0 / sqrt((double)d->C + 1.0) : 0.0;
}

/* Append one tensor; *end is where the one before it ends. */
static struct psw_tensor *add(struct psw_model *m, const struct tensor_row *row, int64_t layer,
                              int64_t *end)
{
    struct psw_tensor *t = &m->tensor[m->n_tensor++];
    *t = (struct psw_tensor){.offset = row->continues ? *end : round_up(*end),
                             .n_row = psw_model_size(m, row->n_row),
                             .n_col = psw_model_size(m, row->n_col),
                             .continues = row->continues,
                             .init_std = init_std(m, row->init),
                             .init_mean = row->init == INIT_ONE ? 1.0 : 0.0};
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "%s", row->name);
    else
        snprintf(t->name, sizeof t->name, "%s%lld.%s", m->family->layer, (long long)layer,
                 row->name);
    *end = t->offset + psw_tensor_n_elem(t);
    m->n_weight += psw_tensor_n_elem(t);
    m->layout.d.P = round_up(*end);
    return t;
}

/* The rows of all layers, from `row` to the last of that role; returns the row behind them. */
static const struct tensor_row *add_layers(struct psw_model *m, const struct tensor_row *row,
                                           int64_t *end)
{
    const struct tensor_row *r = row;
    m->program.layer0 = round_up(*end);
    for (int64_t l = 0; l < m->layout.d.L; l++) {
        for (r = row; r->name && r->role == ROLE_BLOCK; r++) add(m, r, l, end);
        if (l == 0) m->program.stride = round_up(*end) - m->program.layer0;
    }
    return r;
}

static void add_rows(struct psw_model *m, const struct tensor_row *row, int64_t *end)
{
    while (row->name) {
        if (row->role == ROLE_BLOCK) {
            row = add_layers(m, row, end);
        } else if (row->role == ROLE_HEAD && m->dims.tied) {
            m->layout.head = m->layout.embed;
            row++;
        } else {
            const int64_t offset = add(m, row, -1, end)->offset;
            if (row->role == ROLE_EMBED) m->layout.embed = offset;
            if (row->role == ROLE_HEAD) m->layout.head = offset;
            row++;
        }
    }
}

psw_status psw_model_add_tensors(struct psw_model *m, struct psw_error *err)
{
    int64_t n_row = 0, end = 0;
    while (m->family->tensor[n_row].name) n_row++;
    const size_t n_max = (size_t)(n_row * m->layout.d.L + 2); /* + the scalar head's */
    m->tensor = calloc(n_max, sizeof *m->tensor);
    if (!m->tensor) return psw_fail(err, PSW_ENOMEM, "model: table of %zu tensors", n_max);
    add_rows(m, m->family->tensor, &end);
    if (!m->dims.value) return PSW_OK;
    add_rows(m, VALUE, &end);
    m->layout.value_w = m->tensor[m->n_tensor - 2].offset;
    m->layout.value_b = m->tensor[m->n_tensor - 1].offset;
    return PSW_OK;
}

const struct psw_tensor *psw_model_table(const struct psw_model *model, int64_t *n_tensor)
{
    *n_tensor = model->n_tensor;
    return model->tensor;
}

const struct psw_tensor *psw_model_find(const struct psw_model *model, const char *name)
{
    for (int64_t i = 0; i < model->n_tensor; i++)
        if (!strcmp(model->tensor[i].name, name)) return &model->tensor[i];
    return NULL;
}

/* Initial values of a tensor's elements from `first` on. */
static void draw_block(const struct psw_tensor *t, struct psw_rng rng, int64_t first, int64_t n,
                       float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const double z = t->init_std > 0 ? psw_rng_normal(rng, (uint64_t)(first + i), 0) : 0.0;
        out[i] = (float)(t->init_mean + t->init_std * z);
    }
}

void psw_model_init(const struct psw_model *model, struct psw_exec *exec, uint64_t seed,
                    float *param)
{
    float block[INIT_BLOCK];
    const struct psw_buffer_ops *buffer = psw_exec_backend(exec)->buffer;
    buffer->fill(exec, model->layout.d.P, 0.0f, param);
    for (int64_t i = 0; i < model->n_tensor; i++) {
        const struct psw_tensor *t = &model->tensor[i];
        const struct psw_rng rng = {.seed = seed, .use = PSW_RNG_INIT, .step = (uint32_t)i};
        const int64_t n_elem = psw_tensor_n_elem(t);
        for (int64_t at = 0; at < n_elem; at += INIT_BLOCK) {
            const int64_t n = psw_min(n_elem - at, INIT_BLOCK);
            draw_block(t, rng, at, n, block);
            buffer->write(exec, n, block, param + t->offset + at);
        }
    }
}
