/* Philox counters: (item, position, step) fill the counter, (seed, use) the key. */
#include <posweep/util/rng.h>

#include <Random123/philox.h>
#include <math.h>

void psw_rng_words(struct psw_rng rng, uint64_t item, uint32_t position, uint32_t out[4])
{
    const philox4x32_ctr_t counter = {
        {(uint32_t)item, (uint32_t)(item >> 32), position, rng.step}};
    const philox4x32_key_t key = {
        {(uint32_t)rng.seed ^ (rng.use * 0x9E3779B9u), (uint32_t)(rng.seed >> 32) + rng.use}};
    const philox4x32_ctr_t r = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

static double unit_open(uint32_t hi, uint32_t lo)
{
    const uint64_t bits = (((uint64_t)hi << 32) | lo) >> 11; /* 53 bits */
    return ((double)bits + 0.5) * 0x1p-53;
}

double psw_rng_uniform(struct psw_rng rng, uint64_t item, uint32_t position)
{
    uint32_t w[4];
    psw_rng_words(rng, item, position, w);
    return unit_open(w[0], w[1]);
}

double psw_rng_normal(struct psw_rng rng, uint64_t item, uint32_t position)
{
    uint32_t w[4];
    psw_rng_words(rng, item, position, w);
    const double radius = sqrt(-2.0 * log(unit_open(w[0], w[1])));
    return radius * cos(6.283185307179586476925 * unit_open(w[2], w[3]));
}

uint64_t psw_rng_below(struct psw_rng rng, uint64_t item, uint32_t position, uint64_t n)
{
    uint32_t w[4];
    psw_rng_words(rng, item, position, w);
    const uint64_t bits = ((uint64_t)w[0] << 32) | w[1];
    return (uint64_t)(((unsigned __int128)bits * n) >> 64);
}

void psw_rng_permute(struct psw_rng rng, uint64_t item, int64_t n, int64_t *perm)
{
    for (int64_t i = 0; i < n; i++) perm[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)psw_rng_below(rng, item, (uint32_t)i, (uint64_t)i + 1);
        const int64_t t = perm[i];
        perm[i] = perm[j];
        perm[j] = t;
    }
}
