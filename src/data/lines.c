/* zlib reads plain and gzip files alike; its errors become messages with a path here. What is
 * given out is hashed, decompressed, so a file and its gzip are the same content. */
#include "json_rows.h"

#include <posweep/util/hash.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { READ_BYTES = 1 << 18 };

struct psw_lines {
    char *path;   /* owned */
    gzFile file;  /* owned */
    char *buffer; /* owned */
    size_t n_max, start, end;
    int at_end;
    int64_t number;
    struct psw_data_limits limits;
    enum psw_data_limit unit;     /* what the content of the buffer must not exceed */
    size_t n_given;               /* bytes given out, end marks too */
    struct psw_hash_stream *hash; /* owned: of them */
};

psw_status psw_lines_open(const char *path, const struct psw_data_limits *limits,
                          struct psw_lines **out, struct psw_error *err)
{
    struct psw_lines *l = calloc(1, sizeof *l);
    if (l) {
        l->path = strdup(path);
        l->hash = psw_hash_stream_create();
        l->limits = limits && limits->bytes[0] ? *limits : psw_data_limits_of(0);
    }
    if (!l || !l->path || !l->hash) {
        psw_lines_close(l);
        return psw_fail(err, PSW_ENOMEM, "%s: no memory to open it", path);
    }
    errno = 0;
    l->file = gzopen(path, "rb");
    if (!l->file) {
        const int why = errno ? errno : ENOMEM;
        psw_lines_close(l);
        return psw_fail(err, psw_status_from_errno(why), "%s: %s", path, strerror(why));
    }
    gzbuffer(l->file, READ_BYTES);
    *out = l;
    return PSW_OK;
}

void psw_lines_close(struct psw_lines *lines)
{
    if (!lines) return;
    if (lines->file) gzclose_r(lines->file);
    psw_hash_stream_destroy(lines->hash);
    free(lines->buffer);
    free(lines->path);
    free(lines);
}

uint64_t psw_lines_hash(const struct psw_lines *lines, int64_t *n_bytes)
{
    *n_bytes = (int64_t)lines->n_given;
    return psw_hash_stream_value(lines->hash);
}

int64_t psw_lines_number(const struct psw_lines *lines)
{
    return lines->number;
}

static psw_status exceeds(const struct psw_lines *l, enum psw_data_limit which, size_t n_bytes,
                          struct psw_error *err)
{
    const struct psw_data_place at = {l->path, (long long)l->number + 1, n_bytes};
    return psw_data_limit_fail(which, &l->limits, at, err);
}

/** Make room for READ_BYTES behind `end`: first by moving the content to the front. */
static psw_status make_room(struct psw_lines *l, struct psw_error *err)
{
    if (l->start > 0) {
        memmove(l->buffer, l->buffer + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->end > l->limits.bytes[l->unit]) return exceeds(l, l->unit, l->end, err);
    if (l->n_max - l->end >= READ_BYTES) return PSW_OK;
    const size_t n_max = l->n_max ? 2 * l->n_max : 2 * (size_t)READ_BYTES;
    char *grown = realloc(l->buffer, n_max);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: %zu bytes", l->path, n_max);
    l->buffer = grown;
    l->n_max = n_max;
    return PSW_OK;
}

/** Give out the next n bytes of the buffer, of which the last may be an end mark. */
static psw_status give(struct psw_lines *l, size_t n, struct psw_error *err)
{
    if (n > l->limits.bytes[l->unit]) return exceeds(l, l->unit, n, err);
    /* of a plain file all bytes are there already; a small compressed one may stand for any */
    if (l->n_given + n > l->limits.bytes[PSW_LIMIT_FILE] && !gzdirect(l->file))
        return exceeds(l, PSW_LIMIT_FILE, l->n_given + n, err);
    psw_hash_stream_add(l->hash, l->buffer + l->start, n);
    l->start += n;
    l->n_given += n;
    return PSW_OK;
}

static psw_status read_failed(struct psw_lines *l, struct psw_error *err)
{
    const int why = errno;
    int code = Z_OK;
    const char *text = gzerror(l->file, &code);
    if (code == Z_ERRNO && why == EISDIR)
        return psw_fail(err, PSW_EDATA, "%s: this is a folder; name one of the files in it",
                        l->path);
    if (code == Z_ERRNO)
        return psw_fail(err, psw_status_from_errno(why), "%s: %s", l->path, strerror(why));
    if (code == Z_BUF_ERROR)
        return psw_fail(
            err, PSW_EDATA,
            "%s: the gzip stream is truncated after line %lld; fetch the file again", l->path,
            (long long)l->number);
    return psw_fail(err, PSW_EDATA,
                    "%s: broken gzip stream after line %lld: %s; fetch the file again", l->path,
                    (long long)l->number, text);
}

/** Read on. At the end of the file at_end is set. */
static psw_status fill(struct psw_lines *l, struct psw_error *err)
{
    const psw_status rc = make_room(l, err);
    if (rc != PSW_OK) return rc;
    const int n = gzread(l->file, l->buffer + l->end, READ_BYTES);
    int code = Z_OK;
    (void)gzerror(l->file, &code);
    if (n < 0 || (code != Z_OK && code != Z_STREAM_END)) return read_failed(l, err);
    l->end += (size_t)n;
    l->at_end = n == 0;
    return PSW_OK;
}

psw_status psw_lines_next(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err)
{
    size_t searched = 0;
    for (;;) {
        const char *from = lines->buffer + lines->start;
        const size_t n = lines->end - lines->start;
        const char *mark = n > searched ? memchr(from + searched, '\n', n - searched) : NULL;
        if (mark || (lines->at_end && n > 0)) {
            *text = from;
            *n_bytes = mark ? (size_t)(mark - from) : n;
            const psw_status rc = give(lines, *n_bytes + (mark != NULL), err);
            lines->number += rc == PSW_OK;
            return rc;
        }
        if (lines->at_end) break;
        searched = n;
        const psw_status rc = fill(lines, err);
        if (rc != PSW_OK) return rc;
    }
    *text = NULL;
    *n_bytes = 0;
    return PSW_OK;
}

psw_status psw_lines_rest(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err)
{
    lines->unit = PSW_LIMIT_ARRAY;
    while (!lines->at_end) {
        const psw_status rc = fill(lines, err);
        if (rc != PSW_OK) return rc;
    }
    *text = lines->buffer + lines->start;
    *n_bytes = lines->end - lines->start;
    return give(lines, *n_bytes, err);
}

psw_status psw_lines_peek(struct psw_lines *lines, int *byte, struct psw_error *err)
{
    size_t i = lines->start;
    for (;;) {
        for (; i < lines->end; i++) {
            if (psw_is_blank(lines->buffer[i])) continue;
            *byte = (unsigned char)lines->buffer[i];
            return PSW_OK;
        }
        if (lines->at_end) break;
        i -= lines->start; /* filling moves the content to the front */
        const psw_status rc = fill(lines, err);
        if (rc != PSW_OK) return rc;
    }
    *byte = -1;
    return PSW_OK;
}
