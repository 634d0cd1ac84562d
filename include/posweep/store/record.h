/* Records: a handful of named, typed, shaped arrays as one block of bytes.
 *
 * A record is what a worker hands to the coordinator and what the journal keeps: built with
 * psw_record_put_*, packed with a length and an XXH3 checksum, unpacked on the other side. The
 * names are those of the schema (store/schema.h), so nothing between a measurement and its
 * dataset knows what is in it. Building has a sticky fault: put what there is, and
 * psw_record_pack reports the first thing that went wrong. */
#ifndef POSWEEP_STORE_RECORD_H
#define POSWEEP_STORE_RECORD_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

/** Types of elements, in records and in the results file. Part of the journal's format: append.
 */
enum psw_type { PSW_F32 = 1, PSW_F64, PSW_I8, PSW_I32, PSW_I64, PSW_U8, PSW_TEXT };

enum { PSW_MAX_DIMS = 4, PSW_FIELD_BYTES = 64 };

/** Extents, slowest first; n_dim 0 is a scalar. */
struct psw_shape {
    int n_dim;
    int64_t dim[PSW_MAX_DIMS];
};
struct psw_shape psw_shape_1d(int64_t n0);
struct psw_shape psw_shape_2d(int64_t n0, int64_t n1);
struct psw_shape psw_shape_3d(int64_t n0, int64_t n1, int64_t n2);
int64_t psw_shape_count(struct psw_shape shape);

/** One array of a record. Text is one element per byte; lists of labels separate by '\n', of
 *  other texts each ends in 0. */
struct psw_field {
    char name[PSW_FIELD_BYTES];
    enum psw_type type;
    struct psw_shape shape;
    const void *data; /* borrowed from the record; 8-byte aligned; text ends in 0 */
};

struct psw_record; /* opaque, owns its bytes */

/** Bytes of one element; 0 for an unknown type. */
size_t psw_type_bytes(enum psw_type type);
int psw_type_is_float(enum psw_type type);

/** Element i of a field; NaN or `missing` when it is not there or of no fitting type. */
double psw_field_f64(const struct psw_field *field, int64_t i);
int64_t psw_field_i64(const struct psw_field *field, int64_t i, int64_t missing);

/** An empty record. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_record_create(struct psw_record **out, struct psw_error *err);
void psw_record_destroy(struct psw_record *record); /* accepts NULL */
/** Empty again, with its memory kept for the next use; forgets a fault. */
void psw_record_clear(struct psw_record *record);

/** Copy an array in. A name twice, an overlong name, or lack of memory is kept as the record's
 *  fault, reported by psw_record_pack. Shapes: data [shape], text: the bytes. */
void psw_record_put(struct psw_record *record, const char *name, enum psw_type type,
                    struct psw_shape shape, const void *data);
void psw_record_put_f64(struct psw_record *record, const char *name, double value);
void psw_record_put_i64(struct psw_record *record, const char *name, int64_t value);
void psw_record_put_text(struct psw_record *record, const char *name, const char *text);
/** A list of labels, e.g. the component names, joined by '\n'. */
void psw_record_put_labels(struct psw_record *record, const char *name, const char *const *list,
                           int64_t n);

/** A list of texts, which may hold anything but 0. */
void psw_record_put_texts(struct psw_record *record, const char *name, const char *const *list,
                          int64_t n);

int64_t psw_record_n_field(const struct psw_record *record);
/** Field by place (NULL past the end) or by name (NULL when it is not there). Borrowed. */
const struct psw_field *psw_record_field(const struct psw_record *record, int64_t i);
const struct psw_field *psw_record_get(const struct psw_record *record, const char *name);
/** One element as double; NaN when the field is missing, too short or text. */
double psw_record_f64(const struct psw_record *record, const char *name, int64_t i);
/** One element as int64; `missing` when the field is missing, too short, or not an integer. */
int64_t psw_record_i64(const struct psw_record *record, const char *name, int64_t i,
                       int64_t missing);
/** The text of a field; "" when it is missing or not text. Borrowed. */
const char *psw_record_text(const struct psw_record *record, const char *name);

/** The record as bytes, valid until the record is changed or destroyed (borrowed).
 *  Errors: the fault of an earlier put; PSW_ENOMEM. */
psw_status psw_record_pack(struct psw_record *record, const void **bytes, size_t *n_bytes,
                           struct psw_error *err);

/** Give back the memory of the packed form, of a record that is kept. */
void psw_record_drop_packed(struct psw_record *record);

/** A record from bytes (copied). Errors: PSW_EDATA when length, checksum or content are wrong.
 */
psw_status psw_record_unpack(const void *bytes, size_t n_bytes, struct psw_record **out,
                             struct psw_error *err);

#endif
