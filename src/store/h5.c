/* Thin helpers over HDF5 1.10: every object is written without times, so equal content is equal
 * bytes. */
#include "h5_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTR_BYTES = 1 << 20 };

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

herr_t psw_h5_put_attr(hid_t object, const char *name, hid_t type, int n, const void *data)
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
    const herr_t rc = psw_h5_put_attr(object, name, type, 0, padded);
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
    const herr_t rc = psw_h5_put_attr(object, name, type, n, block);
    H5Tclose(type);
    free(block);
    return rc;
}

herr_t psw_h5_attr_i64(hid_t object, const char *name, int64_t value)
{
    return psw_h5_put_attr(object, name, H5T_NATIVE_INT64, 1, &value);
}

herr_t psw_h5_attr_i8s(hid_t object, const char *name, const int8_t *value, int n)
{
    return psw_h5_put_attr(object, name, H5T_NATIVE_INT8, n, value);
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
