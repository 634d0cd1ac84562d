/* posweep submit: the Slurm job that performs a sweep, with sizes from its plan. */
#include "cli_internal.h"
#include "submit_internal.h"
#include <math.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/log.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_ARGS = 256, ANSWER_BYTES = 1 << 16, USUAL_TASKS = 9, MAX_CHAIN = 100 };
/* Memory of a rank beside its arena: program, MPI, data read from files; and for what the plan
 * does not know. */
static const double REST_MIB = 384, MEMORY_MARGIN = 1.25;
/* Without --time: so much of the predicted time, and no more than sites usually grant. */
static const double TIME_MARGIN = 1.5, START_S = 600, LONGEST_S = 86400;
static const double LEAD_S = 120, STOP_S = 90;

struct submit_args {
    const char *path, *out;
    char default_out[PSW_PATH_BYTES], ranks[64], about[256];
    struct psw_slurm_job job;
    const char *set[MAX_ARGS], *arg[2 * MAX_ARGS + 8];
    int n_set, n_more;
    const char *more[MAX_ARGS]; /* behind "--", for posweep run */
    double flops_per_s;
    int is_yes;
};

enum {
    KEY_TASKS = 1000,
    KEY_QOS,
    KEY_CHAIN,
    KEY_JOBS,
    KEY_SIGNAL,
    KEY_MEM,
    KEY_SBATCH,
    KEY_RANKS,
    KEY_YES
};

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0, "results file (default: as posweep run)", 0},
    {"set", 's', "KEY=VALUE", 0, "change a setting of `base`; repeatable", 0},
    {"ranks-per-run", KEY_RANKS, "N", 0, "as of posweep run", 0},
    {"nodes", 'N', "N", 0, "nodes (default 1)", 1},
    {"ntasks-per-node", KEY_TASKS, "T", 0,
     "ranks on each node (default: the cores of a node, as sinfo tells, or what the sweep can "
     "use)",
     1},
    {"time", 't', "LIMIT", 0,
     "walltime as Slurm writes it: 90, 1:30:00, 1-12 (default: 1.5 times the predicted, a day "
     "at most)",
     1},
    {"partition", 'p', "NAME", 0, "as of sbatch", 1},
    {"account", 'A', "NAME", 0, "as of sbatch", 1},
    {"qos", KEY_QOS, "NAME", 0, "as of sbatch", 1},
    {"mem-per-cpu", KEY_MEM, "MIB", 0,
     "memory of a rank; 0 asks for none (default: from the plan)", 1},
    {"sbatch", KEY_SBATCH, "OPTION", 0,
     "a further option of sbatch, e.g. --sbatch=--constraint=zen4; repeatable", 1},
    {"signal", KEY_SIGNAL, "NAME", 0,
     "USR1 (default), USR2 or HUP: what tells the job that its time is over", 1},
    {"jobs", KEY_JOBS, "N", 0,
     "N jobs of that size, an array, which share the sweep (posweep run --shared) and may "
     "begin, end and be lost one by one",
     1},
    {"chain", KEY_CHAIN, "N", 0,
     "N jobs that follow one another instead of one that requeues itself (default: where "
     "requeueing is off, as many as the predicted time wants)",
     1},
    {"gflops", 'g', "RATE", 0, "speed of one rank in GFLOP/s (default 20)", 1},
    {"yes", KEY_YES, NULL, 0, "submit it", 2},
    {0},
};

static const char *signal_name(const char *arg, struct argp_state *state)
{
    static const char *const NAMES[] = {"USR1", "USR2", "HUP"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(arg, NAMES[i])) return NAMES[i];
    argp_error(state, "--signal: '%s' is none of USR1, USR2, HUP", arg);
    return NAMES[0];
}

static void add_to(const char **list, int *n, int n_max, const char *arg,
                   struct argp_state *state)
{
    if (*n == n_max) argp_error(state, "more than %d: '%s' is too much", n_max, arg);
    list[(*n)++] = arg;
}

static error_t parse_arg(struct submit_args *a, char *arg, struct argp_state *state)
{
    if (!a->path) {
        a->path = arg;
    } else if (state->quoted && state->next > state->quoted) {
        add_to(a->more, &a->n_more, MAX_ARGS, arg, state);
    } else {
        argp_error(state,
                   "one sweep file at a time: '%s' is too much (options of posweep run stand "
                   "behind --)",
                   arg);
    }
    return 0;
}

/* What sbatch is to be told as it is. */
static error_t parse_place(int key, char *arg, struct argp_state *state)
{
    struct submit_args *a = state->input;
    switch (key) {
    case 'p':
        a->job.place.partition = psw_cli_path("--partition", arg, state);
        return 0;
    case 'A':
        a->job.place.account = psw_cli_path("--account", arg, state);
        return 0;
    case KEY_QOS:
        a->job.place.qos = psw_cli_path("--qos", arg, state);
        return 0;
    case KEY_SBATCH:
        if (strncmp(arg, "--", 2) != 0)
            argp_error(state, "--sbatch: '%s' is no long option such as --constraint=zen4",
                       arg);
        add_to(a->job.place.extra, &a->job.place.n_extra, PSW_SBATCH_MAX_EXTRA, arg, state);
        return 0;
    case KEY_SIGNAL:
        a->job.end.signal = signal_name(arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_size(int key, char *arg, struct argp_state *state)
{
    struct submit_args *a = state->input;
    switch (key) {
    case 'N':
        a->job.size.n_node = psw_cli_count("--nodes", arg, state);
        return 0;
    case KEY_TASKS:
        a->job.size.n_task = psw_cli_count("--ntasks-per-node", arg, state);
        return 0;
    case KEY_CHAIN:
        a->job.end.n_chain = psw_cli_count("--chain", arg, state);
        if (a->job.end.n_chain > MAX_CHAIN)
            argp_error(state, "--chain %s: at most %d", arg, MAX_CHAIN);
        return 0;
    case KEY_JOBS:
        a->job.size.n_job = psw_cli_count("--jobs", arg, state);
        return 0;
    case KEY_MEM:
        a->job.size.mem_mib = strcmp(arg, "0") ? psw_cli_count("--mem-per-cpu", arg, state) : 0;
        return 0;
    case 't':
        a->job.size.time_s = psw_slurm_time_s(arg);
        if (!(a->job.size.time_s > 0))
            argp_error(state, "--time: '%s' is no limit such as 90 (minutes), 1:30:00 or 1-12",
                       arg);
        return 0;
    case 'g':
        a->flops_per_s = 1e9 * psw_cli_positive("--gflops", arg, state);
        return 0;
    default:
        return parse_place(key, arg, state);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct submit_args *a = state->input;
    switch (key) {
    case 'o':
        a->out = psw_cli_path("--output", arg, state);
        return 0;
    case 's':
        add_to(a->set, &a->n_set, MAX_ARGS, arg, state);
        return 0;
    case KEY_RANKS:
        snprintf(a->ranks, sizeof a->ranks, "limits.ranks_per_run=%s", arg);
        add_to(a->set, &a->n_set, MAX_ARGS, a->ranks, state);
        return 0;
    case KEY_YES:
        a->is_yes = 1;
        return 0;
    case ARGP_KEY_ARG:
        return parse_arg(a, arg, state);
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which sweep file?");
        return 0;
    default:
        return parse_size(key, arg, state);
    }
}

static const struct argp_child CHILDREN[] = {{&psw_cli_log_argp, 0, NULL, 0}, {0}};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse,
    .children = CHILDREN,
    .args_doc = "SWEEP.yaml [-- OPTION OF RUN...]",
    .doc =
        "Write the script of a Slurm job that performs a sweep, and, with --yes, submit it. "
        "Ranks, memory and time are those of the plan. The script is printed in any case; "
        "without --yes nothing else happens, so `posweep submit SWEEP.yaml >job.sh` keeps it.\v"
        "The job looks at its nodes first, as posweep doctor does, saves everything before "
        "its time is over, and goes on until the sweep is done: by requeueing itself, or, "
        "where the site does not allow that (scontrol show config: JobRequeue), as a chain of "
        "jobs of which each waits for the one before. The first that finishes the sweep, or "
        "meets an error that another start would meet again, ends the chain. What partition, "
        "QOS "
        "or association do not allow is refused before anything is submitted.\n\n"
        "  posweep submit sweeps/demo.yaml -o demo.h5 --nodes 4 --ntasks-per-node 32 \\\n"
        "      --time 4:00:00 --partition long\n"
        "  posweep submit sweeps/demo.yaml -o demo.h5 --jobs 10 --nodes 1 --yes\n"
        "  posweep submit sweeps/demo.yaml -o demo.h5 --yes -- --retry-failed"};

/* The cores of the smallest node of the partition; 0: Slurm does not tell. */
static int64_t cores_per_node(const struct submit_args *a)
{
    char answer[4096];
    const char *argv[] = {"sinfo", "--noheader", "--format=%c", NULL, NULL, NULL};
    long long fewest = 0;
    if (a->job.place.partition) {
        argv[3] = "--partition";
        argv[4] = a->job.place.partition;
    }
    if (psw_slurm_ask(argv, NULL, answer, sizeof answer, NULL) != PSW_OK) return 0;
    for (const char *at = answer; *at; at += strspn(at, "\n")) {
        char *end = NULL;
        const long long n = strtoll(at, &end, 10); /* "64" or "64+" */
        if (end == at) return 0;
        if (n > 0 && (fewest == 0 || n < fewest)) fewest = n;
        at = end + strcspn(end, "\n");
    }
    return fewest;
}

/* Ranks that have something to do at once: one leads. */
static int64_t most_ranks(const struct psw_sweep_needs *needs)
{
    return needs->n_left * (needs->widest > 1 ? needs->widest : 1) + 1;
}

static psw_status choose_size(struct submit_args *a, struct psw_sweep_needs *needs,
                              struct psw_error *err)
{
    const struct psw_sweep_ask ask = {a->path, a->out, a->set, a->n_set};
    psw_status rc = psw_cli_sweep_needs(&ask, 1, a->flops_per_s, needs, err);
    if (rc != PSW_OK) return rc;
    if (needs->has_stop_rule && a->job.size.n_job > 1)
        return psw_fail(err, PSW_EINVAL,
                        "%s: stop compares all runs with each other, which jobs that share a "
                        "sweep cannot: submit it as one job, without --jobs",
                        a->path);
    if (a->job.size.n_node == 0) a->job.size.n_node = 1;
    if (a->job.size.n_task == 0) {
        const int64_t cores = cores_per_node(a), most = most_ranks(needs);
        a->job.size.n_task = cores > 0 ? cores : USUAL_TASKS;
        if (a->job.size.n_node == 1 && most < a->job.size.n_task) a->job.size.n_task = most;
    }
    const int64_t n_rank = a->job.size.n_node * a->job.size.n_task;
    if (n_rank > INT32_MAX)
        return psw_fail(err, PSW_EINVAL, "%lld ranks are too many", (long long)n_rank);
    const int n_work = n_rank > 1 ? (int)n_rank - 1 : 1;
    if (needs->widest > n_work)
        return psw_fail(err, PSW_EINVAL,
                        "a run wants %d ranks, but of %lld ranks (--nodes %lld, "
                        "--ntasks-per-node %lld) one leads and %d work: ask for more, or for "
                        "fewer --ranks-per-run",
                        needs->widest, (long long)n_rank, (long long)a->job.size.n_node,
                        (long long)a->job.size.n_task, n_work);
    if (n_rank * a->job.size.n_job > most_ranks(needs) + a->job.size.n_job && needs->n_left > 0)
        psw_log(PSW_LOG_WARN,
                "%lld ranks, but %lld runs are left: at most %lld of them have work at once",
                (long long)(n_rank * a->job.size.n_job), (long long)needs->n_left,
                (long long)(most_ranks(needs) - 1));
    const int64_t n_all = n_work * a->job.size.n_job;
    return psw_cli_sweep_needs(&ask, n_all < INT32_MAX ? (int)n_all : INT32_MAX, a->flops_per_s,
                               needs, err);
}

static psw_status choose_time(struct submit_args *a, const struct psw_sweep_needs *needs,
                              const struct psw_slurm_bound *bound, struct psw_error *err)
{
    struct psw_slurm_job *job = &a->job;
    job->end.stop_s = (int)ceil(fmax(STOP_S, needs->stop_s + 30));
    job->end.lead_s = (int)ceil(fmax(LEAD_S, needs->stop_s + 60));
    if (job->size.time_s == 0) {
        const double wanted_s = TIME_MARGIN * needs->makespan_s + START_S;
        job->size.time_s = 600 * ceil(fmin(wanted_s, LONGEST_S) / 600);
        if (job->size.time_s > bound->most) {
            job->size.time_s = bound->most;
            psw_log(PSW_LOG_NOTE, "a job has at most %.10g minutes here (%s): that is --time",
                    bound->most / 60, bound->of);
        }
    }
    if (job->size.time_s <= job->end.lead_s + 60)
        return psw_fail(
            err, PSW_EINVAL,
            "--time: %g s are too short: the job stops %d s before its end, so that "
            "everything can be saved; expected more than %d s, with time to work",
            job->size.time_s, job->end.lead_s, job->end.lead_s + 60);
    return PSW_OK;
}

/* What Slurm says of itself; -1 for what it does not say. */
struct slurm_facts {
    int is_there;
    int64_t requeues, longest_array;
    struct psw_slurm_limits limits;
};

static psw_status ask_slurm(const struct psw_slurm_job *job, struct slurm_facts *out,
                            struct psw_error *err)
{
    struct psw_error why = {0};
    const char *argv[] = {"scontrol", "show", "config", NULL};
    char *answer = calloc(ANSWER_BYTES, 1);
    psw_status rc = PSW_OK;
    *out = (struct slurm_facts){.requeues = -1, .longest_array = -1};
    for (int i = 0; i < PSW_N_SLURM_LIMIT; i++) out->limits.bound[i].most = INFINITY;
    if (answer && psw_slurm_ask(argv, NULL, answer, ANSWER_BYTES, &why) == PSW_OK) {
        out->is_there = 1;
        out->requeues = psw_slurm_config(answer, "JobRequeue");
        out->longest_array = psw_slurm_config(answer, "MaxArraySize");
        rc = psw_slurm_limits_read(job, answer, &out->limits, err);
    } else {
        psw_log(PSW_LOG_WARN, "no word of Slurm here (%s): its limits are not known", why.text);
    }
    free(answer);
    return rc;
}

/* One job that requeues itself, or a chain where that is not allowed or cannot be known. */
static psw_status choose_chain(struct submit_args *a, const struct psw_sweep_needs *needs,
                               const struct slurm_facts *slurm, struct psw_error *err)
{
    const int64_t n_job = a->job.size.n_job, n_chain = a->job.end.n_chain;
    if (n_job > 1 && n_chain > 1)
        return psw_fail(err, PSW_EINVAL,
                        "--chain and --jobs exclude each other: jobs that share a sweep end "
                        "one by one");
    if (slurm->longest_array > 0 && n_job > slurm->longest_array)
        return psw_fail(err, PSW_EINVAL,
                        "--jobs %lld: an array has at most %lld here (scontrol show config: "
                        "MaxArraySize)",
                        (long long)n_job, (long long)slurm->longest_array);
    if (n_chain > 0) return PSW_OK;
    a->job.end.n_chain = 1;
    if (slurm->requeues == 1 || n_job > 1 || (!slurm->is_there && !a->is_yes)) return PSW_OK;
    const double n = ceil(TIME_MARGIN * needs->makespan_s / a->job.size.time_s) + 1;
    const double most = fmin(20, slurm->limits.bound[PSW_SLURM_JOBS].most);
    a->job.end.n_chain = (int64_t)fmax(1, fmin(n, most));
    psw_log(PSW_LOG_NOTE,
            "jobs may not be requeued here%s: a chain of %lld, of which those that are not "
            "needed are cancelled (--chain)",
            slurm->is_there ? "" : ", as far as is known", (long long)a->job.end.n_chain);
    return PSW_OK;
}

static void choose_memory(struct submit_args *a, const struct psw_sweep_needs *needs)
{
    const double plan_mib = (double)needs->rank_bytes / 0x1p20;
    if (a->job.size.mem_mib < 0)
        a->job.size.mem_mib = (int64_t)ceil(MEMORY_MARGIN * plan_mib + REST_MIB);
    else if (a->job.size.mem_mib > 0 && (double)a->job.size.mem_mib < plan_mib)
        psw_log(
            PSW_LOG_WARN,
            "--mem-per-cpu %lld is less than the %.0f MiB that a rank needs: the job would be "
            "refused by its doctor",
            (long long)a->job.size.mem_mib, ceil(plan_mib));
}

static void say_about(struct submit_args *a, const struct psw_sweep_needs *needs)
{
    char time[32];
    const int64_t n_rank = a->job.size.n_node * a->job.size.n_task;
    const int64_t n_work = (n_rank > 1 ? n_rank - 1 : 1) * a->job.size.n_job;
    snprintf(a->about, sizeof a->about,
             "%.60s: %lld of %lld runs to do, %.3g TFLOP, about %s on %lld %s at "
             "%.3g GFLOP/s; %.1f MiB a rank, %.1f MiB of disk",
             needs->name, (long long)needs->n_left, (long long)needs->n_run,
             needs->flops / 1e12, psw_clock_text(needs->makespan_s, time), (long long)n_work,
             n_work == 1 ? "rank that works" : "ranks that work", a->flops_per_s / 1e9,
             (double)needs->rank_bytes / 0x1p20, (double)needs->disk_bytes / 0x1p20);
    a->job.about = a->about;
}

/* What posweep run gets: the sweep, its output, and what else was said. */
static void collect_args(struct submit_args *a)
{
    int n = 0;
    a->arg[n++] = a->path;
    a->arg[n++] = "-o";
    a->arg[n++] = a->out;
    for (int i = 0; i < a->n_set; i++) {
        a->arg[n++] = "--set";
        a->arg[n++] = a->set[i];
    }
    if (a->job.size.n_job > 1) a->arg[n++] = "--shared";
    for (int i = 0; i < a->n_more && n < 2 * MAX_ARGS; i++) a->arg[n++] = a->more[i];
    a->job.arg = a->arg;
    a->job.n_arg = n;
}

static psw_status submit(struct submit_args *a, struct psw_error *err)
{
    struct psw_sweep_needs needs = {0};
    struct slurm_facts slurm;
    psw_status rc = choose_size(a, &needs, err);
    if (rc == PSW_OK) rc = ask_slurm(&a->job, &slurm, err);
    if (rc == PSW_OK) rc = choose_time(a, &needs, &slurm.limits.bound[PSW_SLURM_TIME], err);
    if (rc != PSW_OK) return rc;
    choose_memory(a, &needs);
    rc = choose_chain(a, &needs, &slurm, err);
    if (rc == PSW_OK) rc = psw_slurm_limits_check(&slurm.limits, &a->job, err);
    if (rc != PSW_OK) return rc;
    say_about(a, &needs);
    collect_args(a);
    a->job.name = "posweep";
    rc = psw_slurm_script(stdout, &a->job, NULL, a->job.end.n_chain - 1, err);
    if (rc != PSW_OK) return rc;
    if (needs.n_left == 0) {
        psw_log(PSW_LOG_NOTE, "every run has ended: there is nothing to submit");
        return PSW_OK;
    }
    if (a->is_yes) {
        rc = psw_run_check_output(a->out, err);
        return rc == PSW_OK ? psw_slurm_submit(&a->job, err) : rc;
    }
    psw_log(PSW_LOG_NOTE, "nothing was submitted: --yes does that%s",
            a->job.end.n_chain > 1 ? ", and the jobs that follow" : "");
    return PSW_OK;
}

int psw_cmd_submit(int argc, char **argv)
{
    struct submit_args *a = calloc(1, sizeof *a);
    struct psw_error err = {0};
    psw_log_setup(PSW_LOG_NOTE, "");
    if (!a) return psw_cli_fail(&(struct psw_error){.code = PSW_ENOMEM});
    a->job.size.mem_mib = -1;
    a->job.size.n_job = 1;
    a->job.end.signal = "USR1";
    a->flops_per_s = 20e9;
    int status = EX_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, a) == 0) {
        if (!a->out)
            a->out = psw_cli_default_out(a->path, a->default_out, sizeof a->default_out);
        status = submit(a, &err) == PSW_OK ? EX_OK : psw_cli_fail(&err);
    }
    free(a);
    return status;
}
