/* Records. In memory: a growing table of fields, each with its own copy of the data. Packed:
 *
 *   magic u32, version u16, count u16, total bytes u64, then per field
 *   name length u16, type u8, n_dim u8, zeros u32, extents i64[n_dim], name, zeros to 8, data,
 *   zeros to 8; last the XXH3 of all before it.
 *
 * Little-endian: big-endian machines are refused at compile time. */
#include <posweep/store/record.h>
#include <posweep/util/hash.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the journal is little-endian");

enum { MAGIC = 0x52575350 /* "PSWR" */, VERSION = 1, HEAD_BYTES = 16, FIELD_HEAD_BYTES = 8 };

struct psw_record {
    struct psw_field *field; /* owned; .data of each owned too */
    int64_t n_field, n_room;
    unsigned char *packed; /* owned */
    size_t packed_room;
    struct psw_error fault; /* of the first put that failed */
};

size_t psw_type_bytes(enum psw_type type)
{
    static const size_t BYTES[] = {[PSW_F32] = 4, [PSW_F64] = 8, [PSW_I8] = 1,  [PSW_I32] = 4,
                                   [PSW_I64] = 8, [PSW_U8] = 1,  [PSW_TEXT] = 1};
    return (size_t)type < sizeof BYTES / sizeof *BYTES ? BYTES[type] : 0;
}

int psw_type_is_float(enum psw_type type)
{
    return type == PSW_F32 || type == PSW_F64;
}

struct psw_shape psw_shape_1d(int64_t n0)
{
    return (struct psw_shape){.n_dim = 1, .dim = {n0}};
}

struct psw_shape psw_shape_2d(int64_t n0, int64_t n1)
{
    return (struct psw_shape){.n_dim = 2, .dim = {n0, n1}};
}

struct psw_shape psw_shape_3d(int64_t n0, int64_t n1, int64_t n2)
{
    return (struct psw_shape){.n_dim = 3, .dim = {n0, n1, n2}};
}

int64_t psw_shape_count(struct psw_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.n_dim; i++) n *= shape.dim[i];
    return n;
}

/** Bytes of a shape, or -1 if it is not one or would not fit into memory. */
static int64_t shape_bytes(enum psw_type type, struct psw_shape shape)
{
    int64_t n = (int64_t)psw_type_bytes(type);
    if (n == 0 || shape.n_dim < 0 || shape.n_dim > PSW_MAX_DIMS) return -1;
    for (int i = 0; i < shape.n_dim; i++)
        if (shape.dim[i] < 0 || __builtin_mul_overflow(n, shape.dim[i], &n)) return -1;
    return n < INT64_MAX / 4 ? n : -1;
}

psw_status psw_record_create(struct psw_record **out, struct psw_error *err)
{
    struct psw_record *r = calloc(1, sizeof *r);
    if (!r) return psw_fail(err, PSW_ENOMEM, "record: %zu bytes", sizeof *r);
    *out = r;
    return PSW_OK;
}

void psw_record_clear(struct psw_record *record)
{
    for (int64_t i = 0; i < record->n_field; i++) free((void *)record->field[i].data);
    record->n_field = 0;
    record->fault.code = PSW_OK;
}

void psw_record_destroy(struct psw_record *record)
{
    if (!record) return;
    psw_record_clear(record);
    free(record->field);
    free(record->packed);
    free(record);
}

static struct psw_field *next_field(struct psw_record *r)
{
    if (r->n_field == r->n_room) {
        const int64_t n_room = r->n_room ? 2 * r->n_room : 16;
        struct psw_field *grown = realloc(r->field, (size_t)n_room * sizeof *grown);
        if (!grown) return NULL;
        r->field = grown;
        r->n_room = n_room;
    }
    return &r->field[r->n_field];
}

/** A new field with room for n_bytes and a terminating 0; NULL: the fault is noted. */
static char *add_field(struct psw_record *r, const char *name, enum psw_type type,
                       struct psw_shape shape)
{
    if (r->fault.code != PSW_OK) return NULL;
    const int64_t n_bytes = shape_bytes(type, shape);
    if (n_bytes < 0 || strlen(name) >= PSW_FIELD_BYTES || !name[0]) {
        psw_fail(&r->fault, PSW_EINVAL, "record: field \"%.64s\": bad name, type or shape",
                 name);
        return NULL;
    }
    if (r->n_field == UINT16_MAX) {
        psw_fail(&r->fault, PSW_EINVAL, "record: more than %d fields", UINT16_MAX);
        return NULL;
    }
    if (psw_record_get(r, name)) {
        psw_fail(&r->fault, PSW_EINVAL, "record: field \"%s\" is there twice", name);
        return NULL;
    }
    struct psw_field *f = next_field(r);
    char *copy = f ? malloc((size_t)n_bytes + 1) : NULL;
    if (!copy) {
        psw_fail(&r->fault, PSW_ENOMEM, "record: field %s: %lld bytes", name,
                 (long long)n_bytes);
        return NULL;
    }
    copy[n_bytes] = 0;
    memset(f, 0, sizeof *f);
    memcpy(f->name, name, strlen(name));
    f->type = type;
    f->shape = shape;
    f->data = copy;
    r->n_field++;
    return copy;
}

void psw_record_put(struct psw_record *record, const char *name, enum psw_type type,
                    struct psw_shape shape, const void *data)
{
    char *copy = add_field(record, name, type, shape);
    if (copy && psw_shape_count(shape) > 0)
        memcpy(copy, data, (size_t)shape_bytes(type, shape));
}

void psw_record_put_f64(struct psw_record *record, const char *name, double value)
{
    psw_record_put(record, name, PSW_F64, (struct psw_shape){0}, &value);
}

void psw_record_put_i64(struct psw_record *record, const char *name, int64_t value)
{
    psw_record_put(record, name, PSW_I64, (struct psw_shape){0}, &value);
}

void psw_record_put_text(struct psw_record *record, const char *name, const char *text)
{
    psw_record_put(record, name, PSW_TEXT, psw_shape_1d((int64_t)strlen(text)), text);
}

void psw_record_put_labels(struct psw_record *record, const char *name, const char *const *list,
                           int64_t n)
{
    int64_t n_bytes = n > 0 ? n - 1 : 0;
    for (int64_t i = 0; i < n; i++) n_bytes += (int64_t)strlen(list[i]);
    char *to = add_field(record, name, PSW_TEXT, psw_shape_1d(n_bytes));
    for (int64_t i = 0; to && i < n; i++) {
        const size_t length = strlen(list[i]);
        memcpy(to, list[i], length);
        to += length;
        if (i + 1 < n) *to++ = '\n';
    }
}

void psw_record_put_texts(struct psw_record *record, const char *name, const char *const *list,
                          int64_t n)
{
    size_t n_bytes = 0;
    for (int64_t i = 0; i < n; i++) n_bytes += strlen(list[i]) + 1;
    char *at = add_field(record, name, PSW_TEXT, psw_shape_1d((int64_t)n_bytes));
    for (int64_t i = 0; at && i < n; i++) at = stpcpy(at, list[i]) + 1;
}

int64_t psw_record_n_field(const struct psw_record *record)
{
    return record->n_field;
}

const struct psw_field *psw_record_field(const struct psw_record *record, int64_t i)
{
    return i >= 0 && i < record->n_field ? &record->field[i] : NULL;
}

const struct psw_field *psw_record_get(const struct psw_record *record, const char *name)
{
    for (int64_t i = 0; i < record->n_field; i++)
        if (strcmp(record->field[i].name, name) == 0) return &record->field[i];
    return NULL;
}

int64_t psw_field_i64(const struct psw_field *field, int64_t i, int64_t missing)
{
    if (!field || i < 0 || i >= psw_shape_count(field->shape)) return missing;
    switch (field->type) {
    case PSW_I64:
        return ((const int64_t *)field->data)[i];
    case PSW_I32:
        return ((const int32_t *)field->data)[i];
    case PSW_I8:
        return ((const int8_t *)field->data)[i];
    case PSW_U8:
        return ((const uint8_t *)field->data)[i];
    default:
        return missing;
    }
}

double psw_field_f64(const struct psw_field *field, int64_t i)
{
    if (!field || i < 0 || i >= psw_shape_count(field->shape)) return NAN;
    if (field->type == PSW_F64) return ((const double *)field->data)[i];
    if (field->type == PSW_F32) return ((const float *)field->data)[i];
    if (field->type == PSW_TEXT) return NAN;
    return (double)psw_field_i64(field, i, 0);
}

double psw_record_f64(const struct psw_record *record, const char *name, int64_t i)
{
    return psw_field_f64(psw_record_get(record, name), i);
}

int64_t psw_record_i64(const struct psw_record *record, const char *name, int64_t i,
                       int64_t missing)
{
    return psw_field_i64(psw_record_get(record, name), i, missing);
}

const char *psw_record_text(const struct psw_record *record, const char *name)
{
    const struct psw_field *f = psw_record_get(record, name);
    return f && f->type == PSW_TEXT ? f->data : "";
}

static size_t padded(size_t n_bytes)
{
    return (n_bytes + 7) & ~(size_t)7;
}

static size_t packed_bytes(const struct psw_record *r)
{
    size_t n = HEAD_BYTES + sizeof(uint64_t);
    for (int64_t i = 0; i < r->n_field; i++) {
        const struct psw_field *f = &r->field[i];
        n += FIELD_HEAD_BYTES + sizeof(int64_t) * (size_t)f->shape.n_dim;
        n += padded(strlen(f->name)) + padded((size_t)shape_bytes(f->type, f->shape));
    }
    return n;
}

static unsigned char *pack_field(unsigned char *at, const struct psw_field *f)
{
    const uint16_t name_bytes = (uint16_t)strlen(f->name);
    const size_t dims_bytes = sizeof(int64_t) * (size_t)f->shape.n_dim;
    const size_t data_bytes = (size_t)shape_bytes(f->type, f->shape);
    memcpy(at, &name_bytes, sizeof name_bytes);
    at[2] = (unsigned char)f->type;
    at[3] = (unsigned char)f->shape.n_dim;
    at += FIELD_HEAD_BYTES;
    memcpy(at, f->shape.dim, dims_bytes);
    at += dims_bytes;
    memcpy(at, f->name, name_bytes);
    at += padded(name_bytes);
    memcpy(at, f->data, data_bytes);
    return at + padded(data_bytes);
}

psw_status psw_record_pack(struct psw_record *record, const void **bytes, size_t *n_bytes,
                           struct psw_error *err)
{
    if (record->fault.code != PSW_OK)
        return psw_fail(err, record->fault.code, "%s", record->fault.text);
    const size_t total = packed_bytes(record);
    if (total > record->packed_room) {
        unsigned char *grown = realloc(record->packed, total);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "record: %zu bytes packed", total);
        record->packed = grown;
        record->packed_room = total;
    }
    memset(record->packed, 0, total);
    const uint32_t magic = MAGIC;
    const uint16_t version = VERSION, n_field = (uint16_t)record->n_field;
    const uint64_t total_u64 = total;
    unsigned char *at = record->packed;
    memcpy(at, &magic, 4);
    memcpy(at + 4, &version, 2);
    memcpy(at + 6, &n_field, 2);
    memcpy(at + 8, &total_u64, 8);
    at += HEAD_BYTES;
    for (int64_t i = 0; i < record->n_field; i++) at = pack_field(at, &record->field[i]);
    const uint64_t hash = psw_hash_bytes(record->packed, total - sizeof hash, 0);
    memcpy(at, &hash, sizeof hash);
    *bytes = record->packed;
    *n_bytes = total;
    return PSW_OK;
}

void psw_record_drop_packed(struct psw_record *record)
{
    free(record->packed);
    record->packed = NULL;
    record->packed_room = 0;
}

/** Take one field from *at, not beyond `end`; 0 if there is none of sound length. */
static int unpack_field(const unsigned char **at, const unsigned char *end,
                        struct psw_record *r)
{
    const unsigned char *p = *at;
    if ((size_t)(end - p) < FIELD_HEAD_BYTES) return 0;
    uint16_t name_bytes;
    memcpy(&name_bytes, p, sizeof name_bytes);
    const enum psw_type type = p[2];
    struct psw_shape shape = {.n_dim = p[3]};
    p += FIELD_HEAD_BYTES;
    if (name_bytes >= PSW_FIELD_BYTES || shape.n_dim > PSW_MAX_DIMS) return 0;
    const size_t dims_bytes = sizeof(int64_t) * (size_t)shape.n_dim;
    if ((size_t)(end - p) < dims_bytes + padded(name_bytes)) return 0;
    memcpy(shape.dim, p, dims_bytes);
    char name[PSW_FIELD_BYTES] = {0};
    memcpy(name, p + dims_bytes, name_bytes);
    p += dims_bytes + padded(name_bytes);
    const int64_t data_bytes = shape_bytes(type, shape);
    if (data_bytes < 0 || (size_t)(end - p) < padded((size_t)data_bytes)) return 0;
    psw_record_put(r, name, type, shape, p);
    *at = p + padded((size_t)data_bytes);
    return 1;
}

static psw_status unpack_into(struct psw_record *r, const unsigned char *bytes, size_t n_bytes,
                              struct psw_error *err)
{
    uint32_t magic;
    uint16_t version, n_field;
    uint64_t total, hash;
    if (n_bytes < HEAD_BYTES + sizeof hash)
        return psw_fail(err, PSW_EDATA, "record: %zu bytes are too few", n_bytes);
    memcpy(&magic, bytes, 4);
    memcpy(&version, bytes + 4, 2);
    memcpy(&n_field, bytes + 6, 2);
    memcpy(&total, bytes + 8, 8);
    memcpy(&hash, bytes + n_bytes - sizeof hash, sizeof hash);
    if (magic != MAGIC || version != VERSION)
        return psw_fail(err, PSW_EDATA, "record: not one of version %d", VERSION);
    if (total != n_bytes || hash != psw_hash_bytes(bytes, n_bytes - sizeof hash, 0))
        return psw_fail(err, PSW_EDATA, "record: length or checksum is wrong");
    const unsigned char *at = bytes + HEAD_BYTES, *end = bytes + n_bytes - sizeof hash;
    for (int i = 0; i < n_field; i++)
        if (!unpack_field(&at, end, r))
            return psw_fail(err, PSW_EDATA, "record: field %d of %d is broken", i, n_field);
    if (at != end) return psw_fail(err, PSW_EDATA, "record: bytes after the last field");
    if (r->fault.code != PSW_OK) return psw_fail(err, r->fault.code, "%s", r->fault.text);
    return PSW_OK;
}

psw_status psw_record_unpack(const void *bytes, size_t n_bytes, struct psw_record **out,
                             struct psw_error *err)
{
    struct psw_record *r = NULL;
    psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(unpack_into(r, bytes, n_bytes, err));
    *out = r;
    return PSW_OK;
fail:
    psw_record_destroy(r);
    return rc;
}
