/* Entries in the order in which they came, and an open-addressed index of them: look-ups are
 * what a scorer does for every response. */
#include "data_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>

enum { FIRST_PLACES = 256 }; /* a power of two, as all later ones */

struct psw_answer_key {
    struct psw_answer *answer; /* owned [n_place / 2]: half full at most */
    int32_t *place;            /* owned [n_place]: number of an entry, or -1 */
    int64_t n, n_place;
};

/** Where a prompt stands, or the free place where it belongs. */
static int64_t place_of(const struct psw_answer_key *key, uint64_t prompt)
{
    int64_t at = (int64_t)(prompt & (uint64_t)(key->n_place - 1));
    while (key->place[at] >= 0 && key->answer[key->place[at]].prompt != prompt)
        at = (at + 1) & (key->n_place - 1);
    return at;
}

static psw_status resize(struct psw_answer_key *key, int64_t n_place, struct psw_error *err)
{
    struct psw_answer *answer = realloc(key->answer, (size_t)n_place / 2 * sizeof *answer);
    if (answer) key->answer = answer;
    int32_t *place = malloc((size_t)n_place * sizeof *place);
    if (!answer || !place || n_place > INT32_MAX) {
        free(place);
        return psw_fail(err, PSW_ENOMEM, "data: %lld final answers", (long long)n_place / 2);
    }
    free(key->place);
    key->place = place;
    key->n_place = n_place;
    for (int64_t i = 0; i < n_place; i++) place[i] = -1;
    for (int64_t i = 0; i < key->n; i++)
        place[place_of(key, key->answer[i].prompt)] = (int32_t)i;
    return PSW_OK;
}

psw_status psw_answer_key_create(struct psw_answer_key **out, struct psw_error *err)
{
    struct psw_answer_key *key = calloc(1, sizeof *key);
    if (!key) return psw_fail(err, PSW_ENOMEM, "data: final answers");
    const psw_status rc = resize(key, FIRST_PLACES, err);
    if (rc != PSW_OK) {
        psw_answer_key_destroy(key);
        return rc;
    }
    *out = key;
    return PSW_OK;
}

const struct psw_answer *psw_answer_key_find(const struct psw_answer_key *key, uint64_t prompt)
{
    const int32_t i = key->place[place_of(key, prompt)];
    return i >= 0 ? &key->answer[i] : NULL;
}

psw_status psw_answer_key_add(struct psw_answer_key *key, const struct psw_answer *answer,
                              struct psw_error *err)
{
    PSW_ASSERT(!psw_answer_key_find(key, answer->prompt));
    if (key->n == key->n_place / 2) {
        const psw_status rc = resize(key, 2 * key->n_place, err);
        if (rc != PSW_OK) return rc;
    }
    key->place[place_of(key, answer->prompt)] = (int32_t)key->n;
    key->answer[key->n++] = *answer;
    return PSW_OK;
}

const struct psw_answer *psw_answer_key_all(const struct psw_answer_key *key, int64_t *n)
{
    *n = key->n;
    return key->answer;
}

uint64_t psw_answer_key_hash(const struct psw_answer_key *key, uint64_t seed)
{
    return psw_hash_bytes(key->answer, (size_t)key->n * sizeof *key->answer, seed);
}

void psw_answer_key_destroy(struct psw_answer_key *key)
{
    if (!key) return;
    free(key->answer);
    free(key->place);
    free(key);
}
