#include "store/spool.h"

#include <posweep/util/file.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 18 };

static psw_status failed(const char *path, const char *what, struct psw_error *err)
{
    const int why = errno;
    return psw_fail(err, psw_status_from_errno(why), "%s: %s failed: %s%s", path, what,
                    strerror(why),
                    why == ENOSPC || why == EDQUOT
                        ? "; the index of the data needs room: name a folder that has it in "
                          "limits.index"
                        : "");
}

/** On file systems that know no unnamed files. */
static int named_and_removed(const char *folder)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/.posweep-XXXXXX", folder);
    const int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

psw_status psw_spool_unnamed(const char *folder, int *fd, struct psw_error *err)
{
    *fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)
                 : memfd_create("posweep data", MFD_CLOEXEC);
    if (*fd < 0 && folder) *fd = named_and_removed(folder);
    return *fd >= 0 ? PSW_OK : failed(folder ? folder : "memory", "making a file", err);
}

/** Its content again, where it cannot be linked. */
static psw_status copy_to(int from, const char *path, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct stat info;
    int fd = -1;
    loff_t at = 0;
    PSW_TRY(psw_file_open(path, PSW_FILE_NEW, &fd, err));
    if (fstat(from, &info) != 0) PSW_TRY(failed(path, "looking at the file", err));
    while (at < info.st_size) {
        const ssize_t n = copy_file_range(from, &at, fd, NULL, (size_t)(info.st_size - at), 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) PSW_TRY(failed(path, "writing", err));
    }
fail:
    if (fd >= 0 && close(fd) != 0 && rc == PSW_OK) rc = failed(path, "writing", err);
    if (rc != PSW_OK && fd >= 0) unlink(path);
    return rc;
}

psw_status psw_spool_name(int fd, const char *path, struct psw_error *err)
{
    char by_number[64];
    snprintf(by_number, sizeof by_number, "/proc/self/fd/%d", fd);
    if (unlink(path) != 0 && errno != ENOENT) return failed(path, "removing", err);
    if (linkat(AT_FDCWD, by_number, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) return PSW_OK;
    return copy_to(fd, path, err);
}

psw_status psw_spool_flush(struct psw_spool *spool, struct psw_error *err)
{
    size_t done = 0;
    while (done < spool->n_buffered) {
        const ssize_t n = write(spool->fd, spool->buffer + done, spool->n_buffered - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(spool->path, "writing", err);
        done += (size_t)n;
    }
    spool->n_bytes += (int64_t)done;
    spool->n_buffered = 0;
    return PSW_OK;
}

psw_status psw_spool_add(struct psw_spool *spool, const void *data, size_t n_bytes,
                         struct psw_error *err)
{
    const char *at = data;
    if (!spool->buffer) spool->buffer = malloc(BUFFER_BYTES);
    if (!spool->buffer) return psw_fail(err, PSW_ENOMEM, "data: %d bytes", BUFFER_BYTES);
    if (spool->hash) psw_hash_stream_add(spool->hash, data, n_bytes);
    while (n_bytes > 0) {
        const size_t room = BUFFER_BYTES - spool->n_buffered;
        const size_t n = n_bytes < room ? n_bytes : room;
        memcpy(spool->buffer + spool->n_buffered, at, n);
        spool->n_buffered += n;
        at += n;
        n_bytes -= n;
        const psw_status rc = n == room ? psw_spool_flush(spool, err) : PSW_OK;
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

psw_status psw_spool_append(struct psw_spool *spool, struct psw_spool *from,
                            struct psw_error *err)
{
    char block[1 << 16];
    psw_status rc = psw_spool_flush(from, err);
    for (int64_t at = 0; at < from->n_bytes && rc == PSW_OK;) {
        const int64_t left = from->n_bytes - at;
        const size_t n = left < (int64_t)sizeof block ? (size_t)left : sizeof block;
        rc = psw_spool_read(from->fd, from->path, at, block, n, err);
        if (rc == PSW_OK) rc = psw_spool_add(spool, block, n, err);
        at += (int64_t)n;
    }
    return rc;
}

psw_status psw_spool_read(int fd, const char *path, int64_t at, void *out, size_t n_bytes,
                          struct psw_error *err)
{
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t n = pread(fd, (char *)out + done, n_bytes - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(path, "reading", err);
        if (n == 0)
            return psw_fail(err, PSW_EDATA, "%s: ends after %lld bytes", path,
                            (long long)at + (long long)done);
        done += (size_t)n;
    }
    return PSW_OK;
}

psw_status psw_spool_write(int fd, const char *path, int64_t at, const void *data,
                           size_t n_bytes, struct psw_error *err)
{
    for (size_t done = 0; done < n_bytes;) {
        const ssize_t n =
            pwrite(fd, (const char *)data + done, n_bytes - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return failed(path, "writing", err);
        done += (size_t)n;
    }
    return PSW_OK;
}

void psw_spool_clear(struct psw_spool *spool)
{
    if (spool->fd >= 0) close(spool->fd);
    free(spool->buffer);
    *spool = (struct psw_spool){.fd = -1};
}
