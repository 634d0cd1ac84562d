/* Checking a results file against the schema: what writing promised must be there. Each kind of
 * promise is one function; all of them look at every dataset, so one call lists all faults. */
#include "results_internal.h"

#include <math.h>
#include <posweep/store/journal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* G(total) and the sum of its parts come from the same double sums in another order. */
static const double ADDITIVITY = 1e-6;

enum { MAX_LINES_PER_DATASET = 5 };

/* ---- content: only of what has a sound form ---- */

static const double *sound_f64(struct psw_checker *c, const char *name)
{
    const struct psw_dataset_view *v = psw_results_view(c->results, name);
    return v && psw_view_is_sound(v) ? psw_results_f64(c->results, name) : NULL;
}

static const int64_t *sound_i64(struct psw_checker *c, const char *name)
{
    const struct psw_dataset_view *v = psw_results_view(c->results, name);
    return v && psw_view_is_sound(v) ? psw_results_i64(c->results, name) : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_labels(struct psw_checker *c, const char *name)
{
    const int64_t n = psw_results_dim(c->results, name);
    const char **label = calloc((size_t)n + 1, sizeof *label);
    for (int64_t i = 0; label && i < n; i++) {
        label[i] = psw_results_text(c->results, name, i);
        if (!label[i][0]) psw_check_report(c, "%s[%lld]: no label", name, (long long)i);
        if (strcmp(name, "run") == 0 &&
            (strlen(label[i]) != 16 || strspn(label[i], "0123456789abcdef") != 16))
            psw_check_report(c, "%s[%lld]: \"%s\" is no run hash", name, (long long)i,
                             label[i]);
    }
    if (label) qsort(label, (size_t)n, sizeof *label, by_text);
    for (int64_t i = 1; label && i < n; i++)
        if (strcmp(label[i], label[i - 1]) == 0)
            psw_check_report(c, "%s: the label \"%s\" is there twice", name, label[i]);
    free(label);
}

static void check_status(struct psw_checker *c)
{
    for (int64_t r = 0; c->status && r < c->n_run; r++) {
        const char *message = psw_results_text(c->results, "message", r);
        if (c->status[r] < 0 || c->status[r] >= PSW_N_OUTCOME)
            psw_check_report(c, "status[%lld]: %lld has no meaning", (long long)r,
                             (long long)c->status[r]);
        if (c->status[r] == PSW_OUTCOME_DONE && message[0])
            psw_check_report(c, "message[%lld]: a finished run has the message \"%s\"",
                             (long long)r, message);
    }
}

/** Steps of a run rise, from its first checkpoint on, without holes. */
static void check_steps(struct psw_checker *c)
{
    for (int64_t r = 0; c->step && r < c->n_run; r++) {
        const int64_t *step = c->step + r * c->n_checkpoint;
        if (c->status && c->status[r] == PSW_OUTCOME_DONE && step[0] < 0)
            psw_check_report(c, "step[%lld, 0]: the run is done but has no checkpoint",
                             (long long)r);
        for (int64_t k = 1; k < c->n_checkpoint; k++)
            if (step[k] >= 0 && (step[k - 1] < 0 || step[k] <= step[k - 1]))
                psw_check_report(c, "step[%lld, %lld]: %lld follows %lld", (long long)r,
                                 (long long)k, (long long)step[k], (long long)step[k - 1]);
    }
}

/** Place of an element as text: "[3, 1, total]". */
static const char *place(struct psw_checker *c, const struct psw_schema_row *row, int64_t i,
                         char out[128])
{
    char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    int64_t index[PSW_MAX_DIMS] = {0};
    const int n_dim = psw_schema_dims(row, dims);
    for (int d = n_dim - 1; d >= 0; d--) {
        const int64_t n = psw_results_dim(c->results, dims[d]);
        index[d] = n > 0 ? i % n : 0;
        i = n > 0 ? i / n : 0;
    }
    size_t used = 0;
    for (int d = 0; d < n_dim && used < 100; d++) {
        const char *label = psw_results_text(c->results, dims[d], index[d]);
        used += (size_t)snprintf(out + used, 128 - used, d ? ", %lld" : "[%lld",
                                 (long long)index[d]);
        if (label[0] && used < 100)
            used += (size_t)snprintf(out + used, 128 - used, " %.16s", label);
    }
    snprintf(out + (used < 126 ? used : 126), 2, "]");
    return out;
}

/** Run and checkpoint of element i of a [run, checkpoint, ...] dataset; 0 if it has other
 *  dimensions. */
static int checkpoint_of(const struct psw_checker *c, const struct psw_schema_row *row,
                         const struct psw_dataset_view *v, int64_t i, int64_t at[2])
{
    if (strncmp(row->dims, "run checkpoint", 14) != 0 || c->n_run * c->n_checkpoint == 0)
        return 0;
    const int64_t inner = psw_shape_count(v->shape) / (c->n_run * c->n_checkpoint);
    const int64_t cell = inner > 0 ? i / inner : 0;
    at[0] = cell / c->n_checkpoint;
    at[1] = cell % c->n_checkpoint;
    return 1;
}

/** Values lie in their range, and stand only where there is a checkpoint. */
static void check_values(struct psw_checker *c, const struct psw_dataset_view *v)
{
    const struct psw_schema_row *row = v->row;
    if (!row || !psw_view_is_sound(v) || row->type == PSW_TEXT) return;
    const double *x = psw_results_f64(c->results, v->name);
    if (!x) return; /* said already */
    const int is_float = v->type == PSW_F32 || v->type == PSW_F64;
    const int64_t n = psw_shape_count(v->shape);
    int n_line = 0;
    char where[128];
    for (int64_t i = 0; i < n && n_line < MAX_LINES_PER_DATASET; i++) {
        int64_t at[2];
        const int missing = is_float ? isnan(x[i]) : x[i] == -1;
        if (missing) continue;
        if (!isfinite(x[i]) || x[i] < row->min || x[i] > row->max) {
            psw_check_report(c, "%s%s: %g is out of range [%g, %g]", v->name,
                             place(c, row, i, where), x[i], row->min, row->max);
            n_line++;
        }
        if (is_float && c->step && checkpoint_of(c, row, v, i, at) &&
            c->step[at[0] * c->n_checkpoint + at[1]] < 0) {
            psw_check_report(c, "%s%s: a value without a checkpoint", v->name,
                             place(c, row, i, where));
            n_line++;
        }
    }
}

/** Groups by weight, which mean nothing at a checkpoint where all weights are equal. */
static int is_group(const struct psw_checker *c, int64_t component)
{
    static const char *const GROUPS[] = {"top", "mid", "bot"};
    const char *name = psw_results_text(c->results, "component", component);
    for (int i = 0; i < 3; i++)
        if (strcmp(name, GROUPS[i]) == 0) return 1;
    return 0;
}

/** G(total) is finite at every checkpoint of a done run; another component either always or
 *  never (an objective may not have it), but for groups by weight. */
static void check_finite(struct psw_checker *c)
{
    const double *g = sound_f64(c, "G");
    const int64_t total = psw_results_component(c->results, "total");
    for (int64_t r = 0; g && c->step && c->status && r < c->n_run; r++) {
        if (c->status[r] != PSW_OUTCOME_DONE) continue;
        for (int64_t m = 0; m < c->n_component; m++) {
            int64_t n_have = 0, n_want = 0, first = -1;
            for (int64_t k = 0; k < c->n_checkpoint; k++) {
                if (c->step[r * c->n_checkpoint + k] < 0) continue;
                const int ok = isfinite(g[(r * c->n_checkpoint + k) * c->n_component + m]) != 0;
                n_want++;
                n_have += ok;
                if (!ok && first < 0) first = k;
            }
            if (n_have < n_want && (m == total || (n_have > 0 && !is_group(c, m))))
                psw_check_report(
                    c, "G[%lld, %lld, %s]: not finite, though the run is done (%lld of %lld)",
                    (long long)r, (long long)first,
                    psw_results_text(c->results, "component", m), (long long)(n_want - n_have),
                    (long long)n_want);
        }
    }
}

/** Rows marked PSW_S_FINITE along the log have a value wherever a step was logged. */
static void check_log(struct psw_checker *c)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows(&n_row);
    const int64_t *train_step = sound_i64(c, "train_step");
    const int64_t n_log = psw_results_dim(c->results, "log_step");
    for (int i = 0; train_step && c->status && i < n_row; i++) {
        const int wanted =
            strcmp(rows[i].dims, "run log_step") == 0 && (rows[i].flags & PSW_S_FINITE);
        const double *x = wanted ? sound_f64(c, rows[i].name) : NULL;
        for (int64_t k = 0; x && k < c->n_run * n_log; k++)
            if (train_step[k] >= 0 && !isfinite(x[k]) &&
                c->status[k / n_log] == PSW_OUTCOME_DONE)
                psw_check_report(c, "%s[%lld, %lld]: not finite, though the run is done",
                                 rows[i].name, (long long)(k / n_log), (long long)(k % n_log));
    }
}

/** total = pos + neg + kl + entropy + value + nll wherever the first three are there. */
static void check_additivity(struct psw_checker *c)
{
    static const char *const PARTS[] = {"pos", "neg", "kl", "entropy", "value", "nll"};
    enum { N_PART = sizeof PARTS / sizeof *PARTS };
    int64_t part[N_PART];
    const double *g = sound_f64(c, "G");
    const int64_t total = psw_results_component(c->results, "total");
    for (int p = 0; p < N_PART; p++) part[p] = psw_results_component(c->results, PARTS[p]);
    if (!g || total < 0 || part[0] < 0 || part[1] < 0) return;
    for (int64_t cell = 0; cell < c->n_run * c->n_checkpoint; cell++) {
        const double *x = g + cell * c->n_component;
        double sum = 0, size = fabs(x[total]);
        for (int p = 0; p < N_PART; p++)
            if (part[p] >= 0 && (p < 2 || !isnan(x[part[p]]))) {
                sum += x[part[p]];
                size += fabs(x[part[p]]);
            }
        if (isfinite(x[total]) && isfinite(sum) && fabs(x[total] - sum) > ADDITIVITY * size)
            psw_check_report(c, "G[%lld, %lld]: total %.9g is not the sum of its parts %.9g",
                             (long long)(cell / c->n_checkpoint),
                             (long long)(cell % c->n_checkpoint), x[total], sum);
    }
}

static void check_token_table(struct psw_checker *c)
{
    const int64_t *row_size = sound_i64(c, "row_size");
    const int64_t n_token = psw_results_dim(c->results, "token");
    uint64_t sum = 0; /* of any numbers: the file may be a stranger's */
    for (int64_t i = 0; row_size && i < psw_results_dim(c->results, "sequence"); i++)
        sum += (uint64_t)row_size[i];
    if (sum != (uint64_t)n_token)
        psw_check_report(c, "row_size: counts %lld tokens, but there are %lld", (long long)sum,
                         (long long)n_token);
}

/** The values of a dataset are those that were written. */
static void check_hash(struct psw_checker *c, struct psw_dataset_view *v)
{
    if (!psw_view_is_sound(v)) return;
    const int has_values = psw_results_load(c->results, v);
    if (v->is_bad)
        psw_check_report(c, "%s: its values %s", v->name,
                         has_values ? "are not those that posweep wrote (content_hash)"
                                    : "cannot be read");
}

static void check_content(struct psw_checker *c)
{
    static const char *const LABELS[] = {"run", "component", "cell", "tensor"};
    c->status = sound_i64(c, "status");
    c->step = sound_i64(c, "step");
    for (size_t i = 0; i < sizeof LABELS / sizeof *LABELS; i++) {
        const struct psw_schema_row *row = psw_schema_find(c->results->kind, LABELS[i]);
        if (row && (row->flags & PSW_S_SCALE)) check_labels(c, LABELS[i]);
    }
    check_status(c);
    check_steps(c);
    for (int i = 0; i < c->results->n_set; i++) {
        struct psw_dataset_view *v = &c->results->set[i];
        check_hash(c, v);
        check_values(c, v);
        const int is_borrowed =
            v->value.i64 && (v->value.i64 == c->status || v->value.i64 == c->step);
        if (!is_borrowed && !v->is_bad) psw_view_drop(v); /* read again where it is asked for */
    }
    check_finite(c);
    check_additivity(c);
    check_log(c);
    check_token_table(c);
}

psw_status psw_results_check(const char *path, FILE *out, int64_t *n_violation,
                             struct psw_error *err)
{
    struct psw_checker c = {.out = out};
    psw_status rc = psw_results_open_any(path, &c.results, err);
    if (rc != PSW_OK) return rc;
    c.results->keeps_bad = 1;
    c.n_run = psw_results_dim(c.results, "run");
    c.n_checkpoint = psw_results_dim(c.results, "checkpoint");
    c.n_component = psw_results_dim(c.results, "component");
    if (!c.results->is_sealed)
        psw_check_report(&c,
                         "another program has written to the file, or cut it: it has no seal");
    psw_check_tree(&c);
    psw_check_form(&c);
    check_content(&c);
    psw_results_close(c.results);
    *n_violation = c.n_violation;
    return PSW_OK;
}
