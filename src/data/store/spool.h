/* A file that is written from its beginning to its end, through a buffer. */
#ifndef POSWEEP_SRC_DATA_SPOOL_H
#define POSWEEP_SRC_DATA_SPOOL_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

struct psw_spool {
    int fd;           /* owned; -1: none yet */
    const char *path; /* for messages; borrowed */
    char *buffer;     /* owned */
    size_t n_buffered;
    int64_t n_bytes;              /* in the file */
    struct psw_hash_stream *hash; /* borrowed: of what is added; NULL: none */
};

/** A file without a name in a folder; NULL: in memory. Errors: PSW_EIO, PSW_EPERM, ... */
psw_status psw_spool_unnamed(const char *folder, int *fd, struct psw_error *err);

/** Give a file without a name one. Where the file system cannot, its content is
 *  copied. Errors: those of writing. */
psw_status psw_spool_name(int fd, const char *path, struct psw_error *err);

/** Append. Errors: PSW_ENOSPC and others of writing, PSW_ENOMEM. */
psw_status psw_spool_add(struct psw_spool *spool, const void *data, size_t n_bytes,
                         struct psw_error *err);
psw_status psw_spool_flush(struct psw_spool *spool, struct psw_error *err);

/** Append all of another one, which is flushed. */
psw_status psw_spool_append(struct psw_spool *spool, struct psw_spool *from,
                            struct psw_error *err);

/** Read n bytes at a place. Errors: PSW_EDATA for a file that ends before. */
psw_status psw_spool_read(int fd, const char *path, int64_t at, void *out, size_t n_bytes,
                          struct psw_error *err);

/** Write n bytes at a place. */
psw_status psw_spool_write(int fd, const char *path, int64_t at, const void *data,
                           size_t n_bytes, struct psw_error *err);

void psw_spool_clear(struct psw_spool *spool);

#endif
