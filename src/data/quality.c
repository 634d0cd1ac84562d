/* n-grams are compared by their 64-bit hashes: with 10^6 of them the chance of any collision is
 * 3e-8. */
#include <posweep/data/quality.h>

#include <math.h>
#include <posweep/util/hash.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int64_t n_grams_of(int32_t n_token, int order)
{
    return n_token >= order ? n_token - order + 1 : 0;
}

psw_status psw_distinct_n(const int32_t *token, int64_t stride, const int32_t *n_token,
                          int64_t n_seq, int order, double *out)
{
    if (order < 1 || order > 8) return PSW_EINVAL;
    int64_t n = 0, n_distinct = 0;
    for (int64_t s = 0; s < n_seq; s++) n += n_grams_of(n_token[s], order);
    if (n == 0) {
        *out = NAN;
        return PSW_OK;
    }
    uint64_t *gram = malloc((size_t)n * sizeof *gram);
    if (!gram) return PSW_ENOMEM;
    n = 0;
    for (int64_t s = 0; s < n_seq; s++) {
        for (int64_t i = 0; i < n_grams_of(n_token[s], order); i++)
            gram[n++] =
                psw_hash_bytes(token + s * stride + i, (size_t)order * sizeof *token, 0);
    }
    qsort(gram, (size_t)n, sizeof *gram, by_value);
    for (int64_t i = 0; i < n; i++) n_distinct += i == 0 || gram[i] != gram[i - 1];
    free(gram);
    *out = (double)n_distinct / (double)n;
    return PSW_OK;
}
