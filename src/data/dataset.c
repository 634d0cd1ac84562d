/* Lists and what is known of them; the examples are in a store. */
#include "data_internal.h"

#include "store/store.h"
#include <math.h>
#include <posweep/data/epoch_order.h>
#include <posweep/data/tokenizer_file.h>
#include <posweep/util/hash.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct psw_data_store {
    struct psw_example_store *examples; /* owned; NULL until there is one */
    struct psw_tokenizer *tokenizer;    /* owned; NULL: a static one */
};

struct psw_examples *psw_dataset_list(const struct psw_dataset *dataset, int l)
{
    static const size_t AT[PSW_N_STORE_LIST] = {
        offsetof(struct psw_dataset, sft), offsetof(struct psw_dataset, pairs),
        offsetof(struct psw_dataset, pairs_heldout),
        offsetof(struct psw_dataset, prompts_heldout),
        offsetof(struct psw_dataset, prompts)}; /* hashed if not empty: older sets had none */
    return (struct psw_examples *)((uintptr_t)dataset + AT[l]);
}

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
    for (int l = 0; l < PSW_N_STORE_LIST; l++)
        *psw_dataset_list(d, l) = (struct psw_examples){.kept_in = l, .n_seq = PSW_STORE_SEQS};
    d->tokenizer = tokenizer;
    d->scorer = source->scorer;
    *out = d;
    return PSW_OK;
}

void psw_dataset_destroy(struct psw_dataset *dataset)
{
    if (!dataset) return;
    psw_example_store_destroy(dataset->store->examples);
    psw_answer_key_destroy(dataset->answer_key);
    psw_tokenizer_destroy(dataset->store->tokenizer);
    free(dataset->store);
    free(dataset);
}

void psw_dataset_own_tokenizer(struct psw_dataset *dataset, struct psw_tokenizer *tokenizer)
{
    PSW_ASSERT(dataset->tokenizer == tokenizer && !dataset->store->tokenizer);
    dataset->store->tokenizer = tokenizer;
}

void psw_dataset_own_examples(struct psw_dataset *dataset, struct psw_example_store *examples)
{
    PSW_ASSERT(!dataset->store->examples);
    dataset->store->examples = examples;
}

struct psw_example_store *psw_dataset_examples(const struct psw_dataset *dataset)
{
    return dataset->store->examples;
}

/** The store; one in memory where none was given. */
static psw_status store_of(struct psw_dataset *dataset, struct psw_error *err)
{
    static const struct psw_store_place MEMORY = {.fd = -1};
    if (dataset->store->examples) return PSW_OK;
    return psw_example_store_create(&MEMORY, &dataset->store->examples, err);
}

psw_status psw_dataset_push(struct psw_dataset *dataset, struct psw_examples *list,
                            const struct psw_example *example, struct psw_error *err)
{
    psw_status rc = store_of(dataset, err);
    if (rc == PSW_OK)
        rc = psw_example_store_push(dataset->store->examples, list->kept_in, example,
                                    dataset->tokenizer->eos, err);
    list->n += rc == PSW_OK;
    return rc;
}

psw_status psw_dataset_push_prompt(struct psw_dataset *dataset, struct psw_examples *list,
                                   struct psw_error *err)
{
    const psw_status rc =
        psw_example_store_push_prompt(dataset->store->examples, list->kept_in, err);
    list->n += rc == PSW_OK;
    return rc;
}

void psw_dataset_show_examples(struct psw_dataset *dataset)
{
    struct psw_example_store *store = dataset->store->examples;
    for (int l = 0; l < PSW_N_STORE_LIST; l++) {
        struct psw_examples *list = psw_dataset_list(dataset, l);
        list->n = psw_example_store_size(store)->n_row[list->kept_in];
        list->row = psw_example_store_rows(store, list->kept_in);
        list->token = psw_example_store_tokens(store);
        list->store = psw_example_store_is_file(store) ? store : NULL;
    }
}

struct psw_example psw_examples_at(const struct psw_examples *list, int64_t i)
{
    const struct psw_stored_example *row = &list->row[i];
    const int32_t *at = list->token + row->token;
    if (list->store) psw_example_store_asked(list->store, row);
    struct psw_example e = {.prompt = at,
                            .n_prompt = row->n_prompt,
                            .n_seq = row->n_seq < list->n_seq ? row->n_seq : list->n_seq,
                            .prompt_key = row->prompt_key};
    at += row->n_prompt;
    for (int s = 0; s < e.n_seq; s++) {
        e.response[s] = at;
        e.n_response[s] = row->n_response[s];
        at += row->n_response[s];
    }
    return e;
}

int psw_dataset_find_pair(const struct psw_dataset *dataset, const struct psw_example *prompt,
                          struct psw_example *out)
{
    const struct psw_examples *list = &dataset->pairs_heldout;
    for (int64_t i = 0; i < list->n; i++) {
        if (list->row[i].prompt_key != prompt->prompt_key) continue;
        const struct psw_example e = psw_examples_at(list, i);
        if (e.n_seq != 2 || e.n_prompt != prompt->n_prompt ||
            memcmp(e.prompt, prompt->prompt, (size_t)e.n_prompt * sizeof *e.prompt) != 0)
            continue; /* the same text, which another template or limit made other tokens of */
        *out = e;
        return 1;
    }
    return 0;
}

int64_t psw_examples_n_cut(const struct psw_examples *list, int64_t i)
{
    const struct psw_stored_example *row = &list->row[i];
    int64_t n = 0;
    for (int s = 0; s < row->n_seq && s < list->n_seq; s++) n += row->cut >> s & 1;
    return n;
}

/** An example whose ids are in a window. */
static psw_status look_at(const struct psw_dataset *dataset, const struct psw_examples *list,
                          int64_t i, struct psw_store_window *window, struct psw_example *e,
                          struct psw_error *err)
{
    *e = psw_examples_at(list, i);
    int64_t n = e->n_prompt;
    for (int32_t s = 0; s < e->n_seq; s++) n += e->n_response[s];
    const psw_status rc = psw_store_window_move(window, dataset->store->examples,
                                                list->row[i].token, n, &e->prompt, err);
    if (rc != PSW_OK) return rc;
    const int32_t *at = e->prompt + e->n_prompt;
    for (int32_t s = 0; s < e->n_seq; s++) {
        e->response[s] = at;
        at += e->n_response[s];
    }
    return PSW_OK;
}

static uint64_t hash_example(const struct psw_example *e, uint64_t hash)
{
    const int32_t shape[2] = {e->n_prompt, e->n_seq};
    hash = psw_hash_bytes(shape, sizeof shape, hash);
    hash = psw_hash_bytes(e->prompt, (size_t)e->n_prompt * sizeof *e->prompt, hash);
    for (int32_t s = 0; s < e->n_seq; s++) {
        const int32_t n = e->n_response[s];
        hash = psw_hash_bytes(&n, sizeof n, hash);
        hash = psw_hash_bytes(e->response[s], (size_t)n * sizeof *e->response[s], hash);
    }
    return hash;
}

static psw_status hash_list(const struct psw_dataset *dataset, const struct psw_examples *list,
                            uint64_t *hash, struct psw_error *err)
{
    struct psw_store_window window = {0};
    struct psw_example e;
    psw_status rc = PSW_OK;
    *hash = psw_hash_bytes(&list->n, sizeof list->n, *hash);
    for (int64_t i = 0; i < list->n && rc == PSW_OK; i++) {
        rc = look_at(dataset, list, i, &window, &e, err);
        if (rc == PSW_OK) *hash = hash_example(&e, *hash);
    }
    psw_store_window_clear(&window);
    return rc;
}

psw_status psw_dataset_finish(struct psw_dataset *dataset, struct psw_error *err)
{
    psw_status rc = store_of(dataset, err);
    if (rc == PSW_OK) rc = psw_example_store_finish(dataset->store->examples, err);
    if (rc == PSW_OK) psw_dataset_show_examples(dataset);
    return rc;
}

psw_status psw_dataset_seal(struct psw_dataset *dataset, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    uint64_t hash = psw_tokenizer_hash(dataset->tokenizer);
    for (int l = 0; l < PSW_N_STORE_LIST && rc == PSW_OK; l++) {
        const struct psw_examples *list = psw_dataset_list(dataset, l);
        if (l < 4 || list->n > 0) rc = hash_list(dataset, list, &hash, err);
    }
    if (rc != PSW_OK) return rc;
    if (dataset->answer_key) hash = psw_answer_key_hash(dataset->answer_key, hash);
    if (dataset->files.origins.n) {
        const uint64_t origins = psw_data_origins_hash(&dataset->files.origins);
        hash = psw_hash_bytes(&origins, sizeof origins, hash);
    }
    dataset->content_hash = hash;
    return PSW_OK;
}

size_t psw_dataset_bytes(const struct psw_dataset *dataset)
{
    return psw_example_store_bytes(dataset->store->examples) +
           psw_tokenizer_bytes(dataset->tokenizer);
}

int64_t psw_dataset_max_path(const struct psw_dataset *dataset)
{
    int64_t longest = 0;
    for (int l = 0; l < PSW_N_STORE_LIST; l++) {
        const struct psw_examples *list = psw_dataset_list(dataset, l);
        for (int64_t i = 0; i < list->n; i++) {
            const struct psw_example e = psw_examples_at(list, i);
            struct psw_batch bound;
            psw_batch_bound(&e, 1, 1, PSW_PACK_SHARE, &bound);
            if (bound.max_path > longest) longest = bound.max_path;
        }
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
