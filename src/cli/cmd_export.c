/* posweep export: a results file as tables for programs that do not read HDF5. */
#include "cli_internal.h"
#include <errno.h>
#include <posweep/analyze/tidy.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct export_args {
    const char *path, *table, *out;
    enum psw_tidy_format format;
    int has_format;
};

enum { KEY_CSV = 256, KEY_JSON };

static const struct argp_option OPTIONS[] = {
    {"csv", KEY_CSV, NULL, 0, "RFC 4180, with a header; missing values are empty (default)", 0},
    {"json", KEY_JSON, NULL, 0, "one object per line; missing values are null", 0},
    {"what", 'w', "TABLE", 0, "runs (default), traces, directions, training, samples or tokens",
     0},
    {"output", 'o', "FILE", 0, "write there, whole or not at all, rather than to stdout", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct export_args *a = state->input;
    const enum psw_tidy_format format = key == KEY_JSON ? PSW_TIDY_JSON : PSW_TIDY_CSV;
    switch (key) {
    case KEY_CSV:
    case KEY_JSON:
        if (a->has_format && a->format != format)
            argp_error(state, "--csv and --json: one of the two");
        a->format = format;
        a->has_format = 1;
        return 0;
    case 'w':
        a->table = arg;
        return 0;
    case 'o':
        a->out = psw_cli_path("output", arg, state);
        return 0;
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

/** Into a file beside a->out that then takes its place. */
static psw_status write_file(const struct export_args *a, struct psw_results *results,
                             struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    int fd = -1;
    psw_status rc = psw_file_begin(a->out, temporary, &fd, err);
    if (rc != PSW_OK) return rc;
    FILE *out = fdopen(fd, "w");
    if (!out) {
        close(fd);
        rc = psw_fail(err, PSW_ENOMEM, "%s: no buffer", a->out);
    } else {
        rc = psw_tidy_write(out, results, a->table, a->format, err);
        if (rc == PSW_OK && (fflush(out) != 0 || fsync(fd) != 0))
            rc = psw_fail(err, psw_status_from_errno(errno), "%s: cannot write: %s", a->out,
                          strerror(errno));
        fclose(out);
    }
    if (rc == PSW_OK) rc = psw_results_fault(results, err);
    if (rc == PSW_OK) rc = psw_file_commit(temporary, a->out, err);
    if (rc != PSW_OK) unlink(temporary);
    return rc;
}

static psw_status export_table(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct export_args *a = ctx;
    return a->out ? write_file(a, results, err)
                  : psw_tidy_write(stdout, results, a->table, a->format, err);
}

int psw_cmd_export(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Write a table of a results file as CSV or as JSON lines, for a spreadsheet, a "
            "database or a language without HDF5."
            "\vTables: `runs` has a row per run, with its settings and all that is one number "
            "per run; `traces` one per run, checkpoint and component (G, its errors, and "
            "what is measured at the checkpoint); `directions` the same of G along other "
            "directions than v; `training` one per line of the training log; `samples` one "
            "per evaluation prompt whose responses are kept; `tokens` one "
            "per token of the probe. Each begins with run, method, variant, seed and the "
            "swept settings, then has the file's datasets as columns of the same name: "
            "`posweep help results` says what they are. `config` of `runs` holds all "
            "settings, swept or not, as JSON. pandas reads the very same numbers with "
            "read_csv(..., float_precision='round_trip').\n\n"
            "  posweep export demo.h5 --what traces -o traces.csv\n"
            "  posweep export demo.h5 --json | jq 'select(.score > 2) | .variant'"};
    struct export_args a = {.table = "runs"};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("export", a.path, export_table, &a);
}
