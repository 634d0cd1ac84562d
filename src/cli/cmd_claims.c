/* posweep claims: what a file says of the claims of the paper. */
#include "cli_internal.h"
#include <posweep/analyze/claims.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct claims_args {
    const char *path;
    int number, is_json;
    double alpha;
};

enum { KEY_ALPHA = 256, KEY_JSON };

static const struct argp_option OPTIONS[] = {
    {"claim", 'c', "N", 0,
     "only claim N: to be chosen before the results are seen, since fewer claims need fewer "
     "seeds",
     0},
    {"alpha", KEY_ALPHA, "LEVEL", 0, "level of the verdicts and intervals (default 0.05)", 0},
    {"json", KEY_JSON, NULL, 0, "as JSON, with every number", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct claims_args *a = state->input;
    char *end = NULL;
    switch (key) {
    case 'c':
        a->number = (int)psw_cli_count("claim", arg, state);
        return 0;
    case KEY_ALPHA:
        a->alpha = strtod(arg, &end);
        if (end == arg || *end || !(a->alpha > 0 && a->alpha < 1))
            argp_error(state, "--alpha %s: a number between 0 and 1", arg);
        return 0;
    case KEY_JSON:
        a->is_json = 1;
        return 0;
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static psw_status ask(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct claims_args *a = ctx;
    struct psw_claim claim[PSW_MAX_CLAIMS];
    int n = 0;
    psw_status rc = psw_claims_ask(results, a->number, a->alpha, claim, &n, err);
    if (rc == PSW_OK) rc = psw_results_fault(results, err);
    if (rc != PSW_OK) return rc;
    return a->is_json ? psw_claims_json(stdout, claim, n, err)
                      : psw_claims_text(stdout, claim, n, err);
}

int psw_cmd_claims(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Ask a results file the seven claims of \"What Is Preference Optimization Doing\" "
            "(arXiv 2512.00778): each as numbers that it says are above 0, tested across "
            "seeds, "
            "with its controls beside it, and a verdict: supported, contradicted, undecided "
            "(and how many seeds could decide it), or what the file lacks."
            "\vThe tests are exact sign-flip tests of one value per seed; several settings of "
            "a "
            "method count as their mean. A claim of several numbers is supported if all are "
            "above 0, contradicted if one is below. Verdicts are adjusted (Holm) for the "
            "claims "
            "that the file can be asked, so with 6 seeds none can be decided among ten, with 9 "
            "it can. Controls decide nothing. A claim that fails on your task is a result: "
            "small "
            "models on small tasks need not do what the paper's did.\n\n"
            "  posweep claims paper.h5\n"
            "  posweep claims paper.h5 --claim 2"};
    struct claims_args a = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("claims", a.path, ask, &a);
}
