/* posweep status and posweep why: how a sweep, and one run of it, stand; from the journal, so
 * also while the sweep runs elsewhere. */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <stdio.h>
#include <sysexits.h>

struct words {
    const char *word[2];
    int n, n_wanted;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct words *w = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (w->n == w->n_wanted) argp_error(state, "'%s' is too much", arg);
        w->word[w->n++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (w->n < w->n_wanted)
            argp_error(state, w->n == 0 ? "which results file?" : "which run?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int psw_cmd_status(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Tell how the sweep that writes FILE stands: runs done, running and failed, and "
               "the time left. Reads FILE.journal; may be used while the sweep runs, from any "
               "machine that sees the file."};
    struct words w = {.n_wanted = 1};
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &w)) return EX_USAGE;
    return psw_progress_show(stdout, w.word[0], &err) == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_why(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "FILE RUN",
        .doc =
            "Tell the life of one run: its attempts, where they ran, how they ended, and its "
            "settings. RUN is the first digits of its hash, as `posweep status` shows them of "
            "runs "
            "that run or failed and `posweep plan --all` of every run; or its label, such as "
            "\"dpo "
            "vanilla seed 1\", or a part of it that no other has."};
    struct words w = {.n_wanted = 2};
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &w)) return EX_USAGE;
    return psw_progress_why(stdout, w.word[0], w.word[1], &err) == PSW_OK ? EX_OK
                                                                          : psw_cli_fail(&err);
}
