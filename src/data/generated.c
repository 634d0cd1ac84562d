/* Drawing and keeping the items of generated tasks. Word 0 of a vocabulary is its EOS. */
#include <posweep/data/generated.h>

#include "data_internal.h"
#include <posweep/util/hash.h>
#include <stdio.h>
#include <string.h>

enum psw_part psw_part_of(const int32_t *prompt, int64_t n_prompt)
{
    static const enum psw_part part[] = {
        /* of ten */
        PSW_PART_TRAIN, PSW_PART_TRAIN, PSW_PART_TRAIN, PSW_PART_TRAIN,   PSW_PART_TRAIN,
        PSW_PART_TRAIN, PSW_PART_TRAIN, PSW_PART_PROBE, PSW_PART_HELDOUT, PSW_PART_HELDOUT};
    return part[psw_hash_bytes(prompt, (size_t)n_prompt * sizeof *prompt, 0) % 10];
}

int psw_draw_below(struct psw_draws *draws, int n)
{
    return (int)psw_rng_below(draws->stream, draws->item, draws->position++, (uint64_t)n);
}

int psw_draw_hit(struct psw_draws *draws, double probability)
{
    return psw_rng_uniform(draws->stream, draws->item, draws->position++) < probability;
}

psw_status psw_generated_push(struct psw_dataset *data, struct psw_examples *list,
                              struct psw_words prompt, const struct psw_words *answer,
                              int32_t n_answer, struct psw_error *err)
{
    struct psw_example e = {.n_prompt = (int32_t)prompt.n, .n_seq = n_answer};
    e.prompt_key = psw_hash_bytes(prompt.id, (size_t)prompt.n * sizeof *prompt.id, 0);
    psw_status rc = psw_dataset_keep(data, prompt.id, prompt.n, &e.prompt, err);
    for (int32_t s = 0; s < n_answer && rc == PSW_OK; s++) {
        e.n_response[s] = (int32_t)answer[s].n;
        rc = psw_dataset_keep(data, answer[s].id, answer[s].n, &e.response[s], err);
    }
    return rc == PSW_OK ? psw_examples_push(list, &e, err) : rc;
}

int psw_take_digit(int64_t *number, int radix)
{
    const int d = (int)(*number % radix);
    *number /= radix;
    return d;
}

int psw_take_word(const int32_t **at, const int32_t *end, int first, int n_class)
{
    if (*at == end || **at < first || **at >= first + n_class) return -1;
    return (int)(*(*at)++ - first);
}

int32_t psw_vocabulary_find(const struct psw_vocabulary *vocabulary, const char *word)
{
    for (int32_t i = 0; i < vocabulary->n; i++)
        if (!strcmp(word, vocabulary->word[i])) return i;
    return -1;
}

void psw_vocabulary_text(const struct psw_vocabulary *vocabulary, const int32_t *id, int64_t n,
                         char *out, size_t n_bytes)
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t i = 0; i < n && id[i] != 0; i++) {
        const int known = id[i] > 0 && id[i] < vocabulary->n;
        const char *word = known ? vocabulary->word[id[i]] : "<unknown>";
        const size_t length = strlen(word) + (i > 0);
        if (used + length >= n_bytes) return;
        snprintf(out + used, n_bytes - used, "%s%s", i > 0 ? " " : "", word);
        used += length;
    }
}

psw_status psw_shares_check(const char *task, const struct psw_share *share, int n,
                            struct psw_error *err)
{
    for (int i = 0; i < n; i++)
        if (!(share[i].value >= 0.0 && share[i].value <= 1.0))
            return psw_fail(err, PSW_EINVAL, "%s.%s: %g is not in [0, 1]", task, share[i].name,
                            share[i].value);
    return PSW_OK;
}

static psw_status hash_of(const struct psw_generator *generator, uint64_t *out,
                          struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    const psw_status rc = generator->build(generator->sample, &data, err);
    if (rc != PSW_OK) return rc;
    psw_dataset_seal(data);
    *out = data->content_hash;
    psw_dataset_destroy(data);
    return PSW_OK;
}

psw_status psw_generator_hash(const char *task, uint64_t *out, struct psw_error *err)
{
    static const struct psw_generator *const GENERATORS[] = {&PSW_LISTS_GENERATOR,
                                                             &PSW_SUMS_GENERATOR};
    for (size_t i = 0; i < sizeof GENERATORS / sizeof *GENERATORS; i++)
        if (!strcmp(GENERATORS[i]->task, task)) return hash_of(GENERATORS[i], out, err);
    return psw_fail(err, PSW_EINVAL, "there is no generated task \"%s\"", task);
}

psw_status psw_generator_make(const struct psw_generator *generator, const void *opts,
                              struct psw_dataset **out, struct psw_error *err)
{
    uint64_t hash = 0;
    psw_status rc = hash_of(generator, &hash, err);
    if (rc == PSW_OK) rc = generator->build(opts, out, err);
    if (rc != PSW_OK) return rc;
    psw_dataset_made_by(*out, hash);
    psw_dataset_seal(*out);
    return PSW_OK;
}
