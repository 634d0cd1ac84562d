/* The header of a safetensors file: every number in it is held against the file. */
#include "safetensors/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Larger headers are no headers: the libraries of the field take no more either. */
static const uint64_t MAX_HEADER_BYTES = 100u << 20;

static const struct type {
    const char *name;
    int n_bytes;
    enum psw_stored_type type;
} TYPES[] = {
    {"F32", 4, PSW_STORED_F32},    {"F16", 2, PSW_STORED_F16},
    {"BF16", 2, PSW_STORED_BF16},  {"F64", 8, PSW_STORED_OTHER},
    {"I64", 8, PSW_STORED_OTHER},  {"U64", 8, PSW_STORED_OTHER},
    {"I32", 4, PSW_STORED_OTHER},  {"U32", 4, PSW_STORED_OTHER},
    {"I16", 2, PSW_STORED_OTHER},  {"U16", 2, PSW_STORED_OTHER},
    {"I8", 1, PSW_STORED_OTHER},   {"U8", 1, PSW_STORED_OTHER},
    {"BOOL", 1, PSW_STORED_OTHER}, {"F8_E4M3", 1, PSW_STORED_OTHER},
    {"C64", 8, PSW_STORED_OTHER},  {"F8_E5M2", 1, PSW_STORED_OTHER},
};

static const struct type *type_of(const char *name)
{
    for (size_t i = 0; name && i < sizeof TYPES / sizeof *TYPES; i++)
        if (!strcmp(TYPES[i].name, name)) return &TYPES[i];
    return NULL;
}

/* A tensor as it is read: where its numbers stand behind the header. */
struct entry {
    const struct tensor_file *file;
    struct psw_stored_tensor *tensor;
    int64_t n_data; /* bytes behind the header */
    int64_t begin, end;
};

static psw_status refuse(const struct entry *e, struct psw_error *err, const char *expected,
                         const json_t *found)
{
    char *text = found ? json_dumps(found, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const psw_status rc =
        psw_fail(err, PSW_EDATA, "%s: tensor %.80s: expected %s, found %.80s", e->file->name,
                 e->tensor->name, expected, text ? text : "none");
    free(text);
    return rc;
}

/* Elements of a shape; refused where they do not fit 62 bits. */
static psw_status read_shape(struct entry *e, const json_t *shape, struct psw_error *err)
{
    struct psw_stored_tensor *t = e->tensor;
    if (!json_is_array(shape)) return refuse(e, err, "a shape, [512,64]", shape);
    t->n_dim = json_array_size(shape) > 1000 ? 1000 : (int)json_array_size(shape);
    t->n_elem = 1;
    for (size_t d = 0; d < json_array_size(shape); d++) {
        const json_t *size = json_array_get(shape, d);
        const json_int_t n = json_is_integer(size) ? json_integer_value(size) : -1;
        int64_t product;
        if (n < 0 || __builtin_mul_overflow(t->n_elem, (int64_t)n, &product) ||
            product > (int64_t)1 << 59)
            return refuse(e, err, "a shape of whole numbers that a file can hold", shape);
        t->n_elem = product;
        if (d < PSW_STORED_DIMS) t->shape[d] = n;
    }
    return PSW_OK;
}

static psw_status read_offsets(struct entry *e, const json_t *offsets, struct psw_error *err)
{
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end))
        return refuse(e, err, "data_offsets [begin, end]", offsets);
    e->begin = json_integer_value(begin);
    e->end = json_integer_value(end);
    if (e->begin >= 0 && e->begin <= e->end && e->end <= e->n_data) return PSW_OK;
    char expected[96];
    snprintf(expected, sizeof expected, "data_offsets in the %lld bytes behind the header",
             (long long)e->n_data);
    return refuse(e, err, expected, offsets);
}

static psw_status read_entry(struct entry *e, const json_t *value, struct psw_error *err)
{
    struct psw_stored_tensor *t = e->tensor;
    const json_t *dtype = json_object_get(value, "dtype");
    const struct type *type = type_of(json_string_value(dtype));
    if (!json_is_object(value))
        return refuse(e, err, "an object of dtype, shape and data_offsets", value);
    if (!type) return refuse(e, err, "a dtype such as \"F32\", \"F16\" or \"BF16\"", dtype);
    t->type = type->type;
    t->type_name = json_string_value(dtype);
    t->file = e->file->name;
    psw_status rc = read_shape(e, json_object_get(value, "shape"), err);
    if (rc == PSW_OK) rc = read_offsets(e, json_object_get(value, "data_offsets"), err);
    if (rc != PSW_OK) return rc;
    if (e->end - e->begin == t->n_elem * type->n_bytes) return PSW_OK;
    char text[128];
    return psw_fail(err, PSW_EDATA, "%s: tensor %.80s: expected %lld bytes for %s, found %lld",
                    t->file, t->name, (long long)(t->n_elem * type->n_bytes),
                    psw_stored_tensor_text(t, text, sizeof text),
                    (long long)(e->end - e->begin));
}

static int by_begin(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

/* Tensors stand one behind another, and nothing else does. */
static psw_status check_places(struct entry *entry, int64_t n, struct psw_error *err)
{
    int64_t at = 0;
    qsort(entry, (size_t)n, sizeof *entry, by_begin);
    for (int64_t i = 0; i < n; i++) {
        if (entry[i].begin < at)
            return psw_fail(err, PSW_EDATA,
                            "%s: tensors %.80s and %.80s overlap: one ends at byte %lld, the "
                            "other begins at %lld",
                            entry[i].file->name, entry[i - 1].tensor->name,
                            entry[i].tensor->name, (long long)at, (long long)entry[i].begin);
        if (entry[i].begin > at)
            return psw_fail(err, PSW_EDATA,
                            "%s: tensor %.80s: expected to begin at byte %lld, where the one "
                            "before ends, found %lld",
                            entry[i].file->name, entry[i].tensor->name, (long long)at,
                            (long long)entry[i].begin);
        at = entry[i].end;
    }
    if (at == entry[0].n_data) return PSW_OK;
    return psw_fail(err, PSW_EDATA, "%s: %lld bytes behind the last tensor belong to none",
                    entry[0].file->name, (long long)(entry[0].n_data - at));
}

/* tensor [n_tensor + entries] has the room. */
static psw_status read_entries(struct psw_safetensors *st, const struct tensor_file *file,
                               struct entry *entry, int64_t data_at, struct psw_error *err)
{
    const char *name;
    json_t *value;
    int64_t n = 0;
    const int64_t n_data = file->n_bytes - data_at;
    json_object_foreach(file->header, name, value)
    {
        struct entry *e = &entry[n];
        if (!strcmp(name, "__metadata__")) continue;
        *e = (struct entry){
            .file = file, .tensor = &st->tensor[st->n_tensor + n], .n_data = n_data};
        *e->tensor = (struct psw_stored_tensor){.name = name};
        const psw_status rc = read_entry(e, value, err);
        if (rc != PSW_OK) return rc;
        e->tensor->fd = file->fd;
        e->tensor->at = data_at + e->begin;
        n++;
    }
    if (n == 0) return psw_fail(err, PSW_EDATA, "%s: holds no tensors", file->name);
    const psw_status rc = check_places(entry, n, err);
    if (rc == PSW_OK) st->n_tensor += n;
    return rc;
}

/* What the first bytes say, held against the file. */
static psw_status read_length(const struct tensor_file *file, int64_t *out,
                              struct psw_error *err)
{
    unsigned char length[HEADER_AT];
    uint64_t n = 0;
    if (file->n_bytes < HEADER_AT)
        return psw_fail(
            err, PSW_EDATA,
            "%s: %lld bytes: a safetensors file begins with %d bytes, the length of "
            "its header",
            file->name, (long long)file->n_bytes, HEADER_AT);
    const psw_status rc =
        psw_safetensors_pread(file->name, file->fd, length, sizeof length, 0, err);
    if (rc != PSW_OK) return rc;
    for (int i = HEADER_AT - 1; i >= 0; i--) n = n << 8 | length[i];
    if (n > (uint64_t)file->n_bytes - HEADER_AT || n > MAX_HEADER_BYTES)
        return psw_fail(err, PSW_EDATA,
                        "%s: is no safetensors file, or is cut: its first bytes say that the "
                        "header has %llu bytes, the file has %lld",
                        file->name, (unsigned long long)n, (long long)file->n_bytes);
    *out = (int64_t)n;
    return PSW_OK;
}

static psw_status parse(struct tensor_file *file, int64_t n, struct psw_error *err)
{
    json_error_t why;
    char *text = malloc((size_t)n + 1);
    if (!text)
        return psw_fail(err, PSW_ENOMEM, "%s: a header of %lld bytes", file->name,
                        (long long)n);
    const psw_status rc =
        psw_safetensors_pread(file->name, file->fd, text, (size_t)n, HEADER_AT, err);
    if (rc == PSW_OK) file->header = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (rc != PSW_OK || json_is_object(file->header)) return rc;
    if (file->header)
        return psw_fail(err, PSW_EDATA, "%s: header: expected an object of tensors",
                        file->name);
    return psw_fail(err, PSW_EDATA, "%s: header: byte %d: %s", file->name,
                    why.position + HEADER_AT, why.text);
}

psw_status psw_safetensors_header(struct psw_safetensors *st, int at, struct psw_error *err)
{
    struct tensor_file *file = &st->file[at];
    int64_t n_header = 0;
    psw_status rc = read_length(file, &n_header, err);
    if (rc == PSW_OK) rc = parse(file, n_header, err);
    if (rc != PSW_OK) return rc;
    const size_t n = json_object_size(file->header) + 1;
    struct psw_stored_tensor *grown =
        realloc(st->tensor, ((size_t)st->n_tensor + n) * sizeof *grown);
    struct entry *entry = calloc(n, sizeof *entry);
    if (grown) st->tensor = grown;
    if (!grown || !entry)
        rc = psw_fail(err, PSW_ENOMEM, "%s: %zu tensors", file->name, n);
    else
        rc = read_entries(st, file, entry, HEADER_AT + n_header, err);
    free(entry);
    return rc;
}
