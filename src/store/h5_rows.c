/* Datasets: their form in the file, the hash of their content, and their values, row after row.
 */
#include "h5_internal.h"

#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 512 << 10, SMALL_BYTES = 64 << 10, DEFLATE_LEVEL = 4, N_BLOCK = 512 };

/* ---- form ---- */

hid_t psw_h5_file_type(enum psw_type type)
{
    switch (type) {
    case PSW_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case PSW_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case PSW_I8:
        return H5Tcopy(H5T_STD_I8LE);
    case PSW_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case PSW_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case PSW_U8:
        return H5Tcopy(H5T_STD_U8LE);
    case PSW_TEXT:
        return psw_h5_text_type(H5T_VARIABLE);
    }
    return -1;
}

int64_t psw_h5_chunk_rows(int64_t row_bytes)
{
    return row_bytes < 1 || row_bytes >= CHUNK_BYTES ? 1 : CHUNK_BYTES / row_bytes;
}

herr_t psw_h5_set_layout(hid_t create, size_t n_elem_bytes, struct psw_shape shape)
{
    int64_t row_bytes = (int64_t)n_elem_bytes;
    hsize_t chunk[PSW_MAX_DIMS];
    for (int d = 1; d < shape.n_dim; d++) row_bytes *= shape.dim[d];
    if (shape.n_dim == 0 || row_bytes * shape.dim[0] < SMALL_BYTES) return 0;
    for (int d = 0; d < shape.n_dim; d++) chunk[d] = (hsize_t)shape.dim[d];
    const int64_t n_row = psw_h5_chunk_rows(row_bytes);
    if ((int64_t)chunk[0] > n_row) chunk[0] = (hsize_t)n_row;
    if (H5Pset_chunk(create, shape.n_dim, chunk) < 0 || H5Pset_shuffle(create) < 0 ||
        H5Pset_deflate(create, DEFLATE_LEVEL) < 0)
        return -1;
    return H5Pset_fletcher32(create);
}

static herr_t set_layout(hid_t create, const struct psw_h5_var *var)
{
    if (var->type == PSW_TEXT) return 0; /* its characters stand elsewhere */
    return psw_h5_set_layout(create, psw_type_bytes(var->type), var->shape);
}

static herr_t set_fill(hid_t create, const struct psw_h5_var *var)
{
    const double nan_value = NAN;
    const int64_t minus_one = -1;
    if (var->type == PSW_TEXT) return 0;
    return psw_type_is_float(var->type)
               ? H5Pset_fill_value(create, H5T_NATIVE_DOUBLE, &nan_value)
               : H5Pset_fill_value(create, H5T_NATIVE_INT64, &minus_one);
}

/* ---- hashes ---- */

/** A float as the file holds it. */
static double stored_f64(enum psw_type type, double x)
{
    if (isnan(x)) return NAN;
    return type == PSW_F32 ? (double)(float)x : x;
}

/** An integer as the file holds it: HDF5 writes the nearest that fits. */
static int64_t stored_i64(enum psw_type type, int64_t x)
{
    static const struct {
        int64_t lo, hi;
    } RANGE[] = {[PSW_I8] = {INT8_MIN, INT8_MAX},
                 [PSW_I32] = {INT32_MIN, INT32_MAX},
                 [PSW_I64] = {INT64_MIN, INT64_MAX},
                 [PSW_U8] = {0, UINT8_MAX}};
    return x < RANGE[type].lo ? RANGE[type].lo : x > RANGE[type].hi ? RANGE[type].hi : x;
}

/** A hash of values that come in parts. Numbers go into it by blocks, whatever the parts. */
struct hasher {
    enum psw_type type;
    uint64_t hash;
    int64_t n; /* in the block */
    union {
        double f64[N_BLOCK];
        int64_t i64[N_BLOCK];
    } block;
};

static void hash_block(struct hasher *h)
{
    if (h->n > 0) h->hash = psw_hash_bytes(&h->block, 8 * (size_t)h->n, h->hash);
    h->n = 0;
}

static void hash_numbers(struct hasher *h, int64_t n, const void *data)
{
    const int floats = psw_type_is_float(h->type);
    for (int64_t at = 0; at < n;) {
        const int64_t n_here = psw_min(n - at, N_BLOCK - h->n);
        for (int64_t i = 0; i < n_here; i++)
            if (floats)
                h->block.f64[h->n + i] = stored_f64(h->type, ((const double *)data)[at + i]);
            else
                h->block.i64[h->n + i] = stored_i64(h->type, ((const int64_t *)data)[at + i]);
        h->n += n_here;
        at += n_here;
        if (h->n == N_BLOCK) hash_block(h);
    }
}

static void hash_values(struct hasher *h, int64_t n, const void *data)
{
    if (h->type != PSW_TEXT) {
        hash_numbers(h, n, data);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const char *text = ((const char *const *)data)[i];
        h->hash = psw_hash_bytes(text ? text : "", (text ? strlen(text) : 0) + 1, h->hash);
    }
}

uint64_t psw_h5_form_hash(const char *name, enum psw_type type, struct psw_shape shape)
{
    int64_t form[2 + PSW_MAX_DIMS] = {type, shape.n_dim};
    for (int d = 0; d < shape.n_dim; d++) form[2 + d] = shape.dim[d];
    return psw_hash_bytes(form, sizeof form, psw_hash_bytes(name, strlen(name), 0));
}

uint64_t psw_h5_content_hash(const struct psw_h5_var *var)
{
    struct hasher h = {.type = var->type,
                       .hash = psw_h5_form_hash(var->name, var->type, var->shape)};
    hash_values(&h, psw_shape_count(var->shape), var->data);
    hash_block(&h);
    return h.hash;
}

herr_t psw_h5_put_hash(hid_t set, uint64_t hash)
{
    char text[PSW_HASH_TEXT_BYTES];
    return psw_h5_attr_text(set, "content_hash", psw_hash_text(hash, text));
}

/* ---- rows ---- */

struct psw_h5_rows {
    hid_t set, memory; /* memory: type of the values there */
    struct psw_shape shape;
    int64_t n; /* rows that are written */
    struct hasher hasher;
};

static hid_t memory_type(enum psw_type type)
{
    return type == PSW_TEXT
               ? psw_h5_file_type(type)
               : H5Tcopy(psw_type_is_float(type) ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64);
}

/** Rows come in order, so a chunk that is full is not met again: one is kept at most. */
static hid_t create_set(hid_t place, const struct psw_h5_var *var)
{
    hsize_t extent[PSW_MAX_DIMS];
    for (int d = 0; d < var->shape.n_dim; d++) extent[d] = (hsize_t)var->shape.dim[d];
    const hid_t type = psw_h5_file_type(var->type);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    const hid_t space = var->shape.n_dim > 0 ? H5Screate_simple(var->shape.n_dim, extent, NULL)
                                             : H5Screate(H5S_SCALAR);
    hid_t set = -1;
    if (type >= 0 && create >= 0 && access >= 0 && space >= 0 &&
        H5Pset_obj_track_times(create, 0) >= 0 && set_layout(create, var) >= 0 &&
        H5Pset_chunk_cache(access, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, CHUNK_BYTES, 1) >= 0 &&
        set_fill(create, var) >= 0)
        set = H5Dcreate2(place, var->name, type, space, H5P_DEFAULT, create, access);
    if (space >= 0) H5Sclose(space);
    if (access >= 0) H5Pclose(access);
    if (create >= 0) H5Pclose(create);
    if (type >= 0) H5Tclose(type);
    return set;
}

struct psw_h5_rows *psw_h5_rows_begin(hid_t place, const struct psw_h5_var *var)
{
    struct psw_h5_rows *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->shape = var->shape;
    r->hasher.type = var->type;
    r->hasher.hash = psw_h5_form_hash(var->name, var->type, var->shape);
    r->memory = memory_type(var->type);
    r->set = create_set(place, var);
    if (r->set >= 0 && r->memory >= 0) return r;
    psw_h5_rows_drop(r);
    return NULL;
}

/** Texts as HDF5 wants them: NULL stands for "". The caller frees. */
static const char **fill_texts(int64_t n, const char *const *text)
{
    const char **filled = calloc((size_t)n + 1, sizeof *filled);
    for (int64_t i = 0; filled && i < n; i++) filled[i] = text[i] ? text[i] : "";
    return filled;
}

static herr_t write_rows(const struct psw_h5_rows *r, struct psw_shape rows, const void *data)
{
    hsize_t first[PSW_MAX_DIMS] = {(hsize_t)r->n}, extent[PSW_MAX_DIMS];
    if (rows.n_dim == 0)
        return H5Dwrite(r->set, r->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    for (int d = 0; d < rows.n_dim; d++) extent[d] = (hsize_t)rows.dim[d];
    const hid_t file = H5Dget_space(r->set),
                memory = H5Screate_simple(rows.n_dim, extent, NULL);
    herr_t rc = -1;
    if (file >= 0 && memory >= 0)
        rc = H5Sselect_hyperslab(file, H5S_SELECT_SET, first, NULL, extent, NULL);
    if (rc >= 0) rc = H5Dwrite(r->set, r->memory, memory, file, H5P_DEFAULT, data);
    if (memory >= 0) H5Sclose(memory);
    if (file >= 0) H5Sclose(file);
    return rc;
}

herr_t psw_h5_rows_put(struct psw_h5_rows *rows, int64_t n, const void *data)
{
    struct psw_shape part = rows->shape;
    if (part.n_dim > 0) part.dim[0] = n;
    const int64_t n_elem = psw_shape_count(part);
    const int is_text = rows->hasher.type == PSW_TEXT;
    const char **filled = is_text ? fill_texts(n_elem, data) : NULL;
    if (is_text && !filled) return -1;
    const herr_t rc = write_rows(rows, part, is_text ? (const void *)filled : data);
    free(filled);
    if (rc < 0) return rc;
    hash_values(&rows->hasher, n_elem, data);
    rows->n += n;
    return 0;
}

void psw_h5_rows_drop(struct psw_h5_rows *rows)
{
    if (!rows) return;
    if (rows->memory >= 0) H5Tclose(rows->memory);
    if (rows->set >= 0) H5Dclose(rows->set);
    free(rows);
}

/** _FillValue in the dataset's own type, as netCDF wants it. */
static herr_t put_fill_attr(hid_t set)
{
    unsigned char value[16];
    const hid_t type = H5Dget_type(set), create = H5Dget_create_plist(set);
    herr_t rc = type >= 0 && create >= 0 ? H5Pget_fill_value(create, type, value) : -1;
    if (rc >= 0) rc = psw_h5_put_attr(set, "_FillValue", type, 1, value);
    if (create >= 0) H5Pclose(create);
    if (type >= 0) H5Tclose(type);
    return rc;
}

hid_t psw_h5_rows_end(struct psw_h5_rows *rows, int has_fill)
{
    hid_t set = rows->set;
    hash_block(&rows->hasher);
    if (psw_h5_put_hash(set, rows->hasher.hash) >= 0 && (!has_fill || put_fill_attr(set) >= 0))
        rows->set = -1; /* the caller's now */
    else
        set = -1;
    psw_h5_rows_drop(rows);
    return set;
}

hid_t psw_h5_put(hid_t place, const struct psw_h5_var *var)
{
    struct psw_h5_rows *rows = psw_h5_rows_begin(place, var);
    if (!rows) return -1;
    if (psw_h5_rows_put(rows, var->shape.n_dim > 0 ? var->shape.dim[0] : 1, var->data) >= 0)
        return psw_h5_rows_end(rows, var->fill);
    psw_h5_rows_drop(rows);
    return -1;
}
