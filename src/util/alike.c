/* Sort by key, then by place: items of a key stand together, in order. */
#include <posweep/util/alike.h>

#include <stdlib.h>

struct keyed {
    uint64_t key;
    int64_t item;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->item < y->item ? -1 : x->item > y->item;
}

static void link_items(const struct keyed *sorted, int64_t n, struct psw_alike *out)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t item = sorted[i].item;
        const int is_first = i == 0 || sorted[i - 1].key != sorted[i].key;
        out->first[item] = is_first ? item : out->first[sorted[i - 1].item];
        out->next[item] = n;
        if (!is_first) out->next[sorted[i - 1].item] = item;
    }
}

psw_status psw_alike_init(const uint64_t *key, int64_t n, struct psw_alike *out,
                          struct psw_error *err)
{
    struct keyed *sorted = calloc((size_t)n + 1, sizeof *sorted);
    out->first = calloc((size_t)n + 1, sizeof *out->first);
    out->next = calloc((size_t)n + 1, sizeof *out->next);
    psw_status rc = PSW_OK;
    if (!sorted || !out->first || !out->next)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "a list of %lld items", (long long)n));
    for (int64_t i = 0; i < n; i++) sorted[i] = (struct keyed){key[i], i};
    qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    link_items(sorted, n, out);
fail:
    free(sorted);
    return rc;
}

void psw_alike_clear(struct psw_alike *alike)
{
    free(alike->first);
    free(alike->next);
    *alike = (struct psw_alike){0};
}
