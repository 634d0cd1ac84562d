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
enum { MAX_CURVES = 64, NAME_BYTES = 60, TITLE_BYTES = 400 };

/** Runs that differ in the seed alone. */
struct cell {
    uint64_t group;
    int64_t first; /* of its runs in the layout */
    int is_traced; /* some run has points */
};

struct psw_nxdata {
    struct psw_table *table;   /* borrowed */
    struct psw_curves *curves; /* owned: of the cells that are shown */
    struct cell *cell;         /* owned [n_cell] in the order of the sweep */
    int64_t n_cell;
    int n_shown;
    int64_t shown[MAX_CURVES]; /* cells that have a curve */
    int8_t *shown_of;          /* owned [n_run] place in shown; -1: its cell is not */
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

/** The cells in the order of the sweep. Shapes: member, cell [n_run]; both are set. */
static int64_t find_cells(const struct psw_table *t, struct member *member, struct cell *cell)
{
    int64_t n = 0;
    for (int64_t r = 0; r < t->layout->n_run; r++)
        member[r] = (struct member){t->layout->run[r].group, r};
    qsort(member, (size_t)t->layout->n_run, sizeof *member, by_group);
    for (int64_t i = 0; i < t->layout->n_run; i++) {
        if (i == 0 || member[i].group != member[i - 1].group)
            cell[n++] = (struct cell){.group = member[i].group, .first = member[i].run};
        cell[n - 1].is_traced |= t->is_traced[member[i].run];
    }
    qsort(cell, (size_t)n, sizeof *cell, by_first);
    return n;
}

static int same_variant(const struct psw_results_layout *layout, int64_t a, int64_t b)
{
    return strcmp(layout->run[a].method, layout->run[b].method) == 0 &&
           strcmp(layout->run[a].variant, layout->run[b].variant) == 0;
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
static int varies(const struct psw_results_layout *layout, const struct psw_results_leaf *leaf,
                  const struct cell *cell, int64_t n_cell, int64_t run)
{
    char ours[PSW_SETTING_BYTES], theirs[PSW_SETTING_BYTES];
    leaf_text(leaf, run, ours);
    for (int64_t i = 0; i < n_cell; i++) {
        if (!same_variant(layout, cell[i].first, run)) continue;
        leaf_text(leaf, cell[i].first, theirs);
        if (strcmp(ours, theirs) != 0) return 1;
    }
    return 0;
}

/** "dpo vanilla", and the settings that tell it from its neighbours: " policy_beta=0.1". */
static void label_cell(const struct psw_results_layout *layout, const struct cell *cell,
                       int64_t n_cell, int64_t run, char *out, size_t n_bytes)
{
    size_t used = (size_t)snprintf(out, n_bytes, "%s %s", layout->run[run].method,
                                   layout->run[run].variant);
    for (int i = 0; i < layout->n_leaf && used < n_bytes; i++) {
        char text[PSW_SETTING_BYTES];
        if (!varies(layout, &layout->leaf[i], cell, n_cell, run)) continue;
        leaf_text(&layout->leaf[i], run, text);
        used +=
            (size_t)snprintf(out + used, n_bytes - used, " %s=%s", layout->leaf[i].path, text);
    }
}

/** A name for a group out of the label: no "/" and nothing that shells trip over; with the hash
 *  where it is too long or taken. */
static void name_cell(char names[][NAME_BYTES + 4], int i, uint64_t group, const char *label)
{
    static const char KEPT[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+=_";
    char hash[PSW_HASH_TEXT_BYTES];
    char *name = names[i];
    int is_taken = strlen(label) > NAME_BYTES || strcmp(label, "alignment") == 0;
    snprintf(name, NAME_BYTES + 1, "%.60s", label);
    for (char *at = name; *at; at++) {
        const int is_point = *at == '.' && at > name; /* of a number */
        if (!strchr(KEPT, *at) && !is_point) *at = '_';
    }
    for (int k = 0; k < i; k++) is_taken |= strcmp(names[k], name) == 0;
    if (is_taken)
        snprintf(name + strnlen(name, NAME_BYTES - PSW_HASH_TEXT_BYTES),
                 PSW_HASH_TEXT_BYTES + 1, "_%s", psw_hash_text(group, hash));
}

/* ---- writing ---- */

static int all_finite(const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

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
                       const double *mean, const double *error, int64_t n)
{
    char long_name[128], error_name[64];
    struct psw_h5_var var = {.type = PSW_F64, .shape = psw_shape_1d(n), .data = mean};
    snprintf(long_name, sizeof long_name, "%s of %s", what, name);
    snprintf(error_name, sizeof error_name, "%s_errors", name);
    const herr_t rc = put_numbers(group, scale, name, long_name, var, NULL);
    var.data = error;
    if (rc < 0 || !all_finite(error, n)) return rc;
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

static herr_t put_signals(hid_t group, const struct psw_curve *c, const char *what,
                          const char *title)
{
    const char *beside[PSW_CURVE_LINES];
    int n_beside = 0;
    hid_t scale = -1;
    const struct psw_h5_var steps = {
        .type = PSW_I32, .shape = psw_shape_1d(c->n), .data = c->step};
    herr_t rc = put_numbers(group, -1, "step", "training step", steps, &scale);
    for (int p = 0; rc >= 0 && p < PSW_CURVE_LINES; p++) {
        if (!all_finite(c->line[p].mean, c->n)) continue;
        rc = put_line(group, scale, psw_curve_line_name(p), what, c->line[p].mean,
                      c->line[p].error, c->n);
        if (p > 0) beside[n_beside++] = psw_curve_line_name(p);
    }
    if (scale >= 0) H5Dclose(scale);
    static const char *const AXES[] = {"step"};
    if (rc >= 0) rc = psw_h5_attr_text(group, "NX_class", "NXdata");
    if (rc >= 0) rc = put_title(group, title);
    if (rc >= 0) rc = psw_h5_attr_text(group, "signal", psw_curve_line_name(0));
    if (rc >= 0 && n_beside > 0)
        rc = psw_h5_attr_texts(group, "auxiliary_signals", beside, n_beside);
    return rc >= 0 ? psw_h5_attr_texts(group, "axes", AXES, 1) : rc;
}

/** The curve of a cell along the soft direction, where it has it. 0: no memory. */
static int curve_of(const struct psw_nxdata *d, int i, enum psw_along *along,
                    struct psw_curve *out)
{
    *along = PSW_ALONG_SOFT;
    if (!psw_curves_get(d->curves, i, *along, out)) return 0;
    if (out->n > 0) return 1;
    psw_curve_clear(out);
    *along = PSW_ALONG_SAMPLED;
    return psw_curves_get(d->curves, i, *along, out);
}

static herr_t put_curve(const struct psw_nxdata *d, hid_t entry, int i, const char *name,
                        const char *label, enum psw_along along, const struct psw_curve *c)
{
    char title[TITLE_BYTES];
    const int is_scaled = psw_curves_is_scaled(d->curves, along);
    const int64_t n = psw_curves_n_done(d->curves, i);
    const char *what = along == PSW_ALONG_SOFT ? "G / |v|, soft targets"
                       : is_scaled             ? "G / |v|"
                                               : "G";
    snprintf(title, sizeof title, "%s: %s, in nat%s, mean of %lld finished seed%s", label, what,
             is_scaled ? "" : " squared", (long long)n, n == 1 ? "" : "s");
    const hid_t group = H5Gcreate2(entry, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t rc = group < 0 ? -1 : put_signals(group, c, what, title);
    if (group >= 0) H5Gclose(group);
    return rc;
}

/** The curves, and which of them comes first. */
static herr_t put_curves(const struct psw_nxdata *d, hid_t entry)
{
    char name[MAX_CURVES][NAME_BYTES + 4], label[256];
    int n_curve = 0;
    herr_t rc = 0;
    for (int i = 0; rc >= 0 && i < d->n_shown; i++) {
        const struct cell *cell = &d->cell[d->shown[i]];
        enum psw_along along;
        struct psw_curve c;
        if (!curve_of(d, i, &along, &c)) return -1;
        if (c.n > 0) {
            label_cell(d->table->layout, d->cell, d->n_cell, cell->first, label, sizeof label);
            name_cell(name, n_curve, cell->group, label);
            rc = put_curve(d, entry, i, name[n_curve++], label, along, &c);
        }
        psw_curve_clear(&c);
    }
    return rc < 0 ? rc : psw_h5_attr_text(entry, "default", n_curve ? name[0] : "alignment");
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

/* ---- the whole ---- */

/** The first cells with points, and which runs are theirs. */
static void choose_shown(struct psw_nxdata *d)
{
    const struct psw_results_layout *layout = d->table->layout;
    for (int64_t i = 0; i < d->n_cell && d->n_shown < MAX_CURVES; i++)
        if (d->cell[i].is_traced) d->shown[d->n_shown++] = i;
    for (int64_t r = 0; r < layout->n_run; r++) {
        int i = d->n_shown - 1;
        while (i >= 0 && d->cell[d->shown[i]].group != layout->run[r].group) i--;
        d->shown_of[r] = (int8_t)i;
    }
}

struct psw_nxdata *psw_nxdata_create(struct psw_table *table)
{
    const size_t n = (size_t)table->layout->n_run;
    struct psw_nxdata *d = calloc(1, sizeof *d);
    struct member *member = malloc(n * sizeof *member);
    if (d && member && (d->cell = malloc(n * sizeof *d->cell)) &&
        (d->shown_of = malloc(n * sizeof *d->shown_of))) {
        d->table = table;
        d->n_cell = find_cells(table, member, d->cell);
        choose_shown(d);
        d->curves = psw_curves_create(table, d->n_shown);
    }
    free(member);
    if (d && d->curves) return d;
    psw_nxdata_destroy(d);
    return NULL;
}

void psw_nxdata_see(struct psw_nxdata *data)
{
    psw_curves_see(data->curves, data->shown_of);
}

void psw_nxdata_destroy(struct psw_nxdata *data)
{
    if (!data) return;
    psw_curves_destroy(data->curves);
    free(data->cell);
    free(data->shown_of);
    free(data);
}

herr_t psw_nxdata_put(const struct psw_nxdata *data, hid_t file)
{
    const hid_t entry = H5Gcreate2(file, "entry", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    herr_t rc = entry < 0 ? -1 : psw_h5_attr_text(entry, "NX_class", "NXentry");
    if (rc >= 0) rc = psw_h5_attr_text(file, "NX_class", "NXroot");
    if (rc >= 0) rc = psw_h5_attr_text(file, "default", "entry");
    if (rc >= 0) rc = put_curves(data, entry);
    if (rc >= 0) rc = put_alignment(file, entry);
    if (entry >= 0) H5Gclose(entry);
    return rc;
}
