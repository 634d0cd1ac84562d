/* What a model costs, from the products that its operations name. */
#include "model_internal.h"

#include <stdlib.h>

psw_status psw_model_list_products(struct psw_model *m, struct psw_error *err)
{
    const struct program *p = &m->program;
    const struct psw_dims *d = &m->layout.d;
    const size_t n_max = (size_t)(d->L * p->n_op + 1);
    m->product = calloc(n_max, sizeof *m->product);
    if (!m->product) return psw_fail(err, PSW_ENOMEM, "model: table of %zu products", n_max);
    for (int64_t l = 0; l < d->L; l++)
        for (int i = 0; i < p->n_op; i++) {
            const struct bound_op *o = &p->op[i];
            struct psw_product *out = &m->product[m->n_product];
            if (!o->op->product || !o->op->product(m, o, out)) continue;
            if (!out->is_attention) out->weight += p->layer0 + l * p->stride;
            m->n_product++;
        }
    m->product[m->n_product++] =
        (struct psw_product){.n_in = d->C, .n_out = d->V, .weight = m->layout.head};
    return PSW_OK;
}

const struct psw_product *psw_model_products(const struct psw_model *model, int64_t *n)
{
    *n = model->n_product;
    return model->product;
}

double psw_model_flops(const struct psw_model *model, struct psw_load load)
{
    double flops = 0;
    for (int64_t i = 0; i < model->n_product; i++) {
        const struct psw_product *p = &model->product[i];
        const double n_max = load.n_tok * (double)p->qkv.window; /* pairs */
        const double n_seen = p->qkv.window && n_max < load.n_seen ? n_max : load.n_seen;
        const double n = i == model->n_product - 1 ? load.n_row : load.n_tok;
        /* a query with its key, and its share of the value */
        flops += p->is_attention ? 4.0 * (double)(p->qkv.n_head * p->qkv.head_width) * n_seen
                                 : 2.0 * n * (double)(p->n_in * p->n_out);
    }
    return flops;
}

int64_t psw_model_n_read(const struct psw_model *model)
{
    const struct psw_dims *d = &model->layout.d;
    return model->n_weight - (model->dims.tied ? 0 : d->V * d->C);
}
