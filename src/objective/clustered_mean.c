/* Sums run in index order, so that the result depends on the items alone. */
#include <posweep/objective/clustered_mean.h>

#include <math.h>
#include <posweep/objective/order.h>

void psw_sequence_sums(int64_t n_seq, const int64_t *seq_row, const float *row, double *sum)
{
    for (int64_t s = 0; s < n_seq; s++) {
        sum[s] = 0.0;
        for (int64_t r = seq_row[s]; r < seq_row[s + 1]; r++) sum[s] += (double)row[r];
    }
}

/* order: items sorted by (cluster, index), so that each cluster is a run of it. */
static struct psw_mean mean_ordered(int64_t n, const double *x, const uint64_t *cluster,
                                    const int64_t *order)
{
    struct psw_mean m = {.se = NAN};
    double squares = 0.0, deviation = 0.0;
    for (int64_t i = 0; i < n; i++) m.mean += x[i];
    m.mean /= (double)n; /* 0/0: no items, no mean */
    for (int64_t place = 0; place < n; place++) {
        deviation += x[order[place]] - m.mean;
        if (place + 1 < n && cluster[order[place + 1]] == cluster[order[place]]) continue;
        squares += deviation * deviation;
        deviation = 0.0;
        m.n_cluster++;
    }
    const double c = (double)m.n_cluster;
    if (m.n_cluster > 1) m.se = sqrt(c / (c - 1.0) * squares) / (double)n;
    return m;
}

struct psw_mean psw_cluster_mean(int64_t n, const double *x, const uint64_t *cluster,
                                 struct psw_arena *scratch)
{
    struct psw_mean m = {.mean = NAN, .se = NAN};
    const struct psw_arena_mark mark = psw_arena_mark(scratch);
    int64_t *order = psw_arena_i64(scratch, n);
    if (!psw_arena_is_measuring(scratch)) {
        psw_order_by_key(n, cluster, order);
        m = mean_ordered(n, x, cluster, order);
    }
    psw_arena_rewind(scratch, mark);
    return m;
}

/* What item i contributes to n_item * G of one component. */
static double contribution(const struct psw_reduce_in *in, int64_t component, int64_t item)
{
    const double *coef = in->coef + (component * in->n_item + item) * in->n_side;
    double sum = 0.0;
    for (int64_t side = 0; side < in->n_side; side++)
        sum += coef[side] * in->kappa[item * in->n_side + side];
    return sum;
}

int64_t psw_component_reduce(const struct psw_reduce_in *in, struct psw_arena *scratch,
                             double *g, double *g_se)
{
    const struct psw_arena_mark mark = psw_arena_mark(scratch);
    double *x = psw_arena_f64(scratch, in->n_item);
    int64_t *order = psw_arena_i64(scratch, in->n_item);
    int64_t n_cluster = 0;
    if (psw_arena_is_measuring(scratch)) goto done;
    psw_order_by_key(in->n_item, in->cluster, order);
    for (int64_t k = 0; k < in->n_component; k++) {
        g[k] = g_se[k] = NAN;
        if (!(in->exists & (1u << k))) continue;
        for (int64_t i = 0; i < in->n_item; i++) x[i] = contribution(in, k, i);
        const struct psw_mean m = mean_ordered(in->n_item, x, in->cluster, order);
        g[k] = m.mean;
        g_se[k] = m.se;
        n_cluster = m.n_cluster;
    }
done:
    psw_arena_rewind(scratch, mark);
    return n_cluster;
}
