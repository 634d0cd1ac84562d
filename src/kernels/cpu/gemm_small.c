/* Small matrix products, without the packing and the call overhead of a BLAS.
 *
 * Attention over short segments consists of products of some ten rows, which a BLAS computes at
 * a fifth of its speed. Operands are read where they lie; a tile of the result stays in
 * registers. Each element's sum has a fixed order that depends on k only. */
#include "gemm.h"
#include "lanes.h"

enum { ROWS = 4, VECTORS = 2, DOT_ROWS = 2, DOT_COLS = 4 };

/* One product; a's element (i, p) stands at a[i * a_row + p * a_step]. */
struct product {
    struct psw_gemm g;
    const float *a;
    int64_t a_row, a_step;
    struct psw_view b;
    struct psw_view_out c;
};

PSW_INLINE void put(const struct psw_gemm *g, psw_lanes sum, float *c)
{
    sum *= psw_lanes_set(g->alpha);
    if (g->beta != 0.0f) sum = psw_lanes_fma(psw_lanes_set(g->beta), psw_lanes_load(c), sum);
    psw_lanes_store(c, sum);
}

/* Rows [i, i + n_row) and n_vec vectors from column j on, as a sum of outer products. */
PSW_INLINE void outer_tile(const struct product *x, int64_t i, int64_t j, const int n_row,
                           const int n_vec)
{
    psw_lanes sum[ROWS][VECTORS] = {0};
    const float *a = x->a + i * x->a_row, *b = x->b.at + j;
    for (int64_t p = 0; p < x->g.k; p++, a += x->a_step, b += x->b.ld) {
        psw_lanes column[VECTORS];
        PSW_UNROLL for (int v = 0; v < n_vec; v++) column[v] =
            psw_lanes_load(b + v * PSW_N_LANE);
        PSW_UNROLL for (int r = 0; r < n_row; r++)
        {
            const psw_lanes row = psw_lanes_set(a[r * x->a_row]);
            PSW_UNROLL for (int v = 0; v < n_vec; v++) sum[r][v] =
                psw_lanes_fma(row, column[v], sum[r][v]);
        }
    }
    PSW_UNROLL for (int r = 0; r < n_row; r++) PSW_UNROLL for (int v = 0; v < n_vec; v++)
        put(&x->g, sum[r][v], x->c.at + (i + r) * x->c.ld + j + v * PSW_N_LANE);
}

PSW_INLINE void outer_columns(const struct product *x, int64_t j, const int n_vec)
{
    int64_t i = 0;
    for (; i + ROWS <= x->g.m; i += ROWS) outer_tile(x, i, j, ROWS, n_vec);
    for (; i < x->g.m; i++) outer_tile(x, i, j, 1, n_vec);
}

static void outer_products(const struct product *x)
{
    int64_t j = 0;
    for (; j + VECTORS * PSW_N_LANE <= x->g.n; j += VECTORS * PSW_N_LANE)
        outer_columns(x, j, VECTORS);
    for (; j < x->g.n; j += PSW_N_LANE) outer_columns(x, j, 1);
}

typedef float quad __attribute__((vector_size(16)));
_Static_assert(sizeof(quad) == DOT_COLS * sizeof(float), "a row of a tile is one quad");

/* Up to DOT_COLS sums of one row go to c. */
PSW_INLINE void put_quad(const struct psw_gemm *g, const psw_lanes *sum, int n_col, float *c)
{
    quad y, old = {0};
    psw_lanes_sum4(sum, (float *)&y);
    if (n_col == DOT_COLS) {
        y *= g->alpha;
        if (g->beta != 0.0f) {
            memcpy(&old, c, sizeof old);
            y += g->beta * old;
        }
        memcpy(c, &y, sizeof y);
        return;
    }
    for (int q = 0; q < n_col; q++)
        c[q] = g->beta != 0.0f ? g->alpha * y[q] + g->beta * c[q] : g->alpha * y[q];
}

/* Rows [i, i + n_row) and DOT_COLS columns from j on, of which n_col are wanted, as inner
 * products; b's rows behind the last are the last. */
PSW_INLINE void dot_tile(const struct product *x, int64_t i, int64_t j, const int n_row)
{
    psw_lanes sum[DOT_ROWS][DOT_COLS] = {0};
    const int n_col = (int)(x->g.n - j < DOT_COLS ? x->g.n - j : DOT_COLS);
    const float *b = x->b.at + j * x->b.ld, *a = x->a + i * x->a_row;
    const int64_t b1 = n_col > 1 ? x->b.ld : 0, b2 = b1 + (n_col > 2 ? x->b.ld : 0),
                  b3 = b2 + (n_col > 3 ? x->b.ld : 0), row[DOT_COLS] = {0, b1, b2, b3};
    for (int64_t p = 0; p < x->g.k; p += PSW_N_LANE) {
        psw_lanes left[DOT_ROWS];
        PSW_UNROLL for (int r = 0; r < n_row; r++) left[r] =
            psw_lanes_load(a + r * x->a_row + p);
        PSW_UNROLL for (int q = 0; q < DOT_COLS; q++)
        {
            const psw_lanes right = psw_lanes_load(b + row[q] + p);
            PSW_UNROLL for (int r = 0; r < n_row; r++) sum[r][q] =
                psw_lanes_fma(left[r], right, sum[r][q]);
        }
    }
    PSW_UNROLL for (int r = 0; r < n_row; r++)
        put_quad(&x->g, sum[r], n_col, x->c.at + (i + r) * x->c.ld + j);
}

static void inner_products(const struct product *x)
{
    for (int64_t j = 0; j < x->g.n; j += DOT_COLS) {
        int64_t i = 0;
        for (; i + DOT_ROWS <= x->g.m; i += DOT_ROWS) dot_tile(x, i, j, DOT_ROWS);
        if (i < x->g.m) dot_tile(x, i, j, 1);
    }
}

/* Above this many multiplications the packing of a BLAS pays; where, differs by form. */
enum { NT_MAX = 1 << 13, NN_MAX = 1 << 15, TN_MAX = 1 << 13 };

int psw_gemm_small_nt(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c)
{
    if (g.k % PSW_N_LANE || g.m * g.n * g.k > NT_MAX) return 0;
    inner_products(&(struct product){g, a.at, a.ld, 1, b, c});
    return 1;
}

int psw_gemm_small_nn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c)
{
    if (g.n % PSW_N_LANE || g.m * g.n * g.k > NN_MAX) return 0;
    outer_products(&(struct product){g, a.at, a.ld, 1, b, c});
    return 1;
}

int psw_gemm_small_tn(struct psw_gemm g, struct psw_view a, struct psw_view b,
                      struct psw_view_out c)
{
    if (g.n % PSW_N_LANE || g.m * g.n * g.k > TN_MAX) return 0;
    outer_products(&(struct product){g, a.at, 1, a.ld, b, c});
    return 1;
}
