/* Is the open journal still the file of its name, and as its writer left it? Somebody may have
 * removed, moved or replaced it, or, on a file system without locks, written to it. What is
 * appended to a file without a name is lost when the process ends. */
#include "store_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static psw_status fail_gone(const char *path, const char *how, struct psw_error *err)
{
    return psw_fail(
        err, PSW_EIO,
        "%s: was %s while the sweep ran: what it recorded cannot be continued, and "
        "the next start computes all of it again. The results file is still written "
        "where its folder is there; put the journal back from a copy, or move that "
        "file away first",
        path, how);
}

psw_status psw_journal_check_place(const char *path, int fd, int64_t n_left,
                                   struct psw_error *err)
{
    struct stat open_one, named;
    if (fstat(fd, &open_one) != 0) {
        const int e = errno;
        return psw_fail(err, psw_status_from_errno(e), "%s: cannot stat: %s", path,
                        strerror(e));
    }
    const int found = lstat(path, &named) == 0;
    const int is_away = !found && (errno == ENOENT || errno == ENOTDIR);
    if (found && (named.st_ino != open_one.st_ino || named.st_dev != open_one.st_dev))
        return fail_gone(path, "replaced", err);
    if (is_away || open_one.st_nlink == 0) return fail_gone(path, "removed or moved", err);
    if (open_one.st_size == n_left) return PSW_OK;
    return psw_fail(err, PSW_EBUSY,
                    "%s: another process has written to it: it has %lld bytes, not %lld. "
                    "Nothing was overwritten. Let one posweep work on it, and stop the others",
                    path, (long long)open_one.st_size, (long long)n_left);
}
