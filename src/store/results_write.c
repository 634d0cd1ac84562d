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
#include <posweep/util/machine.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** A column on its way into the file. */
struct column_rows {
    struct psw_h5_rows *rows; /* owned */
    int has_missing;          /* a hole among integers */
};

/** The file under construction. */
struct writer {
    struct psw_h5_file h5;
    hid_t file;
    const struct psw_results_layout *layout;
    struct psw_table *table;
    const char *path;
    struct column_rows *column; /* owned [table->n_column] */
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

/** Whether there are holes among integers. Only then does _FillValue say so: xarray makes
 * floats of integers that may be missing, and step == 40 should be asked of integers. */
static int has_missing(const struct psw_column *c)
{
    for (int64_t i = 0; c->i64 && i < c->n_elem; i++)
        if (c->i64[i] == -1) return 1;
    return 0;
}

static struct psw_shape shape_of(const struct writer *w, const struct psw_column *c)
{
    struct psw_shape shape = {.n_dim = c->n_dim};
    for (int d = 0; d < c->n_dim; d++) shape.dim[d] = w->table->extent[c->dim[d]];
    return shape;
}

/** What is in the columns of the table now. */
static psw_status put_rows(struct writer *w, struct psw_error *err)
{
    for (int i = 0; i < w->table->n_column; i++) {
        const struct psw_column *c = &w->table->column[i];
        const void *data = c->text ? (const void *)c->text : c->f64 ? (void *)c->f64 : c->i64;
        if (!data) continue;
        w->column[i].has_missing = w->column[i].has_missing || has_missing(c);
        if (psw_h5_rows_put(w->column[i].rows, w->table->part[c->dim[0]].n, data) < 0)
            return fail_h5(w, c->row->name, err);
    }
    return psw_h5_file_check(&w->h5, err);
}

/** All settings of each run, which no column has. */
static hid_t put_configs(const struct writer *w, const struct psw_column *c)
{
    const struct psw_results_configs *configs = &w->layout->configs;
    return psw_h5_chars_put(w->file, c->row->name, shape_of(w, c),
                            &(struct psw_h5_texts){configs->text, configs->ctx});
}

static psw_status begin_column(struct writer *w, int i, struct psw_error *err)
{
    const struct psw_column *c = &w->table->column[i];
    if (c->row->flags & PSW_S_CHARS) return PSW_OK;
    w->column[i].rows = psw_h5_rows_begin(
        w->file, &(struct psw_h5_var){
                     .name = c->row->name, .type = c->row->type, .shape = shape_of(w, c)});
    return w->column[i].rows ? PSW_OK : fail_h5(w, c->row->name, err);
}

/** After its last row. */
static psw_status end_column(struct writer *w, int i, struct psw_error *err)
{
    const struct psw_column *c = &w->table->column[i];
    const struct psw_schema_row *row = c->row;
    const int has_fill = psw_type_is_float(row->type) ||
                         (!(row->flags & PSW_S_WRITER) && w->column[i].has_missing);
    const hid_t set = row->flags & PSW_S_CHARS ? put_configs(w, c)
                                               : psw_h5_rows_end(w->column[i].rows, has_fill);
    w->column[i].rows = NULL;
    if (set < 0) return fail_h5(w, row->name, err);
    herr_t rc = put_attrs(set, c);
    if (rc >= 0)
        rc = row->flags & PSW_S_SCALE ? make_scale(w, set, c) : attach_scales(w, set, c);
    H5Dclose(set);
    return rc < 0 ? fail_h5(w, row->name, err) : PSW_OK;
}

/** Dimension scales first. */
static psw_status for_columns(struct writer *w,
                              psw_status (*each)(struct writer *, int, struct psw_error *),
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int is_rest = 0; is_rest < 2; is_rest++)
        for (int i = 0; i < w->table->n_column && rc == PSW_OK; i++) {
            const struct psw_column *c = &w->table->column[i];
            const int is_scale = (c->row->flags & PSW_S_SCALE) != 0;
            if (c->present && is_scale != is_rest) rc = each(w, i, err);
        }
    return rc;
}

/** All columns, block by block, and what is shown of them. */
static psw_status put_columns(struct writer *w, struct psw_nxdata *data, int64_t block_bytes,
                              struct psw_error *err)
{
    psw_status rc = for_columns(w, begin_column, err);
    for (int64_t n; rc == PSW_OK && (n = psw_table_n_fit(w->table, block_bytes)) > 0;) {
        rc = psw_table_next(w->table, n, err);
        if (rc != PSW_OK) break;
        psw_nxdata_see(data);
        rc = put_rows(w, err);
    }
    return rc == PSW_OK ? for_columns(w, end_column, err) : rc;
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

/* ---- the whole ---- */

static psw_status put_leaves(const struct writer *w, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int i = 0; i < w->layout->n_leaf && rc == PSW_OK; i++)
        rc = put_leaf(w, &w->layout->leaf[i], err);
    return rc;
}

static psw_status put_all(struct writer *w, int64_t block_bytes, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    H5G_info_t root; /* how many datasets there are: one that is gone leaves no other trace */
    struct psw_nxdata *data = psw_nxdata_create(w->table);
    w->column = calloc((size_t)w->table->n_column, sizeof *w->column);
    if (!data || !w->column)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: no memory for the columns", w->path));
    if (put_root(w) < 0) PSW_TRY(fail_h5(w, "attributes", err));
    PSW_TRY(put_columns(w, data, block_bytes, err));
    PSW_TRY(put_leaves(w, err));
    if (H5Gget_info(w->file, &root) < 0 ||
        psw_h5_attr_i64(w->file, "n_dataset", (int64_t)root.nlinks) < 0)
        PSW_TRY(fail_h5(w, "attributes", err));
    if (psw_nxdata_put(data, w->file) < 0) PSW_TRY(fail_h5(w, "entry", err));
    if (put_provenance(w) < 0) PSW_TRY(fail_h5(w, "provenance", err));
fail:
    for (int i = 0; w->column && i < w->table->n_column; i++)
        psw_h5_rows_drop(w->column[i].rows);
    free(w->column);
    psw_nxdata_destroy(data);
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

psw_status psw_results_write_blocks(const char *path, const struct psw_results_layout *layout,
                                    struct psw_journal *journal, int64_t block_bytes,
                                    struct psw_error *err)
{
    struct writer w = {.layout = layout, .path = path};
    remove_leftovers(path);
    psw_status rc = psw_table_create(layout, journal, &w.table, err);
    if (rc != PSW_OK) return rc;
    rc = psw_h5_file_create(path, &w.h5, err);
    w.file = w.h5.id;
    if (rc == PSW_OK) rc = psw_h5_file_end(&w.h5, put_all(&w, block_bytes, err), err);
    psw_table_destroy(w.table);
    (void)H5garbage_collect(); /* the coordinator goes on for days */
    psw_machine_give_back();
    return rc;
}

psw_status psw_results_write(const char *path, const struct psw_results_layout *layout,
                             struct psw_journal *journal, struct psw_error *err)
{
    return psw_results_write_blocks(path, layout, journal, PSW_BLOCK_BYTES, err);
}
