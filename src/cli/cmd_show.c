/* posweep show: a first look at a results file, as text or as a picture. */
#include "cli_internal.h"
#include <posweep/analyze/picture.h>
#include <posweep/analyze/show.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct show_args {
    const char *path, *svg;
    struct psw_show_opts opts;
};

enum { KEY_ASCII = 256, KEY_SVG, KEY_DIRECTION, KEY_MAX_KL, KEY_COSINE };

static const struct argp_option OPTIONS[] = {
    {"all", 'a', NULL, 0,
     "every component, not only total and the terms that add up to it, and beside them the "
     "runs "
     "that are left out of the means",
     0},
    {"method", 'm', "NAME", 0, "only this method", 0},
    {"variant", 'V', "NAME", 0, "only this variant", 0},
    {"summary", 's', NULL, 0, "a line per method, variant and setting, and no more", 0},
    {"columns", 'c', "N", 0, "checkpoints shown as numbers (default 4, at most 64)", 0},
    {"cosine", KEY_COSINE, NULL, 0,
     "the cosine of v and each gradient beside G, at checkpoints where it was measured", 0},
    {"direction", KEY_DIRECTION, "NAME", 0,
     "G along v as D' was drawn (sampled), or with less noise (soft; the default where the "
     "file "
     "has it)",
     0},
    {"max-kl", KEY_MAX_KL, "NAT", 0,
     "a run whose KL to SFT is larger, or 10 times the median of its replicates (of three at "
     "least) and above 0.5, is over-optimised and left out of the means (default 5; inf: keep "
     "all)",
     0},
    {"ascii", KEY_ASCII, NULL, 0, "no UTF-8 (default where the locale has none)", 0},
    {"svg", KEY_SVG, "FILE", 0, "draw the traces into an SVG picture instead", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct show_args *a = state->input;
    char *end;
    switch (key) {
    case 'a':
        a->opts.all = 1;
        return 0;
    case 'm':
        a->opts.selection.method = arg;
        return 0;
    case 'V':
        a->opts.selection.variant = arg;
        return 0;
    case 's':
        a->opts.summary_only = 1;
        return 0;
    case 'c':
        a->opts.n_column = strtol(arg, &end, 10);
        if (*end || a->opts.n_column < 1) argp_error(state, "--columns %s: a count >= 1", arg);
        return 0;
    case KEY_DIRECTION:
        a->opts.selection.along = arg;
        return 0;
    case KEY_MAX_KL:
        a->opts.selection.max_kl = psw_cli_positive("--max-kl", arg, state);
        return 0;
    case KEY_COSINE:
        a->opts.cosine = 1;
        return 0;
    case KEY_ASCII:
        a->opts.ascii = 1;
        return 0;
    case KEY_SVG:
        a->svg = arg;
        return 0;
    default:
        if (key == ARGP_KEY_END && a->svg && a->opts.cosine)
            argp_error(state, "--cosine and --svg: the picture is of G");
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static psw_status show(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct show_args *a = ctx;
    const struct psw_picture_opts picture = {.all = a->opts.all,
                                             .selection = a->opts.selection};
    return a->svg ? psw_trace_svg(results, a->svg, &picture, err)
                  : psw_show(stdout, results, &a->opts, err);
}

int psw_cmd_show(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Print, per method, variant and swept setting, G of each component along "
               "training: over seeds its mean with its standard error, its median and range, "
               "how many differ from 0; where pos and neg cross; and what the runs came to."};
    struct show_args a = {.opts.ascii = psw_show_wants_ascii()};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("show", a.path, show, &a);
}
