/* Token ids live in chunks that never move, so examples point straight into them. */
#include "data_internal.h"

#include <math.h>
#include <posweep/data/gsm8k.h>
#include <posweep/data/lists.h>
#include <posweep/data/order.h>
#include <posweep/data/pairs.h>
#include <posweep/data/sums.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_TOKENS = 1 << 18 };

struct token_chunk {
    struct token_chunk *next;
    int64_t n_used, n_max;
    int32_t id[];
};

struct psw_data_store {
    struct token_chunk *first; /* owned; the newest chunk stands first */
};

psw_status psw_dataset_create(const struct psw_data_source *source, struct psw_dataset **out,
                              struct psw_error *err)
{
    struct psw_dataset *d = calloc(1, sizeof *d);
    if (d) d->store = calloc(1, sizeof *d->store);
    if (!d || !d->store) {
        free(d);
        return psw_fail(err, PSW_ENOMEM, "data %s: %zu bytes", source->name, sizeof *d);
    }
    d->n_vocab = source->n_vocab;
    d->eos = source->eos;
    d->source = source;
    *out = d;
    return PSW_OK;
}

static psw_status open_lists(const struct psw_config *config, struct psw_dataset **out,
                             struct psw_error *err)
{
    const struct psw_lists_opts opts = {.seed = (uint64_t)config->seed,
                                        .n_sft = config->lists.sft,
                                        .n_pairs = config->lists.pairs,
                                        .error = config->lists.error,
                                        .flip = config->lists.flip,
                                        .except = config->lists.except};
    return psw_lists_create(&opts, out, err);
}

static psw_status open_sums(const struct psw_config *config, struct psw_dataset **out,
                            struct psw_error *err)
{
    const struct psw_sums_opts opts = {.seed = (uint64_t)config->seed,
                                       .n_sft = config->sums.sft,
                                       .n_pairs = config->sums.pairs,
                                       .terms = config->sums.terms,
                                       .error = config->sums.error,
                                       .flip = config->sums.flip};
    return psw_sums_create(&opts, out, err);
}

static psw_status open_pairs(const struct psw_config *config, struct psw_dataset **out,
                             struct psw_error *err)
{
    const struct psw_config_data *data = &config->data;
    const struct psw_pairs_opts opts = {.pairs = data->pairs,
                                        .heldout = data->heldout,
                                        .sft = data->sft,
                                        .limit = data->limit,
                                        .max_prompt = (int32_t)data->max_prompt,
                                        .max_response = (int32_t)data->max_response,
                                        .drop_long = data->too_long == PSW_LONG_DROP,
                                        .limits =
                                            psw_data_limits_of(psw_data_memory_bytes(config)),
                                        .drop_equal = data->drop_equal,
                                        .keep_prompt_mismatch = !data->drop_prompt_mismatch};
    return psw_pairs_open(&opts, out, err);
}

static psw_status open_gsm8k(const struct psw_config *config, struct psw_dataset **out,
                             struct psw_error *err)
{
    const struct psw_config_data *data = &config->data;
    const struct psw_gsm8k_opts opts = {.sft = data->sft,
                                        .heldout = data->heldout,
                                        .limit = data->limit,
                                        .max_prompt = (int32_t)data->max_prompt,
                                        .max_response = (int32_t)data->max_response,
                                        .drop_long = data->too_long == PSW_LONG_DROP,
                                        .limits =
                                            psw_data_limits_of(psw_data_memory_bytes(config))};
    return psw_gsm8k_open(&opts, out, err);
}

static psw_status open_files(const struct psw_config *config, struct psw_dataset **out,
                             struct psw_error *err)
{
    static psw_status (*const OPEN[])(const struct psw_config *, struct psw_dataset **,
                                      struct psw_error *) = {
        [PSW_FORMAT_HH] = open_pairs, [PSW_FORMAT_GSM8K] = open_gsm8k};
    const struct psw_config_data *data = &config->data;
    const int64_t n_max = INT32_MAX - 1;
    PSW_ASSERT(data->format >= 0 && data->format < (int32_t)(sizeof OPEN / sizeof *OPEN));
    if (data->max_prompt > n_max || data->max_response > n_max)
        return psw_fail(err, PSW_EINVAL, "data.max_prompt, data.max_response: at most %lld",
                        (long long)n_max);
    const psw_status rc = OPEN[data->format](config, out, err);
    if (rc == PSW_OK) psw_dataset_name_origins(*out, data);
    return rc;
}

psw_status psw_dataset_open(const struct psw_config *config, struct psw_dataset **out,
                            struct psw_error *err)
{
    static psw_status (*const OPEN[])(const struct psw_config *, struct psw_dataset **,
                                      struct psw_error *) = {[PSW_TASK_NONE] = open_files,
                                                             [PSW_TASK_LISTS] = open_lists,
                                                             [PSW_TASK_SUMS] = open_sums};
    PSW_ASSERT(config->task >= 0 && config->task < (int32_t)(sizeof OPEN / sizeof *OPEN));
    return OPEN[config->task](config, out, err);
}

/** What a generated task will hold. */
struct generated {
    const char *task;
    int64_t n_sft, n_pairs, n_pairs_heldout, n_prompts_heldout;
    int64_t max_prompt, max_response; /* tokens */
};

static struct generated generated_of(const struct psw_config *c)
{
    const struct generated tasks[] = {
        [PSW_TASK_NONE] = {.task = ""},
        [PSW_TASK_LISTS] = {"lists", c->lists.sft, c->lists.pairs, PSW_LISTS_PAIRS_HELDOUT,
                            PSW_LISTS_PROMPTS_HELDOUT, PSW_LISTS_MAX_PROMPT,
                            PSW_LISTS_MAX_RESPONSE},
        [PSW_TASK_SUMS] = {"sums", c->sums.sft, c->sums.pairs, PSW_SUMS_PAIRS_HELDOUT,
                           PSW_SUMS_PROMPTS_HELDOUT, PSW_SUMS_MAX_PROMPT,
                           PSW_SUMS_MAX_RESPONSE}};
    PSW_ASSERT(c->task >= 0 && c->task < (int32_t)(sizeof tasks / sizeof *tasks));
    return tasks[c->task];
}

static double item_bytes(const struct generated *g, int64_t n_item, int n_response)
{
    const int64_t n_tok = g->max_prompt + n_response * g->max_response;
    return (double)n_item *
           (double)(sizeof(struct psw_example) + (size_t)n_tok * sizeof(int32_t));
}

double psw_dataset_generated_bytes(const struct psw_config *config, char *setting,
                                   size_t n_setting)
{
    const struct generated g = generated_of(config);
    const double sft = item_bytes(&g, g.n_sft, 1), pairs = item_bytes(&g, g.n_pairs, 2);
    const double heldout =
        item_bytes(&g, g.n_pairs_heldout, 2) + item_bytes(&g, g.n_prompts_heldout, 0);
    const int by_sft = sft >= pairs;
    snprintf(setting, n_setting, "%s", "");
    if (g.task[0])
        snprintf(setting, n_setting, "%s.%s %lld", g.task, by_sft ? "sft" : "pairs",
                 (long long)(by_sft ? g.n_sft : g.n_pairs));
    return sft + pairs + heldout;
}

void psw_dataset_destroy(struct psw_dataset *dataset)
{
    if (!dataset) return;
    for (struct token_chunk *c = dataset->store->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    psw_golds_destroy(dataset->golds);
    free(dataset->store);
    free(dataset->sft.item);
    free(dataset->pairs.item);
    free(dataset->pairs_heldout.item);
    free(dataset->prompts_heldout.item);
    free(dataset);
}

psw_status psw_dataset_room(struct psw_dataset *dataset, int64_t n, int32_t **out,
                            struct psw_error *err)
{
    struct token_chunk *c = dataset->store->first;
    if (!c || c->n_max - c->n_used < n) {
        const int64_t n_max = n > CHUNK_TOKENS ? n : CHUNK_TOKENS;
        const size_t n_bytes = sizeof *c + (size_t)n_max * sizeof c->id[0];
        c = malloc(n_bytes);
        if (!c)
            return psw_fail(err, PSW_ENOMEM, "data %s: %zu bytes of token ids",
                            dataset->source->name, n_bytes);
        c->next = dataset->store->first;
        c->n_used = 0;
        c->n_max = n_max;
        dataset->store->first = c;
    }
    *out = c->id + c->n_used;
    c->n_used += n;
    return PSW_OK;
}

psw_status psw_dataset_keep(struct psw_dataset *dataset, const int32_t *id, int64_t n,
                            const int32_t **out, struct psw_error *err)
{
    int32_t *room = NULL;
    const psw_status rc = psw_dataset_room(dataset, n, &room, err);
    if (rc != PSW_OK) return rc;
    memcpy(room, id, (size_t)n * sizeof *id);
    *out = room;
    return PSW_OK;
}

psw_status psw_examples_push(struct psw_examples *list, const struct psw_example *example,
                             struct psw_error *err)
{
    if ((list->n & (list->n - 1)) == 0) { /* 0 or a power of two: full */
        const int64_t n_max = list->n > 0 ? 2 * list->n : 1;
        void *grown = realloc(list->item, (size_t)n_max * sizeof *list->item);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %lld examples", (long long)n_max);
        list->item = grown;
    }
    list->item[list->n++] = *example;
    return PSW_OK;
}

static uint64_t hash_examples(const struct psw_examples *list, uint64_t hash)
{
    hash = psw_hash_bytes(&list->n, sizeof list->n, hash);
    for (int64_t i = 0; i < list->n; i++) {
        const struct psw_example *e = &list->item[i];
        const int32_t shape[2] = {e->n_prompt, e->n_seq};
        hash = psw_hash_bytes(shape, sizeof shape, hash);
        hash = psw_hash_bytes(e->prompt, (size_t)e->n_prompt * sizeof *e->prompt, hash);
        for (int32_t s = 0; s < e->n_seq; s++) {
            const int32_t n = e->n_response[s];
            hash = psw_hash_bytes(&n, sizeof n, hash);
            hash = psw_hash_bytes(e->response[s], (size_t)n * sizeof *e->response[s], hash);
        }
    }
    return hash;
}

enum { N_LIST = 4 };

/** Every list of a data set, in an order that the content hash fixes. Shapes: list: [N_LIST].
 */
static void all_lists(const struct psw_dataset *dataset, const struct psw_examples **list)
{
    list[0] = &dataset->sft;
    list[1] = &dataset->pairs;
    list[2] = &dataset->pairs_heldout;
    list[3] = &dataset->prompts_heldout;
}

void psw_dataset_seal(struct psw_dataset *dataset)
{
    const struct psw_examples *list[N_LIST];
    const int32_t shape[2] = {dataset->n_vocab, dataset->eos};
    uint64_t hash = psw_hash_bytes(shape, sizeof shape, 0);
    all_lists(dataset, list);
    for (int i = 0; i < N_LIST; i++) hash = hash_examples(list[i], hash);
    if (dataset->golds) hash = psw_golds_hash(dataset->golds, hash);
    if (dataset->origins.n) {
        const uint64_t origins = psw_data_origins_hash(&dataset->origins);
        hash = psw_hash_bytes(&origins, sizeof origins, hash);
    }
    dataset->content_hash = hash;
}

size_t psw_dataset_bytes(const struct psw_dataset *dataset)
{
    const int64_t n_item = dataset->sft.n + dataset->pairs.n + dataset->pairs_heldout.n +
                           dataset->prompts_heldout.n;
    size_t n_bytes = (size_t)n_item * sizeof *dataset->sft.item;
    for (const struct token_chunk *c = dataset->store->first; c; c = c->next)
        n_bytes += sizeof *c + (size_t)c->n_used * sizeof *c->id;
    return n_bytes;
}

int64_t psw_dataset_max_path(const struct psw_dataset *dataset)
{
    int64_t longest = 0;
    const struct psw_examples *list[N_LIST];
    all_lists(dataset, list);
    for (int i = 0; i < N_LIST; i++) {
        struct psw_batch bound;
        psw_batch_bound(list[i]->item, list[i]->n, 1, 1, &bound);
        if (bound.max_path > longest) longest = bound.max_path;
    }
    return longest;
}

const struct psw_examples *psw_dataset_rollout_prompts(const struct psw_dataset *dataset)
{
    return dataset->pairs.n > 0 ? &dataset->pairs : &dataset->sft;
}

int psw_dataset_has_scorer(const struct psw_dataset *dataset)
{
    return dataset->source->score != NULL;
}

double psw_dataset_score(const struct psw_dataset *dataset, const int32_t *prompt,
                         int64_t n_prompt, const int32_t *response, int64_t n_response)
{
    if (!dataset->source->score) return NAN;
    return dataset->source->score(dataset, (struct psw_words){prompt, n_prompt},
                                  (struct psw_words){response, n_response});
}

void psw_dataset_score_range(const struct psw_dataset *dataset, double *lo, double *hi)
{
    const struct psw_data_source *source = dataset->source;
    *lo = source->score ? source->score_lo : NAN;
    *hi = source->score ? source->score_hi : NAN;
}

char *psw_dataset_text(const struct psw_dataset *dataset, const int32_t *id, int64_t n,
                       char *out, size_t n_bytes)
{
    PSW_ASSERT(n_bytes > 0);
    dataset->source->text(id, n, out, n_bytes);
    return out;
}

static int by_index(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int64_t psw_dataset_probe(const struct psw_dataset *dataset, enum psw_probe_from from,
                          uint64_t seed, int64_t n, int64_t *index)
{
    const struct psw_examples *pairs =
        from == PSW_PROBE_TRAIN ? &dataset->pairs : &dataset->pairs_heldout;
    const struct psw_rng stream = {.seed = seed, .use = PSW_RNG_PROBE, .step = (uint32_t)from};
    const int64_t n_probe = n < pairs->n ? n : pairs->n;
    for (int64_t i = 0; i < n_probe; i++) index[i] = psw_order_at(stream, 0, pairs->n, i);
    if (n_probe > 0) qsort(index, (size_t)n_probe, sizeof *index, by_index);
    return n_probe;
}
