/* Derived files: datasets by their schema rows. */
#include <posweep/store/derived.h>

#include "h5_internal.h"
#include "results_internal.h"

#include <hdf5_hl.h>
#include <stdlib.h>
#include <string.h>

static int64_t extent_of(const struct psw_derived *what, const char *dim)
{
    for (int d = 0; d < what->n_dim; d++)
        if (strcmp(what->dim[d].name, dim) == 0) return what->dim[d].n;
    PSW_ASSERT(!"a schema row names a dimension without an extent");
    return 0;
}

static const void *data_of(const struct psw_derived *what, const char *name)
{
    for (int i = 0; i < what->n_set; i++)
        if (strcmp(what->set[i].name, name) == 0) return what->set[i].data;
    return NULL;
}

static herr_t attach(hid_t file, hid_t set, const struct psw_schema_row *row)
{
    char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    const int n_dim = psw_schema_dims(row, dims);
    if (row->flags & PSW_S_SCALE) return H5DSset_scale(set, row->name);
    for (int d = 0; d < n_dim; d++) {
        const hid_t scale = H5Dopen2(file, dims[d], H5P_DEFAULT);
        const herr_t rc = scale >= 0 ? H5DSattach_scale(set, scale, (unsigned)d) : -1;
        if (scale >= 0) H5Dclose(scale);
        if (rc < 0) return rc;
    }
    return 0;
}

/** data: NULL for an index. */
static herr_t put_set(hid_t file, const struct psw_schema_row *row, struct psw_shape shape,
                      const void *data)
{
    const int64_t n = psw_shape_count(shape);
    int64_t *index = data ? NULL : malloc(sizeof *index * (size_t)n + 1);
    PSW_ASSERT(data || row->type == PSW_I64);
    for (int64_t i = 0; index && i < n; i++) index[i] = i;
    if (!data && !index) return -1;
    const struct psw_h5_var var = {.name = row->name,
                                   .type = row->type,
                                   .shape = shape,
                                   .data = data ? data : index,
                                   .fill = row->type == PSW_F64};
    const hid_t set = psw_h5_put(file, &var);
    free(index);
    if (set < 0) return -1;
    herr_t rc = psw_h5_attr_text(set, "long_name", row->long_name);
    if (rc >= 0) rc = psw_h5_attr_text(set, "units", row->unit[0] ? row->unit : "1");
    if (rc >= 0 && row->text) rc = psw_h5_attr_text(set, "comment", row->text);
    if (rc >= 0) rc = attach(file, set, row);
    H5Dclose(set);
    return rc;
}

static herr_t put_sets(hid_t file, const struct psw_derived *what)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows_of(what->kind, &n_row);
    herr_t rc = 0;
    for (int i = 0; i < n_row && rc >= 0; i++) { /* dimension scales stand first */
        char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
        struct psw_shape shape = {.n_dim = psw_schema_dims(&rows[i], dims)};
        for (int d = 0; d < shape.n_dim; d++) shape.dim[d] = extent_of(what, dims[d]);
        rc = put_set(file, &rows[i], shape, data_of(what, rows[i].name));
    }
    return rc;
}

static herr_t put_attrs(hid_t file, const struct psw_derived *what)
{
    char version[PSW_FIELD_BYTES];
    H5G_info_t root;
    snprintf(version, sizeof version, "%s_version", what->kind_name);
    herr_t rc = psw_h5_attr_text(file, "Conventions", "CF-1.8");
    if (rc >= 0) rc = psw_h5_attr_text(file, "source", "posweep");
    if (rc >= 0) rc = psw_h5_attr_text(file, "kind", what->kind_name);
    if (rc >= 0) rc = psw_h5_attr_i64(file, version, what->version);
    if (rc >= 0) rc = H5Gget_info(file, &root);
    if (rc >= 0) rc = psw_h5_attr_i64(file, "n_dataset", (int64_t)root.nlinks);
    for (int i = 0; i < what->n_note && rc >= 0; i++)
        rc = psw_h5_attr_text(file, what->note[i].key, what->note[i].value);
    return rc;
}

psw_status psw_derived_write(const char *path, const struct psw_derived *what,
                             struct psw_error *err)
{
    struct psw_h5_file file;
    psw_status rc = psw_h5_file_create(path, &file, err);
    if (rc != PSW_OK) return rc;
    if (put_sets(file.id, what) < 0 || put_attrs(file.id, what) < 0)
        rc = psw_h5_fail(err, path, "cannot be made");
    return psw_h5_file_end(&file, rc, err);
}
