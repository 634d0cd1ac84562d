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
enum { LONGEST_BYTES = 4000 };

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
    return text;
}
