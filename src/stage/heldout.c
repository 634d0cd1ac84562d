/* Held-out pairs in blocks; only their log-probabilities are kept. */
#include "heldout.h"

#include <posweep/comm/agree.h>
#include <posweep/data/dataset.h>

#include <stdlib.h>

enum { BLOCK_PAIRS = 64 };

/* Log-probabilities of one block into out; out NULL only measures. */
static void block(const struct psw_heldout *what, struct psw_trainer *t, int64_t begin,
                  struct psw_arena *arena, double *out)
{
    struct psw_example item[BLOCK_PAIRS];
    const struct psw_example *picked[BLOCK_PAIRS];
    const int64_t n_left = what->n_pair - begin,
                  n = n_left < BLOCK_PAIRS ? n_left : BLOCK_PAIRS;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_shards pass = {
        .model = t->model,
        .team = &t->team,
        .exec = &t->exec,
        .arena = arena,
        .opts = {.share_prefix = what->share_prefix, .temperature = what->temperature}};
    for (int64_t i = 0; i < n; i++) {
        item[i] = psw_examples_at(what->list, begin + i);
        picked[i] = &item[i];
    }
    psw_shards_pack(&pass, picked, n);
    psw_shards_evaluate(&pass, t->param);
    psw_shards_sum_logp(&pass, out);
    psw_arena_rewind(arena, mark);
}

void psw_heldout_layout(const struct psw_heldout *what, struct psw_trainer *trainer,
                        struct psw_arena *arena)
{
    for (int64_t i = 0; i < what->n_pair; i += BLOCK_PAIRS)
        block(what, trainer, i, arena, NULL);
}

/* The arrays over all pairs, in one block. */
struct arrays {
    double *logp, *loss, *omega, *score;
    int64_t *n_tok;
    uint8_t *is_equal;
};

static psw_status arrays_init(struct arrays *a, int64_t n, struct psw_error *err)
{
    char *at = calloc(9 * (size_t)n + 1, sizeof(double));
    if (!at) return psw_fail(err, PSW_ENOMEM, "held-out accuracy of %lld pairs", (long long)n);
    a->logp = (double *)at;
    a->score = a->logp + 2 * n;
    a->loss = a->score + 2 * n;
    a->omega = a->loss + n;
    a->n_tok = (int64_t *)(a->omega + n);
    a->is_equal = (uint8_t *)(a->n_tok + 2 * n);
    return PSW_OK;
}

psw_status psw_heldout_measure(const struct psw_heldout *what, struct psw_trainer *trainer,
                               struct psw_pair_metrics *out, struct psw_error *err)
{
    const int64_t n = what->n_pair;
    struct arrays a = {0};
    psw_status rc = psw_agree(trainer->team.comm, arrays_init(&a, n, err), err);
    if (rc == PSW_OK) {
        for (int64_t i = 0; i < n; i += BLOCK_PAIRS)
            block(what, trainer, i, trainer->arena, a.logp + 2 * i);
        for (int64_t i = 0; i < n; i++) {
            const struct psw_example e = psw_examples_at(what->list, i);
            a.is_equal[i] = (uint8_t)psw_response_equal(&e, 0, &e, 1);
            for (int k = 0; k < 2; k++) a.n_tok[2 * i + k] = e.n_response[k];
        }
        const struct psw_pair_in in = {.n_pair = n,
                                       .logp = a.logp,
                                       .ref = what->ref,
                                       .n_tok = a.n_tok,
                                       .is_equal = a.is_equal};
        const struct psw_pair_out o = {.loss = a.loss, .omega = a.omega, .score = a.score};
        rc = psw_objective_pairwise(&what->opts, &in, &o, err);
        if (rc == PSW_OK) *out = psw_pair_metrics_of(&what->opts, &in, &o);
    }
    free(a.logp);
    return rc;
}
