/* The parameter table of gpt_neox and what is derived from it. A static table names every
 * tensor once, with the place its offset goes to; sizes, initial values and names follow from
 * it. */
#include <posweep/model/model.h>

#include <math.h>
#include <posweep/util/rng.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN_FLOATS = 16 };

struct psw_model {
    struct psw_model_dims dims;
    struct psw_model_layout layout;
    struct psw_tensor *tensor;       /* owned */
    struct psw_layer_offsets *layer; /* owned */
    float *rotary;                   /* owned: cosines, then sines */
    int64_t n_tensor, n_weight;
};

enum size_name { SIZE_NONE, SIZE_C, SIZE_3C, SIZE_F, SIZE_V, SIZE_ONE };
enum init_rule { INIT_ZERO, INIT_ONE, INIT_NORMAL, INIT_RESIDUAL, INIT_VALUE };

struct tensor_rule {
    const char *name;
    enum size_name n_row, n_col;
    enum init_rule init;
    size_t offset_at; /* in struct psw_layer_offsets or struct psw_model_layout */
};

#define AT_LAYER(field) offsetof(struct psw_layer_offsets, field)
#define AT_MODEL(field) offsetof(struct psw_model_layout, field)

static const struct tensor_rule FIRST[] = {
    {"gpt_neox.embed_in.weight", SIZE_V, SIZE_C, INIT_NORMAL, AT_MODEL(embed)},
};

static const struct tensor_rule LAYER[] = {
    {"input_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, AT_LAYER(norm1_w)},
    {"input_layernorm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, AT_LAYER(norm1_b)},
    {"post_attention_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, AT_LAYER(norm2_w)},
    {"post_attention_layernorm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, AT_LAYER(norm2_b)},
    {"attention.query_key_value.weight", SIZE_3C, SIZE_C, INIT_NORMAL, AT_LAYER(qkv_w)},
    {"attention.query_key_value.bias", SIZE_3C, SIZE_NONE, INIT_ZERO, AT_LAYER(qkv_b)},
    {"attention.dense.weight", SIZE_C, SIZE_C, INIT_RESIDUAL, AT_LAYER(dense_w)},
    {"attention.dense.bias", SIZE_C, SIZE_NONE, INIT_ZERO, AT_LAYER(dense_b)},
    {"mlp.dense_h_to_4h.weight", SIZE_F, SIZE_C, INIT_NORMAL, AT_LAYER(up_w)},
    {"mlp.dense_h_to_4h.bias", SIZE_F, SIZE_NONE, INIT_ZERO, AT_LAYER(up_b)},
    {"mlp.dense_4h_to_h.weight", SIZE_C, SIZE_F, INIT_RESIDUAL, AT_LAYER(down_w)},
    {"mlp.dense_4h_to_h.bias", SIZE_C, SIZE_NONE, INIT_ZERO, AT_LAYER(down_b)},
};

static const struct tensor_rule LAST[] = {
    {"gpt_neox.final_layer_norm.weight", SIZE_C, SIZE_NONE, INIT_ONE, AT_MODEL(norm_w)},
    {"gpt_neox.final_layer_norm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, AT_MODEL(norm_b)},
    {"embed_out.weight", SIZE_V, SIZE_C, INIT_NORMAL, AT_MODEL(head)}, /* not when tied */
};

/* Of models with a scalar head. */
static const struct tensor_rule VALUE[] = {
    {"score.weight", SIZE_ONE, SIZE_C, INIT_VALUE, AT_MODEL(value_w)},
    {"score.bias", SIZE_ONE, SIZE_NONE, INIT_ZERO, AT_MODEL(value_b)},
};

enum {
    N_FIRST = sizeof FIRST / sizeof FIRST[0],
    N_LAYER = sizeof LAYER / sizeof LAYER[0],
    N_LAST = sizeof LAST / sizeof LAST[0],
    N_VALUE = sizeof VALUE / sizeof VALUE[0]
};

static int64_t size_of(const struct psw_dims *d, enum size_name name)
{
    const int64_t sizes[] = {0, d->C, 3 * d->C, d->F, d->V, 1};
    return sizes[name];
}

/* Append one tensor and write its offset to where the rule says in base. */
static void add_tensor(struct psw_model *m, const struct tensor_rule *rule, int64_t layer,
                       void *base)
{
    const struct psw_dims *d = &m->layout.d;
    struct psw_tensor *t = &m->tensor[m->n_tensor++];
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "%s", rule->name);
    else
        snprintf(t->name, sizeof t->name, "gpt_neox.layers.%lld.%s", (long long)layer,
                 rule->name);
    t->offset = d->P;
    t->n_row = size_of(d, rule->n_row);
    t->n_col = size_of(d, rule->n_col);
    t->init_mean = rule->init == INIT_ONE ? 1.0 : 0.0;
    if (rule->init == INIT_NORMAL) t->init_std = m->dims.init_std;
    if (rule->init == INIT_RESIDUAL) t->init_std = m->dims.init_std / sqrt(2.0 * (double)d->L);
    if (rule->init == INIT_VALUE) t->init_std = 1.0 / sqrt((double)d->C + 1.0);
    memcpy((char *)base + rule->offset_at, &t->offset, sizeof t->offset);

    const int64_t n = t->n_row * (t->n_col ? t->n_col : 1);
    m->n_weight += n;
    m->layout.d.P += (n + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

static void build_table(struct psw_model *m)
{
    for (int i = 0; i < N_FIRST; i++) add_tensor(m, &FIRST[i], -1, &m->layout);
    for (int64_t l = 0; l < m->layout.d.L; l++)
        for (int i = 0; i < N_LAYER; i++) add_tensor(m, &LAYER[i], l, &m->layer[l]);
    const int n_last = m->dims.tied ? N_LAST - 1 : N_LAST;
    for (int i = 0; i < n_last; i++) add_tensor(m, &LAST[i], -1, &m->layout);
    for (int i = 0; m->dims.value && i < N_VALUE; i++) add_tensor(m, &VALUE[i], -1, &m->layout);
    if (m->dims.tied) m->layout.head = m->layout.embed;
    m->layout.layer = m->layer;
}

static psw_status check_dims(const struct psw_model_dims *d, struct psw_error *err)
{
    const struct {
        const char *name;
        int64_t value;
    } positive[] = {{"layers", d->n_layer},     {"width", d->width},
                    {"heads", d->n_head},       {"hidden", d->hidden},
                    {"vocabulary", d->n_vocab}, {"context", d->context}};
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++)
        if (positive[i].value < 1 || positive[i].value > INT32_MAX / 4)
            return psw_fail(err, PSW_EINVAL, "model: %s = %lld is not possible",
                            positive[i].name, (long long)positive[i].value);
    if (d->width % d->n_head != 0)
        return psw_fail(err, PSW_EINVAL, "model: width %lld is not a multiple of heads %lld",
                        (long long)d->width, (long long)d->n_head);
    if (d->rotary_dims < 0 || d->rotary_dims > d->width / d->n_head || d->rotary_dims % 2)
        return psw_fail(err, PSW_EINVAL,
                        "model: %lld rotary dimensions: must be even and at most the head's "
                        "width %lld",
                        (long long)d->rotary_dims, (long long)(d->width / d->n_head));
    if (!(d->rotary_base > 0) || !(d->norm_eps > 0) || !(d->init_std >= 0))
        return psw_fail(err, PSW_EINVAL,
                        "model: rotary_base %g, norm_eps %g must be positive, init_std %g not "
                        "negative",
                        d->rotary_base, d->norm_eps, d->init_std);
    return PSW_OK;
}

psw_status psw_model_create(const struct psw_model_dims *dims, struct psw_model **out,
                            struct psw_error *err)
{
    psw_status rc = check_dims(dims, err);
    if (rc != PSW_OK) return rc;
    struct psw_model *m = calloc(1, sizeof *m);
    if (!m) return psw_fail(err, PSW_ENOMEM, "model: %zu bytes", sizeof *m);
    const int64_t n_pair = dims->rotary_dims / 2;
    const size_t n_table = (size_t)(N_FIRST + N_LAST + N_VALUE + N_LAYER * dims->n_layer);
    const size_t n_angle = (size_t)(dims->context * n_pair);
    m->dims = *dims;
    m->layout.d = (struct psw_dims){.L = dims->n_layer,
                                    .C = dims->width,
                                    .H = dims->n_head,
                                    .D = dims->width / dims->n_head,
                                    .F = dims->hidden,
                                    .V = dims->n_vocab};
    m->layout.context = dims->context;
    m->layout.n_rotated = dims->rotary_dims;
    m->layout.norm_eps = dims->norm_eps;
    m->tensor = calloc(n_table, sizeof *m->tensor);
    m->layer = calloc((size_t)dims->n_layer, sizeof *m->layer);
    m->rotary = calloc(2 * n_angle + 1, sizeof *m->rotary);
    if (!m->tensor || !m->layer || !m->rotary) {
        psw_model_destroy(m);
        return psw_fail(err, PSW_ENOMEM, "model: tables of %lld layers, context %lld",
                        (long long)dims->n_layer, (long long)dims->context);
    }
    build_table(m);
    psw_rotary_fill(dims->context, dims->rotary_dims, dims->rotary_base, m->rotary,
                    m->rotary + n_angle);
    m->layout.rotary = (struct psw_rotary_table){m->rotary, m->rotary + n_angle};
    *out = m;
    return PSW_OK;
}

void psw_model_destroy(struct psw_model *model)
{
    if (!model) return;
    free(model->tensor);
    free(model->layer);
    free(model->rotary);
    free(model);
}

const struct psw_model_dims *psw_model_dims(const struct psw_model *model)
{
    return &model->dims;
}

const struct psw_model_layout *psw_model_layout(const struct psw_model *model)
{
    return &model->layout;
}

int64_t psw_model_n_param(const struct psw_model *model)
{
    return model->layout.d.P;
}

int64_t psw_model_n_weight(const struct psw_model *model)
{
    return model->n_weight;
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

void psw_model_init(const struct psw_model *model, uint64_t seed, float *param)
{
    memset(param, 0, (size_t)model->layout.d.P * sizeof *param);
    for (int64_t i = 0; i < model->n_tensor; i++) {
        const struct psw_tensor *t = &model->tensor[i];
        const struct psw_rng rng = {.seed = seed, .use = PSW_RNG_INIT, .step = (uint32_t)i};
        const int64_t n = t->n_row * (t->n_col ? t->n_col : 1);
        for (int64_t j = 0; j < n; j++) {
            const double z = t->init_std > 0 ? psw_rng_normal(rng, (uint64_t)j, 0) : 0.0;
            param[t->offset + j] = (float)(t->init_mean + t->init_std * z);
        }
    }
}
