/* Whose a work folder is: the file `owner` in it names the results file, created exclusively.
 * Stages are found by content, so two sweeps in one folder would do each other no harm until
 * one cleans up under the other. */
#include "run_internal.h"

#include <posweep/util/clock.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_LOOK = 20 };
static const double LOOK_S = 0.1;

static psw_status owner_path(const char *work_dir, char out[PSW_PATH_BYTES],
                             struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/owner", work_dir);
}

/* The results file by a name that does not depend on where the command was given. */
static psw_status absolute(const char *path, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    char folder[PSW_PATH_BYTES], name[PSW_PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(name, sizeof name, "%s", path);
    char *real = realpath(dirname(folder), NULL);
    if (!real)
        return psw_fail(err, psw_status_from_errno(errno), "%s: %s", folder, strerror(errno));
    const psw_status rc = psw_path(out, PSW_PATH_BYTES, err, "%s/%s", real, basename(name));
    free(real);
    return rc;
}

/* Errors: PSW_EBUSY when the file is there; those of writing. */
static psw_status make(const char *path, const char *owner, struct psw_error *err)
{
    int fd = -1;
    const psw_status rc = psw_file_open(path, PSW_FILE_NEW, &fd, err);
    if (rc != PSW_OK) return rc;
    const size_t n = strlen(owner);
    const int ok = write(fd, owner, n) == (ssize_t)n && fsync(fd) == 0;
    const int e = errno;
    close(fd);
    if (ok) return PSW_OK;
    unlink(path);
    return psw_fail(err, psw_status_from_errno(e), "%s: %s", path, strerror(e));
}

/* What the file says; whoever has just made it may still be writing. */
static psw_status read_owner(const char *path, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    psw_status rc = PSW_OK;
    out[0] = 0;
    for (int i = 0; rc == PSW_OK && !out[0] && i < N_LOOK; i++) {
        char *text = NULL;
        size_t n_bytes = 0;
        if (i > 0) psw_clock_sleep_s(LOOK_S);
        rc = psw_file_read(path, &text, &n_bytes, err);
        if (rc == PSW_OK) snprintf(out, PSW_PATH_BYTES, "%s", text);
        free(text);
    }
    return rc;
}

/* Is there another sweep behind this results file, one that may go on? */
static int is_another(const char *other, const char *ours)
{
    char journal[2][PSW_PATH_BYTES];
    struct stat info[2];
    if (strcmp(other, ours) == 0) return 0;
    if (psw_journal_path(other, journal[0], NULL) != PSW_OK ||
        psw_journal_path(ours, journal[1], NULL) != PSW_OK || stat(journal[0], &info[0]) != 0)
        return 0;
    return stat(journal[1], &info[1]) != 0 || info[0].st_dev != info[1].st_dev ||
           info[0].st_ino != info[1].st_ino;
}

psw_status psw_owner_claim(const char *work_dir, const char *out_path, int *made,
                           struct psw_error *err)
{
    char path[PSW_PATH_BYTES], ours[PSW_PATH_BYTES], other[PSW_PATH_BYTES];
    psw_status rc = owner_path(work_dir, path, err);
    if (rc == PSW_OK) rc = absolute(out_path, ours, err);
    if (rc != PSW_OK) return rc;
    rc = make(path, ours, err);
    *made = rc == PSW_OK;
    if (rc != PSW_EBUSY) return rc;
    rc = read_owner(path, other, err);
    if (rc != PSW_OK || strcmp(other, ours) == 0) return rc;
    if (is_another(other, ours))
        return psw_fail(err, PSW_EBUSY,
                        "%s: this work folder belongs to the sweep of %s and cannot serve %s, "
                        "too: choose another --work-dir",
                        work_dir, other, ours);
    const struct psw_file_part part = {ours, strlen(ours)};
    return psw_file_write(path, &part, 1, err);
}

void psw_owner_release(const char *work_dir)
{
    char path[PSW_PATH_BYTES];
    if (owner_path(work_dir, path, NULL) == PSW_OK) unlink(path);
}
