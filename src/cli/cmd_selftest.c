/* posweep selftest: do the identities that G rests on hold on this machine and build? */
#include "cli_internal.h"
#include <posweep/kernels/backend.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/selftest.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct selftest_args {
    struct psw_selftest_opts opts;
    int n_thread;
};

static const struct argp_option OPTIONS[] = {
    {"seed", 's', "N", 0, "of weights and batch (default 1)", 0},
    {"backend", 'b', "NAME", 0, "cpu (default) or reference", 0},
    {"threads", 't', "N", 0, "BLAS threads (default 1)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct selftest_args *a = state->input;
    char *end = NULL;
    switch (key) {
    case 'b':
        a->opts.backend = psw_backend_find(arg);
        if (!a->opts.backend)
            argp_error(state, "no backend '%s': there are cpu and reference", arg);
        return 0;
    case 's':
        a->opts.seed = strtoull(arg, &end, 10);
        break;
    case 't':
        a->n_thread = (int)strtol(arg, &end, 10);
        break;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is too much", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    if (*end || end == arg || a->n_thread < 1) argp_error(state, "'%s': expected a count", arg);
    return 0;
}

static void report(void *ctx, const struct psw_selftest_row *row)
{
    (void)ctx;
    printf("%-4s  %-54s %9.2e <= %7.1e\n", row->is_ok ? "ok" : "BAD", row->name, row->error,
           row->tolerance);
}

int psw_cmd_selftest(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .doc = "Compare, on a small random model of every family, the tangent pass with "
               "explicit gradients and "
               "both with finite differences, and check what must be equal by algebra.\vRun it "
               "after building on a new machine, against another BLAS or for another backend. "
               "Exit status 70 if "
               "something does not hold: then no G of this build may be trusted."};
    struct selftest_args a = {.opts = {.seed = 1, .report = report}, .n_thread = 1};
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    psw_blas_pin(a.n_thread);
    char blas[PSW_LIBRARY_TEXT_BYTES];
    printf("# %s\n", psw_cli_blas_text(blas));
    psw_cli_warn_blas();
    int exit = EX_OK;
    for (enum psw_family family = 0; family < PSW_N_FAMILY; family++) {
        printf("%s:\n", psw_family_row(family)->name);
        a.opts.dims = psw_selftest_dims(family);
        if (psw_selftest(&a.opts, &err) != PSW_OK) exit = psw_cli_fail(&err);
    }
    return exit;
}
