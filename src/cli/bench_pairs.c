/* Preference pairs for benchmarks: the first ones of a file, or generated ones whose lengths
 * are like those of HH-RLHF's helpful dialogues. */
#include "bench_internal.h"
#include <posweep/data/files.h>
#include <posweep/util/rng.h>
#include <stdlib.h>

enum { MAX_PROMPT = 256 };

static const struct psw_rng RNG = {.seed = 1, .use = PSW_RNG_TEST};

/* Quantiles 0, 1/10, 1/4, 1/2, 3/4, 9/10, 1 of byte lengths in HH-RLHF helpful, prompts cut to
 * 256 and paths to 512. */
static const double QUANTILE[] = {0, 0.1, 0.25, 0.5, 0.75, 0.9, 1};
static const double PROMPT_TOK[] = {33, 62, 107, 256, 256, 256, 256};
static const double RESPONSE_TOK[] = {2, 50, 114, 230, 256, 385, 460};

static int32_t draw_length(const double *table, uint64_t item, uint32_t position)
{
    const double u = psw_rng_uniform(RNG, item, position);
    int k = 0;
    while (u > QUANTILE[k + 1]) k++;
    const double share = (u - QUANTILE[k]) / (QUANTILE[k + 1] - QUANTILE[k]);
    return (int32_t)(table[k] + share * (table[k + 1] - table[k]));
}

static int32_t at_most(int32_t n, int64_t limit)
{
    return n < limit ? n : (int32_t)limit;
}

static psw_status generate(struct psw_bench_pairs *p, int64_t n_tok_max, struct psw_error *err)
{
    p->token = calloc((size_t)n_tok_max, sizeof *p->token);
    if (!p->token) return psw_fail(err, PSW_ENOMEM, "bench: %lld tokens", (long long)n_tok_max);
    for (int64_t i = 0; i < n_tok_max; i++)
        p->token[i] = (int32_t)psw_rng_below(RNG, (uint64_t)i, 9, PSW_BYTE_EOS);
    for (int64_t i = 0; i < p->n; i++) {
        const uint64_t item = (uint64_t)i;
        p->item[i] = (struct psw_example){.prompt = p->token,
                                          .n_prompt = draw_length(PROMPT_TOK, item, 0),
                                          .n_seq = 2,
                                          .prompt_key = item};
        for (uint32_t s = 0; s < 2; s++) {
            p->item[i].response[s] = p->token + (1 + s) * PSW_BENCH_CONTEXT;
            p->item[i].n_response[s] = draw_length(RESPONSE_TOK, item, 1 + s);
        }
    }
    return PSW_OK;
}

static psw_status read(struct psw_bench_pairs *p, const char *path, struct psw_error *err)
{
    const struct psw_file_opts opts = {.pairs = path,
                                       .heldout_share = 0.01,
                                       .rows.limit = 4 * p->n + 1000,
                                       .length.max_prompt = MAX_PROMPT,
                                       .length.max_response = PSW_BENCH_CONTEXT};
    const psw_status rc = psw_files_open(PSW_SOURCE_HH, &opts, &p->data, err);
    if (rc != PSW_OK) return rc;
    if (p->data->pairs.n < p->n)
        return psw_fail(err, PSW_EINVAL, "%s: %lld pairs, the benchmark takes %lld", path,
                        (long long)p->data->pairs.n, (long long)p->n);
    for (int64_t i = 0; i < p->n; i++) p->item[i] = psw_examples_at(&p->data->pairs, i);
    return PSW_OK;
}

struct psw_model_dims psw_bench_pairs_dims(void)
{
    static const struct psw_bench_shape SHAPE = {
        .n_layer = 4, .width = 256, .n_head = 4, .n_vocab = PSW_BYTE_N_VOCAB};
    struct psw_model_dims dims = psw_bench_dims(&SHAPE, PSW_BENCH_CONTEXT);
    dims.tied = 0;
    return dims;
}

psw_status psw_bench_pairs_open(const char *path, int64_t n, struct psw_bench_pairs *out,
                                struct psw_error *err)
{
    struct psw_bench_pairs p = {.n = n};
    psw_status rc = PSW_OK;
    p.item = calloc(2 * (size_t)n, sizeof *p.item);
    p.pair = calloc(2 * (size_t)n, sizeof *p.pair);
    if (!p.item || !p.pair)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "bench: %lld pairs", (long long)n));
    PSW_TRY(path ? read(&p, path, err) : generate(&p, 3 * PSW_BENCH_CONTEXT, err));
    for (int64_t i = 0; i < n; i++) {
        struct psw_example *e = &p.item[i], *chosen = &p.item[n + i];
        for (int s = 0; s < 2; s++)
            e->n_response[s] = at_most(e->n_response[s], PSW_BENCH_CONTEXT - e->n_prompt);
        *chosen = *e;
        chosen->n_seq = 1;
        p.pair[i] = e;
        p.pair[n + i] = chosen;
    }
    p.chosen = p.pair + n;
    *out = p;
    return PSW_OK;
fail:
    psw_bench_pairs_clear(&p);
    return rc;
}

void psw_bench_pairs_clear(struct psw_bench_pairs *pairs)
{
    free(pairs->item);
    free(pairs->pair);
    free(pairs->token);
    psw_dataset_destroy(pairs->data);
}
