/* posweep prune: runs go out of a sweep, files out of its work folder. */
#include "cli_internal.h"
#include <posweep/sweep/prune.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { MAX_NAMES = 1024, MAX_LISTED = 20 };

struct prune_args {
    struct psw_prune_opts opts;
    const char *name[MAX_NAMES];
    int is_sure;
};

enum { KEY_FAILED = 1000, KEY_DIVERGED, KEY_UNASKED, KEY_WORK, KEY_WORK_DIR, KEY_YES };

static const struct argp_option OPTIONS[] = {
    {"where", 'w', "EXPR", 0, "these runs: method=dpo,policy.beta=0.1 (a comma is 'and')", 0},
    {"failed", KEY_FAILED, NULL, 0, "runs that failed or timed out (with --where: of those)",
     0},
    {"diverged", KEY_DIVERGED, NULL, 0, "runs that diverged, likewise", 0},
    {"unasked", KEY_UNASKED, NULL, 0,
     "finished runs that the sweep file does not ask for any more", 0},
    {"work", KEY_WORK, NULL, 0,
     "their files in the work folder, too: checkpoints, kept models and trainings; without a "
     "run or a condition, all stages and kept trainings of the folder and nothing else",
     0},
    {"work-dir", KEY_WORK_DIR, "DIR", 0, "the work folder (default: FILE.work)", 0},
    {"yes", KEY_YES, NULL, 0, "do it; without this it is only shown", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct prune_args *a = state->input;
    switch (key) {
    case 'w':
        a->opts.where = arg;
        return 0;
    case KEY_FAILED:
        a->opts.outcomes |= 1u << PSW_OUTCOME_FAILED | 1u << PSW_OUTCOME_TIMEOUT;
        return 0;
    case KEY_DIVERGED:
        a->opts.outcomes |= 1u << PSW_OUTCOME_DIVERGED;
        return 0;
    case KEY_UNASKED:
        a->opts.is_all_unasked = 1;
        return 0;
    case KEY_WORK:
        a->opts.has_work = 1;
        return 0;
    case KEY_WORK_DIR:
        a->opts.work_dir = psw_cli_path("--work-dir", arg, state);
        return 0;
    case KEY_YES:
        a->is_sure = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->opts.n_name == MAX_NAMES) argp_error(state, "more than %d runs", MAX_NAMES);
        if (a->opts.path)
            a->name[a->opts.n_name++] = arg;
        else
            a->opts.path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->opts.path) argp_error(state, "which results file?");
        if (!a->opts.n_name && !a->opts.where && !a->opts.outcomes && !a->opts.is_all_unasked &&
            !a->opts.has_work)
            argp_error(state, "what is to go? Give runs, --where, --failed, --diverged, "
                              "--unasked or --work");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child CHILDREN[] = {{&psw_cli_log_argp, 0, NULL, 0}, {0}};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse,
    .children = CHILDREN,
    .args_doc = "FILE [RUN...]",
    .doc =
        "Take runs out of a sweep: out of FILE.journal and FILE. Shows what would go; does it "
        "with --yes.\v"
        "What the sweep file still asks for is computed again by the next `posweep run`: so "
        "--failed is a way to have another try at failed runs with a clean record. To be rid "
        "of "
        "runs for good, take them out of the sweep file as well.\n\n"
        "The journal is replaced in one step; until FILE is written, too, the old one is "
        "FILE.journal.bak.\n\n"
        "  posweep prune demo.h5 --failed\n"
        "  posweep prune demo.h5 --where variant=flat,policy.beta=0.1 --work --yes\n"
        "  posweep prune demo.h5 --work --yes"};

static void show(const struct prune_args *a, const struct psw_prune_list *list)
{
    for (int64_t i = 0; i < list->n && i < MAX_LISTED; i++) {
        char hash[PSW_HASH_TEXT_BYTES];
        printf("  %.8s  %s: %s\n", psw_hash_text(list->run[i].hash, hash), list->run[i].label,
               psw_outcome_name(list->run[i].outcome));
    }
    if (list->n > MAX_LISTED)
        printf("  ... and %lld more\n", (long long)(list->n - MAX_LISTED));
    if (list->is_whole_work)
        printf("  all stages in %s, kept trainings, too: unfinished and longer runs will begin "
               "anew\n",
               list->work_dir);
    else if (a->opts.has_work && list->n > 0)
        printf("  their checkpoints, kept models and trainings in %s\n", list->work_dir);
}

int psw_cmd_prune(int argc, char **argv)
{
    struct prune_args *a = calloc(1, sizeof *a);
    struct psw_prune_list list = {0};
    struct psw_error err = {0};
    psw_log_setup(PSW_LOG_NOTE, "");
    if (!a) return EX_OSERR;
    a->opts.name = a->name;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, a) != 0) {
        free(a);
        return EX_USAGE;
    }
    psw_status rc = psw_prune_find(&a->opts, &list, &err);
    const int is_any = rc == PSW_OK && (list.n > 0 || list.is_whole_work);
    if (is_any) {
        printf(a->is_sure ? "going out of %s:\n" : "would go out of %s:\n", a->opts.path);
        show(a, &list);
        if (a->is_sure)
            rc = psw_prune_apply(&a->opts, &list, &err);
        else
            printf("nothing was done: give --yes to do it\n");
    } else if (rc == PSW_OK) {
        printf("%s: nothing to take out\n", a->opts.path);
    }
    psw_prune_list_clear(&list);
    free(a);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
