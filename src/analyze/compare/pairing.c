/* Pairing: which settings have to agree is read off the cells themselves. */
#include <posweep/analyze/pairing.h>

#include "../cell_keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- cells ---- */

/** What is compared, and the keys that have to agree. */
struct matching {
    const struct psw_cell_keys *keys;
    int by;         /* key that is compared */
    char *must;     /* owned [n_key] */
    char *is_kept;  /* owned [n_cell] */
    int64_t *place; /* owned [n_cell]: kept cells */
    int64_t n_place;
    int32_t baseline; /* value of the compared key */
};

static int compare_codes(const struct psw_cell_key *key, int64_t a, int64_t b)
{
    return key->code[a] < key->code[b] ? -1 : key->code[a] > key->code[b];
}

/** By method, variant and the compared setting. */
static int by_class(const void *a, const void *b, void *ctx)
{
    const struct matching *m = ctx;
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order = compare_codes(&m->keys->key[PSW_KEY_METHOD], x, y);
    if (!order) order = compare_codes(&m->keys->key[PSW_KEY_VARIANT], x, y);
    return order ? order : compare_codes(&m->keys->key[m->by], x, y);
}

/** By what has to agree. */
static int by_agreement(const void *a, const void *b, void *ctx)
{
    const struct matching *m = ctx;
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    int order = 0;
    for (int k = 0; k < m->keys->n_key && !order; k++)
        if (m->must[k]) order = compare_codes(&m->keys->key[k], x, y);
    return order;
}

/** A setting that differs within a class is an axis of its own: it has to agree. */
static void find_axes(struct matching *m)
{
    qsort_r(m->place, (size_t)m->n_place, sizeof *m->place, by_class, m);
    m->must[PSW_KEY_METHOD] = m->by != PSW_KEY_METHOD;
    m->must[PSW_KEY_VARIANT] = m->by != PSW_KEY_VARIANT;
    for (int64_t i = 1; i < m->n_place; i++) {
        if (by_class(&m->place[i - 1], &m->place[i], m) != 0) continue;
        for (int k = PSW_KEY_FIRST_LEAF; k < m->keys->n_key; k++)
            if (k != m->by &&
                compare_codes(&m->keys->key[k], m->place[i - 1], m->place[i]) != 0)
                m->must[k] = 1;
    }
}

static int by_order(const void *a, const void *b)
{
    const struct psw_contrast *x = a, *y = b;
    return x->cell->run[0] < y->cell->run[0] ? -1 : x->cell->run[0] > y->cell->run[0];
}

/** The contrasts of each set of cells that agree. */
static void match(struct matching *m, const struct psw_cells *cells, struct psw_pairing *out)
{
    const struct psw_cell_key *by = &m->keys->key[m->by];
    qsort_r(m->place, (size_t)m->n_place, sizeof *m->place, by_agreement, m);
    for (int64_t from = 0, to; from < m->n_place; from = to) {
        const struct psw_cell *baseline = NULL;
        for (to = from; to < m->n_place && by_agreement(&m->place[from], &m->place[to], m) == 0;
             to++)
            if (by->code[m->place[to]] == m->baseline) baseline = &cells->cell[m->place[to]];
        for (int64_t i = from; i < to; i++) {
            const struct psw_cell *cell = &cells->cell[m->place[i]];
            if (by->code[m->place[i]] == m->baseline) continue;
            if (baseline)
                out->contrast[out->n_contrast++] = (struct psw_contrast){cell, baseline};
            else if (out->n_alone++ == 0 || cell < out->alone)
                out->alone = cell;
        }
    }
    qsort(out->contrast, (size_t)out->n_contrast, sizeof *out->contrast, by_order);
}

static psw_status check(const struct matching *m, const struct psw_pairing *p,
                        struct psw_error *err)
{
    if (p->n_contrast > 0) return PSW_OK;
    if (p->n_alone == 0)
        return psw_fail(err, PSW_EINVAL,
                        "every selected run has %s %s: there is nothing to compare it with",
                        p->by, p->value);
    char axes[PSW_SETTING_BYTES] = "";
    size_t used = 0;
    for (int k = 0; k < m->keys->n_key && used < sizeof axes; k++)
        if (m->must[k])
            used += (size_t)snprintf(axes + used, sizeof axes - used, "%s%s", used ? ", " : "",
                                     m->keys->key[k].name);
    return psw_fail(err, PSW_EINVAL,
                    "no cell agrees with one of %s %s in everything else (%s): \"%s\" has no "
                    "baseline",
                    p->by, p->value, axes, p->alone->label);
}

static psw_status select_cells(struct matching *m, const struct psw_pairing_opts *opts,
                               struct psw_pairing *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_cell_keys *keys = m->keys;
    int n_baseline = 0;
    memset(m->is_kept, 1, (size_t)keys->n_cell);
    PSW_TRY(psw_cell_keys_find(keys, opts->by ? opts->by : "variant", &m->by, err));
    m->baseline = psw_cell_key_value(&keys->key[m->by], opts->baseline);
    if (m->baseline < 0)
        PSW_TRY(psw_cell_key_refuse(&keys->key[m->by], opts->baseline, opts->also, m->is_kept,
                                    keys->n_cell, err));
    if (opts->where)
        PSW_TRY(psw_cell_keys_where(keys, opts->where, m->by, m->baseline, m->is_kept, err));
    for (int64_t c = 0; c < keys->n_cell; c++) {
        if (!m->is_kept[c]) continue;
        n_baseline += keys->key[m->by].code[c] == m->baseline;
        m->place[m->n_place++] = c;
    }
    if (n_baseline == 0)
        PSW_TRY(psw_cell_key_refuse(&keys->key[m->by], opts->baseline, opts->also, m->is_kept,
                                    keys->n_cell, err));
    snprintf(out->by, sizeof out->by, "%s", keys->key[m->by].name);
    snprintf(out->value, sizeof out->value, "%s", keys->key[m->by].value[m->baseline]);
fail:
    return rc;
}

psw_status psw_pairing_init(struct psw_results *results, const struct psw_cells *cells,
                            const struct psw_pairing_opts *opts, struct psw_pairing *out,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_cell_keys keys = {0};
    struct matching m = {.keys = &keys};
    struct psw_pairing p = {0};
    PSW_TRY(psw_cell_keys_init(results, cells, &keys, err));
    m.must = calloc((size_t)keys.n_key, 1);
    m.is_kept = calloc((size_t)keys.n_cell + 1, 1);
    m.place = calloc((size_t)keys.n_cell + 1, sizeof *m.place);
    p.contrast = calloc((size_t)keys.n_cell + 1, sizeof *p.contrast);
    if (!m.must || !m.is_kept || !m.place || !p.contrast)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "pairing of %lld cells", (long long)keys.n_cell));
    PSW_TRY(select_cells(&m, opts, &p, err));
    find_axes(&m);
    match(&m, cells, &p);
    PSW_TRY(check(&m, &p, err));
fail:
    if (rc == PSW_OK)
        *out = p;
    else
        psw_pairing_clear(&p);
    psw_cell_keys_clear(&keys);
    free(m.must);
    free(m.is_kept);
    free(m.place);
    return rc;
}

void psw_pairing_clear(struct psw_pairing *pairing)
{
    free(pairing->contrast);
    *pairing = (struct psw_pairing){0};
}

/* ---- runs ---- */

/** Count what became of a cell's runs; those that count and have a value into `out`. Returns
 * how many. Shapes: out [n_run of the cell]: rows of the file, by seed. */
static int64_t sort_out(struct psw_results *r, const struct psw_cell *cell, const double *value,
                        struct psw_run_counts *count, int64_t *out)
{
    const int64_t *status = psw_results_i64(r, "status"), *seed = psw_results_i64(r, "seed");
    const int64_t *degenerate = psw_results_i64(r, "final_degenerate");
    int64_t n = 0;
    *count = (struct psw_run_counts){.n_run = cell->n_run};
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t run = cell->run[i];
        const int is_unended = cell->apart[i] == PSW_APART_UNENDED;
        const int is_failed = is_unended && status[run] == PSW_OUTCOME_FAILED;
        const int is_diverged = is_unended && status[run] == PSW_OUTCOME_DIVERGED;
        const int is_censored = is_unended && status[run] == PSW_OUTCOME_CENSORED;
        count->n_censored += is_censored;
        count->n_failed += is_failed;
        count->n_diverged += is_diverged;
        count->n_unended += is_unended && !is_failed && !is_diverged && !is_censored;
        count->n_apart += !is_unended && cell->apart[i] != PSW_APART_NOT;
        if (cell->apart[i] != PSW_APART_NOT) continue;
        count->n_missing += !isfinite(value[run]);
        count->n_degenerate += degenerate && degenerate[run] > 0;
        if (!isfinite(value[run])) continue;
        int64_t at = n++; /* rows of a cell stand by seed already, or nearly so */
        for (; seed && at > 0 && seed[out[at - 1]] > seed[run]; at--) out[at] = out[at - 1];
        out[at] = run;
    }
    return n;
}

struct psw_pairs_of psw_contrast_runs(struct psw_results *results,
                                      const struct psw_contrast *contrast, const double *value,
                                      int64_t *of, int64_t *against)
{
    struct psw_pairs_of p = {0};
    const int64_t *seed = psw_results_i64(results, "seed");
    const int64_t n_of = sort_out(results, contrast->cell, value, &p.of, of);
    const int64_t n_against = sort_out(results, contrast->baseline, value, &p.against, against);
    for (int64_t i = 0, j = 0; seed && i < n_of && j < n_against;) {
        const int64_t a = seed[of[i]], b = seed[against[j]];
        if (a == b) {
            of[p.n] = of[i];
            against[p.n++] = against[j];
        }
        i += a <= b;
        j += b <= a;
    }
    return p;
}

struct psw_pairs_of psw_contrast_pairs(struct psw_results *results,
                                       const struct psw_contrast *contrast, const double *value,
                                       double *difference, int64_t *scratch)
{
    int64_t *of = scratch, *against = scratch + contrast->cell->n_run;
    const struct psw_pairs_of p = psw_contrast_runs(results, contrast, value, of, against);
    for (int64_t i = 0; i < p.n; i++) difference[i] = value[of[i]] - value[against[i]];
    return p;
}
