/* Thin helpers over HDF5 1.10: every object is written without times, so equal content is equal
 * bytes. */
#include "h5_internal.h"

#include <posweep/util/hash.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_ATTR_BYTES = 1 << 20,
    CHUNK_BYTES = 512 << 10,
    SMALL_BYTES = 64 << 10,
    DEFLATE_LEVEL = 4
};

hid_t psw_h5_access(void)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5PLset_loading_state(0);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (access >= 0) H5Pset_libver_bounds(access, H5F_LIBVER_EARLIEST, H5F_LIBVER_V18);
#if H5_VERSION_GE(1, 10, 7)
    if (access >= 0) H5Pset_file_locking(access, 0, 1);
#endif
    return access;
}

static herr_t keep_innermost(unsigned depth, const H5E_error2_t *e, void *out)
{
    if (depth == 0 && e->desc) snprintf(out, 400, "%s", e->desc);
    return 0;
}

psw_status psw_h5_fail(struct psw_error *err, const char *path, const char *what)
{
    char text[400] = "unknown fault in HDF5";
    /* What HDF5 has no complaint about was refused here, before it was asked. */
    int number = H5Eget_num(H5E_DEFAULT) == 0 && errno == ENOMEM ? ENOMEM : 0;
    if (number) snprintf(text, sizeof text, "no memory");
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, text);
    const char *at = strstr(text, "errno = ");
    if (at) number = atoi(at + 8);
    return psw_fail(err, number ? psw_status_from_errno(number) : PSW_EDATA, "%s: %s: %s", path,
                    what, text);
}

hid_t psw_h5_text_type(size_t n_bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    if (type < 0) return type;
    H5Tset_size(type, n_bytes);
    H5Tset_cset(type, H5T_CSET_UTF8);
    if (n_bytes != H5T_VARIABLE) H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

/* ---- attributes ---- */

static herr_t put_attr(hid_t object, const char *name, hid_t type, int n, const void *data)
{
    const hsize_t extent = (hsize_t)n;
    const hid_t space = n > 0 ? H5Screate_simple(1, &extent, NULL) : H5Screate(H5S_SCALAR);
    const hid_t attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const herr_t rc = attr >= 0 ? H5Awrite(attr, type, data) : -1;
    if (attr >= 0) H5Aclose(attr);
    H5Sclose(space);
    return rc;
}

herr_t psw_h5_attr_text(hid_t object, const char *name, const char *text)
{
    const size_t n_bytes = strlen(text) < 2 ? 2 : strlen(text);
    char *padded = calloc(1, n_bytes + 1);
    if (!padded) return -1;
    memcpy(padded, text, strlen(text));
    const hid_t type = psw_h5_text_type(n_bytes);
    const herr_t rc = put_attr(object, name, type, 0, padded);
    H5Tclose(type);
    free(padded);
    return rc;
}

herr_t psw_h5_attr_texts(hid_t object, const char *name, const char *const *list, int n)
{
    size_t width = 2;
    if (n < 1) return -1;
    for (int i = 0; i < n; i++)
        if (strlen(list[i]) > width) width = strlen(list[i]);
    char *block = calloc((size_t)n, width);
    if (!block) return -1;
    for (int i = 0; i < n; i++) memcpy(block + (size_t)i * width, list[i], strlen(list[i]));
    const hid_t type = psw_h5_text_type(width);
    const herr_t rc = put_attr(object, name, type, n, block);
    H5Tclose(type);
    free(block);
    return rc;
}

herr_t psw_h5_attr_i64(hid_t object, const char *name, int64_t value)
{
    return put_attr(object, name, H5T_NATIVE_INT64, 1, &value);
}

herr_t psw_h5_attr_i8s(hid_t object, const char *name, const int8_t *value, int n)
{
    return put_attr(object, name, H5T_NATIVE_INT8, n, value);
}

int psw_h5_read_attr(hid_t object, const char *name, char *out, size_t n_bytes)
{
    out[0] = 0;
    if (H5Aexists(object, name) <= 0) return 0;
    const hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = attr >= 0 ? H5Aget_type(attr) : -1;
    const size_t size = type >= 0 ? H5Tget_size(type) : 0;
    const int usable = type >= 0 && size <= MAX_ATTR_BYTES &&
                       H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
                       H5Aget_storage_size(attr) == size;
    char *text = usable ? calloc(1, size + 1) : NULL;
    int ok = text && H5Aread(attr, type, text) >= 0;
    if (ok) snprintf(out, n_bytes, "%s", text);
    free(text);
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
    return ok;
}

int psw_h5_read_attr_i64(hid_t object, const char *name, int64_t *out)
{
    if (H5Aexists(object, name) <= 0) return 0;
    const hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = attr >= 0 ? H5Aget_type(attr) : -1;
    const hid_t space = attr >= 0 ? H5Aget_space(attr) : -1;
    int64_t value = 0;
    const int ok = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER &&
                   H5Sget_simple_extent_npoints(space) == 1 &&
                   H5Aread(attr, H5T_NATIVE_INT64, &value) >= 0;
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (attr >= 0) H5Aclose(attr);
    if (ok) *out = value;
    return ok;
}

/* ---- datasets ---- */

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

static int is_float(enum psw_type type)
{
    return type == PSW_F32 || type == PSW_F64;
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
    return is_float(var->type) ? H5Pset_fill_value(create, H5T_NATIVE_DOUBLE, &nan_value)
                               : H5Pset_fill_value(create, H5T_NATIVE_INT64, &minus_one);
}

/** _FillValue in the dataset's own type, as netCDF wants it. */
static herr_t put_fill_attr(hid_t set, hid_t type, hid_t create)
{
    unsigned char value[16];
    if (H5Pget_fill_value(create, type, value) < 0) return -1;
    return put_attr(set, "_FillValue", type, 1, value);
}

static herr_t write_data(hid_t set, hid_t type, const struct psw_h5_var *var)
{
    const hid_t memory = var->type == PSW_TEXT ? type
                         : is_float(var->type) ? H5T_NATIVE_DOUBLE
                                               : H5T_NATIVE_INT64;
    return H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, var->data);
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

static uint64_t hash_numbers(const struct psw_h5_var *var, int64_t n, uint64_t hash)
{
    enum { N_BLOCK = 512 };
    union {
        double f64[N_BLOCK];
        int64_t i64[N_BLOCK];
    } block;
    const int floats = is_float(var->type);
    for (int64_t at = 0; at < n; at += N_BLOCK) {
        const int64_t n_here = n - at < N_BLOCK ? n - at : N_BLOCK;
        for (int64_t i = 0; i < n_here; i++)
            if (floats)
                block.f64[i] = stored_f64(var->type, ((const double *)var->data)[at + i]);
            else
                block.i64[i] = stored_i64(var->type, ((const int64_t *)var->data)[at + i]);
        hash = psw_hash_bytes(&block, 8 * (size_t)n_here, hash);
    }
    return hash;
}

uint64_t psw_h5_form_hash(const char *name, enum psw_type type, struct psw_shape shape)
{
    int64_t form[2 + PSW_MAX_DIMS] = {type, shape.n_dim};
    for (int d = 0; d < shape.n_dim; d++) form[2 + d] = shape.dim[d];
    return psw_hash_bytes(form, sizeof form, psw_hash_bytes(name, strlen(name), 0));
}

uint64_t psw_h5_content_hash(const struct psw_h5_var *var)
{
    const int64_t n = psw_shape_count(var->shape);
    uint64_t hash = psw_h5_form_hash(var->name, var->type, var->shape);
    if (var->type != PSW_TEXT) return hash_numbers(var, n, hash);
    for (int64_t i = 0; i < n; i++) {
        const char *text = ((const char *const *)var->data)[i];
        hash = psw_hash_bytes(text, strlen(text) + 1, hash);
    }
    return hash;
}

herr_t psw_h5_put_hash(hid_t set, uint64_t hash)
{
    char text[PSW_HASH_TEXT_BYTES];
    return psw_h5_attr_text(set, "content_hash", psw_hash_text(hash, text));
}

hid_t psw_h5_put(hid_t place, const struct psw_h5_var *var)
{
    hsize_t extent[PSW_MAX_DIMS];
    for (int d = 0; d < var->shape.n_dim; d++) extent[d] = (hsize_t)var->shape.dim[d];
    const hid_t type = psw_h5_file_type(var->type);
    const hid_t create = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = var->shape.n_dim > 0 ? H5Screate_simple(var->shape.n_dim, extent, NULL)
                                             : H5Screate(H5S_SCALAR);
    hid_t set = -1;
    if (type >= 0 && create >= 0 && space >= 0 && H5Pset_obj_track_times(create, 0) >= 0 &&
        set_layout(create, var) >= 0 && set_fill(create, var) >= 0)
        set = H5Dcreate2(place, var->name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (set >= 0 &&
        (write_data(set, type, var) < 0 || psw_h5_put_hash(set, psw_h5_content_hash(var)) < 0 ||
         (var->fill && put_fill_attr(set, type, create) < 0))) {
        H5Dclose(set);
        set = -1;
    }
    H5Sclose(space);
    H5Pclose(create);
    H5Tclose(type);
    return set;
}
