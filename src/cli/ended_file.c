/* OUT.ended: how a start ended that ended with an error, for `posweep status`. */
#include "cli_internal.h"
#include <fcntl.h>
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

/* As people name it, and the job script: 7, or 7_3 of an array; "": not in a job. */
static void job_name(char *out, size_t n_bytes)
{
    const char *job = getenv("SLURM_JOB_ID"), *array = getenv("SLURM_ARRAY_JOB_ID"),
               *task = getenv("SLURM_ARRAY_TASK_ID");
    if (array && task)
        snprintf(out, n_bytes, "%.32s_%.32s", array, task);
    else
        snprintf(out, n_bytes, "%.32s", job ? job : "");
}

/* Jobs of an array may end at the same moment: each adds its line. */
static void add_line(const char *path, const struct psw_file_part *line)
{
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return;
    (void)!write(fd, line->data, line->n_bytes);
    close(fd);
}

void psw_cli_tell_end(const char *out_path, int status, const struct psw_error *err)
{
    char path[PSW_PATH_BYTES], when[32], job[80], text[PSW_ERROR_TEXT_BYTES + 192];
    job_name(job, sizeof job);
    if (psw_path(path, sizeof path, NULL, "%s.ended", out_path) != PSW_OK) return;
    if (status == EX_OK || status == EX_SOFTWARE || status == EX_TEMPFAIL) {
        unlink(path);
        return;
    }
    if (err->code == PSW_EBUSY) return; /* it is another start's to tell */
    if (!is_worth_telling(out_path)) return;
    const int n = snprintf(text, sizeof text, "%s %s%s%sexit status %d: %s\n",
                           psw_clock_date_text(psw_clock_unix_s(), when), job[0] ? "job " : "",
                           job, job[0] ? ": " : "", status, err->text);
    const struct psw_file_part part = {text,
                                       n < (int)sizeof text ? (size_t)n : sizeof text - 1};
    if (job[0])
        add_line(path, &part);
    else
        (void)!psw_file_write(path, &part, 1, NULL);
}
