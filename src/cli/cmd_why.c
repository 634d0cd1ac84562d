/* posweep why: one run. Its life comes from the journal where there is one, so also while the
 * sweep runs; its diagnosis from the results file. */
#include "cli_internal.h"
#include <posweep/analyze/progress.h>
#include <posweep/analyze/why.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <sysexits.h>

struct why_args {
    const char *path, *run;
    int has_journal;
    char hash[PSW_HASH_TEXT_BYTES];
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct why_args *a = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (a->path && a->run) argp_error(state, "'%s' is too much", arg);
        *(a->path ? &a->run : &a->path) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which results file?");
        if (!a->run) argp_error(state, "which run?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/** In a child: the bytes may be anybody's. */
static int tell(void *ctx)
{
    struct why_args *a = ctx;
    struct psw_error err = {0};
    struct psw_results *results = NULL;
    psw_status rc = psw_cli_open_results("why", a->path, &results, &err);
    if (results) rc = psw_why(stdout, results, a->run, !a->has_journal, &err);
    if (results && rc == PSW_OK) rc = psw_results_fault(results, &err);
    psw_results_close(results);
    if (rc == PSW_ENOENT && a->has_journal) { /* the sweep runs, or has just begun */
        printf("\n# diagnosis: the run is not in the results file yet\n");
        return EX_OK;
    }
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_why(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "FILE RUN",
        .doc =
            "Tell the life of one run (its attempts, where they ran, how they ended), its "
            "settings, and what is conspicuous in it. RUN is the first digits of its hash, as "
            "`posweep status` shows them of runs that run or failed and `posweep plan --all` "
            "of "
            "every run; or its label, such as \"dpo vanilla seed 1\", or a part of it that no "
            "other has.\vThe diagnosis goes through a table of rules: do both rewards fall, "
            "are "
            "the chosen responses displaced, do the two parts of the loss undo each other, is "
            "D' "
            "cut or collapsed, does the clip or the critic do anything, is G more than noise? "
            "Each that fires says so with its numbers and what one could try. It looks at one "
            "run: see whether its replicates say the same before you change anything."};
    char journal[PSW_PATH_BYTES];
    struct why_args a = {0};
    struct psw_error err = {0};
    uint64_t hash = 0;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    psw_status rc = psw_journal_path(a.path, journal, &err);
    if (rc != PSW_OK) return psw_cli_fail(&err);
    a.has_journal = psw_file_exists(journal) || !psw_file_exists(a.path);
    if (a.has_journal) {
        rc = psw_progress_why(stdout, a.path, a.run, &hash, &err);
        if (rc != PSW_OK) return psw_cli_fail(&err);
        a.run = psw_hash_text(hash, a.hash);
    }
    return psw_cli_guard(tell, &a, a.path);
}
