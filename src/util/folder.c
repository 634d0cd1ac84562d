/* Folders as one piece, on rename. */
#include <posweep/util/folder.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 18 };

static psw_status fail_errno(struct psw_error *err, const char *path, const char *what)
{
    const int e = errno;
    return psw_fail(err, psw_status_from_errno(e), "%s: %s: %s", path, what, strerror(e));
}

int psw_folder_is_taken(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0;
}

psw_status psw_folder_begin(const char *path, char temporary[PSW_TEMPORARY_BYTES],
                            struct psw_error *err)
{
    psw_status rc = psw_file_temporary(path, temporary, err);
    if (rc == PSW_OK) rc = psw_file_remove_tree(temporary, err);
    if (rc == PSW_OK && mkdir(temporary, 0777) != 0)
        rc = fail_errno(err, temporary, "cannot make the folder");
    return rc;
}

/* Old folders go when the new one stands there: a reader meets one of the two, or for a moment
 * none, never a mixture. */
static psw_status take_away(const char *path, char away[PSW_TEMPORARY_BYTES + 4],
                            struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    away[0] = 0;
    if (!psw_folder_is_taken(path)) return PSW_OK;
    psw_status rc = psw_file_temporary(path, temporary, err);
    if (rc != PSW_OK) return rc;
    snprintf(away, PSW_TEMPORARY_BYTES + 4, "%s.old", temporary);
    rc = psw_file_remove_tree(away, err);
    if (rc == PSW_OK && rename(path, away) != 0 && errno != ENOENT)
        rc = fail_errno(err, path, "cannot move it away");
    return rc;
}

psw_status psw_folder_commit(const char *temporary, const char *path, enum psw_folder_how how,
                             struct psw_error *err)
{
    char away[PSW_TEMPORARY_BYTES + 4] = "";
    psw_status rc = PSW_OK;
    if (how == PSW_FOLDER_REPLACE)
        rc = take_away(path, away, err);
    else if (psw_folder_is_taken(path))
        rc = psw_fail(err, PSW_EBUSY, "%s: is there already, and nothing is overwritten", path);
    if (rc == PSW_OK) rc = psw_file_commit(temporary, path, err);
    struct psw_error ignored = {0};
    if (rc != PSW_OK) (void)!psw_file_remove_tree(temporary, &ignored);
    if (away[0]) (void)!psw_file_remove_tree(away, &ignored);
    return rc;
}

/* Returns 0, or -1 with errno set. */
static int copy_bytes(int from, int to)
{
    char buffer[COPY_BYTES];
    for (;;) {
        const ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return (int)n;
        for (ssize_t at = 0; at < n;) {
            const ssize_t m = write(to, buffer + at, (size_t)(n - at));
            if (m < 0 && errno == EINTR) continue;
            if (m < 0) return -1;
            at += m;
        }
    }
}

psw_status psw_file_copy(const char *from, const char *to, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    struct stat info;
    int out = -1;
    const int in = open(from, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (in < 0) return fail_errno(err, from, "cannot open");
    psw_status rc = PSW_OK;
    if (fstat(in, &info) != 0 || !S_ISREG(info.st_mode))
        rc = psw_fail(err, PSW_EIO, "%s: is not a plain file", from);
    if (rc == PSW_OK) rc = psw_file_begin(to, temporary, &out, err);
    if (rc == PSW_OK && (copy_bytes(in, out) != 0 || fsync(out) != 0))
        rc = fail_errno(err, to, "cannot copy to it");
    close(in);
    if (out < 0) return rc;
    close(out);
    if (rc == PSW_OK) rc = psw_file_commit(temporary, to, err);
    if (rc != PSW_OK) unlink(temporary);
    return rc;
}
