/* posweep report: a results file as one page of HTML. */
#include "cli_internal.h"
#include <posweep/analyze/page.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct report_args {
    const char *out;
    struct psw_page_opts opts;
};

enum { KEY_MAX_KL = 256 };

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0, "the page (default: the results file's name with .html)", 0},
    {"baseline", 'b', "VARIANT", 0,
     "the variant that others are compared with (default vanilla)", 0},
    {"method", 'm', "NAME", 0, "only this method", 0},
    {"variant", 'V', "NAME", 0, "only this variant", 0},
    {"max-kl", KEY_MAX_KL, "NAT", 0, "as in `posweep show` (default 5; inf: keep all)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct report_args *a = state->input;
    char *end;
    switch (key) {
    case 'o':
        a->out = psw_cli_path("--output", arg, state);
        return 0;
    case 'b':
        a->opts.baseline = arg;
        return 0;
    case 'm':
        a->opts.selection.method = arg;
        return 0;
    case 'V':
        a->opts.selection.variant = arg;
        return 0;
    case KEY_MAX_KL:
        a->opts.selection.max_kl = strtod(arg, &end);
        if (end == arg || *end || !(a->opts.selection.max_kl > 0))
            argp_error(state, "--max-kl %s: a number > 0", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (a->opts.path) argp_error(state, "one file at a time: '%s' is too much", arg);
        a->opts.path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->opts.path) argp_error(state, "which results file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/** demo.h5 -> demo.html, beside it. */
static psw_status default_out(const char *path, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
    return psw_path(out, PSW_PATH_BYTES, err, "%.*s.html", (int)n, path);
}

/** In a child: the bytes may be anybody's. */
static int report(void *ctx)
{
    struct report_args *a = ctx;
    struct psw_error err = {0};
    struct psw_results *results = NULL;
    char out[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    if (!a->out) PSW_TRY(default_out(a->opts.path, out, &err));
    PSW_TRY(psw_results_open(a->opts.path, &results, &err));
    PSW_TRY(psw_page_write(results, a->out ? a->out : out, &a->opts, &err));
    printf("%s\n", a->out ? a->out : out);
fail:
    psw_results_close(results);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_report(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Write a results file as one page of HTML that needs no network: what positive "
               "and negative learning did, what differs and how sure that is, G along training "
               "with every seed, what the runs came to, cost and failures."};
    struct report_args a = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_guard(report, &a, a.opts.path);
}
