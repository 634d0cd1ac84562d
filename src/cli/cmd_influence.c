/* posweep influence: which pairs, prompts and tokens G is made of. */
#include "cli_internal.h"
#include <posweep/analyze/influence.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

struct influence_args {
    const char *path;
    struct psw_influence_opts opts;
    enum { AS_TEXT, AS_CSV, AS_JSON } as;
};

enum { KEY_CSV = 256, KEY_JSON };

static const struct argp_option OPTIONS[] = {
    {"component", 'c', "NAME", 0, "of which part of the loss (default total)", 0},
    {"checkpoint", 'k', "N", 0,
     "at which one, from 0 (default: where |G|/|v| is largest, but for the last)", 0},
    {"top", 'n', "N", 0, "rows of each table (default 5)", 0},
    {"csv", KEY_CSV, NULL, 0, "every token, as CSV", 0},
    {"json", KEY_JSON, NULL, 0, "every token, an object per line", 0},
    {0},
};

static int64_t place(const char *arg, struct argp_state *state)
{
    char *end;
    const long long n = strtoll(arg, &end, 10);
    if (end == arg || *end || n < 0) argp_error(state, "--checkpoint %s: a count from 0", arg);
    return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct influence_args *a = state->input;
    switch (key) {
    case 'c':
        a->opts.component = arg;
        return 0;
    case 'k':
        a->opts.checkpoint = place(arg, state);
        return 0;
    case 'n':
        a->opts.n_top = psw_cli_count("--top", arg, state);
        return 0;
    case KEY_CSV:
        a->as = AS_CSV;
        return 0;
    case KEY_JSON:
        a->as = AS_JSON;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path && a->opts.run) argp_error(state, "'%s' is too much", arg);
        *(a->path ? &a->opts.run : &a->path) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which results file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static psw_status influence(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct influence_args *a = ctx;
    struct psw_influence f;
    psw_status rc = psw_influence_init(results, &a->opts, &f, err);
    if (rc != PSW_OK) return rc;
    if (a->as == AS_TEXT)
        rc = psw_influence_show(stdout, &f, a->opts.n_top, err);
    else
        rc = a->as == AS_CSV ? psw_influence_csv(stdout, &f, err)
                             : psw_influence_json(stdout, &f, err);
    psw_influence_clear(&f);
    return rc;
}

int psw_cmd_influence(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE [RUN]",
        .doc =
            "What G of one checkpoint is made of: the pairs (or prompts with their samples) "
            "and "
            "the tokens that contribute most, with their text, from the token tables of a "
            "sweep with `trace: {tokens: on}`. RUN is a run's name or the first digits of its "
            "hash, as for `posweep why`; without it, the first that has tokens."
            "\vThe contribution of a token is its weight in the component times kappa, minus "
            "the derivative of its log-probability along v. All of them add up to G. A large "
            "one says that learning on this token moves the model towards (above 0) or away "
            "from (below) what it says in the end; of rejected responses and of negative "
            "advantages that is learning to make the token rarer.\n\n"
            "  posweep influence x.h5 'dpo vanilla seed 1' --component neg --top 10\n"
            "  posweep influence x.h5 --checkpoint 3 --json | jq .text"};
    struct influence_args a = {.opts = {.checkpoint = -1, .n_top = 5}};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("influence", a.path, influence, &a);
}
