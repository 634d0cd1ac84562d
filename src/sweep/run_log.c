/* Logs of runs; see run_log.h. */
#include "run_log.h"

#include <posweep/stage/stage.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static psw_status path_of(const char *work_dir, uint64_t name, char out[PSW_PATH_BYTES])
{
    char hash[PSW_HASH_TEXT_BYTES];
    return psw_path(out, PSW_PATH_BYTES, NULL, "%s/" PSW_STAGE_LOGS "/%s.log", work_dir,
                    psw_hash_text(name, hash));
}

void psw_run_log_begin(const char *work_dir, uint64_t name, int *fd)
{
    char folder[PSW_PATH_BYTES], path[PSW_PATH_BYTES];
    *fd = -1;
    if (psw_path(folder, sizeof folder, NULL, "%s/" PSW_STAGE_LOGS, work_dir) != PSW_OK ||
        path_of(work_dir, name, path) != PSW_OK || psw_file_make_dir(folder, NULL) != PSW_OK)
        return;
    psw_status rc = psw_file_open(path, PSW_FILE_UPDATE, fd, NULL);
    if (rc == PSW_ENOENT) rc = psw_file_open(path, PSW_FILE_NEW, fd, NULL);
    if (rc != PSW_OK || lseek(*fd, 0, SEEK_END) < 0) return;
    psw_log_tee(*fd);
}

void psw_run_log_end(int fd)
{
    psw_log_tee(-1);
    if (fd >= 0) close(fd);
}

/* Where the last lines begin. */
static size_t tail_begin(const char *text, size_t n)
{
    size_t at = n;
    for (int i = 0; at > 0; at--)
        if (text[at - 1] == '\n' && at < n && ++i == PSW_RUN_LOG_LINES) return at;
    return at;
}

size_t psw_run_log_tail(const char *work_dir, uint64_t name, char out[PSW_RUN_LOG_BYTES])
{
    char path[PSW_PATH_BYTES];
    struct stat info;
    int fd = -1;
    if (path_of(work_dir, name, path) != PSW_OK ||
        psw_file_open(path, PSW_FILE_READ, &fd, NULL) != PSW_OK)
        return 0;
    const off_t n_most = PSW_RUN_LOG_BYTES - 1;
    const off_t from =
        fstat(fd, &info) == 0 && info.st_size > n_most ? info.st_size - n_most : 0;
    const ssize_t got = pread(fd, out, (size_t)n_most, from);
    close(fd);
    const size_t n = got > 0 ? (size_t)got : 0, begin = tail_begin(out, n);
    memmove(out, out + begin, n - begin);
    out[n - begin] = 0;
    return n - begin;
}
