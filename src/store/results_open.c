/* Opening a results file: its bytes are held against their seal, then its form against the
 * schema (results_form.c). What is in it is read later (results_read.c). */
#include "results_internal.h"

#include <posweep/util/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SETS = 4096 };

/** A link of the root group. Only hard ones are followed, so nothing leads out of the file. */
static herr_t see_link(hid_t group, const char *name, const H5L_info_t *info, void *out)
{
    struct psw_results *r = out;
    const int is_hard = info->type == H5L_TYPE_HARD;
    const hid_t object = is_hard ? H5Oopen(group, name, H5P_DEFAULT) : -1;
    if (is_hard && object < 0) return -1;
    const int is_set =
        is_hard ? H5Iget_type(object) == H5I_DATASET : psw_schema_find(r->kind, name) != NULL;
    if (object >= 0) H5Oclose(object);
    if (!is_set || strlen(name) >= PSW_FIELD_BYTES) return 0;
    if (r->n_set == MAX_SETS) return -1;
    if (r->n_set == r->n_room) {
        const int n_room = r->n_room ? 2 * r->n_room : 64;
        struct psw_dataset_view *grown = realloc(r->set, (size_t)n_room * sizeof *grown);
        if (!grown) return -1;
        r->set = grown;
        r->n_room = n_room;
    }
    struct psw_dataset_view *v = &r->set[r->n_set++];
    memset(v, 0, sizeof *v);
    snprintf(v->name, sizeof v->name, "%s", name);
    if (!is_hard) snprintf(v->fault, sizeof v->fault, "is a soft or external link");
    return 0;
}

/** Files that a command made of results. */
static const struct {
    const char *name, *version, *command;
    int64_t reads;
} DERIVED[PSW_N_SCHEMA] = {
    [PSW_SCHEMA_SPECTRUM] = {"spectrum", "spectrum_version", "spectrum", PSW_SPECTRUM_VERSION},
    [PSW_SCHEMA_COMPARE] = {"compare", "compare_version", "compare", PSW_COMPARE_VERSION},
    [PSW_SCHEMA_TENSORS] = {"tensors", "tensors_version", "spectrum --of tensors",
                            PSW_TENSORS_VERSION}};

/** PSW_SCHEMA_RESULTS: it says of no other. */
static enum psw_schema_kind kind_of(const struct psw_results *r)
{
    char kind[64];
    if (!psw_h5_read_attr(r->file, "kind", kind, sizeof kind)) return PSW_SCHEMA_RESULTS;
    for (int k = 0; k < PSW_N_SCHEMA; k++)
        if (DERIVED[k].name && strcmp(kind, DERIVED[k].name) == 0)
            return (enum psw_schema_kind)k;
    return PSW_SCHEMA_RESULTS;
}

static psw_status check_kind(struct psw_results *r, struct psw_error *err)
{
    char source[64];
    int64_t version = -1;
    if (!psw_h5_read_attr(r->file, "source", source, sizeof source) ||
        strcmp(source, "posweep") != 0)
        return psw_fail(err, PSW_EDATA, "%s: this HDF5 file was not written by posweep",
                        r->path);
    r->kind = kind_of(r);
    if (r->kind != PSW_SCHEMA_RESULTS) {
        psw_h5_read_attr_i64(r->file, DERIVED[r->kind].version, &version);
        if (version == DERIVED[r->kind].reads) return PSW_OK;
        return psw_fail(err, PSW_EDATA, "%s: a %s of version %lld; this posweep reads %lld",
                        r->path, DERIVED[r->kind].name, (long long)version,
                        (long long)DERIVED[r->kind].reads);
    }
    psw_h5_read_attr_i64(r->file, "schema_version", &version);
    if (version != PSW_RESULTS_VERSION)
        return psw_fail(err, PSW_EDATA,
                        "%s: schema version %lld; this posweep reads %d. Run its sweep again "
                        "with this posweep: what is done stands in the journal beside it, and "
                        "the file is written anew",
                        r->path, (long long)version, PSW_RESULTS_VERSION);
    return PSW_OK;
}

/** Open the file that fd is open on, so that what was looked at is what HDF5 reads. */
static psw_status open_hdf5(struct psw_results *r, int fd, struct psw_error *err)
{
    char same[64];
    snprintf(same, sizeof same, "/proc/self/fd/%d", fd);
    const hid_t access = psw_h5_access();
    r->file =
        H5Fopen(access >= 0 && psw_file_exists(same) ? same : r->path, H5F_ACC_RDONLY, access);
    const psw_status rc =
        r->file < 0 ? psw_h5_fail(err, r->path, "cannot open as HDF5") : PSW_OK;
    if (access >= 0) H5Pclose(access); /* after the message: it clears HDF5's */
    return rc;
}

/** The bytes of the file: a plain one, and as they were sealed. */
static psw_status open_bytes(struct psw_results *r, int fd, struct psw_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EDATA, "%s: is not a plain file", r->path);
    r->n_file_bytes = info.st_size;
    psw_status rc = psw_seal_check(fd, r->path, &r->is_sealed, err);
    if (rc == PSW_OK) rc = open_hdf5(r, fd, err);
    if (rc == PSW_OK) rc = check_kind(r, err);
    return rc;
}

void psw_results_close(struct psw_results *results)
{
    if (!results) return;
    for (int i = 0; i < results->n_set; i++) psw_view_drop(&results->set[i]);
    free(results->set);
    if (results->file >= 0) H5Fclose(results->file);
    free(results);
}

psw_status psw_results_open_any(const char *path, struct psw_results **out,
                                struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (!psw_file_exists(path)) return psw_fail(err, PSW_ENOENT, "%s: no such file", path);
    struct psw_results *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "results: %zu bytes", sizeof *r);
    r->file = -1;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe would wait */
    PSW_TRY(psw_path(r->path, sizeof r->path, err, "%s", path));
    if (fd < 0)
        PSW_TRY(psw_fail(err, psw_status_from_errno(errno), "%s: cannot open: %s", path,
                         strerror(errno)));
    PSW_TRY(open_bytes(r, fd, err));
    if (H5Literate(r->file, H5_INDEX_NAME, H5_ITER_INC, NULL, see_link, r) < 0)
        PSW_TRY(psw_h5_fail(err, path, "cannot list"));
    for (int i = 0; i < r->n_set; i++) psw_form_describe(r, &r->set[i]);
    for (int i = 0; i < r->n_set; i++) psw_form_fit(r, &r->set[i]);
    close(fd);
    *out = r;
    return PSW_OK;
fail:
    if (fd >= 0) close(fd);
    psw_results_close(r);
    return rc;
}

/** Everything that must be there is, and fits. */
static psw_status check_form(const struct psw_results *r, struct psw_error *err)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows_of(r->kind, &n_row);
    for (int i = 0; i < n_row; i++)
        if ((rows[i].flags & PSW_S_ALWAYS) && !psw_results_view(r, rows[i].name))
            return psw_fail(err, PSW_EDATA, "%s: %s: missing", r->path, rows[i].name);
    for (int i = 0; i < r->n_set; i++)
        if ((r->set[i].row || r->set[i].is_leaf) && r->set[i].fault[0])
            return psw_fail(err, PSW_EDATA, "%s: %s: %s", r->path, r->set[i].name,
                            r->set[i].fault);
    return PSW_OK;
}

/** Another program has written to the file: see that it left our values alone. */
static psw_status check_values(struct psw_results *r, struct psw_error *err)
{
    for (int i = 0; i < r->n_set; i++) {
        struct psw_dataset_view *v = &r->set[i];
        if (psw_view_is_sound(v) && !psw_results_load(r, v)) return psw_results_fault(r, err);
        if (v->row && strstr(v->row->dims, "sketch")) psw_view_drop(v); /* read by blocks */
    }
    psw_log(PSW_LOG_WARN,
            "%s: another program has written to this file; the values that posweep wrote are "
            "still in it",
            r->path);
    return PSW_OK;
}

/** A file of another kind. */
static psw_status refuse_kind(struct psw_results *r, enum psw_schema_kind wanted,
                              struct psw_error *err)
{
    char expected[64] = "a results file";
    if (wanted != PSW_SCHEMA_RESULTS)
        snprintf(expected, sizeof expected, "what `posweep %s` wrote", DERIVED[wanted].command);
    if (r->kind == PSW_SCHEMA_RESULTS)
        return psw_fail(err, PSW_EINVAL, "%s: are results; expected %s", r->path, expected);
    return psw_fail(err, PSW_EINVAL, "%s: is what `posweep %s` found in %s; expected %s",
                    r->path, DERIVED[r->kind].command, psw_results_attr(r, "/", "results"),
                    expected);
}

psw_status psw_results_open(const char *path, struct psw_results **out, struct psw_error *err)
{
    return psw_results_open_kind(path, PSW_SCHEMA_RESULTS, out, err);
}

psw_status psw_results_open_kind(const char *path, enum psw_schema_kind kind,
                                 struct psw_results **out, struct psw_error *err)
{
    struct psw_results *r = NULL;
    psw_status rc = psw_results_open_any(path, &r, err);
    if (rc == PSW_OK && r->kind != kind) rc = refuse_kind(r, kind, err);
    if (rc == PSW_OK) rc = check_form(r, err);
    if (rc == PSW_OK && !r->is_sealed) rc = check_values(r, err);
    if (rc == PSW_OK)
        *out = r;
    else
        psw_results_close(r);
    return rc;
}
