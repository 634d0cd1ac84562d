/* posweep report: a results file as one page of HTML. */
#include "cli_internal.h"
#include <errno.h>
#include <posweep/analyze/page.h>
#include <posweep/store/schema.h>
#include <posweep/util/file.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

struct report_args {
    const char *out, *figures;
    struct psw_page_opts opts;
};

enum { KEY_MAX_KL = 256, KEY_FIGURES, KEY_SPECTRUM };

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0, "the page (default: the results file's name with .html)", 0},
    {"baseline", 'b', "VALUE", 0,
     "the variant that the others are held against (default vanilla), or the value of the "
     "setting of --by",
     0},
    {"by", 'B', "SETTING", 0,
     "what is compared: variant (the default), method, policy.beta, ...", 0},
    {"method", 'm', "NAME", 0, "only this method", 0},
    {"variant", 'V', "NAME", 0, "only this variant", 0},
    {"spectrum", KEY_SPECTRUM, "FILE", 0,
     "what `posweep spectrum` wrote of the same results (default: FILE.spectrum.h5 beside "
     "them, "
     "if it is there)",
     0},
    {"figures", KEY_FIGURES, "DIR", 0,
     "also the figures, each as SVG and, where rsvg-convert is, as PDF, for a paper", 0},
    {"max-kl", KEY_MAX_KL, "NAT", 0, "as in `posweep show` (default 5; inf: keep all)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct report_args *a = state->input;
    switch (key) {
    case 'o':
        a->out = psw_cli_path("--output", arg, state);
        return 0;
    case 'b':
        a->opts.baseline = arg;
        return 0;
    case 'B':
        a->opts.by = arg;
        return 0;
    case 'm':
        a->opts.selection.method = arg;
        return 0;
    case 'V':
        a->opts.selection.variant = arg;
        return 0;
    case KEY_SPECTRUM:
        a->opts.spectrum = psw_cli_path("--spectrum", arg, state);
        return 0;
    case KEY_FIGURES:
        a->figures = psw_cli_path("--figures", arg, state);
        return 0;
    case KEY_MAX_KL:
        a->opts.selection.max_kl = psw_cli_positive("--max-kl", arg, state);
        return 0;
    default:
        return psw_cli_one_file(key, arg, state, &a->opts.path);
    }
}

/** demo.h5 -> demo.html, demo.spectrum.h5, beside it. */
static psw_status beside(const char *path, const char *ending, char out[PSW_PATH_BYTES],
                         struct psw_error *err)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);
    return psw_path(out, PSW_PATH_BYTES, err, "%.*s%s", (int)n, path, ending);
}

/** Whether a file that lies beside the results is what its name says; if not, that is said. */
static int is_spectrum(const char *path)
{
    struct psw_error err = {0};
    struct psw_results *results = NULL;
    const psw_status rc = psw_results_open_kind(path, PSW_SCHEMA_SPECTRUM, &results, &err);
    psw_results_close(results);
    if (rc != PSW_OK) fprintf(stderr, "posweep: left out: %s\n", err.text);
    return rc == PSW_OK;
}

static psw_status report(struct psw_results *results, void *ctx, struct psw_error *err)
{
    struct report_args *a = ctx;
    char out[PSW_PATH_BYTES], spectrum[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    PSW_TRY(beside(a->opts.path, ".html", out, err));
    PSW_TRY(beside(a->opts.path, ".spectrum.h5", spectrum, err));
    if (!a->opts.spectrum && psw_file_exists(spectrum) && is_spectrum(spectrum))
        a->opts.spectrum = spectrum;
    PSW_TRY(psw_page_write(results, a->out ? a->out : out, &a->opts, err));
    if (a->figures) PSW_TRY(psw_page_figures(results, a->figures, &a->opts, err));
    printf("%s\n", a->out ? a->out : out);
fail:
    return rc;
}

/** Run rsvg-convert on one picture; whether it is there and worked. */
static int convert(const char *svg, const char *pdf)
{
    const char *const argv[] = {"rsvg-convert", "-f", "pdf", "-o", pdf, svg, NULL};
    pid_t child;
    int status = -1;
    if (posix_spawnp(&child, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
        return 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/** The pictures of the folder as PDF, or how to make them. */
static void make_pdfs(const char *folder)
{
    int n_svg = 0, n_pdf = 0;
    for (int i = 0; psw_page_figure_name(i); i++) {
        char svg[PSW_PATH_BYTES], pdf[PSW_PATH_BYTES];
        const char *name = psw_page_figure_name(i);
        if (psw_path(svg, sizeof svg, NULL, "%s/%s.svg", folder, name) != PSW_OK ||
            psw_path(pdf, sizeof pdf, NULL, "%s/%s.pdf", folder, name) != PSW_OK ||
            !psw_file_exists(svg))
            continue;
        n_svg++;
        n_pdf += convert(svg, pdf);
    }
    printf("%s: %d figures as SVG, %d as PDF\n", folder, n_svg, n_pdf);
    if (n_pdf < n_svg)
        fprintf(
            stderr,
            "posweep: no PDF without rsvg-convert (Debian: librsvg2-bin); then: rsvg-convert "
            "-f pdf -o traces.pdf %s/traces.svg\n",
            folder);
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
    const int status = psw_cli_read("report", a.opts.path, report, &a);
    if (status == EX_OK && a.figures) make_pdfs(a.figures);
    return status;
}
