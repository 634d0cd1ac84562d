/* Opening the results file that a command was given; where something else was given, say what
 * it is and what the command wants. */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <posweep/util/file.h>
#include <string.h>
#include <sysexits.h>

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
    if (!p.holder.text[0])
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

/** What the child is to do. */
struct reader {
    const char *command, *path;
    psw_status (*work)(struct psw_results *results, void *ctx, struct psw_error *err);
    void *ctx;
};

static int read_file(void *ctx)
{
    const struct reader *r = ctx;
    struct psw_error err = {0};
    struct psw_results *results = NULL;
    psw_status rc = psw_cli_open_results(r->command, r->path, &results, &err);
    if (rc == PSW_OK) {
        rc = r->work(results, r->ctx, &err);
        if (rc == PSW_OK) rc = psw_results_fault(results, &err);
        if (rc != PSW_OK) psw_error_prefix(&err, "%s", r->path);
    }
    psw_results_close(results);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cli_read(const char *command, const char *path,
                 psw_status (*work)(struct psw_results *results, void *ctx,
                                    struct psw_error *err),
                 void *ctx)
{
    struct reader reader = {command, path, work, ctx};
    return psw_cli_guard(read_file, &reader, path);
}

error_t psw_cli_one_file(int key, char *arg, struct argp_state *state, const char **path)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*path) argp_error(state, "one file at a time: '%s' is too much", arg);
        *path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!*path) argp_error(state, "which results file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
