/* Sizes of a model, checked, and what is made of them. */
#include "model_internal.h"

#include <math.h>
#include <stdlib.h>

static psw_status check_sizes(const struct psw_model_dims *d, struct psw_error *err)
{
    const struct {
        const char *name;
        int64_t value;
    } positive[] = {{"layers", d->n_layer},     {"width", d->width},
                    {"heads", d->n_head},       {"hidden", d->hidden},
                    {"vocabulary", d->n_vocab}, {"context", d->context},
                    {"kv_heads", d->n_kv_head}, {"head_width", d->head_width}};
    for (size_t i = 0; i < sizeof positive / sizeof positive[0]; i++)
        if (positive[i].value < 1 || positive[i].value > INT32_MAX / 4)
            return psw_fail(err, PSW_EINVAL, "model: %s = %lld is not possible",
                            positive[i].name, (long long)positive[i].value);
    if (!(d->rotary_base > 0) || !(d->norm_eps > 0) || !(d->init_std >= 0))
        return psw_fail(err, PSW_EINVAL,
                        "model: rotary_base %g, norm_eps %g must be positive, init_std %g not "
                        "negative",
                        d->rotary_base, d->norm_eps, d->init_std);
    return PSW_OK;
}

static psw_status check_heads(const struct psw_model_dims *d, struct psw_error *err)
{
    if (d->n_head % d->n_kv_head != 0)
        return psw_fail(err, PSW_EINVAL, "model: heads %lld is not a multiple of kv_heads %lld",
                        (long long)d->n_head, (long long)d->n_kv_head);
    if (psw_family_row(d->family)->by_head && d->n_kv_head != d->n_head)
        return psw_fail(
            err, PSW_EINVAL, "model: kv_heads %lld: family %s has as many as heads, %lld",
            (long long)d->n_kv_head, psw_family_row(d->family)->name, (long long)d->n_head);
    if (d->rotary_dims < 0 || d->rotary_dims > d->head_width || d->rotary_dims % 2)
        return psw_fail(err, PSW_EINVAL,
                        "model: %lld rotary dimensions: must be even and at most the head's "
                        "width %lld",
                        (long long)d->rotary_dims, (long long)d->head_width);
    return PSW_OK;
}

static psw_status check_scaling(const struct psw_rope_scaling *s, struct psw_error *err)
{
    if (s->kind > PSW_ROPE_LLAMA3)
        return psw_fail(err, PSW_EINVAL, "model: scaling.kind %d: there is no such scaling",
                        (int)s->kind);
    if (s->kind == PSW_ROPE_PLAIN) return PSW_OK;
    if (!(s->factor >= 1.0) || !isfinite(s->factor))
        return psw_fail(err, PSW_EINVAL, "model: scaling.factor %g must be at least 1",
                        s->factor);
    if (s->kind == PSW_ROPE_LINEAR) return PSW_OK;
    if (!(s->low_freq_factor > 0.0) || !(s->high_freq_factor > s->low_freq_factor))
        return psw_fail(err, PSW_EINVAL,
                        "model: scaling.low_freq_factor %g must be positive and less than "
                        "high_freq_factor %g",
                        s->low_freq_factor, s->high_freq_factor);
    if (s->original_context < 1)
        return psw_fail(err, PSW_EINVAL, "model: scaling.original_context %lld is not possible",
                        (long long)s->original_context);
    return PSW_OK;
}

/* What only some families have. */
static psw_status check_variant(const struct psw_model_dims *d, struct psw_error *err)
{
    const struct psw_family_row *row = psw_family_row(d->family);
    if (d->window < 0 || (d->window > 0 && !row->has_window))
        return psw_fail(err, PSW_EINVAL, "model: window %lld is not possible in family %s",
                        (long long)d->window, row->name);
    if (d->sequential && !psw_family_of(d->family)->sequential)
        return psw_fail(err, PSW_EINVAL, "model: sequential %d is not a choice in family %s",
                        d->sequential, row->name);
    return PSW_OK;
}

/* Sizes that are left out follow from others. */
static psw_status complete(struct psw_model_dims *d, struct psw_error *err)
{
    if (d->family >= PSW_N_FAMILY)
        return psw_fail(err, PSW_EINVAL, "model: no family %d", (int)d->family);
    if (d->n_kv_head == 0) d->n_kv_head = d->n_head;
    if (d->head_width == 0 && d->n_head > 0) {
        if (d->width % d->n_head != 0)
            return psw_fail(err, PSW_EINVAL,
                            "model: width %lld is not a multiple of heads %lld",
                            (long long)d->width, (long long)d->n_head);
        d->head_width = d->width / d->n_head;
    }
    if (psw_family_row(d->family)->rotates_all) d->rotary_dims = d->head_width;
    return PSW_OK;
}

static void set_sizes(struct psw_model *m, const struct psw_model_dims *d)
{
    m->dims = *d;
    m->family = psw_family_of(d->family);
    m->layout.d = (struct psw_dims){.L = d->n_layer,
                                    .C = d->width,
                                    .H = d->n_head,
                                    .D = d->head_width,
                                    .F = d->hidden,
                                    .V = d->n_vocab};
    m->qkv = psw_family_row(d->family)->by_head
                 ? psw_qkv_by_head(d->n_head, d->head_width)
                 : psw_qkv_by_kind(d->n_head, d->n_kv_head, d->head_width);
    if (d->window < d->context) m->qkv.window = d->window; /* a wider one hides nothing */
}

static psw_status add_angles(struct psw_model *m, struct psw_error *err)
{
    const struct psw_model_dims *d = &m->dims;
    const size_t n_angle = (size_t)(d->context * (d->rotary_dims / 2));
    m->angle = calloc(2 * n_angle + 1, sizeof *m->angle);
    if (!m->angle)
        return psw_fail(err, PSW_ENOMEM, "model: rotary tables of context %lld",
                        (long long)d->context);
    psw_rotary_fill(d->context, d->rotary_dims, d->rotary_base, d->scaling, m->angle,
                    m->angle + n_angle);
    m->rotary = (struct psw_rotary_table){m->angle, m->angle + n_angle};
    return PSW_OK;
}

psw_status psw_model_create(const struct psw_model_dims *dims, struct psw_model **out,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_dims d = *dims;
    struct psw_model *m = NULL;
    PSW_TRY(complete(&d, err));
    PSW_TRY(check_sizes(&d, err));
    PSW_TRY(check_heads(&d, err));
    PSW_TRY(check_scaling(&d.scaling, err));
    PSW_TRY(check_variant(&d, err));
    m = calloc(1, sizeof *m);
    if (!m) return psw_fail(err, PSW_ENOMEM, "model: %zu bytes", sizeof *m);
    set_sizes(m, &d);
    PSW_TRY(psw_model_add_tensors(m, err));
    psw_program_bind(m);
    PSW_TRY(psw_model_list_products(m, err));
    PSW_TRY(add_angles(m, err));
    *out = m;
    return PSW_OK;
fail:
    psw_model_destroy(m);
    return rc;
}

void psw_model_destroy(struct psw_model *model)
{
    if (!model) return;
    free(model->tensor);
    free(model->product);
    free(model->angle);
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
