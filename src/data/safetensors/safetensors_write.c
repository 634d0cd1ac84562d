/* Writing a safetensors file beside its name and renaming it: a header from the rows, padded so
 * that the numbers are aligned, and the numbers. */
#include "safetensors/safetensors.h"

#include <posweep/util/file.h>
#include <posweep/util/minmax.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 16384 };

struct psw_safetensors_writer {
    char path[PSW_PATH_BYTES], temporary[PSW_TEMPORARY_BYTES];
    FILE *file; /* owned */
    enum psw_stored_type type;
    int64_t n_left; /* numbers that are still to come */
};

static const char *type_name(enum psw_stored_type type)
{
    return type == PSW_STORED_BF16 ? "BF16" : "F32";
}

static psw_status write_failed(const struct psw_safetensors_writer *w, struct psw_error *err)
{
    const int e = errno;
    return psw_fail(err, e ? psw_status_from_errno(e) : PSW_EIO, "%s: cannot write: %s",
                    w->path, e ? strerror(e) : "unknown fault");
}

/* {"__metadata__": {"format": "pt"}, name: {...}, ...}: readers ask for the format. */
static json_t *header_of(struct psw_safetensors_writer *w, const struct psw_tensor_row *row,
                         int64_t n_row)
{
    const int64_t n_bytes = w->type == PSW_STORED_BF16 ? 2 : 4;
    json_t *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t at = 0;
    for (int64_t i = 0; header && i < n_row; i++) {
        const int64_t n = row[i].n_row * (row[i].n_col ? row[i].n_col : 1);
        json_t *shape = json_pack("[I]", (json_int_t)row[i].n_row);
        if (row[i].n_col) json_array_append_new(shape, json_integer(row[i].n_col));
        json_t *entry =
            json_pack("{s:s,s:o,s:[I,I]}", "dtype", type_name(w->type), "shape", shape,
                      "data_offsets", (json_int_t)at, (json_int_t)(at + n * n_bytes));
        if (json_object_set_new(header, row[i].name, entry) != 0) {
            json_decref(header);
            return NULL;
        }
        at += n * n_bytes;
        w->n_left += n;
    }
    return header;
}

static psw_status write_header(struct psw_safetensors_writer *w,
                               const struct psw_tensor_row *row, int64_t n_row,
                               struct psw_error *err)
{
    unsigned char length[HEADER_AT];
    json_t *header = header_of(w, row, n_row);
    char *text = header ? json_dumps(header, JSON_COMPACT) : NULL;
    json_decref(header);
    if (!text) return psw_fail(err, PSW_ENOMEM, "%s: header", w->path);
    const size_t n = strlen(text), n_padded = (n + HEADER_AT - 1) / HEADER_AT * HEADER_AT;
    for (int i = 0; i < HEADER_AT; i++)
        length[i] = (unsigned char)((uint64_t)n_padded >> 8 * i);
    errno = 0;
    const int ok = fwrite(length, 1, sizeof length, w->file) == sizeof length &&
                   fwrite(text, 1, n, w->file) == n &&
                   fprintf(w->file, "%*s", (int)(n_padded - n), "") == (int)(n_padded - n);
    const psw_status rc = ok ? PSW_OK : write_failed(w, err);
    free(text);
    return rc;
}

psw_status psw_safetensors_begin(const char *path, enum psw_stored_type type,
                                 const struct psw_tensor_row *row, int64_t n_row,
                                 struct psw_safetensors_writer **out, struct psw_error *err)
{
    PSW_ASSERT(type == PSW_STORED_F32 || type == PSW_STORED_BF16);
    int fd = -1;
    struct psw_safetensors_writer *w = calloc(1, sizeof *w);
    if (!w) return psw_fail(err, PSW_ENOMEM, "%s: no memory", path);
    w->type = type;
    psw_status rc = psw_path(w->path, sizeof w->path, err, "%s", path);
    if (rc == PSW_OK) rc = psw_file_begin(path, w->temporary, &fd, err);
    if (rc == PSW_OK && !(w->file = fdopen(fd, "wb"))) {
        close(fd);
        unlink(w->temporary);
        rc = psw_fail(err, PSW_ENOMEM, "%s: no buffer", path);
    }
    if (rc == PSW_OK) rc = write_header(w, row, n_row, err);
    if (rc != PSW_OK) return psw_safetensors_end(w, rc, err);
    *out = w;
    return PSW_OK;
}

/* The upper half of a float, rounded to the nearest, ties to even; NaN stays NaN. */
static uint16_t bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

psw_status psw_safetensors_put(struct psw_safetensors_writer *w, int64_t n, const float *value,
                               struct psw_error *err)
{
    uint16_t block[BLOCK];
    PSW_ASSERT(n <= w->n_left);
    w->n_left -= n;
    errno = 0;
    if (w->type == PSW_STORED_F32)
        return fwrite(value, sizeof *value, (size_t)n, w->file) == (size_t)n
                   ? PSW_OK
                   : write_failed(w, err);
    for (int64_t at = 0; at < n; at += BLOCK) {
        const int64_t m = psw_min(n - at, BLOCK);
        for (int64_t i = 0; i < m; i++) block[i] = bf16_of(value[at + i]);
        if (fwrite(block, sizeof *block, (size_t)m, w->file) != (size_t)m)
            return write_failed(w, err);
    }
    return PSW_OK;
}

psw_status psw_safetensors_end(struct psw_safetensors_writer *w, psw_status rc,
                               struct psw_error *err)
{
    if (!w) return rc;
    if (w->file) {
        PSW_ASSERT(rc != PSW_OK || w->n_left == 0);
        errno = 0;
        if (rc == PSW_OK && (fflush(w->file) != 0 || fsync(fileno(w->file)) != 0))
            rc = write_failed(w, err);
        fclose(w->file);
        if (rc == PSW_OK) rc = psw_file_commit(w->temporary, w->path, err);
        if (rc != PSW_OK) unlink(w->temporary);
    }
    free(w);
    return rc;
}
