/* posweep check: does a results file hold what the schema promises? */
#include "cli_internal.h"
#include <posweep/store/results.h>
#include <stdio.h>
#include <sysexits.h>

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key == ARGP_KEY_NO_ARGS) argp_error(state, "which results file?");
    return ARGP_ERR_UNKNOWN;
}

/** In a child: the bytes may be anybody's. */
static int check_file(void *ctx)
{
    const char *path = ctx;
    struct psw_error err = {0};
    int64_t n_violation = 0;
    const psw_status rc = psw_results_check(path, stdout, &n_violation, &err);
    if (rc != PSW_OK) return psw_cli_fail(&err);
    if (n_violation == 0) {
        printf("%s: good\n", path);
        return EX_OK;
    }
    printf("%s: %lld violations\n", path, (long long)n_violation);
    return EX_DATAERR;
}

int psw_cmd_check(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "FILE...",
        .doc = "Check results files against the schema: names, types, shapes, attributes, "
               "labels, ranges, finite values where a run is done, that the components add "
               "up, and that all bytes and values are those that posweep wrote.\vFiles are "
               "read in "
               "a process of their own with limits of memory and time, whoever wrote them. "
               "Every violation is one line; the exit status is 65 if there is any, "
               "and that of the first bad file if there are several."};
    int first = 0, status = EX_OK;
    if (argp_parse(&ARGP, argc, argv, 0, &first, NULL)) return EX_USAGE;
    for (int i = first; i < argc; i++) {
        const int one = psw_cli_guard(check_file, argv[i], argv[i]);
        if (status == EX_OK) status = one;
    }
    return status;
}
