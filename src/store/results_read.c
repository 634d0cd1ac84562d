/* Reading the results file: datasets are loaded whole on first use and kept. */
#include "results_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static herr_t see_link(hid_t group, const char *name, const H5L_info_t *info, void *out)
{
    (void)info;
    struct psw_results *r = out;
    const hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) return -1;
    const int is_set = H5Iget_type(object) == H5I_DATASET;
    H5Oclose(object);
    if (!is_set) return 0;
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
    return 0;
}

/** Shape and class of a dataset, and whether it is a swept setting. */
static int describe(struct psw_results *r, struct psw_dataset_view *v)
{
    hsize_t extent[H5S_MAX_RANK];
    const hid_t set = H5Dopen2(r->file, v->name, H5P_DEFAULT);
    if (set < 0) return 0;
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    const int n_dim = H5Sget_simple_extent_dims(space, extent, NULL);
    const H5T_class_t kind = H5Tget_class(type);
    v->is_text = kind == H5T_STRING && H5Tis_variable_str(type) > 0;
    v->is_float = kind == H5T_FLOAT;
    v->is_integer = kind == H5T_INTEGER;
    v->width = H5Tget_size(type);
    v->is_leaf = psw_h5_read_attr(set, "setting", v->setting, sizeof v->setting);
    v->shape.n_dim = n_dim <= PSW_MAX_DIMS ? n_dim : -1;
    for (int d = 0; d < n_dim && d < PSW_MAX_DIMS; d++) v->shape.dim[d] = (int64_t)extent[d];
    H5Sclose(space);
    H5Tclose(type);
    H5Dclose(set);
    return 1;
}

static psw_status check_kind(const struct psw_results *r, const char *path,
                             struct psw_error *err)
{
    char source[64];
    int64_t version = -1;
    if (!psw_h5_read_attr(r->file, "source", source, sizeof source) ||
        strcmp(source, "posweep") != 0)
        return psw_fail(err, PSW_EDATA, "%s: this HDF5 file was not written by posweep", path);
    const hid_t attr = H5Aopen(r->file, "schema_version", H5P_DEFAULT);
    if (attr >= 0) {
        if (H5Aread(attr, H5T_NATIVE_INT64, &version) < 0) version = -1;
        H5Aclose(attr);
    }
    if (version != PSW_SCHEMA_VERSION)
        return psw_fail(err, PSW_EDATA, "%s: schema version %lld; this posweep reads %d", path,
                        (long long)version, PSW_SCHEMA_VERSION);
    return PSW_OK;
}

psw_status psw_results_open(const char *path, struct psw_results **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (!psw_file_exists(path)) return psw_fail(err, PSW_ENOENT, "%s: no such file", path);
    struct psw_results *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "results: %zu bytes", sizeof *r);
    const hid_t access = psw_h5_access();
    r->file = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (r->file < 0) rc = psw_h5_fail(err, path, "cannot open as HDF5");
    if (access >= 0) H5Pclose(access); /* after the message: it clears HDF5's */
    if (r->file < 0) goto fail;
    PSW_TRY(check_kind(r, path, err));
    if (H5Literate(r->file, H5_INDEX_NAME, H5_ITER_INC, NULL, see_link, r) < 0) {
        rc = psw_h5_fail(err, path, "cannot list");
        goto fail;
    }
    for (int i = 0; i < r->n_set; i++)
        if (!describe(r, &r->set[i])) {
            rc = psw_h5_fail(err, path, r->set[i].name);
            goto fail;
        }
    *out = r;
    return PSW_OK;
fail:
    psw_results_close(r);
    return rc;
}

void psw_results_close(struct psw_results *results)
{
    if (!results) return;
    for (int i = 0; i < results->n_set; i++) {
        free(results->set[i].f64);
        free(results->set[i].i64);
        for (int64_t k = 0; k < results->set[i].n_text; k++) free(results->set[i].text[k]);
        free(results->set[i].text);
    }
    free(results->set);
    if (results->file >= 0) H5Fclose(results->file);
    free(results);
}

struct psw_dataset_view *psw_results_view(const struct psw_results *results, const char *name)
{
    for (int i = 0; i < results->n_set; i++)
        if (strcmp(results->set[i].name, name) == 0) return &results->set[i];
    return NULL;
}

int psw_results_has(const struct psw_results *results, const char *name)
{
    return psw_results_view(results, name) != NULL;
}

int64_t psw_results_dim(const struct psw_results *results, const char *dim)
{
    const struct psw_dataset_view *v = psw_results_view(results, dim);
    return v && v->shape.n_dim == 1 ? v->shape.dim[0] : 0;
}

/** Read a dataset into a new block of n elements of `bytes` each. */
static void *load(const struct psw_results *r, const struct psw_dataset_view *v, hid_t memory,
                  size_t bytes)
{
    const int64_t n = v->shape.n_dim < 0 ? -1 : psw_shape_count(v->shape);
    if (n < 0) return NULL;
    void *block = calloc((size_t)n + 1, bytes);
    const hid_t set = block ? H5Dopen2(r->file, v->name, H5P_DEFAULT) : -1;
    const herr_t rc =
        set >= 0 ? H5Dread(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, block) : -1;
    if (set >= 0) H5Dclose(set);
    if (rc >= 0) return block;
    free(block);
    return NULL;
}

const double *psw_results_f64(struct psw_results *results, const char *name)
{
    struct psw_dataset_view *v = psw_results_view(results, name);
    if (!v || (!v->is_float && !v->is_integer)) return NULL;
    if (!v->f64) v->f64 = load(results, v, H5T_NATIVE_DOUBLE, sizeof(double));
    return v->f64;
}

const int64_t *psw_results_i64(struct psw_results *results, const char *name)
{
    struct psw_dataset_view *v = psw_results_view(results, name);
    if (!v || !v->is_integer) return NULL;
    if (!v->i64) v->i64 = load(results, v, H5T_NATIVE_INT64, sizeof(int64_t));
    return v->i64;
}

/** Load texts; each of HDF5's allocations becomes one of ours. */
static void load_text(const struct psw_results *r, struct psw_dataset_view *v)
{
    const int64_t n = psw_shape_count(v->shape);
    const hid_t type = psw_h5_text_type(H5T_VARIABLE);
    char **theirs = load(r, v, type, sizeof *theirs);
    v->text = theirs ? calloc((size_t)n + 1, sizeof *v->text) : NULL;
    v->n_text = v->text ? n : 0;
    for (int64_t i = 0; theirs && i < n; i++) {
        if (v->text) v->text[i] = strdup(theirs[i] ? theirs[i] : "");
        H5free_memory(theirs[i]);
    }
    free(theirs);
    H5Tclose(type);
}

const char *psw_results_text(struct psw_results *results, const char *name, int64_t i)
{
    struct psw_dataset_view *v = psw_results_view(results, name);
    if (!v || !v->is_text || v->shape.n_dim < 0 || i < 0 || i >= psw_shape_count(v->shape))
        return "";
    if (!v->text) load_text(results, v);
    return v->text && v->text[i] ? v->text[i] : "";
}

const char *psw_results_attr(struct psw_results *results, const char *object, const char *name)
{
    results->attr[0] = 0;
    const hid_t id = H5Oopen(results->file, object, H5P_DEFAULT);
    if (id < 0) return "";
    psw_h5_read_attr(id, name, results->attr, sizeof results->attr);
    H5Oclose(id);
    return results->attr;
}

int psw_results_n_leaf(const struct psw_results *results)
{
    int n = 0;
    for (int i = 0; i < results->n_set; i++) n += results->set[i].is_leaf;
    return n;
}

const char *psw_results_leaf(const struct psw_results *results, int i)
{
    for (int s = 0; s < results->n_set; s++)
        if (results->set[s].is_leaf && i-- == 0) return results->set[s].name;
    return NULL;
}

int64_t psw_results_component(struct psw_results *results, const char *name)
{
    for (int64_t i = 0; i < psw_results_dim(results, "component"); i++)
        if (strcmp(psw_results_text(results, "component", i), name) == 0) return i;
    return -1;
}
