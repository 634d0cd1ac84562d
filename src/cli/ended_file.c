/* OUT.ended: how a start ended that ended with an error, for `posweep status`. */
#include "cli_internal.h"
#include <posweep/store/journal.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* A start that was refused before it left anything leaves nothing, but for a job, whose log is
 * not at hand. */
static int is_worth_telling(const char *out_path)
{
    char path[PSW_PATH_BYTES];
    if (getenv("POSWEEP_EXIT_FILE")) return 1;
    if (psw_journal_path(out_path, path, NULL) == PSW_OK && psw_file_exists(path)) return 1;
    return psw_path(path, sizeof path, NULL, "%s.parts", out_path) == PSW_OK &&
           psw_file_exists(path);
}

void psw_cli_tell_end(const char *out_path, int status, const struct psw_error *err)
{
    char path[PSW_PATH_BYTES], when[32], text[PSW_ERROR_TEXT_BYTES + 128];
    const char *job = getenv("SLURM_JOB_ID");
    if (psw_path(path, sizeof path, NULL, "%s.ended", out_path) != PSW_OK) return;
    if (status == EX_OK || status == EX_SOFTWARE || status == EX_TEMPFAIL) {
        unlink(path);
        return;
    }
    if (err->code == PSW_EBUSY) return; /* it is another start's to tell */
    if (!is_worth_telling(out_path)) return;
    const int n = snprintf(text, sizeof text, "%s %s%.32s%sexit status %d: %s\n",
                           psw_clock_date_text(psw_clock_unix_s(), when), job ? "job " : "",
                           job ? job : "", job ? ": " : "", status, err->text);
    const struct psw_file_part part = {text,
                                       n < (int)sizeof text ? (size_t)n : sizeof text - 1};
    (void)!psw_file_write(path, &part, 1, NULL);
}
