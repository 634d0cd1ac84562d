/* Cutting a step's rollouts into minibatches. */
#include <posweep/rollout/minibatch.h>

#include <stdlib.h>
#include <string.h>

enum { N_MINI_ARRAY = 12 };

psw_status psw_minibatch_init(const struct psw_config *c, const struct psw_rollout *r,
                              struct psw_minibatch *m, struct psw_error *err)
{
    const int64_t n_all = r->rows.n_prompt, n = n_all / c->policy.minibatches;
    const int64_t n_seq = n * r->rows.n_sample, n_row = n_seq * r->responses.stride;
    *m = (struct psw_minibatch){.n_prompt = n, .n_all = n_all};
    m->order = calloc((size_t)n_all, sizeof *m->order);
    m->item = calloc((size_t)n, sizeof *m->item);
    m->seq_row = calloc((size_t)n_seq + 1, sizeof *m->seq_row);
    double *at = m->row.old = calloc((size_t)(N_MINI_ARRAY * n_row), sizeof(double));
    if (!m->order || !m->item || !m->seq_row || !at) {
        psw_minibatch_clear(m);
        return psw_fail(err, PSW_ENOMEM, "rollouts: minibatch of %lld responses",
                        (long long)n_seq);
    }
    struct psw_rollout_values *row = &m->row;
    struct psw_minibatch_update *now = &m->now;
    double **const array[N_MINI_ARRAY] = {
        &row->old,  &row->ref,   &row->value,  &row->ret, &row->learnt,  &row->advantage,
        &now->logp, &now->value, &now->weight, &now->kl,  &now->entropy, &now->value_weight};
    for (int i = 0; i < N_MINI_ARRAY; i++, at += n_row) *array[i] = at;
    m->rows = (struct psw_rollout_rows){
        .n_prompt = n, .n_sample = r->rows.n_sample, .n_seq = n_seq, .seq_row = m->seq_row};
    return PSW_OK;
}

void psw_minibatch_clear(struct psw_minibatch *m)
{
    free(m->order);
    free(m->item);
    free(m->seq_row);
    free(m->row.old);
    *m = (struct psw_minibatch){0};
}

void psw_minibatch_order(struct psw_minibatch *m, const struct psw_config *c, int64_t step,
                         int64_t epoch)
{
    const struct psw_rng rng = {
        .seed = (uint64_t)c->seed, .use = PSW_RNG_EPOCH, .step = (uint32_t)step};
    if (epoch > 0 && c->policy.minibatches > 1)
        psw_rng_permute(rng, (uint64_t)epoch, m->n_all, m->order);
    else
        for (int64_t i = 0; i < m->n_all; i++) m->order[i] = i;
}

void psw_minibatch_choose(struct psw_minibatch *m, const struct psw_rollout *r, int64_t k)
{
    const struct psw_rollout_values *to = &m->row, *all = &r->row;
    const struct {
        double *to;
        const double *from;
    } copies[] = {{to->old, all->old},       {to->ref, all->ref},
                  {to->value, all->value},   {to->ret, all->ret},
                  {to->learnt, all->learnt}, {to->advantage, all->advantage}};
    const int64_t n_sample = m->rows.n_sample;
    int64_t row = 0;
    for (int64_t i = 0; i < m->n_prompt; i++) {
        const int64_t place = m->order[k * m->n_prompt + i];
        m->item[i] = r->responses.pointer[place];
        for (int64_t j = 0; j < n_sample; j++) {
            const int64_t from = r->seq_row[place * n_sample + j];
            const int64_t n = r->seq_row[place * n_sample + j + 1] - from;
            m->seq_row[i * n_sample + j] = row;
            for (size_t a = 0; a < sizeof copies / sizeof *copies; a++)
                memcpy(copies[a].to + row, copies[a].from + from, sizeof(double) * (size_t)n);
            row += n;
        }
    }
    m->seq_row[m->rows.n_seq] = m->rows.n_row = row;
}
