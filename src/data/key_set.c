/* Open addressing, at most half full. Keys are hashes: their low bits are places enough. */
#include "key_set.h"

#include <stdlib.h>

enum { FIRST_PLACES = 1024 };

static uint64_t *place_of(uint64_t *table, int64_t n_place, uint64_t key)
{
    int64_t at = (int64_t)(key & (uint64_t)(n_place - 1));
    while (table[at] && table[at] != key) at = (at + 1) & (n_place - 1);
    return &table[at];
}

static psw_status grow(struct psw_key_set *set, struct psw_error *err)
{
    const int64_t n_place = set->n_place ? 2 * set->n_place : FIRST_PLACES;
    uint64_t *grown = calloc((size_t)n_place, sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %lld prompts", (long long)set->n);
    for (int64_t i = 0; i < set->n_place; i++)
        if (set->key[i]) *place_of(grown, n_place, set->key[i]) = set->key[i];
    free(set->key);
    set->key = grown;
    set->n_place = n_place;
    return PSW_OK;
}

psw_status psw_key_set_add(struct psw_key_set *set, uint64_t key, int *is_new,
                           struct psw_error *err)
{
    if (key == 0) {
        *is_new = !set->has_zero;
        set->has_zero = 1;
        return PSW_OK;
    }
    const psw_status rc = 2 * (set->n + 1) > set->n_place ? grow(set, err) : PSW_OK;
    if (rc != PSW_OK) return rc;
    uint64_t *place = place_of(set->key, set->n_place, key);
    *is_new = !*place;
    set->n += *is_new;
    *place = key;
    return PSW_OK;
}

void psw_key_set_clear(struct psw_key_set *set)
{
    free(set->key);
    *set = (struct psw_key_set){0};
}
