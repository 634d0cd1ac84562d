/* A file under construction: HDF5 writes it under a temporary name, and it is renamed when all
 * of it stands on the disk, sealed.
 *
 * HDF5 has no way on after a write that failed: it keeps the file open for ever, with what it
 * could not flush. So a driver of ours stands between: it keeps the first failure to itself and
 * lets HDF5 believe that all went well, until HDF5 has closed and the failure is told. */
#include "h5_internal.h"
#include "results_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

static const haddr_t MAX_ADDRESS = ((haddr_t)1 << 62) - 1;

struct psw_h5_disk {
    int fd;     /* -1: the file is given up, whatever HDF5 still holds of it */
    int number; /* errno of the first failure; 0: none */
};

/** What HDF5 holds of it. */
struct driven {
    H5FD_t head; /* HDF5's own, must be the first */
    struct psw_h5_disk *disk;
    haddr_t end_allocated, end;
};

/* ---- the driver ---- */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t max)
{
    struct psw_h5_disk *const *disk = H5Pget_driver_info(access);
    struct driven *f = disk ? calloc(1, sizeof *f) : NULL;
    (void)name;
    (void)flags;
    (void)max;
    if (!f) return NULL;
    f->disk = *disk;
    return &f->head;
}

static herr_t driver_close(H5FD_t *file)
{
    free(file);
    return 0;
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
             H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_end_allocated(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driven *)file)->end_allocated;
}

static herr_t driver_set_end_allocated(H5FD_t *file, H5FD_mem_t type, haddr_t at)
{
    (void)type;
    ((struct driven *)file)->end_allocated = at;
    return 0;
}

static haddr_t driver_end(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct driven *)file)->end;
}

/** n: what a call returned. Errno of calls that went well stays: it may tell why HDF5 failed.
 */
static void keep_failure(struct psw_h5_disk *disk, ssize_t n)
{
    disk->number = n < 0 ? errno : EIO;
}

/** What was never written reads as zeros. */
static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at,
                          size_t n_bytes, void *out)
{
    struct psw_h5_disk *disk = ((struct driven *)file)->disk;
    (void)type;
    (void)transfer;
    size_t n_done = 0;
    while (n_done < n_bytes && !disk->number) {
        const ssize_t n =
            pread(disk->fd, (char *)out + n_done, n_bytes - n_done, (off_t)(at + n_done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) keep_failure(disk, n);
        if (n <= 0) break;
        n_done += (size_t)n;
    }
    memset((char *)out + n_done, 0, n_bytes - n_done);
    return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at,
                           size_t n_bytes, const void *data)
{
    struct driven *f = (struct driven *)file;
    (void)type;
    (void)transfer;
    for (size_t n_done = 0; n_done < n_bytes && !f->disk->number;) {
        const ssize_t n = pwrite(f->disk->fd, (const char *)data + n_done, n_bytes - n_done,
                                 (off_t)(at + n_done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) keep_failure(f->disk, n);
        n_done += n > 0 ? (size_t)n : 0;
    }
    if (at + n_bytes > f->end) f->end = at + n_bytes;
    return 0;
}

/** HDF5 may have allocated more than it wrote. */
static herr_t driver_truncate(H5FD_t *file, hid_t transfer, hbool_t is_closing)
{
    struct driven *f = (struct driven *)file;
    (void)transfer;
    (void)is_closing;
    if (!f->disk->number && f->end != f->end_allocated &&
        ftruncate(f->disk->fd, (off_t)f->end_allocated) != 0)
        keep_failure(f->disk, -1);
    f->end = f->end_allocated;
    return 0;
}

static hid_t register_driver(void)
{
    static const H5FD_class_t DRIVER = {
#if H5_VERSION_GE(1, 13, 0)
        .version = H5FD_CLASS_VERSION,
        .value = (H5FD_class_value_t)600, /* of those for drivers that are not HDF5's */
#endif
        .name = "posweep",
        .maxaddr = MAX_ADDRESS,
        .fc_degree = H5F_CLOSE_STRONG,
        .fapl_size = sizeof(struct psw_h5_disk *),
        .open = driver_open,
        .close = driver_close,
        .query = driver_query,
        .get_eoa = driver_end_allocated,
        .set_eoa = driver_set_end_allocated,
        .get_eof = driver_end,
        .read = driver_read,
        .write = driver_write,
        .truncate = driver_truncate,
        .fl_map = H5FD_FLMAP_DICHOTOMY
    };
    return H5FDregister(&DRIVER);
}

/* ---- the file ---- */

psw_status psw_h5_file_check(const struct psw_h5_file *file, struct psw_error *err)
{
    const int number = file->disk->number;
    if (number == 0) return PSW_OK;
    return psw_fail(err, psw_status_from_errno(number), "%s: cannot write: %s", file->path,
                    strerror(number));
}

psw_status psw_h5_file_create(const char *path, struct psw_h5_file *out, struct psw_error *err)
{
    *out = PSW_H5_NO_FILE;
    out->path = path;
    out->access = psw_h5_access();
    out->disk = calloc(1, sizeof *out->disk);
    if (!out->disk) return psw_h5_file_end(out, psw_fail(err, PSW_ENOMEM, "%s", path), err);
    psw_status rc = psw_file_begin(path, out->temporary, &out->disk->fd, err);
    if (rc != PSW_OK) {
        out->disk->fd = -1;
        return psw_h5_file_end(out, rc, err);
    }
    const hid_t driver = out->access >= 0 ? register_driver() : -1;
    if (driver >= 0 && H5Pset_driver(out->access, driver, &out->disk) >= 0)
        out->id = H5Fcreate(out->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, out->access);
    if (out->id < 0) rc = psw_h5_file_end(out, psw_h5_fail(err, path, "cannot create"), err);
    if (driver >= 0) H5FDunregister(driver); /* the access properties hold it */
    return rc;
}

/** All of it is written: seal it, and see it onto the disk. */
static psw_status finish(const struct psw_h5_file *f, struct psw_error *err)
{
    const psw_status rc = psw_seal_append(f->disk->fd, f->path, err);
    if (rc != PSW_OK || fsync(f->disk->fd) == 0) return rc;
    return psw_fail(err, psw_status_from_errno(errno), "%s: cannot sync: %s", f->path,
                    strerror(errno));
}

static psw_status close_disk(struct psw_h5_file *f, psw_status rc, struct psw_error *err)
{
    if (rc == PSW_OK) rc = finish(f, err);
    if (close(f->disk->fd) != 0 && rc == PSW_OK)
        rc = psw_fail(err, psw_status_from_errno(errno), "%s: cannot close: %s", f->path,
                      strerror(errno));
    f->disk->fd = -1;
    f->disk->number = EBADF;
    if (rc == PSW_OK) rc = psw_file_commit(f->temporary, f->path, err);
    if (rc != PSW_OK) unlink(f->temporary);
    return rc;
}

psw_status psw_h5_file_end(struct psw_h5_file *file, psw_status rc, struct psw_error *err)
{
    struct psw_h5_disk *disk = file->disk;
    const int is_closed = file->id < 0 || H5Fclose(file->id) >= 0;
    if (!is_closed && rc == PSW_OK) rc = psw_h5_fail(err, file->path, "cannot close");
    if (file->access >= 0) H5Pclose(file->access);
    if (disk && disk->number) rc = psw_h5_file_check(file, err); /* why HDF5 stumbled */
    if (disk && disk->fd >= 0) rc = close_disk(file, rc, err);
    if (is_closed) free(disk); /* else HDF5 may come back to it */
    *file = PSW_H5_NO_FILE;
    return rc;
}
