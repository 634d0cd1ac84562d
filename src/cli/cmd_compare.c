/* posweep compare: what differs across seeds, and how sure that is. */
#include "cli_internal.h"
#include <math.h>
#include <posweep/analyze/compare.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct compare_args {
    const char *path;
    const char *metric[PSW_COMPARE_METRICS];
    struct psw_compare_opts opts;
    enum { AS_TEXT, AS_CSV, AS_JSON } as;
    int is_trace, is_kept;
};

enum {
    KEY_CSV = 256,
    KEY_JSON,
    KEY_ALPHA,
    KEY_DIRECTION,
    KEY_MAX_KL,
    KEY_FAMILY,
    KEY_TRACE,
    KEY_WRITE,
    KEY_SEQUENTIAL
};

static const struct argp_option OPTIONS[] = {
    {"baseline", 'b', "VALUE", 0,
     "the variant that the others are held against, or the value of the setting of --by", 0},
    {"by", 'B', "SETTING", 0,
     "what is compared: variant (the default), method, policy.beta, ...", 0},
    {"metric", 'm', "NAME", 0,
     "a metric, such as score or Gv.pos:mean; repeatable, or several with commas between", 0},
    {"where", 'w', "EXPR", 0, "only these runs: method=dpo,policy.beta=0.1 (a comma is 'and')",
     0},
    {"alpha", KEY_ALPHA, "LEVEL", 0, "level of tests and intervals (default 0.05)", 0},
    {"family", KEY_FAMILY, "file|table|metric", 0,
     "what Holm's adjustment is over: the `families:` of the sweep file, whose metrics are "
     "then "
     "in the table (the default; without any, the table), the whole table, or the rows of a "
     "metric",
     0},
    {"direction", KEY_DIRECTION, "NAME", 0, "of traces: sampled or soft, as in show", 0},
    {"max-kl", KEY_MAX_KL, "NAT", 0,
     "runs with a larger KL to SFT are in no pair, as in show (default 5; inf: keep all)", 0},
    {"sequential", KEY_SEQUENTIAL, "BATCH,MAX", 0,
     "decide at looks every BATCH seeds up to MAX, which share alpha, so that seeds may be "
     "added "
     "until it is decided; keep plan, metrics and rows from the first look on",
     0},
    {"trace", KEY_TRACE, NULL, 0,
     "whole traces of G/|v|, too: where the simultaneous band of the difference excludes 0; "
     "with "
     "--csv the bands alone",
     0},
    {"write", KEY_WRITE, NULL, 0,
     "keep the table with every number in a file beside FILE, x.compare.h5 for x.h5 (posweep "
     "help "
     "comparison)",
     0},
    {"csv", KEY_CSV, NULL, 0, "as CSV, with every number", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON", 0},
    {0},
};

static double number(const char *arg, const char *option, double most, struct argp_state *state)
{
    char *end;
    const double x = strtod(arg, &end);
    if (end == arg || *end || !(x > 0) || !(x < most || isinf(most)))
        argp_error(state, "%s %s: a number > 0%s", option, arg, isinf(most) ? "" : " and < 1");
    return x;
}

/** Split at commas, in place. */
static void add_metrics(struct compare_args *a, char *arg, struct argp_state *state)
{
    for (char *at = arg; at;) {
        char *comma = strchr(at, ',');
        if (comma) *comma = 0;
        if (a->opts.n_metric == PSW_COMPARE_METRICS)
            argp_error(state, "more than %d metrics", PSW_COMPARE_METRICS);
        a->metric[a->opts.n_metric++] = at;
        at = comma ? comma + 1 : NULL;
    }
}

/** "6,18": looks at 6, 12 and 18 seeds. */
static void parse_plan(struct compare_args *a, const char *arg, struct argp_state *state)
{
    char *end, *last;
    a->opts.batch = strtol(arg, &end, 10);
    a->opts.max = *end == ',' ? strtol(end + 1, &last, 10) : 0;
    if (*end != ',' || *last || a->opts.batch < 1 || a->opts.max < a->opts.batch)
        argp_error(state, "--sequential %s: two counts such as 6,18, the first not larger",
                   arg);
}

static error_t parse_what(int key, char *arg, struct argp_state *state)
{
    struct compare_args *a = state->input;
    switch (key) {
    case 'b':
        a->opts.pairing.baseline = arg;
        return 0;
    case 'B':
        a->opts.pairing.by = arg;
        return 0;
    case 'm':
        add_metrics(a, arg, state);
        return 0;
    case 'w':
        a->opts.pairing.where = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->opts.pairing.baseline)
            argp_error(state, "--baseline: what are the others held against?");
        if (a->is_trace && a->as == AS_JSON)
            argp_error(state, "--trace and --json: traces come as text or as CSV");
        return psw_cli_one_file(key, arg, state, &a->path);
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static enum psw_compare_family family(const char *arg, struct argp_state *state)
{
    static const char *const WORDS[] = {[PSW_FAMILY_TABLE] = "table",
                                        [PSW_FAMILY_METRIC] = "metric",
                                        [PSW_FAMILY_FILE] = "file"};
    for (int i = 0; i <= PSW_FAMILY_FILE; i++)
        if (strcmp(arg, WORDS[i]) == 0) return (enum psw_compare_family)i;
    argp_error(state, "--family %s: file, table or metric", arg);
    return PSW_FAMILY_TABLE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct compare_args *a = state->input;
    switch (key) {
    case KEY_ALPHA:
        a->opts.alpha = number(arg, "--alpha", 1, state);
        return 0;
    case KEY_MAX_KL:
        a->opts.max_kl = number(arg, "--max-kl", INFINITY, state);
        return 0;
    case KEY_FAMILY:
        a->opts.family = family(arg, state);
        return 0;
    case KEY_DIRECTION:
        a->opts.along = arg;
        return 0;
    case KEY_CSV:
        a->as = AS_CSV;
        return 0;
    case KEY_JSON:
        a->as = AS_JSON;
        return 0;
    case KEY_SEQUENTIAL:
        parse_plan(a, arg, state);
        return 0;
    case KEY_TRACE:
        a->is_trace = 1;
        return 0;
    case KEY_WRITE:
        a->is_kept = 1;
        return 0;
    default:
        return parse_what(key, arg, state);
    }
}

static psw_status print(const struct compare_args *a, struct psw_results *results,
                        const struct psw_comparison *c, struct psw_error *err)
{
    psw_status rc;
    if (a->as == AS_JSON) return psw_compare_json(stdout, c, err);
    if (a->as == AS_CSV)
        return a->is_trace ? psw_compare_traces_csv(stdout, results, c, err)
                           : psw_compare_csv(stdout, c, err);
    rc = psw_compare_text(stdout, c, err);
    return rc == PSW_OK && a->is_trace ? psw_compare_traces_text(stdout, results, c, err) : rc;
}

/** demo.h5 -> demo.compare.h5, beside it. */
static psw_status keep(const struct compare_args *a, struct psw_results *results,
                       const struct psw_comparison *c, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const size_t n = strlen(a->path);
    const char *slash = strrchr(a->path, '/');
    psw_status rc =
        psw_path(path, sizeof path, err, "%.*s.compare.h5",
                 (int)(n > 3 && strcmp(a->path + n - 3, ".h5") == 0 ? n - 3 : n), a->path);
    if (rc == PSW_OK)
        rc = psw_compare_write(path, slash ? slash + 1 : a->path, results, c, err);
    if (rc == PSW_OK && a->as == AS_TEXT)
        printf("\nAll numbers are in %s (posweep help comparison lists them)\n", path);
    return rc;
}

static psw_status compare(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct compare_args *a = ctx;
    struct psw_comparison c = {0};
    psw_status rc = psw_compare(results, &a->opts, &c, err);
    if (rc == PSW_OK) rc = print(a, results, &c, err);
    if (rc == PSW_OK && a->is_kept) rc = keep(a, results, &c, err);
    psw_comparison_clear(&c);
    return rc;
}

/** The text behind the options: what a metric is. */
static char *help_filter(int key, const char *text, void *input)
{
    char *out = NULL;
    size_t n_bytes = 0;
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC) return (char *)(uintptr_t)text;
    FILE *f = open_memstream(&out, &n_bytes);
    if (!f) return NULL;
    psw_metric_help(f);
    fputs("\n  posweep compare demo.h5 --baseline vanilla --where method=dpo\n"
          "  posweep compare x.h5 --by policy.beta --baseline 0.1 -m score,crossing --csv\n",
          f);
    fclose(f);
    return out; /* argp frees it */
}

int psw_cmd_compare(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE --baseline VALUE",
        .doc =
            "Compare variants (or methods, or values of a swept setting) with a baseline: runs "
            "that agree in everything else are paired by seed, and their differences tested "
            "by the exact sign-flip test, with the interval that inverts it, Holm's "
            "adjustment, and what so many seeds could have shown. Where a rule `stop:` ended "
            "runs "
            "of either side early, no test is made: the seeds that are left were chosen by "
            "their value. The runs that were stopped are counted.\v.",
        .help_filter = help_filter};
    struct compare_args a = {.as = AS_TEXT};
    a.opts.metric = a.metric;
    a.opts.family = PSW_FAMILY_FILE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("compare", a.path, compare, &a);
}
