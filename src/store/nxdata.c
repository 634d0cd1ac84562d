/* Groups on which HDF5 viewers open with a plot (NeXus: NXentry and NXdata): per cell, that is
 * per settings without the seed, the mean over seeds of G / |v| along training with its parts
 * beside it; and one with the whole array G.
 *
 * Viewers want numbers: axes are numeric or ".", errors stand in NAME_errors, lengths agree,
 * and an axis has no holes. So a curve has the checkpoints at which its total is there. Runs
 * that are not done, and cells without any value, have no curve. */
#include "nxdata_internal.h"

#include "h5_internal.h"

#include <hdf5_hl.h>
#include <math.h>
#include <posweep/config/leaf.h>
#include <posweep/store/along.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More curves than these nobody looks at one by one; all numbers are in G. */
enum { MAX_CURVES = 64, NAME_BYTES = 60, TITLE_BYTES = 400, N_PART = 7 };

/** What adds up to total, and total itself first: the lines of the plot. */
static const char *const PARTS[N_PART] = {"total", "pos",     "neg",  "nll",
                                          "kl",    "entropy", "value"};

/** Runs that differ in the seed alone, and where their curve goes. */
struct cell {
    uint64_t group;
    int64_t first; /* of its runs in the plan */
    const int64_t *run;
    int64_t n_run;
    char name[NAME_BYTES + 4];
};

/** Where curves come from: G over the norm of its direction. */
struct source {
    const char *what;                /* for titles */
    const double *g, *norm;          /* [run][checkpoint][component], norm [run][checkpoint] */
    const double *g_se, *g_se_final; /* of g; NULL: not there */
    const int64_t *status, *step;    /* [run], [run][checkpoint] */
    int64_t n_checkpoint, n_component;
};

/** One line of a plot. Shapes: [n_checkpoint]. */
struct line {
    double *mean, *error;
};

/* ---- cells ---- */

struct member {
    uint64_t group;
    int64_t run;
};

static int by_group(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return x->run < y->run ? -1 : x->run > y->run;
}

static int by_first(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/** The cells in the order of the sweep. Shapes: member, run, cell [n_run]; the last two are
 * set.
 */
static int64_t find_cells(const struct psw_results_plan *plan, struct member *member,
                          int64_t *run, struct cell *cell)
{
    int64_t n = 0;
    for (int64_t r = 0; r < plan->n_run; r++)
        member[r] = (struct member){plan->run[r].group, r};
    qsort(member, (size_t)plan->n_run, sizeof *member, by_group);
    for (int64_t i = 0; i < plan->n_run; i++) {
        run[i] = member[i].run;
        if (i == 0 || member[i].group != member[i - 1].group)
            cell[n++] =
                (struct cell){.group = member[i].group, .first = member[i].run, .run = run + i};
        cell[n - 1].n_run++;
    }
    qsort(cell, (size_t)n, sizeof *cell, by_first);
    return n;
}

static int same_variant(const struct psw_results_plan *plan, int64_t a, int64_t b)
{
    return strcmp(plan->run[a].method, plan->run[b].method) == 0 &&
           strcmp(plan->run[a].variant, plan->run[b].variant) == 0;
}

static void leaf_text(const struct psw_results_leaf *leaf, int64_t run,
                      char out[PSW_SETTING_BYTES])
{
    if (leaf->type == PSW_TEXT)
        snprintf(out, PSW_SETTING_BYTES, "%s", leaf->str[run]);
    else
        psw_leaf_number_text(psw_leaf_find(leaf->path),
                             leaf->f64 ? leaf->f64[run] : (double)leaf->i64[run], out);
}

/** Whether a setting differs among the cells of this one's method and variant. */
static int varies(const struct psw_results_plan *plan, const struct psw_results_leaf *leaf,
                  const struct cell *cell, int64_t n_cell, int64_t run)
{
    char ours[PSW_SETTING_BYTES], theirs[PSW_SETTING_BYTES];
    leaf_text(leaf, run, ours);
    for (int64_t i = 0; i < n_cell; i++) {
        if (!same_variant(plan, cell[i].first, run)) continue;
        leaf_text(leaf, cell[i].first, theirs);
        if (strcmp(ours, theirs) != 0) return 1;
    }
    return 0;
}

/** "dpo vanilla", and the settings that tell it from its neighbours: " policy_beta=0.1". */
static void label_cell(const struct psw_results_plan *plan, const struct cell *cell,
                       int64_t n_cell, int64_t run, char *out, size_t n_bytes)
{
    size_t used =
        (size_t)snprintf(out, n_bytes, "%s %s", plan->run[run].method, plan->run[run].variant);
    for (int i = 0; i < plan->n_leaf && used < n_bytes; i++) {
        char text[PSW_SETTING_BYTES];
        if (!varies(plan, &plan->leaf[i], cell, n_cell, run)) continue;
        leaf_text(&plan->leaf[i], run, text);
        used +=
            (size_t)snprintf(out + used, n_bytes - used, " %s=%s", plan->leaf[i].path, text);
    }
}

/** A name for a group out of the label: no "/" and nothing that shells trip over; with the hash
 *  where it is too long or taken. */
static void name_cell(struct cell *cell, int64_t i, const char *label)
{
    static const char KEPT[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+=_";
    char hash[PSW_HASH_TEXT_BYTES];
    char *name = cell[i].name;
    int is_taken = strlen(label) > NAME_BYTES || strcmp(label, "alignment") == 0;
    snprintf(name, NAME_BYTES + 1, "%.60s", label);
    for (char *at = name; *at; at++) {
        const int is_point = *at == '.' && at > name; /* of a number */
        if (!strchr(KEPT, *at) && !is_point) *at = '_';
    }
    for (int64_t k = 0; k < i; k++) is_taken |= strcmp(cell[k].name, name) == 0;
    if (is_taken)
        snprintf(name + strnlen(name, NAME_BYTES - PSW_HASH_TEXT_BYTES),
                 PSW_HASH_TEXT_BYTES + 1, "_%s", psw_hash_text(cell[i].group, hash));
}

/* ---- curves ---- */

static const double *column_f64(struct psw_table *t, const char *name)
{
    const struct psw_column *c = psw_table_column(t, name);
    return c && c->present ? c->f64 : NULL;
}

static struct source source_of(struct psw_table *t, enum psw_along along)
{
    const struct psw_along_columns *name = psw_along_columns(along);
    const int is_soft = along == PSW_ALONG_SOFT;
    struct source s = {.what = "G / |v|, soft targets",
                       .g = column_f64(t, name->g),
                       .g_se = column_f64(t, name->se),
                       .g_se_final = column_f64(t, name->se_final),
                       .norm = column_f64(t, name->norm),
                       .status = psw_table_column(t, "status")->i64,
                       .step = psw_table_column(t, "step")->i64,
                       .n_checkpoint = t->extent[PSW_DIM_CHECKPOINT],
                       .n_component = t->extent[PSW_DIM_COMPONENT]};
    if (is_soft && !s.norm) s.g = NULL; /* it is 0 at last: nothing to compare without */
    if (!is_soft) s.what = s.norm ? "G / |v|" : "G";
    return s;
}

/** Place of a component on the axis; -1: not there. */
static int64_t component_of(const struct psw_table *t, const char *name)
{
    for (int i = 0; i < t->plan->axes.n_component; i++)
        if (strcmp(t->plan->axes.component[i], name) == 0) return t->component[i];
    return -1;
}

/** An element of G or its error over the norm of its checkpoint; NaN: not there. */
static double scaled(const struct source *s, const double *x, int64_t run, int64_t k, int64_t m)
{
    const int64_t at = run * s->n_checkpoint + k;
    if (!x || (s->norm && !(s->norm[at] > 0))) return NAN;
    return x[at * s->n_component + m] / (s->norm ? s->norm[at] : 1);
}

/** The error of one run: over its probe items, and through D' where that was computed. */
static double error_of(const struct source *s, int64_t run, int64_t k, int64_t m)
{
    return psw_along_error(scaled(s, s->g_se, run, k, m), scaled(s, s->g_se_final, run, k, m));
}

/** Whether the run has a later checkpoint: at its last one the true G is 0, and what is there
 * is noise. */
static int has_later(const struct source *s, int64_t run, int64_t k)
{
    for (int64_t later = k + 1; later < s->n_checkpoint; later++)
        if (s->step[run * s->n_checkpoint + later] >= 0) return 1;
    return 0;
}

/** Mean and standard error over the finished runs of a cell, those far from their SFT model
 *  included; of a single run, its own error. */
static void average(const struct source *s, const struct cell *cell, int64_t k, int64_t m,
                    double out[2])
{
    double n = 0, mean = 0, squares = 0, alone = NAN;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t run = cell->run[i];
        const double x = scaled(s, s->g, run, k, m);
        if (s->status[run] != PSW_OUTCOME_DONE || !isfinite(x) || !has_later(s, run, k))
            continue;
        const double delta = x - mean;
        n++;
        mean += delta / n;
        squares += delta * (x - mean);
        alone = error_of(s, run, k, m);
    }
    out[0] = n > 0 ? mean : NAN;
    out[1] = n > 1 ? sqrt(squares / (n - 1) / n) : alone;
}

/** The step of checkpoint k in the cell's finished runs; -1: none has it. */
static int64_t step_of(const struct source *s, const struct cell *cell, int64_t k)
{
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t step = s->step[cell->run[i] * s->n_checkpoint + k];
        if (s->status[cell->run[i]] == PSW_OUTCOME_DONE && step >= 0) return step;
    }
    return -1;
}

static int all_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

/* ---- writing ---- */

/** A one-dimensional dataset over the scale; -1: it is the scale. */
static herr_t put_numbers(hid_t group, hid_t scale, const char *name, const char *long_name,
                          struct psw_h5_var var, hid_t *out)
{
    var.name = name;
    const hid_t set = psw_h5_put(group, &var);
    herr_t rc = set < 0 ? -1 : psw_h5_attr_text(set, "long_name", long_name);
    if (rc >= 0) rc = psw_h5_attr_text(set, "units", "1");
    if (rc >= 0) rc = scale < 0 ? H5DSset_scale(set, name) : H5DSattach_scale(set, scale, 0);
    if (rc >= 0 && out)
        *out = set;
    else if (set >= 0)
        H5Dclose(set);
    return rc;
}

/** A line and its errors, if all of them are there. */
static herr_t put_line(hid_t group, hid_t scale, const char *name, const char *what,
                       const struct line *line, int64_t n)
{
    char long_name[128], error_name[64];
    struct psw_h5_var var = {.type = PSW_F64, .shape = psw_shape_1d(n), .data = line->mean};
    snprintf(long_name, sizeof long_name, "%s of %s", what, name);
    snprintf(error_name, sizeof error_name, "%s_errors", name);
    const herr_t rc = put_numbers(group, scale, name, long_name, var, NULL);
    var.data = line->error;
    if (rc < 0 || !all_finite(line->error, n)) return rc;
    snprintf(long_name, sizeof long_name, "standard error of %s", name);
    return put_numbers(group, scale, error_name, long_name, var, NULL);
}

/** The title is a field in NeXus, and what viewers look for. */
static herr_t put_title(hid_t group, const char *title)
{
    const hid_t set = psw_h5_put(
        group, &(struct psw_h5_var){.name = "title", .type = PSW_TEXT, .data = &title});
    return set < 0 ? -1 : H5Dclose(set);
}

/** A curve as it is written: its checkpoints, and one line per part that is there. */
struct curve {
    int64_t n;                /* checkpoints */
    int64_t *step;            /* [n] */
    struct line line[N_PART]; /* mean NULL: the cell has no such part */
};

static herr_t put_signals(hid_t group, const struct curve *c, const char *what,
                          const char *title)
{
    const char *beside[N_PART];
    int n_beside = 0;
    hid_t scale = -1;
    const struct psw_h5_var steps = {
        .type = PSW_I32, .shape = psw_shape_1d(c->n), .data = c->step};
    herr_t rc = put_numbers(group, -1, "step", "training step", steps, &scale);
    for (int p = 0; rc >= 0 && p < N_PART; p++) {
        if (!all_finite(c->line[p].mean, c->n)) continue;
        rc = put_line(group, scale, PARTS[p], what, &c->line[p], c->n);
        if (p > 0) beside[n_beside++] = PARTS[p];
    }
    if (scale >= 0) H5Dclose(scale);
    static const char *const AXES[] = {"step"};
    if (rc >= 0) rc = psw_h5_attr_text(group, "NX_class", "NXdata");
    if (rc >= 0) rc = put_title(group, title);
    if (rc >= 0) rc = psw_h5_attr_text(group, "signal", PARTS[0]);
    if (rc >= 0 && n_beside > 0)
        rc = psw_h5_attr_texts(group, "auxiliary_signals", beside, n_beside);
    return rc >= 0 ? psw_h5_attr_texts(group, "axes", AXES, 1) : rc;
}

/** The curve of a cell, of the checkpoints at which its total is there. Shapes: room has
 *  2 N_PART n_checkpoint doubles, step n_checkpoint. */
static struct curve curve_of(struct psw_table *t, const struct source *s,
                             const struct cell *cell, double *room, int64_t *step)
{
    struct curve c = {.step = step};
    int64_t m[N_PART];
    for (int p = 0; p < N_PART; p++) {
        m[p] = component_of(t, PARTS[p]);
        c.line[p] =
            (struct line){room + 2 * p * s->n_checkpoint, room + (2 * p + 1) * s->n_checkpoint};
    }
    for (int64_t k = 0; m[0] >= 0 && s->g && k < s->n_checkpoint; k++) {
        double x[2];
        average(s, cell, k, m[0], x);
        step[c.n] = step_of(s, cell, k);
        if (!isfinite(x[0]) || step[c.n] < 0) continue;
        for (int p = 0; p < N_PART; p++) {
            x[0] = x[1] = NAN;
            if (m[p] >= 0) average(s, cell, k, m[p], x);
            c.line[p].mean[c.n] = x[0];
            c.line[p].error[c.n] = x[1];
        }
        c.n++;
    }
    return c;
}

static int64_t n_done(const struct source *s, const struct cell *cell)
{
    int64_t n = 0;
    for (int64_t i = 0; i < cell->n_run; i++) n += s->status[cell->run[i]] == PSW_OUTCOME_DONE;
    return n;
}

/** The curves of the first cells; *first_name: of the first that has one. */
static herr_t put_curves(hid_t entry, struct psw_table *t, struct cell *cell, int64_t n_cell,
                         double *room, int64_t *step, const char **first_name)
{
    const struct source source[2] = {source_of(t, PSW_ALONG_SOFT),
                                     source_of(t, PSW_ALONG_SAMPLED)};
    herr_t rc = 0;
    int n_curve = 0;
    for (int64_t i = 0; rc >= 0 && i < n_cell && n_curve < MAX_CURVES; i++) {
        char label[256], title[TITLE_BYTES];
        const struct source *s = &source[0]; /* the soft direction, where the cell has it */
        struct curve c = curve_of(t, s, &cell[i], room, step);
        if (c.n == 0) c = curve_of(t, s = &source[1], &cell[i], room, step);
        if (c.n == 0) continue;
        label_cell(t->plan, cell, n_cell, cell[i].first, label, sizeof label);
        name_cell(cell, i, label);
        const int64_t n = n_done(s, &cell[i]);
        snprintf(title, sizeof title, "%s: %s, in nat%s, mean of %lld finished seed%s", label,
                 s->what, s->norm ? "" : " squared", (long long)n, n == 1 ? "" : "s");
        const hid_t group =
            H5Gcreate2(entry, cell[i].name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        rc = group < 0 ? -1 : put_signals(group, &c, s->what, title);
        if (group >= 0) H5Gclose(group);
        if (n_curve++ == 0) *first_name = cell[i].name;
    }
    return rc;
}

/** Room for cells and curves, and the curves. */
static herr_t put_cells(hid_t entry, struct psw_table *t)
{
    const size_t n_run = (size_t)t->plan->n_run, n_k = (size_t)t->extent[PSW_DIM_CHECKPOINT];
    struct member *member = malloc(n_run * sizeof *member);
    struct cell *cell = calloc(n_run, sizeof *cell);
    int64_t *run = malloc((n_run + n_k) * sizeof *run);
    double *room = malloc(2 * N_PART * n_k * sizeof *room);
    const char *first = "alignment";
    herr_t rc = -1;
    if (member && cell && run && room) {
        const int64_t n_cell = find_cells(t->plan, member, run, cell);
        rc = put_curves(entry, t, cell, n_cell, room, run + n_run, &first);
    }
    if (rc >= 0) rc = psw_h5_attr_text(entry, "default", first);
    free(member);
    free(cell);
    free(run);
    free(room);
    return rc;
}

/** The whole array: hard links to signal, errors and what names the axes, where "." stands for
 *  an axis of texts. */
static herr_t put_alignment(hid_t file, hid_t entry)
{
    static const char *const LINKS[][2] = {{"G", "G"},
                                           {"G_se", "G_se"},
                                           {"G_se", "G_errors"},
                                           {"run", "run"},
                                           {"checkpoint", "checkpoint"},
                                           {"component", "component"}};
    static const char *const AXES[] = {".", "checkpoint", "."};
    static const char *const SLICE[] = {"0", ".", "0"};
    const hid_t data = H5Gcreate2(entry, "alignment", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = data < 0 ? -1 : psw_h5_attr_text(data, "NX_class", "NXdata");
    if (rc >= 0) rc = psw_h5_attr_text(data, "signal", "G");
    if (rc >= 0) rc = psw_h5_attr_texts(data, "axes", AXES, 3);
    if (rc >= 0) rc = psw_h5_attr_texts(data, "default_slice", SLICE, 3);
    if (rc >= 0) rc = psw_h5_attr_text(data, "interpretation", "spectrum");
    if (rc >= 0) rc = put_title(data, "G of every run, checkpoint, component");
    for (size_t i = 0; rc >= 0 && i < sizeof LINKS / sizeof *LINKS; i++)
        rc = H5Lcreate_hard(file, LINKS[i][0], data, LINKS[i][1], H5P_DEFAULT, H5P_DEFAULT);
    if (data >= 0) H5Gclose(data);
    return rc;
}

herr_t psw_nxdata_put(hid_t file, struct psw_table *table)
{
    const hid_t entry = H5Gcreate2(file, "entry", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = entry < 0 ? -1 : psw_h5_attr_text(entry, "NX_class", "NXentry");
    if (rc >= 0) rc = psw_h5_attr_text(file, "NX_class", "NXroot");
    if (rc >= 0) rc = psw_h5_attr_text(file, "default", "entry");
    if (rc >= 0) rc = put_cells(entry, table);
    if (rc >= 0) rc = put_alignment(file, entry);
    if (entry >= 0) H5Gclose(entry);
    return rc;
}
