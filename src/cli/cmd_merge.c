/* posweep merge: several sweeps become one. */
#include "cli_internal.h"
#include <posweep/sweep/sweep_merge.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

enum { MAX_FILES = 4096, MAX_SETS = 256 };

struct merge_args {
    struct psw_sweep_merge_opts opts;
    const char *path[MAX_FILES];
    const char *set[MAX_SETS];
};

enum { KEY_SWEEP = 1000, KEY_ACCEPT_DATA, KEY_ACCEPT_CPU };

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0, "results file of all of it; its journal comes beside it", 0},
    {"sweep", KEY_SWEEP, "SWEEP.yaml", 0,
     "the sweep file that asks for all of it: its runs in its order (default: what the files "
     "were "
     "asked for, one after the other)",
     0},
    {"set", 's', "KEY=VALUE", 0, "change a setting of `base` of that sweep file; repeatable",
     0},
    {"accept-changed-data", KEY_ACCEPT_DATA, NULL, 0,
     "merge though a data file had another content; data_hash tells which run had which", 0},
    {"accept-changed-cpu", KEY_ACCEPT_CPU, NULL, 0,
     "merge though another CPU type, BLAS, number of its threads or backend was used", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct merge_args *a = state->input;
    switch (key) {
    case 'o':
        a->opts.out_path = psw_cli_path("--output", arg, state);
        return 0;
    case KEY_SWEEP:
        a->opts.sweep_path = psw_cli_path("--sweep", arg, state);
        return 0;
    case 's':
        if (a->opts.n_sets == MAX_SETS) argp_error(state, "more than %d --set", MAX_SETS);
        a->set[a->opts.n_sets++] = arg;
        return 0;
    case KEY_ACCEPT_DATA:
        a->opts.accept_changed.data = 1;
        return 0;
    case KEY_ACCEPT_CPU:
        a->opts.accept_changed.cpu = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->opts.n_path == MAX_FILES) argp_error(state, "more than %d files", MAX_FILES);
        a->path[a->opts.n_path++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->opts.n_path) argp_error(state, "which results files?");
        if (!a->opts.out_path) argp_error(state, "where to? Give -o FILE");
        if (a->opts.n_sets && !a->opts.sweep_path)
            argp_error(state, "--set changes the sweep file of --sweep, which is not given");
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
    .args_doc = "FILE...",
    .doc =
        "Join sweeps: the journals beside the results files become one journal, and that a "
        "results "
        "file, as if one start had computed all of it.\v"
        "Of a run that is in several files the one that got furthest counts: done before "
        "failed "
        "before unfinished. A run that is done in two must be the same in both, bit for bit, "
        "but "
        "for times and hosts; else nothing is written and both are named. Sessions (who "
        "computed "
        "what, where, with which build) of all files are kept, in /provenance/sessions. A run "
        "that was stopped early (`stop`) in one file and is done in another is done, if what "
        "was "
        "logged until it was stopped is the same. Where runs were stopped and are done in "
        "none, "
        "the files must have one rule, or --sweep a file with that rule, or with none: then "
        "the "
        "next start finishes them.\n\n"
        "What comes out is a sweep like any other: it can be compared, reported, merged again, "
        "and "
        "continued with `posweep run`, by a sweep file that asks for the runs of all: one of "
        "several documents where no other does,\n"
        "  (cat a.yaml; echo ---; cat b.yaml) >both.yaml\n\n"
        "Merging into one of the files (-o A.h5 with A.h5 among them) adds the others to it. "
        "Work "
        "folders are not touched: models that are kept (limits.keep) stay where they are.\n\n"
        "  posweep merge seeds-1-3.h5 seeds-4-6.h5 -o all.h5\n"
        "  posweep merge part-*.h5 -o all.h5 --sweep sweeps/paper.yaml"};

int psw_cmd_merge(int argc, char **argv)
{
    struct merge_args *args = calloc(1, sizeof *args);
    struct psw_sweep_merge_summary s = {0};
    struct psw_error err = {0};
    psw_log_setup(PSW_LOG_NOTE, "");
    if (!args) return EX_OSERR;
    args->opts.path = args->path;
    args->opts.sets = args->set;
    const int is_bad = argp_parse(&ARGP, argc, argv, 0, NULL, args) != 0;
    const psw_status rc = is_bad ? PSW_EINVAL : psw_sweep_merge(&args->opts, &s, &err);
    if (rc == PSW_OK) {
        printf("%lld of %lld runs done, from %d files: %s\n", (long long)s.n_done,
               (long long)s.n_run, args->opts.n_path, args->opts.out_path);
        if (s.counts.n_twice)
            printf("%lld run%s in several files, and equal\n", (long long)s.counts.n_twice,
                   s.counts.n_twice == 1 ? " was" : "s were");
        if (s.counts.n_completed)
            printf("%lld run%s stopped early in one file and done in another: what is done "
                   "counts\n",
                   (long long)s.counts.n_completed,
                   s.counts.n_completed == 1 ? " was" : "s were");
        if (s.n_censored)
            printf("%lld run%s stopped early and %s done in none of the files\n",
                   (long long)s.n_censored, s.n_censored == 1 ? " was" : "s were",
                   s.n_censored == 1 ? "is" : "are");
        if (s.n_unasked)
            printf("not in it: %lld finished run%s that the sweep does not ask for, kept in "
                   "%s.journal\n",
                   (long long)s.n_unasked, s.n_unasked == 1 ? "" : "s", args->opts.out_path);
    }
    free(args);
    return is_bad ? EX_USAGE : rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
