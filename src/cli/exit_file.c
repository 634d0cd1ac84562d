/* What the job script is told in a file of its own: that posweep began, how it ended, and
 * whether anything came of it, so that a job that gains nothing is not requeued for ever. */
#include "cli_internal.h"
#include <glob.h>
#include <posweep/store/journal.h>
#include <posweep/sweep/shared.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>

/* 1: a record of this type keeps work that a later start does not repeat. */
static const uint8_t KEEPS[PSW_J_N_TYPE] = {
    [PSW_J_STAGE] = 1,  [PSW_J_PIECE] = 1,    [PSW_J_DONE] = 1,
    [PSW_J_FAILED] = 1, [PSW_J_DIVERGED] = 1, [PSW_J_ADVANCED] = 1,
};

static const char *exit_file(void)
{
    const char *path = getenv("POSWEEP_EXIT_FILE");
    return path && path[0] ? path : NULL;
}

/* 0 for one that cannot be read: the sweep itself says so. */
static int64_t count_in(const char *path)
{
    struct psw_journal *journal = NULL;
    int64_t n = 0;
    if (!psw_file_exists(path) || psw_journal_read(path, &journal, NULL) != PSW_OK) return 0;
    for (int64_t i = 0; i < psw_journal_n_entry(journal); i++) {
        const enum psw_journal_type type = psw_journal_entry_at(journal, i)->type;
        n += type > 0 && type < PSW_J_N_TYPE && KEEPS[type];
    }
    psw_journal_close(journal);
    return n;
}

/* Of a sweep that several jobs share, over all of its parts. */
static int64_t count_kept(const char *out_path)
{
    char path[PSW_PATH_BYTES], folder[PSW_PATH_BYTES];
    glob_t found = {.gl_pathc = 0};
    if (psw_journal_path(out_path, path, NULL) != PSW_OK) return 0;
    int64_t n = count_in(path);
    if (psw_shared_folder(out_path, folder, NULL) != PSW_OK ||
        psw_path(path, sizeof path, NULL, "%s/*.journal", folder) != PSW_OK ||
        glob(path, GLOB_NOSORT, NULL, &found) != 0)
        return n;
    for (size_t i = 0; i < found.gl_pathc; i++) n += count_in(found.gl_pathv[i]);
    globfree(&found);
    return n;
}

static void tell(const char *text, int n_bytes)
{
    const struct psw_file_part part = {text, (size_t)n_bytes};
    if (psw_file_write(exit_file(), &part, 1, NULL) != PSW_OK)
        psw_log(PSW_LOG_WARN, "%s: cannot be written", exit_file());
}

/* Of this process: nothing is common to all ranks yet. */
static int is_alone;

static void tell_alone(int status, void *ctx)
{
    (void)ctx;
    if (is_alone && status != 0) psw_cli_exit_tell(status);
}

void psw_cli_exit_alone(int on)
{
    is_alone = on && on_exit(tell_alone, NULL) == 0;
}

void psw_cli_exit_tell(int status)
{
    char text[16];
    if (exit_file()) tell(text, snprintf(text, sizeof text, "%d\n", status));
}

int64_t psw_cli_exit_begin(const char *out_path)
{
    char text[64];
    if (!exit_file()) return 0;
    const int64_t kept = count_kept(out_path);
    tell(text, snprintf(text, sizeof text, "begun %lld\n", (long long)kept));
    return kept;
}

void psw_cli_exit_end(const char *out_path, int64_t kept_before, int status)
{
    char text[64];
    if (!exit_file()) return;
    const long long kept = (long long)count_kept(out_path);
    tell(text,
         snprintf(text, sizeof text, "%d %lld %lld\n", status, (long long)kept_before, kept));
}
