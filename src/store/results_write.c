/* Writing the results file: the table's columns into a file that takes its name when it is
 * whole (h5_file.c). Every dataset carries the hash of its content, and the whole ends in a
 * seal (seal.c). */
#include "h5_internal.h"
#include "nxdata_internal.h"
#include "results_internal.h"
#include "table_internal.h"

#include <dirent.h>
#include <hdf5_hl.h>
#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** The file under construction. */
struct writer {
    hid_t file;
    const struct psw_results_layout *layout;
    struct psw_table *table;
    const char *path;
};

static psw_status fail_h5(const struct writer *w, const char *what, struct psw_error *err)
{
    return psw_h5_fail(err, w->path, what);
}

/* ---- datasets ---- */

static herr_t put_flags(hid_t set)
{
    int8_t value[PSW_N_OUTCOME];
    char meanings[256] = "";
    for (int i = 0; i < PSW_N_OUTCOME; i++) {
        value[i] = (int8_t)i;
        if (i) strcat(meanings, " ");
        strcat(meanings, psw_outcome_name((enum psw_outcome)i));
    }
    if (psw_h5_attr_i8s(set, "flag_values", value, PSW_N_OUTCOME) < 0) return -1;
    return psw_h5_attr_text(set, "flag_meanings", meanings);
}

static herr_t put_masks(hid_t set)
{
    static const int8_t MASKS[] = {PSW_FINDING_CUT, PSW_FINDING_REPEATS};
    if (psw_h5_attr_i8s(set, "flag_masks", MASKS, 2) < 0) return -1;
    return psw_h5_attr_text(set, "flag_meanings", "cut repeats");
}

/** Names of the auxiliary coordinates that fit the dimensions. */
static const char *coordinates_of(const struct psw_column *c)
{
    int on_run = 0, on_checkpoint = 0, on_log = 0;
    for (int d = 0; d < c->n_dim; d++) {
        on_run |= c->dim[d] == PSW_DIM_RUN;
        on_checkpoint |= c->dim[d] == PSW_DIM_CHECKPOINT;
        on_log |= c->dim[d] == PSW_DIM_LOG_STEP;
    }
    if (!on_run) return NULL;
    return on_checkpoint ? "method variant seed step"
           : on_log      ? "method variant seed train_step"
                         : "method variant seed";
}

/** Is this one of the auxiliary coordinates itself? */
static int is_coordinate(const char *name)
{
    static const char *const NAMES[] = {"method", "variant", "seed", "step", "train_step"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i], name) == 0) return 1;
    return 0;
}

static herr_t put_attrs(hid_t set, const struct psw_column *c)
{
    const struct psw_schema_row *row = c->row;
    const char *coordinates = coordinates_of(c);
    herr_t rc = psw_h5_attr_text(set, "long_name", row->long_name);
    if (rc >= 0) rc = psw_h5_attr_text(set, "units", row->unit[0] ? row->unit : "1");
    if (rc >= 0 && row->text) rc = psw_h5_attr_text(set, "comment", row->text);
    if (rc >= 0 && (row->flags & PSW_S_VOLATILE)) rc = psw_h5_attr_i64(set, "volatile", 1);
    if (rc >= 0 && (row->flags & PSW_S_FLAGS)) rc = put_flags(set);
    if (rc >= 0 && (row->flags & PSW_S_MASKS)) rc = put_masks(set);
    if (rc >= 0 && strcmp(row->name, "row_size") == 0)
        rc = psw_h5_attr_text(set, "sample_dimension", "token");
    if (rc >= 0 && coordinates && !(row->flags & PSW_S_SCALE) && !is_coordinate(row->name))
        rc = psw_h5_attr_text(set, "coordinates", coordinates);
    return rc;
}

static herr_t attach_scales(const struct writer *w, hid_t set, const struct psw_column *c)
{
    for (int d = 0; d < c->n_dim; d++) {
        const hid_t scale = H5Dopen2(w->file, psw_dim_name(c->dim[d]), H5P_DEFAULT);
        const herr_t rc = scale >= 0 ? H5DSattach_scale(set, scale, (unsigned)d) : -1;
        if (scale >= 0) H5Dclose(scale);
        if (rc < 0) return -1;
    }
    return 0;
}

/** A bare one is marked as netCDF does, so that its readers join the characters along it. */
static herr_t make_scale(const struct writer *w, hid_t set, const struct psw_column *c)
{
    char bare[80];
    snprintf(bare, sizeof bare, "This is a netCDF dimension but not a netCDF variable.%10lld",
             (long long)w->table->extent[c->dim[0]]);
    return H5DSset_scale(set, c->row->flags & PSW_S_BARE ? bare : c->row->name);
}

/** Whether an integer column has a hole. Only then does it say so in _FillValue: xarray makes
 *  floats of integers that may be missing, and step == 40 should be asked of integers. */
static int has_missing(const struct psw_column *c)
{
    for (int64_t i = 0; c->i64 && i < c->n_elem; i++)
        if (c->i64[i] == -1) return 1;
    return 0;
}

static psw_status put_column(const struct writer *w, const struct psw_column *c,
                             struct psw_error *err)
{
    const struct psw_schema_row *row = c->row;
    const struct psw_results_configs *configs = &w->layout->configs;
    struct psw_h5_var var = {.name = row->name, .type = row->type, .shape.n_dim = c->n_dim};
    for (int d = 0; d < c->n_dim; d++) var.shape.dim[d] = w->table->extent[c->dim[d]];
    var.data = c->text ? (const void *)c->text : c->f64 ? (const void *)c->f64 : c->i64;
    var.fill = c->f64 != NULL || (!(row->flags & PSW_S_WRITER) && has_missing(c));
    const hid_t set =
        row->flags & PSW_S_CHARS
            ? psw_h5_chars_put(w->file, row->name, var.shape,
                               &(struct psw_h5_texts){configs->text, configs->ctx})
            : psw_h5_put(w->file, &var);
    if (set < 0) return fail_h5(w, row->name, err);
    herr_t rc = put_attrs(set, c);
    if (rc >= 0)
        rc = row->flags & PSW_S_SCALE ? make_scale(w, set, c) : attach_scales(w, set, c);
    H5Dclose(set);
    return rc < 0 ? fail_h5(w, row->name, err) : PSW_OK;
}

/** Name and unit of a swept setting. Units are UDUNITS', which knows neither token nor pair
 * (and takes nat for nano-technical-atmosphere): those stand in the name. */
static herr_t put_leaf_attrs(hid_t set, const struct psw_results_leaf *leaf, const char *name)
{
    const char *unit = leaf->unit && leaf->unit[0] ? leaf->unit : "1";
    const int is_known = psw_schema_unit_is_known(unit);
    char long_name[512];
    snprintf(long_name, sizeof long_name, is_known ? "%s" : "%s, in %s",
             leaf->long_name ? leaf->long_name : name, unit);
    herr_t rc = psw_h5_attr_text(set, "long_name", long_name);
    if (rc >= 0) rc = psw_h5_attr_text(set, "units", is_known ? unit : "1");
    if (rc >= 0) rc = psw_h5_attr_text(set, "setting", leaf->path);
    return rc >= 0 ? psw_h5_attr_text(set, "coordinates", "method variant seed") : rc;
}

/** policy.beta becomes policy_beta over run. A setting that the schema has a row for (the seed)
 *  is there already. */
static psw_status put_leaf(const struct writer *w, const struct psw_results_leaf *leaf,
                           struct psw_error *err)
{
    char name[PSW_FIELD_BYTES];
    const size_t length = strlen(leaf->path);
    if (length >= sizeof name) return psw_fail(err, PSW_EINVAL, "%s: too long", leaf->path);
    memcpy(name, leaf->path, length + 1);
    for (char *at = name; *at; at++)
        if (*at == '.') *at = '_';
    if (psw_schema_row_find(name)) return PSW_OK;
    const struct psw_column along_run = {.n_dim = 1, .dim = {PSW_DIM_RUN}};
    struct psw_h5_var var = {
        .name = name, .type = leaf->type, .shape = psw_shape_1d(w->layout->n_run)};
    var.data = leaf->type == PSW_TEXT  ? (const void *)leaf->str
               : leaf->type == PSW_F64 ? (const void *)leaf->f64
                                       : leaf->i64;
    const hid_t set = psw_h5_put(w->file, &var);
    if (set < 0) return fail_h5(w, name, err);
    herr_t rc = put_leaf_attrs(set, leaf, name);
    if (rc >= 0) rc = attach_scales(w, set, &along_run);
    H5Dclose(set);
    return rc < 0 ? fail_h5(w, name, err) : PSW_OK;
}

/* ---- groups ---- */

/** One text with a paragraph per session of the sweep; the caller frees. NULL: no memory. */
static char *session_text(struct psw_journal *journal)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (!out) return NULL;
    for (int64_t i = 0; i < psw_journal_n_entry(journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        struct psw_record *r = NULL;
        if (e->type != PSW_J_SESSION || psw_journal_record(journal, i, &r, NULL) != PSW_OK)
            continue;
        fprintf(out, "host=%s\npid=%lld\nstarted_unix_s=%.0f\n%s\n", psw_record_text(r, "host"),
                (long long)psw_record_i64(r, "pid", 0, 0), e->time_s,
                psw_record_text(r, "provenance"));
        psw_record_destroy(r);
    }
    fclose(out);
    return text;
}

static herr_t put_scalar_text(hid_t group, const char *name, const char *text, int is_volatile)
{
    const hid_t set =
        psw_h5_put(group, &(struct psw_h5_var){.name = name, .type = PSW_TEXT, .data = &text});
    if (set < 0) return -1;
    herr_t rc = is_volatile ? psw_h5_attr_i64(set, "volatile", 1) : 0;
    H5Dclose(set);
    return rc;
}

/** An attribute data_HASH for each data set that a run may have had: its files, with sizes and
 *  hashes. */
static herr_t put_data(hid_t group, struct psw_journal *journal)
{
    herr_t rc = 0;
    for (int64_t i = 0; rc >= 0 && i < psw_journal_n_entry(journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        char name[PSW_FIELD_BYTES], hash[PSW_HASH_TEXT_BYTES];
        struct psw_record *r = NULL;
        if (e->type != PSW_J_DATA) continue;
        snprintf(name, sizeof name, "data_%s", psw_hash_text(e->run, hash));
        if (H5Aexists(group, name) > 0 || psw_journal_record(journal, i, &r, NULL) != PSW_OK)
            continue;
        rc = psw_h5_attr_text(group, name, psw_record_text(r, "text"));
        psw_record_destroy(r);
    }
    return rc;
}

static herr_t put_provenance(const struct writer *w)
{
    const hid_t group =
        H5Gcreate2(w->file, "provenance", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group < 0) return -1;
    herr_t rc = put_scalar_text(group, "spec_text", w->layout->spec_text, 0);
    char *sessions = session_text(w->table->journal);
    if (rc >= 0) rc = sessions ? put_scalar_text(group, "sessions", sessions, 1) : -1;
    free(sessions);
    for (int i = 0; rc >= 0 && i < w->layout->n_note; i++)
        rc = psw_h5_attr_text(group, w->layout->note[i].key, w->layout->note[i].value);
    if (rc >= 0) rc = put_data(group, w->table->journal);
    H5Gclose(group);
    return rc;
}

static herr_t put_root(const struct writer *w)
{
    char hash[PSW_HASH_TEXT_BYTES];
    herr_t rc = psw_h5_attr_text(w->file, "Conventions", "CF-1.8");
    if (rc >= 0) rc = psw_h5_attr_text(w->file, "title", w->layout->name);
    if (rc >= 0) rc = psw_h5_attr_text(w->file, "source", "posweep");
    if (rc >= 0) rc = psw_h5_attr_i64(w->file, "schema_version", PSW_RESULTS_VERSION);
    if (rc >= 0)
        rc = psw_h5_attr_text(w->file, "spec_hash", psw_hash_text(w->layout->spec_hash, hash));
    return rc;
}

/** Plots for viewers. */
static herr_t put_entry(const struct writer *w)
{
    struct psw_nxdata *data = psw_nxdata_create(w->table);
    if (!data) return -1;
    psw_nxdata_see(data);
    const herr_t rc = psw_nxdata_put(data, w->file);
    psw_nxdata_destroy(data);
    return rc;
}

/* ---- the whole ---- */

static psw_status put_all(const struct writer *w, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (put_root(w) < 0) return fail_h5(w, "attributes", err);
    for (int is_rest = 0; is_rest < 2; is_rest++) /* dimension scales first */
        for (int i = 0; i < w->table->n_column && rc == PSW_OK; i++) {
            const struct psw_column *c = &w->table->column[i];
            const int is_scale = (c->row->flags & PSW_S_SCALE) != 0;
            if (c->present && is_scale != is_rest) rc = put_column(w, c, err);
        }
    for (int i = 0; i < w->layout->n_leaf && rc == PSW_OK; i++)
        rc = put_leaf(w, &w->layout->leaf[i], err);
    H5G_info_t root; /* how many datasets there are: one that is gone leaves no other trace */
    if (rc == PSW_OK && (H5Gget_info(w->file, &root) < 0 ||
                         psw_h5_attr_i64(w->file, "n_dataset", (int64_t)root.nlinks) < 0))
        rc = fail_h5(w, "attributes", err);
    if (rc == PSW_OK && put_entry(w) < 0) rc = fail_h5(w, "entry", err);
    if (rc == PSW_OK && put_provenance(w) < 0) rc = fail_h5(w, "provenance", err);
    return rc;
}

/** Whether rest, what follows the name of the results file, is .HOST.PID.tmp as
 *  psw_file_temporary makes it. */
static int is_temporary(const char *rest)
{
    static const char END[] = ".tmp";
    const size_t n = strlen(rest), n_end = sizeof END - 1;
    if (n <= n_end || rest[0] != '.' || strcmp(rest + n - n_end, END) != 0) return 0;
    size_t pid = n - n_end;
    while (pid > 0 && rest[pid - 1] >= '0' && rest[pid - 1] <= '9') pid--;
    return pid < n - n_end && pid > 2 && rest[pid - 1] == '.';
}

/** Remove NAME.HOST.PID.tmp that killed writers left. Only the holder of the journal writes, so
 *  none of them is in use. */
static void remove_leftovers(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const int n_folder = slash ? (int)(slash - path) : 1;
    char folder[PSW_PATH_BYTES], victim[2 * PSW_PATH_BYTES];
    snprintf(folder, sizeof folder, "%.*s%s", n_folder, slash ? path : ".",
             slash == path ? "/" : "");
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, name, strlen(name)) != 0 ||
            !is_temporary(entry->d_name + strlen(name)))
            continue;
        snprintf(victim, sizeof victim, "%s/%s", folder, entry->d_name);
        unlink(victim);
    }
    if (dir) closedir(dir);
}

psw_status psw_results_write(const char *path, const struct psw_results_layout *layout,
                             struct psw_journal *journal, struct psw_error *err)
{
    struct psw_table *table = NULL;
    struct psw_h5_file file;
    remove_leftovers(path);
    psw_status rc = psw_table_create(layout, journal, &table, err);
    if (rc == PSW_OK) rc = psw_h5_file_create(path, &file, err);
    if (rc == PSW_OK) {
        const struct writer w = {
            .file = file.id, .layout = layout, .table = table, .path = path};
        rc = psw_h5_file_end(&file, put_all(&w, err), err);
    }
    psw_table_destroy(table);
    return rc;
}
