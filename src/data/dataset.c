/* Token ids live in chunks that never move, so examples point straight into them. */
#include "data_internal.h"

#include <math.h>
#include <posweep/data/epoch_order.h>
#include <posweep/data/tokenizer_file.h>
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_TOKENS = 1 << 18 };

struct token_chunk {
    struct token_chunk *next;
    int64_t n_used, n_max;
    int32_t id[];
};

struct psw_data_store {
    struct token_chunk *first;       /* owned; the newest chunk stands first */
    struct psw_tokenizer *tokenizer; /* owned; NULL: a static one */
};

psw_status psw_dataset_create(const struct psw_data_source *source,
                              const struct psw_tokenizer *tokenizer, struct psw_dataset **out,
                              struct psw_error *err)
{
    struct psw_dataset *d = calloc(1, sizeof *d);
    if (d) d->store = calloc(1, sizeof *d->store);
    if (!d || !d->store) {
        free(d);
        return psw_fail(err, PSW_ENOMEM, "data: %zu bytes", sizeof *d);
    }
    d->tokenizer = tokenizer;
    d->scorer = source->scorer;
    *out = d;
    return PSW_OK;
}

void psw_dataset_destroy(struct psw_dataset *dataset)
{
    if (!dataset) return;
    for (struct token_chunk *c = dataset->store->first, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    psw_answer_key_destroy(dataset->answer_key);
    psw_tokenizer_destroy(dataset->store->tokenizer);
    free(dataset->store);
    free(dataset->sft.item);
    free(dataset->pairs.item);
    free(dataset->pairs_heldout.item);
    free(dataset->prompts.item);
    free(dataset->prompts_heldout.item);
    free(dataset);
}

void psw_dataset_own_tokenizer(struct psw_dataset *dataset, struct psw_tokenizer *tokenizer)
{
    PSW_ASSERT(dataset->tokenizer == tokenizer && !dataset->store->tokenizer);
    dataset->store->tokenizer = tokenizer;
}

/** Room for n ids that lives as long as the data set and does not move. */
static psw_status room_for(struct psw_dataset *dataset, int64_t n, int32_t **out,
                           struct psw_error *err)
{
    struct token_chunk *c = dataset->store->first;
    if (!c || c->n_max - c->n_used < n) {
        const int64_t n_max = n > CHUNK_TOKENS ? n : CHUNK_TOKENS;
        const size_t n_bytes = sizeof *c + (size_t)n_max * sizeof c->id[0];
        c = malloc(n_bytes);
        if (!c) return psw_fail(err, PSW_ENOMEM, "data: %zu bytes of token ids", n_bytes);
        c->next = dataset->store->first;
        c->n_used = 0;
        c->n_max = n_max;
        dataset->store->first = c;
    }
    *out = c->id + c->n_used;
    c->n_used += n;
    return PSW_OK;
}

psw_status psw_dataset_keep(struct psw_dataset *dataset, struct psw_tokens tokens,
                            const int32_t **out, struct psw_error *err)
{
    int32_t *room = NULL;
    const psw_status rc = room_for(dataset, tokens.n, &room, err);
    if (rc != PSW_OK) return rc;
    memcpy(room, tokens.id, (size_t)tokens.n * sizeof *tokens.id);
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

enum { N_LIST = 5 };

/** Every list of a data set, in an order that the content hash fixes. Shapes: list: [N_LIST].
 */
static void all_lists(const struct psw_dataset *dataset, const struct psw_examples **list)
{
    list[0] = &dataset->sft;
    list[1] = &dataset->pairs;
    list[2] = &dataset->pairs_heldout;
    list[3] = &dataset->prompts_heldout;
    list[4] = &dataset->prompts; /* hashed where it is not empty: older sets had none */
}

void psw_dataset_seal(struct psw_dataset *dataset)
{
    const struct psw_examples *list[N_LIST];
    uint64_t hash = psw_tokenizer_hash(dataset->tokenizer);
    all_lists(dataset, list);
    for (int i = 0; i < N_LIST; i++)
        if (i < 4 || list[i]->n > 0) hash = hash_examples(list[i], hash);
    if (dataset->answer_key) hash = psw_answer_key_hash(dataset->answer_key, hash);
    if (dataset->files.origins.n) {
        const uint64_t origins = psw_data_origins_hash(&dataset->files.origins);
        hash = psw_hash_bytes(&origins, sizeof origins, hash);
    }
    dataset->content_hash = hash;
}

size_t psw_dataset_bytes(const struct psw_dataset *dataset)
{
    const int64_t n_item = dataset->sft.n + dataset->pairs.n + dataset->pairs_heldout.n +
                           dataset->prompts_heldout.n + dataset->prompts.n;
    size_t n_bytes = (size_t)n_item * sizeof *dataset->sft.item;
    for (const struct token_chunk *c = dataset->store->first; c; c = c->next)
        n_bytes += sizeof *c + (size_t)c->n_used * sizeof *c->id;
    return n_bytes + psw_tokenizer_bytes(dataset->tokenizer);
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
    if (dataset->prompts.n > 0) return &dataset->prompts;
    return dataset->pairs.n > 0 ? &dataset->pairs : &dataset->sft;
}

double psw_dataset_score(const struct psw_dataset *dataset, const int32_t *prompt,
                         int64_t n_prompt, const int32_t *response, int64_t n_response)
{
    const struct psw_scored what = {.tokenizer = dataset->tokenizer,
                                    .answer_key = dataset->answer_key,
                                    .prompt = {prompt, n_prompt},
                                    .response = {response, n_response}};
    return dataset->scorer ? dataset->scorer->score(&what) : NAN;
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
