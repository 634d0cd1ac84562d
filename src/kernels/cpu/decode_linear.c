/* Tiles of 12 dot products: 4x3, 3x4, 2x6 and 1x12 (rows by weight rows), each held in 12
 * registers of 8 lanes. Weights are walked in panels of 12 rows, so that every tile shape
 * divides a panel and a panel is read from memory once per 32 rows; the next panel is
 * prefetched meanwhile, and for a single row, which reads faster than memory delivers, the one
 * after it. Tails of fewer than 12 weight rows use the same code with one weight row. */
#include "cpu.h"
#include "lanes.h"

enum { N_DOT = 12, ROW_BLOCK = 32 };

/** One map of some rows. */
struct map {
    int64_t n_out, n_in;
    const float *w, *bias;
    int accumulate; /* add to y instead of overwriting it */
};

/** What a tile works on. */
struct tile {
    int64_t n_in, n_out, ahead; /* ahead: elements from w to what is to be prefetched */
    const float *x, *w, *bias;
    float *y;
    int accumulate;
};

PSW_INLINE void tile_store(const int n_m, const int n_n, const struct tile *t,
                           const psw_lanes *dot)
{
    float sum[N_DOT];
    const int n_whole = n_m * n_n / 4 * 4;
    PSW_UNROLL
    for (int i = 0; i < n_whole; i += 4) psw_lanes_sum4(dot + i, sum + i);
    PSW_UNROLL
    for (int i = n_whole; i < n_m * n_n; i++) sum[i] = psw_lanes_sum(dot[i]);
    for (int m = 0; m < n_m; m++)
        for (int n = 0; n < n_n; n++) {
            float *y = t->y + m * t->n_out + n;
            const float value = sum[m * n_n + n] + (t->bias ? t->bias[n] : 0.0f);
            *y = t->accumulate ? *y + value : value;
        }
}

/** One step of 8 products per dot. Loops are unrolled by name: a dot must stay in its register.
 */
PSW_INLINE void tile_step(const int n_m, const int n_n, const struct tile *t, int64_t k,
                          psw_lanes *dot)
{
    const int hold_w = n_m >= n_n; /* hold the side with fewer rows, stream the other */
    const int n_held = hold_w ? n_n : n_m, n_stream = hold_w ? n_m : n_n;
    const float *held_at = hold_w ? t->w : t->x, *stream_at = hold_w ? t->x : t->w;
    psw_lanes held[4];
    PSW_UNROLL
    for (int i = 0; i < n_held; i++) {
        held[i] = psw_lanes_load_pinned(held_at + i * t->n_in + k);
    }
    PSW_UNROLL
    for (int j = 0; j < n_stream; j++) {
        const float *at = stream_at + j * t->n_in + k;
        const psw_lanes v = n_held > 1 ? psw_lanes_load_pinned(at) : psw_lanes_load(at);
        PSW_UNROLL
        for (int i = 0; i < n_held; i++) {
            const int d = hold_w ? j * n_n + i : i * n_n + j;
            dot[d] = psw_lanes_fma(held[i], v, dot[d]);
        }
    }
}

/** Fetch a share of the weights to come. Tiles of 4 rows fetch one weight row each, others the
 *  whole of their next n_n rows: six lines per step where weights are streamed. */
PSW_INLINE void fetch(const int n_m, const int n_n, const float *ahead, int64_t k)
{
    const int n_line = n_m < 4 ? n_n / 2 : 1;
    const float *at = ahead + k * (n_m < 4 ? n_n : 1);
    PSW_UNROLL
    for (int i = 0; i < n_line; i++) __builtin_prefetch(at + i * 16, 0, 3);
}

PSW_INLINE void tile_any(const int n_m, const int n_n, const struct tile *t)
{
    const int64_t n_in = t->n_in, n_even = n_in / PSW_N_LANE * PSW_N_LANE;
    psw_lanes dot[N_DOT] = {{0}};
    for (int64_t k = 0; k < n_even; k += PSW_N_LANE) {
        fetch(n_m, n_n, t->w + t->ahead, k);
        tile_step(n_m, n_n, t, k, dot);
    }
    if (n_even < n_in) {
        PSW_UNROLL
        for (int i = 0; i < n_m * n_n; i++)
            dot[i] = psw_lanes_fma(
                psw_lanes_load_part(t->x + i / n_n * n_in + n_even, n_in - n_even),
                psw_lanes_load_part(t->w + i % n_n * n_in + n_even, n_in - n_even), dot[i]);
    }
    tile_store(n_m, n_n, t, dot);
}

#define TILE(m, n)                                                                             \
    static __attribute__((noinline)) void tile_##m##x##n(const struct tile *t)                 \
    {                                                                                          \
        tile_any(m, n, t);                                                                     \
    }
TILE(4, 3)
TILE(3, 4)
TILE(2, 6)
TILE(1, 12)
TILE(4, 1)
TILE(1, 1)

/** Tile of n_m rows in whole panels, by n_m. */
static const struct {
    int n_n;
    void (*run)(const struct tile *);
} SHAPES[5] = {{0, NULL}, {12, tile_1x12}, {6, tile_2x6}, {4, tile_3x4}, {3, tile_4x3}};

/** All rows of a block against the 12 weight rows from n on. */
static void panel(const struct map *l, struct tile t, int64_t n, int64_t n_row)
{
    const int64_t w_ahead = n + 2 * N_DOT <= l->n_out ? N_DOT : 0; /* weight rows */
    const float *x = t.x;
    float *y = t.y;
    for (int part = 0; part < N_DOT; part += SHAPES[4].n_n)
        for (int64_t m = 0; m + 4 <= n_row; m += 4) {
            t.x = x + m * l->n_in;
            t.y = y + m * l->n_out + n + part;
            t.w = l->w + (n + part) * l->n_in;
            t.bias = l->bias ? l->bias + n + part : NULL;
            t.ahead = (w_ahead ? SHAPES[4].n_n + m / 4 % SHAPES[4].n_n : 0) * l->n_in;
            SHAPES[4].run(&t);
        }
    const int64_t done = n_row / 4 * 4, n_left = n_row - done;
    const int is_far = n_row == 1 && n + 3 * N_DOT <= l->n_out;
    if (n_left == 0) return;
    for (int part = 0; part < N_DOT; part += SHAPES[n_left].n_n) {
        t.x = x + done * l->n_in;
        t.y = y + done * l->n_out + n + part;
        t.w = l->w + (n + part) * l->n_in;
        t.bias = l->bias ? l->bias + n + part : NULL;
        t.ahead = (is_far ? 2 * N_DOT : w_ahead) * l->n_in;
        SHAPES[n_left].run(&t);
    }
}

/** All rows of a block against one weight row. */
static void tail(const struct map *l, struct tile t, int64_t n, int64_t n_row)
{
    const float *x = t.x;
    float *y = t.y;
    t.w = l->w + n * l->n_in;
    t.bias = l->bias ? l->bias + n : NULL;
    for (int64_t m = 0; m < n_row; m += m + 4 <= n_row ? 4 : 1) {
        t.x = x + m * l->n_in;
        t.y = y + m * l->n_out + n;
        (m + 4 <= n_row ? tile_4x1 : tile_1x1)(&t);
    }
}

static void decode(const struct map *linear, int64_t n_row, const float *x, float *y)
{
    const int64_t n_panel = linear->n_out / N_DOT * N_DOT;
    for (int64_t m = 0; m < n_row; m += ROW_BLOCK) {
        const int64_t n_here = n_row - m < ROW_BLOCK ? n_row - m : ROW_BLOCK;
        const struct tile t = {.n_in = linear->n_in,
                               .n_out = linear->n_out,
                               .x = x + m * linear->n_in,
                               .y = y + m * linear->n_out,
                               .accumulate = linear->accumulate};
        for (int64_t n = 0; n < n_panel; n += N_DOT) panel(linear, t, n, n_here);
        for (int64_t n = n_panel; n < linear->n_out; n++) tail(linear, t, n, n_here);
    }
}

void psw_cpu_linear_decode(struct psw_exec *exec, struct psw_linear_dims d,
                           struct psw_linear_param p, const float *x, float *y)
{
    (void)exec;
    decode(&(struct map){d.n_out, d.n_in, p.w, p.b, 0}, d.n_row, x, y);
}

void psw_cpu_linear_decode_add(struct psw_exec *exec, struct psw_linear_dims d,
                               struct psw_linear_param p, const float *x, float *y)
{
    (void)exec;
    decode(&(struct map){d.n_out, d.n_in, p.w, p.b, 1}, d.n_row, x, y);
}
