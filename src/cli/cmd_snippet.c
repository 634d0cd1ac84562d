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
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static psw_status write_snippet(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct snippet_args *a = ctx;
    char *whole = realpath(a->path, NULL); /* the code may run in another folder */
    const psw_status rc =
        psw_snippet(stdout, results, whole ? whole : a->path, a->language, err);
    free(whole);
    return rc;
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
    return psw_cli_read("snippet", a.path, write_snippet, &a);
}
