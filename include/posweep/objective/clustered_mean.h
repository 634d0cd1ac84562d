/* From kappa to G: sums in double, in index order, and the standard error that a G needs. */
#ifndef POSWEEP_OBJECTIVE_CLUSTERED_MEAN_H
#define POSWEEP_OBJECTIVE_CLUSTERED_MEAN_H

#include <posweep/util/arena.h>
#include <stdint.h>

/** Sum a per-row quantity (kappa, log-probability) over each sequence.
 *  Shapes: seq_row: [n_seq + 1] first row of each sequence; row: [seq_row[n_seq]]; sum:
 * [n_seq]. */
void psw_sequence_sums(int64_t n_seq, const int64_t *seq_row, const float *row, double *sum);

/** A mean with its standard error. */
struct psw_mean {
    double mean, se;   /* se is NaN with fewer than two clusters */
    int64_t n_cluster; /* clusters that contribute */
};

/** Mean of x over items that come in clusters (prompts).
 *  With e_c = sum over cluster c of (x_i - mean): se = sqrt(C/(C-1) sum_c e_c^2) / n. Clusters
 * of one item give the usual s/sqrt(n). Deviations are taken per item, so that unequal cluster
 * sizes alone do not look like noise. Shapes: x, cluster: [n]; cluster holds any keys, equal
 * keys are one cluster. Source: Liang & Zeger 1986 (the sandwich estimator for an intercept);
 * the factor C/(C-1) as in Cameron & Miller 2015, section VI.B (CR1 without regressors). */
struct psw_mean psw_cluster_mean(int64_t n, const double *x, const uint64_t *cluster,
                                 struct psw_arena *scratch);

/** What G is made of: coefficients of psw_components_pairwise and sums of kappa. */
struct psw_reduce_in {
    int64_t n_component, n_item, n_side;
    uint32_t exists;         /* bits 1 << component */
    const double *coef;      /* [n_component][n_item][n_side] per token */
    const double *kappa;     /* [n_item][n_side] summed over the response's tokens */
    const uint64_t *cluster; /* [n_item] prompt keys */
};

/** G and its standard error: G[k] = 1/n_item sum_i sum_side coef kappa, G_se clustered by
 * prompt. Components that do not exist are NaN. Shapes: g, g_se: [n_component]. Returns the
 * number of clusters; a measuring arena: 0. */
int64_t psw_component_reduce(const struct psw_reduce_in *in, struct psw_arena *scratch,
                             double *g, double *g_se);

#endif
