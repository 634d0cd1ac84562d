/* Entries in the order in which they came, and an open-addressed index of them: look-ups are
 * what a scorer does for every response. */
#include "data_internal.h"

#include <posweep/util/hash.h>
#include <stdlib.h>

enum { FIRST_PLACES = 256 }; /* a power of two, as all later ones */

struct psw_golds {
    struct psw_gold *gold; /* owned [n_place / 2]: half full at most */
    int32_t *place;        /* owned [n_place]: number of an entry, or -1 */
    int64_t n, n_place;
};

/** Where a key stands, or the free place where it belongs. */
static int64_t place_of(const struct psw_golds *g, uint64_t key)
{
    int64_t at = (int64_t)(key & (uint64_t)(g->n_place - 1));
    while (g->place[at] >= 0 && g->gold[g->place[at]].key != key)
        at = (at + 1) & (g->n_place - 1);
    return at;
}

static psw_status resize(struct psw_golds *g, int64_t n_place, struct psw_error *err)
{
    struct psw_gold *gold = realloc(g->gold, (size_t)n_place / 2 * sizeof *gold);
    if (gold) g->gold = gold;
    int32_t *place = malloc((size_t)n_place * sizeof *place);
    if (!gold || !place || n_place > INT32_MAX) {
        free(place);
        return psw_fail(err, PSW_ENOMEM, "data: %lld final answers", (long long)n_place / 2);
    }
    free(g->place);
    g->place = place;
    g->n_place = n_place;
    for (int64_t i = 0; i < n_place; i++) place[i] = -1;
    for (int64_t i = 0; i < g->n; i++) place[place_of(g, g->gold[i].key)] = (int32_t)i;
    return PSW_OK;
}

psw_status psw_golds_create(struct psw_golds **out, struct psw_error *err)
{
    struct psw_golds *g = calloc(1, sizeof *g);
    if (!g) return psw_fail(err, PSW_ENOMEM, "data: final answers");
    const psw_status rc = resize(g, FIRST_PLACES, err);
    if (rc != PSW_OK) {
        psw_golds_destroy(g);
        return rc;
    }
    *out = g;
    return PSW_OK;
}

const struct psw_gold *psw_golds_find(const struct psw_golds *golds, uint64_t key)
{
    const int32_t i = golds->place[place_of(golds, key)];
    return i >= 0 ? &golds->gold[i] : NULL;
}

psw_status psw_golds_add(struct psw_golds *golds, const struct psw_gold *gold,
                         struct psw_error *err)
{
    PSW_ASSERT(!psw_golds_find(golds, gold->key));
    if (golds->n == golds->n_place / 2) {
        const psw_status rc = resize(golds, 2 * golds->n_place, err);
        if (rc != PSW_OK) return rc;
    }
    golds->place[place_of(golds, gold->key)] = (int32_t)golds->n;
    golds->gold[golds->n++] = *gold;
    return PSW_OK;
}

uint64_t psw_golds_hash(const struct psw_golds *golds, uint64_t seed)
{
    return psw_hash_bytes(golds->gold, (size_t)golds->n * sizeof *golds->gold, seed);
}

void psw_golds_destroy(struct psw_golds *golds)
{
    if (!golds) return;
    free(golds->gold);
    free(golds->place);
    free(golds);
}
