/* Opening the results file that a command was given; where something else was given, say what
 * it is and what the command wants. */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <posweep/util/file.h>
#include <string.h>

enum { FIRST_SNAPSHOT_S = 60 }; /* the default of `run --snapshot` */

static int ends_in(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/** A journal without a results file: when the file comes. */
static psw_status explain_early(const char *path, struct psw_error *err)
{
    struct psw_progress p;
    if (psw_progress_read(path, &p, NULL) != PSW_OK) return err->code;
    const long long n_done = p.n_outcome[PSW_OUTCOME_DONE], n_run = p.n_run;
    if (!p.holder[0])
        return psw_fail(err, PSW_ENOENT,
                        "%s: not written yet, and nobody works on the sweep (%lld of %lld runs "
                        "done); the same `posweep run` again goes on and writes it",
                        path, n_done, n_run);
    return psw_fail(
        err, PSW_ENOENT,
        "%s: not written yet; the sweep has run for %.0f s (%lld of %lld runs done). "
        "Its first results file comes %d s after the start, unless `run --snapshot` said "
        "otherwise, once something is measured; until then see `posweep status %s`",
        path, p.elapsed_s, n_done, n_run, FIRST_SNAPSHOT_S, path);
}

/** Say what was given instead of a results file, where that is known. */
static psw_status explain(const char *command, const char *path, struct psw_error *err)
{
    char out[PSW_PATH_BYTES];
    if (ends_in(path, ".yaml") || ends_in(path, ".yml")) {
        psw_cli_default_out(path, out, sizeof out);
        return psw_fail(err, PSW_EINVAL,
                        "%s is a sweep file; %s reads the results file that `posweep run %s` "
                        "writes, %s unless -o said otherwise",
                        path, command, path, out);
    }
    if (ends_in(path, ".journal"))
        return psw_fail(err, PSW_EINVAL,
                        "%s is a journal; the results file beside it is %.*s, and `posweep "
                        "status` reads the journal",
                        path, (int)(strlen(path) - strlen(".journal")), path);
    return err->code == PSW_ENOENT ? explain_early(path, err) : err->code;
}

psw_status psw_cli_open_results(const char *command, const char *path, struct psw_results **out,
                                struct psw_error *err)
{
    return psw_results_open(path, out, err) == PSW_OK ? PSW_OK : explain(command, path, err);
}
