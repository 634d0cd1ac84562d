/* How the last start ended, if that was with an error: it stands in OUT.ended, where posweep
 * run and the job script put it, because not every end leaves a word in the journal. */
#include "progress_internal.h"

#include <posweep/util/clock.h>

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Clocks of hosts and file servers differ by so much; what is told at once is not older. */
static const double SAME_S = 5;
enum { LONGEST_BYTES = 1 << 20, TOLD_BYTES = 4000 };

/* The last lines, where there are more than people read. */
static void cut_to_last(char *text, size_t *n_bytes)
{
    if (*n_bytes <= TOLD_BYTES) return;
    const char *from = text + *n_bytes - TOLD_BYTES, *line = strchr(from, '\n');
    if (line) from = line + 1;
    *n_bytes -= (size_t)(from - text);
    memmove(text, from, *n_bytes + 1);
}

char *psw_progress_ended(const char *journal_path, double last_s)
{
    char path[PSW_PATH_BYTES];
    struct stat info;
    char *text = NULL;
    size_t n_bytes = 0;
    const int n_stem = (int)(strlen(journal_path) - strlen(".journal"));
    if (psw_path(path, sizeof path, NULL, "%.*s.ended", n_stem, journal_path) != PSW_OK ||
        stat(path, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > LONGEST_BYTES)
        return NULL;
    const double age_s = psw_clock_unix_s() - (double)info.st_mtime;
    if (isfinite(last_s) && age_s > last_s + SAME_S)
        return NULL; /* a later start did something */
    if (psw_file_read(path, &text, &n_bytes, NULL) != PSW_OK) return NULL;
    for (char *c = text; *c; c++)
        if (iscntrl((unsigned char)*c) && *c != '\n') *c = '?';
    while (n_bytes > 0 && text[n_bytes - 1] == '\n') text[--n_bytes] = 0;
    cut_to_last(text, &n_bytes);
    return text;
}
