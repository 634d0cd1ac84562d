/* posweep status: how a sweep stands; from the journal, so also while the sweep runs elsewhere.
 */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <stdio.h>
#include <sysexits.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **path = state->input;
    if (key == ARGP_KEY_END && !*path) argp_error(state, "which results file?");
    if (key == ARGP_KEY_END) return 0;
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    if (*path) argp_error(state, "'%s' is too much", arg);
    *path = arg;
    return 0;
}

int psw_cmd_status(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "FILE",
        .doc = "Tell how the sweep that writes FILE stands: runs done, running and failed, and "
               "the time left. Reads FILE.journal; may be used while the sweep runs, from any "
               "machine that sees the file."};
    const char *path = NULL;
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &path)) return EX_USAGE;
    return psw_progress_show(stdout, path, &err) == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
