#include <posweep/data/epoch_order.h>

#include <posweep/util/status.h>

enum { N_ROUND = 6, MIN_HALF_BITS = 3 };

static uint32_t half_bits(int64_t n)
{
    uint32_t bits = MIN_HALF_BITS;
    while (((int64_t)1 << (2 * bits)) < n) bits++;
    return bits;
}

static uint64_t feistel(struct psw_rng stream, uint64_t which, uint32_t bits, uint64_t x)
{
    const uint32_t mask = (1u << bits) - 1;
    uint32_t left = (uint32_t)(x >> bits), right = (uint32_t)x & mask;
    for (uint32_t round = 0; round < N_ROUND; round++) {
        uint32_t word[4];
        psw_rng_words(stream, which, (round << 16) | right, word);
        const uint32_t next = left ^ (word[0] & mask);
        left = right;
        right = next;
    }
    return ((uint64_t)left << bits) | right;
}

int64_t psw_order_at(struct psw_rng stream, uint64_t which, int64_t n, int64_t place)
{
    PSW_ASSERT(n >= 1 && n <= (int64_t)1 << 31 && place >= 0 && place < n);
    const uint32_t bits = half_bits(n);
    uint64_t x = (uint64_t)place;
    do x = feistel(stream, which, bits, x);
    while (x >= (uint64_t)n);
    return (int64_t)x;
}

void psw_data_order(uint64_t seed, uint32_t stage, int64_t n, int64_t step, int64_t batch,
                    int64_t *index)
{
    const struct psw_rng stream = {.seed = seed, .use = PSW_RNG_ORDER, .step = stage};
    for (int64_t i = 0; i < batch; i++) {
        const int64_t place = step * batch + i;
        index[i] = psw_order_at(stream, (uint64_t)(place / n), n, place % n);
    }
}
