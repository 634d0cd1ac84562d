/* posweep snippet: code that loads a results file elsewhere. */
#include "cli_internal.h"
#include <posweep/analyze/snippet.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct snippet_args {
    const char *path, *language;
};

static const struct argp_option OPTIONS[] = {
    {"lang", 'l', "LANGUAGE", 0, "python (default), r or julia", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct snippet_args *a = state->input;
    switch (key) {
    case 'l':
        a->language = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path) argp_error(state, "one file at a time: '%s' is too much", arg);
        a->path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which results file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/** In a child: the bytes may be anybody's. */
static int write_snippet(void *ctx)
{
    const struct snippet_args *a = ctx;
    struct psw_error err = {0};
    struct psw_results *results = NULL;
    psw_status rc = psw_cli_open_results("snippet", a->path, &results, &err);
    if (results) {
        char *whole = realpath(a->path, NULL); /* the code may run in another folder */
        rc = psw_snippet(stdout, results, whole ? whole : a->path, a->language, &err);
        if (rc == PSW_OK) rc = psw_results_fault(results, &err);
        if (rc != PSW_OK) psw_error_prefix(&err, "%s", a->path);
        free(whole);
    }
    psw_results_close(results);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_snippet(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Print code that loads this very file in another language, prints G over the "
               "norm of v along training per method, variant and setting, and draws it: thin "
               "lines for seeds, bold ones for their mean."
               "\vPython needs xarray (with h5netcdf or netCDF4) and matplotlib; R the package "
               "rhdf5; Julia HDF5 and Plots. The runs are those that `posweep show` counts.\n\n"
               "  posweep snippet demo.h5 >first.py && python3 first.py\n"
               "  posweep snippet demo.h5 --lang r | Rscript -    # draws Rplots.pdf"};
    struct snippet_args a = {.language = "python"};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_guard(write_snippet, &a, a.path);
}
