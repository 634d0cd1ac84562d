/* posweep status: how a sweep stands; from the journal, so also while the sweep runs elsewhere.
 */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <posweep/util/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

struct status_args {
    const char *path;
    double watch_s; /* 0: once */
    int is_json;
};

static const struct argp_option OPTIONS[] = {
    {"watch", 'w', "TIME", OPTION_ARG_OPTIONAL,
     "show it again and again, every 2 s or so often (5, 30s, 2m), until every run has ended, "
     "also from before the sweep begins; Ctrl-C ends it",
     0},
    {"json", 'j', NULL, 0,
     "one JSON object, with every run that runs, was interrupted or failed", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct status_args *a = state->input;
    switch (key) {
    case 'w':
        a->watch_s = 2;
        if (arg && !psw_clock_parse(arg, &a->watch_s))
            argp_error(state, "--watch: '%s' is no time > 0 such as 5, 30s or 2m", arg);
        return 0;
    case 'j':
        a->is_json = 1;
        return 0;
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse,
    .args_doc = "FILE",
    .doc =
        "Tell how the sweep that writes FILE stands: runs done, running and failed, and "
        "the time left. Reads FILE.journal, and of a sweep that several jobs share the "
        "journals "
        "of its parts; may be used while the sweep runs, from any machine that sees the file.\v"
        "The time left is the sweep's own forecast; behind it stands a range that holds eight "
        "times of ten: what is left is played through with the durations of runs of the same "
        "kind that are done.\n\n"
        "  posweep status demo.h5 --watch=10\n"
        "  posweep status demo.h5 --json | python3 -m json.tool"};

/** Rows and columns of the terminal on standard output; 0: it is none. */
static struct winsize window(void)
{
    struct winsize size = {0};
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        size = (struct winsize){0};
    return size;
}

/** Over what stands on the terminal, line by line, so that nothing flickers; what does not fit
 * is left out. */
static void redraw(const char *text, struct winsize size)
{
    int row = 1;
    fputs("\033[H", stdout);
    for (const char *at = text; *at && row < size.ws_row; row++) {
        const int n = (int)strcspn(at, "\n");
        printf("%.*s\033[K\n", n < size.ws_col ? n : size.ws_col, at);
        at += n + (at[n] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

static psw_status render(const struct status_args *a, char **text, struct psw_error *err)
{
    size_t n_bytes = 0;
    FILE *out = open_memstream(text, &n_bytes);
    if (!out) return psw_fail(err, PSW_ENOMEM, "status");
    const psw_status rc = a->is_json ? psw_progress_json(out, a->path, err)
                                     : psw_progress_show(out, a->path, err);
    if (fclose(out) == 0) return rc;
    return rc == PSW_OK ? psw_fail(err, PSW_ENOMEM, "status") : rc;
}

static int is_over(const char *path)
{
    struct psw_progress p;
    if (psw_progress_read(path, &p, NULL) != PSW_OK) return 0;
    int64_t n_over = 0;
    for (int o = 0; o < PSW_N_OUTCOME; o++)
        n_over += psw_outcome_is_end((enum psw_outcome)o) ? p.n_outcome[o] : 0;
    return p.n_run > 0 && n_over == p.n_run;
}

/** A job may wait in a queue for hours before there is anything to tell. */
static void await(const struct status_args *a)
{
    if (psw_progress_is_awaited(a->path))
        fprintf(stderr, "%s: no sweep with this output yet; waiting for it to begin\n",
                a->path);
    while (psw_progress_is_awaited(a->path)) psw_clock_sleep_s(a->watch_s);
}

static psw_status watch(const struct status_args *a, struct psw_error *err)
{
    await(a);
    if (window().ws_row > 0 && !a->is_json) fputs("\033[2J", stdout);
    for (;;) {
        char *text = NULL;
        const int was_over = is_over(a->path); /* looked at before, so that the end is shown */
        const psw_status rc = render(a, &text, err);
        const struct winsize size = window();
        if (rc == PSW_OK && size.ws_row > 0 && !a->is_json)
            redraw(text, size);
        else if (rc == PSW_OK)
            printf("%s%s", text, a->is_json ? "" : "\n");
        fflush(stdout);
        free(text);
        if (rc != PSW_OK || was_over) return rc;
        psw_clock_sleep_s(a->watch_s);
    }
}

int psw_cmd_status(int argc, char **argv)
{
    struct status_args a = {0};
    struct psw_error err = {0};
    char *text = NULL;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    psw_status rc = a.watch_s > 0 ? watch(&a, &err) : render(&a, &text, &err);
    if (rc == PSW_OK && text) fputs(text, stdout);
    free(text);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
