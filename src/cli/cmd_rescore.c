/* posweep rescore: G of another objective from the token tables of a sweep. */
#include "cli_internal.h"
#include <posweep/analyze/rescore.h>
#include <stdio.h>
#include <sysexits.h>

struct rescore_args {
    const char *path;
    struct psw_rescore_opts opts;
    enum { AS_TEXT, AS_CSV, AS_JSON } as;
};

enum { KEY_CSV = 256, KEY_JSON, KEY_MAX_KL };

static const struct argp_option OPTIONS[] = {
    {"objective", 'O', "KEY[,k=v...]", 0,
     "what to weigh the tokens by: simpo, or simpo,beta=2,gamma=0.5; options that are not "
     "given "
     "are the run's own settings",
     0},
    {"where", 'w', "EXPR", 0, "only these runs: method=dpo,policy.beta=0.1 (a comma is 'and')",
     0},
    {"max-kl", KEY_MAX_KL, "NAT", 0,
     "runs with a larger KL to SFT are in no mean, as in show (default 5; inf: keep all)", 0},
    {"csv", KEY_CSV, NULL, 0, "every run, checkpoint and component, as CSV", 0},
    {"json", KEY_JSON, NULL, 0, "the same, an object per line", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct rescore_args *a = state->input;
    switch (key) {
    case 'O':
        a->opts.objective = arg;
        return 0;
    case 'w':
        a->opts.where = arg;
        return 0;
    case KEY_MAX_KL:
        a->opts.max_kl = psw_cli_positive("--max-kl", arg, state);
        return 0;
    case KEY_CSV:
        a->as = AS_CSV;
        return 0;
    case KEY_JSON:
        a->as = AS_JSON;
        return 0;
    case ARGP_KEY_END:
        if (!a->opts.objective)
            argp_error(state, "--objective: which one? `posweep help methods` has them");
        return psw_cli_one_file(key, arg, state, &a->path);
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static psw_status rescore(struct psw_results *results, void *ctx, struct psw_error *err)
{
    static psw_status (*const WRITE[])(FILE *, struct psw_results *, const struct psw_rescore *,
                                       struct psw_error *) = {
        [AS_TEXT] = psw_rescore_text, [AS_CSV] = psw_rescore_csv, [AS_JSON] = psw_rescore_json};
    const struct rescore_args *a = ctx;
    struct psw_rescore r = {0};
    psw_status rc = psw_rescore(results, &a->opts, &r, err);
    if (rc == PSW_OK) rc = WRITE[a->as](stdout, results, &r, err);
    psw_rescore_clear(&r);
    return rc;
}

int psw_cmd_rescore(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE --objective KEY[,k=v...]",
        .doc =
            "G of any objective, also of one that was never trained, from the token tables of "
            "a sweep with `trace: {tokens: on}`: kappa and log pi of every token of the probe "
            "are in the file, so the weights of the objective are all that is to be computed."
            "\vIt answers what a step of that objective would do for the final responses of "
            "this run, at the parameters that this run went through. It does not say what a "
            "run trained by it would have come to: parameters and v, which belongs to what "
            "the run says in the end, stay those of this run. So of a run of dpo and one of "
            "simpo that start from the same SFT model, checkpoint 0 has the same parameters, "
            "the same pairs and the same weights, but each has its own v; weights agree, G "
            "does not.\n\n"
            "The reference of pairs is checkpoint 0. By the run's own objective the stored G "
            "comes out again, up to the rounding of the reference's log-probabilities "
            "(G_trained of --csv). Runs that sample have advantages rather than pairs: ppo "
            "can be weighed by ppo, grpo and dapo by both, without the component raw.\n\n"
            "  posweep rescore x.h5 --objective ipo --where method=dpo\n"
            "  posweep rescore x.h5 -O simpo,beta=2,gamma=1 --csv > simpo.csv"};
    struct rescore_args a = {.as = AS_TEXT};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("rescore", a.path, rescore, &a);
}
