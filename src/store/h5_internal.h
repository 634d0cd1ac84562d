/* HDF5 with our own habits: errors as texts, UTF-8, no times in objects.
 *
 * Reading trusts nothing: what is asked for has its type and size checked first, no plugin is
 * loaded, and nothing outside the file is opened.
 *
 * Text attributes have a fixed length. Text datasets have strings of variable length, because
 * netCDF 4.9.0 (Debian 12) crashes on arrays of fixed-length ones, with ncdump and xarray. HDF5
 * does not pack those, so long ones are arrays of characters (h5_chars.c). */
#ifndef POSWEEP_STORE_H5_INTERNAL_H
#define POSWEEP_STORE_H5_INTERNAL_H

#include <hdf5.h>
#include <posweep/store/record.h>
#include <posweep/util/file.h>
#include <posweep/util/status.h>

/** A dataset to be written. Borrows all pointers. */
struct psw_h5_var {
    const char *name;
    enum psw_type type;     /* in the file; in memory it is double, int64_t or char * */
    struct psw_shape shape; /* n_dim 0: a scalar */
    const void *data;
    int fill; /* also as an attribute, for readers that mask */
};

/** Silence the library's own messages and return the file access properties we use: EARLIEST to
 *  V18, no file locks, no plugins. Negative on failure. */
hid_t psw_h5_access(void);

/* h5_file.c: a file that is made beside its name. */

struct psw_h5_disk; /* opaque */

struct psw_h5_file {
    const char *path; /* borrowed: where it will stand */
    char temporary[PSW_TEMPORARY_BYTES];
    hid_t id, access;
    struct psw_h5_disk *disk; /* owned */
};

#define PSW_H5_NO_FILE ((struct psw_h5_file){.id = -1, .access = -1})

/** An empty file beside path. Writes that fail are not HDF5's to report: psw_h5_file_check
 * does. Owns: the caller calls psw_h5_file_end; after a failure nothing is left to end. Errors:
 * what HDF5 says; those of psw_file_begin. */
psw_status psw_h5_file_create(const char *path, struct psw_h5_file *out, struct psw_error *err);
/** Whether all writes so far went well. Errors: PSW_ENOSPC, PSW_EIO with the path. */
psw_status psw_h5_file_check(const struct psw_h5_file *file, struct psw_error *err);
/** Close; then, if rc is PSW_OK and no write failed, seal the file, sync it and give it its
 * name; else remove it. Returns rc, or what went wrong here. */
psw_status psw_h5_file_end(struct psw_h5_file *file, psw_status rc, struct psw_error *err);

/** Report the library's innermost message; PSW_ENOSPC, PSW_EPERM... by the errno in it. */
psw_status psw_h5_fail(struct psw_error *err, const char *path, const char *what);

/** UTF-8 text type of that many bytes, or H5T_VARIABLE. Close it with H5Tclose. */
hid_t psw_h5_text_type(size_t n_bytes);

/** The type in the file, to be closed with H5Tclose. */
hid_t psw_h5_file_type(enum psw_type type);

/** Hash of name, type, shape and values as the file holds them (a float32 rounded, any NaN as
 *  one). */
uint64_t psw_h5_content_hash(const struct psw_h5_var *var);

/** The part of that hash that is of name, type and shape alone. */
uint64_t psw_h5_form_hash(const char *name, enum psw_type type, struct psw_shape shape);

/** Attach content_hash. Negative on failure. */
herr_t psw_h5_put_hash(hid_t set, uint64_t hash);

/** Chunks of whole rows, shuffled, deflated and checksummed, for what is large; the rest
 *  contiguous. Negative on failure. */
herr_t psw_h5_set_layout(hid_t create, size_t n_elem_bytes, struct psw_shape shape);

/** Rows of so many bytes in a chunk. */
int64_t psw_h5_chunk_rows(int64_t row_bytes);

/** Create and fill a dataset with the attribute content_hash; large ones are chunked in whole
 * rows, shuffled, deflated and checksummed. Returns its open id; negative on failure. */
hid_t psw_h5_put(hid_t place, const struct psw_h5_var *var);

/* h5_rows.c: datasets. */

/** A dataset on its way, from its first row to its last: what stands in memory is the rows of
 * one call and of one chunk. */
struct psw_h5_rows; /* opaque */

/** Create it; data and fill are not looked at. NULL: HDF5 cannot. */
struct psw_h5_rows *psw_h5_rows_begin(hid_t place, const struct psw_h5_var *var);
/** The next n rows; the one value of a scalar. Of texts, NULL stands for "". Negative on
 *  failure. */
herr_t psw_h5_rows_put(struct psw_h5_rows *rows, int64_t n, const void *data);
/** After the last row: attach content_hash, and _FillValue for readers that mask. Returns its
 * open id, negative on failure; rows are gone in any case. */
hid_t psw_h5_rows_end(struct psw_h5_rows *rows, int has_fill);
void psw_h5_rows_drop(struct psw_h5_rows *rows); /* accepts NULL */

/** Attributes: text; a list of texts; one integer; int8 values. Return negative on failure. */
herr_t psw_h5_attr_text(hid_t object, const char *name, const char *text);
herr_t psw_h5_attr_texts(hid_t object, const char *name, const char *const *list, int n);
herr_t psw_h5_attr_i64(hid_t object, const char *name, int64_t value);
herr_t psw_h5_attr_i8s(hid_t object, const char *name, const int8_t *value, int n);

/** n values of that type; n 0: a scalar. Negative on failure. */
herr_t psw_h5_put_attr(hid_t object, const char *name, hid_t type, int n, const void *data);

/** One integer; 0 if it is not there or not one integer. */
int psw_h5_read_attr_i64(hid_t object, const char *name, int64_t *out);

/** Text attribute into out; 0 if it is not there or no text. */
int psw_h5_read_attr(hid_t object, const char *name, char *out, size_t n_bytes);

/* h5_chars.c: long texts as characters, [n][n_char], which netCDF knows as its char. */

/** Text i: borrowed until the next call; NULL: no memory. */
struct psw_h5_texts {
    const char *(*text)(void *ctx, int64_t i);
    void *ctx;
};

/** As psw_h5_put. No text is longer than n_char; zeros stand behind the end of one. The rows of
 *  one chunk are in memory at a time. */
hid_t psw_h5_chars_put(hid_t place, const char *name, struct psw_shape shape,
                       const struct psw_h5_texts *texts);

/** Rows from first on into out [n][n_char]. Negative on failure. */
herr_t psw_h5_chars_read(hid_t set, int64_t first, int64_t n, int64_t n_char, char *out);

/** The content_hash of what is there. Negative on failure. */
herr_t psw_h5_chars_hash(hid_t set, const char *name, struct psw_shape shape, uint64_t *hash);

#endif
