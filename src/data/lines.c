/* zlib reads plain and gzip files alike; its errors become messages with a path here. */
#include "data_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { READ_BYTES = 1 << 18 };
static const size_t MAX_BYTES = (size_t)1 << 30; /* of one line, or one array file */

struct psw_lines {
    char *path;   /* owned */
    gzFile file;  /* owned */
    char *buffer; /* owned */
    size_t n_max, start, end;
    int at_end;
    int64_t number;
};

psw_status psw_lines_open(const char *path, struct psw_lines **out, struct psw_error *err)
{
    struct psw_lines *l = calloc(1, sizeof *l);
    if (l) l->path = strdup(path);
    if (!l || !l->path) {
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
    free(lines->buffer);
    free(lines->path);
    free(lines);
}

int64_t psw_lines_number(const struct psw_lines *lines)
{
    return lines->number;
}

/** Make room for READ_BYTES behind `end`: first by moving the content to the front. */
static psw_status make_room(struct psw_lines *l, struct psw_error *err)
{
    if (l->start > 0) {
        memmove(l->buffer, l->buffer + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    if (l->n_max - l->end >= READ_BYTES) return PSW_OK;
    const size_t n_max = l->n_max ? 2 * l->n_max : 2 * (size_t)READ_BYTES;
    if (n_max > MAX_BYTES)
        return psw_fail(err, PSW_EDATA, "%s:%lld: a line or array of more than %zu MiB",
                        l->path, (long long)l->number + 1, MAX_BYTES >> 20);
    char *grown = realloc(l->buffer, n_max);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%s: %zu bytes", l->path, n_max);
    l->buffer = grown;
    l->n_max = n_max;
    return PSW_OK;
}

static psw_status read_failed(struct psw_lines *l, struct psw_error *err)
{
    const int why = errno;
    int code = Z_OK;
    const char *text = gzerror(l->file, &code);
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
            lines->start += *n_bytes + (mark != NULL);
            lines->number++;
            return PSW_OK;
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
    while (!lines->at_end) {
        const psw_status rc = fill(lines, err);
        if (rc != PSW_OK) return rc;
    }
    *text = lines->buffer + lines->start;
    *n_bytes = lines->end - lines->start;
    lines->start = lines->end;
    return PSW_OK;
}

psw_status psw_lines_peek(struct psw_lines *lines, int *byte, struct psw_error *err)
{
    size_t i = lines->start;
    for (;;) {
        for (; i < lines->end; i++) {
            if (memchr(" \t\r\n", lines->buffer[i], 4)) continue;
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
