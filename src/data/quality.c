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

psw_status psw_distinct_n(const struct psw_token_block *block, int order, double *out,
                          struct psw_error *err)
{
    if (order < 1 || order > 8)
        return psw_fail(err, PSW_EINVAL, "distinct-n: order %d is not in 1..8", order);
    int64_t n = 0, n_distinct = 0;
    for (int64_t s = 0; s < block->n_seq; s++) n += n_grams_of(block->n_token[s], order);
    if (n == 0) {
        *out = NAN;
        return PSW_OK;
    }
    uint64_t *gram = malloc((size_t)n * sizeof *gram);
    if (!gram) return psw_fail(err, PSW_ENOMEM, "distinct-n: %lld n-grams", (long long)n);
    n = 0;
    for (int64_t s = 0; s < block->n_seq; s++) {
        const int32_t *token = block->token + s * block->stride;
        for (int64_t i = 0; i < n_grams_of(block->n_token[s], order); i++)
            gram[n++] = psw_hash_bytes(token + i, (size_t)order * sizeof *token, 0);
    }
    qsort(gram, (size_t)n, sizeof *gram, by_value);
    for (int64_t i = 0; i < n; i++) n_distinct += i == 0 || gram[i] != gram[i - 1];
    free(gram);
    *out = (double)n_distinct / (double)n;
    return PSW_OK;
}

/* token[i] == token[i - period] for two periods on end: three times the same. */
static int has_loop(const int32_t *token, int32_t n_token, int32_t period)
{
    int32_t n_same = 0;
    for (int32_t i = period; i < n_token; i++) {
        n_same = token[i] == token[i - period] ? n_same + 1 : 0;
        if (n_same == 2 * period) return 1;
    }
    return 0;
}

int psw_repeats_itself(const int32_t *token, int32_t n_token)
{
    for (int32_t period = 2; period <= n_token / 3; period++)
        if (has_loop(token, n_token, period)) return 1;
    return 0;
}

double psw_repetition_rate(const struct psw_token_block *block)
{
    int64_t n = 0;
    for (int64_t s = 0; s < block->n_seq; s++)
        n += psw_repeats_itself(block->token + s * block->stride, block->n_token[s]);
    return (double)n / (double)block->n_seq; /* 0/0: no sequences, no rate */
}
