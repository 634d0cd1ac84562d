/* posweep run: perform a sweep on the ranks it was started with. */
#include "cli_internal.h"
#include <math.h>
#include <mpi.h>
#include <posweep/analyze/progress.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/sweep/run.h>
#include <posweep/sweep/shared.h>
#include <posweep/sweep/stop.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum { MAX_SETS = 256 };

struct run_args {
    struct psw_run_opts opts; /* first: psw_cli_run_opts_create */
    int needs_sweep;          /* doctor looks without one, too */
    const char *set[MAX_SETS];
    char out[PSW_PATH_BYTES];
    char ranks[64];  /* --ranks-per-run as a setting */
    char seeds[64];  /* the replicates of a plan, as a setting */
    int n_sets_read; /* settings of the command line */
    struct psw_seed_plan plan;
    struct {
        int is_on;
        struct psw_share_opts opts;
        int32_t n_elsewhere; /* parts that other jobs have, at the end */
    } share;
};

enum {
    KEY_RANKS = 999,
    KEY_WORK = 1000,
    KEY_KEEP,
    KEY_RETRY,
    KEY_SNAPSHOT,
    KEY_UNTIL,
    KEY_ACCEPT_DATA,
    KEY_ACCEPT_CPU,
    KEY_SHARED
};

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0, "results file (default: the sweep file's name with .h5)", 0},
    {"set", 's', "KEY=VALUE", 0, "change a setting of `base`, e.g. policy.lr=1e-4; repeatable",
     0},
    {"ranks-per-run", KEY_RANKS, "N", 0,
     "ranks that share one run, a power of two (limits.ranks_per_run)", 0},
    {"work-dir", KEY_WORK, "DIR", 0,
     "checkpoints and shared stages, kept at the end (default: FILE.work, removed when every "
     "run has ended)",
     0},
    {"keep-work", KEY_KEEP, NULL, 0,
     "keep SFT and reward models and reference log-probabilities", 0},
    {"retry-failed", KEY_RETRY, NULL, 0, "try failed, diverged and timed-out runs again", 0},
    {"snapshot", KEY_SNAPSHOT, "TIME", 0,
     "how often the results file is renewed: 90, 90s, 2m, 1h (default: 1m)", 0},
    {"until", KEY_UNTIL, "TIME", 0,
     "stop with everything saved before this: a time from now (90m, 2h), a time of day (18:00) "
     "or "
     "a date (2026-03-01T18:00); the end of a Slurm job is known without",
     0},
    {"shared", KEY_SHARED, "PARTS", OPTION_ARG_OPTIONAL,
     "several jobs, each with this very command, work on the sweep at once: it is cut into "
     "parts "
     "(default: by jobs, runs and ranks), and a job takes one after the other",
     0},
    {"accept-changed-data", KEY_ACCEPT_DATA, NULL, 0,
     "go on though data files changed since an earlier start; data_hash in the results tells "
     "which run had which",
     0},
    {"accept-changed-cpu", KEY_ACCEPT_CPU, NULL, 0,
     "go on with another CPU type, BLAS, number of its threads or backend than an earlier "
     "start "
     "had; "
     "/provenance/sessions in the results tells which start had which",
     0},
    {0},
};

static void set_until(const char *text, struct argp_state *state)
{
    const double now_s = psw_clock_unix_s();
    double end_s = now_s;
    char date[32];
    if (!psw_clock_parse_moment(text, now_s, &end_s))
        argp_error(state, "--until: '%s' is no time such as 90m, 2h, 18:00 or 2026-03-01T18:00",
                   text);
    if (end_s <= now_s)
        argp_error(state, "--until: %s is over", psw_clock_date_text(end_s, date));
    psw_stop_at(end_s);
}

static void add_set(struct run_args *a, const char *set, struct argp_state *state)
{
    if (a->opts.n_sets == MAX_SETS) argp_error(state, "more than %d --set", MAX_SETS);
    a->set[a->opts.n_sets++] = set;
}

static void add_sweep(struct run_args *a, const char *path, struct argp_state *state)
{
    if (a->opts.sweep_path)
        argp_error(state, "one sweep file at a time: '%s' is too much", path);
    a->opts.sweep_path = path;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct run_args *a = state->input;
    switch (key) {
    case 'o':
        a->opts.out_path = psw_cli_path("--output", arg, state);
        return 0;
    case 's':
        add_set(a, arg, state);
        return 0;
    case KEY_RANKS:
        snprintf(a->ranks, sizeof a->ranks, "limits.ranks_per_run=%s", arg);
        add_set(a, a->ranks, state);
        return 0;
    case KEY_WORK:
        a->opts.work.dir = psw_cli_path("--work-dir", arg, state);
        return 0;
    case KEY_KEEP:
        a->opts.work.keep = 1;
        return 0;
    case KEY_RETRY:
        a->opts.retry_failed = 1;
        return 0;
    case KEY_ACCEPT_DATA:
        a->opts.accept_changed.data = 1;
        return 0;
    case KEY_ACCEPT_CPU:
        a->opts.accept_changed.cpu = 1;
        return 0;
    case KEY_UNTIL:
        set_until(arg, state);
        return 0;
    case KEY_SHARED:
        a->share.is_on = 1;
        if (arg) a->share.opts.n_part = (int32_t)psw_cli_count("--shared", arg, state);
        return 0;
    case KEY_SNAPSHOT:
        if (!psw_clock_parse(arg, &a->opts.snapshot_s))
            argp_error(state, "--snapshot: '%s' is no time > 0 such as 90, 90s, 2m or 1h", arg);
        return 0;
    case ARGP_KEY_ARG:
        add_sweep(a, arg, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (a->needs_sweep) argp_error(state, "which sweep file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp psw_cli_run_argp = {.options = OPTIONS, .parser = parse};

struct psw_run_opts *psw_cli_run_opts_create(void)
{
    struct run_args *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->opts.sets = a->set;
    return &a->opts; /* the first member: free() takes the whole */
}

static const struct argp_child CHILDREN[] = {{&psw_cli_log_argp, 0, NULL, 0}, {0}};

static const struct argp ARGP = {
    .options = OPTIONS,
    .parser = parse,
    .children = CHILDREN,
    .args_doc = "SWEEP.yaml",
    .doc =
        "Perform a sweep. Start it with mpirun or srun: rank 0 coordinates, the others work; "
        "one "
        "rank does both. The same command continues a sweep that was stopped or killed; with "
        "an "
        "edited sweep file, or another --set, it computes the difference.\v"
        "It writes FILE (the results, renewed while it works), FILE.journal (the truth: what "
        "it "
        "knows as ended is not repeated; keep it) and FILE.work (checkpoints; removed at the "
        "end).\n\n"
        "Exit status\n"
        "   0  every run is done or has diverged\n"
        "  70  every run has ended, but some failed or timed out: posweep status FILE\n"
        "  74  trouble of the machine (files, memory, a full disk); nothing is lost:\n"
        "      mend it and run the same command again\n"
        "  75  stopped early, everything is saved: run the same command again\n"
        "  others: refused, nothing was begun\n\n"
        "SIGUSR1, SIGUSR2, SIGTERM, SIGINT (Ctrl-C) and SIGHUP stop it early. mpirun passes on "
        "SIGUSR1 "
        "alone and with it the 75; any other it turns into a SIGTERM after 1 s and a SIGKILL 1 "
        "s "
        "later (--mca odls_base_sigkill_timeout), and ends with 1.\n\n"
        "  mpirun -n 9 posweep run sweeps/components.yaml -o components.h5\n"
        "  posweep run sweeps/smallest.yaml --set policy.lr=1e-4"};

enum { SILENT_S = 300 }; /* longer is worth a word */

/* The same words and figures as `posweep status`. */
void psw_cli_show_progress(const struct psw_sweep_view *v, const struct psw_run_summary *runs)
{
    char left[PSW_LEFT_TEXT_BYTES], line[200];
    int n = snprintf(line, sizeof line, "%lld of %lld runs done, %d running",
                     (long long)runs->n_done, (long long)runs->n_run, v->n_active);
    const long long bad = (long long)(runs->n_failed + runs->n_diverged + runs->n_timeout);
    if (bad)
        n += snprintf(line + n, sizeof line - (size_t)n, ", %lld failed, diverged or timed out",
                      bad);
    if (runs->n_done + bad == runs->n_run)
        snprintf(line + n, sizeof line - (size_t)n, "; every run has ended");
    else if (v->stopping)
        snprintf(line + n, sizeof line - (size_t)n, "; stopping, saving what runs");
    else
        snprintf(line + n, sizeof line - (size_t)n, "; %.0f %% of the work, %s",
                 100 * v->part_done, psw_progress_left_text(v->eta_s, left));
    if (v->silent_s > SILENT_S) { /* a long step, or ranks that are gone */
        char silent[32];
        n = (int)strlen(line);
        snprintf(line + n, sizeof line - (size_t)n, "; nothing heard of one of them for %s",
                 psw_clock_text(v->silent_s, silent));
    }
    psw_log_progress(line, 10);
}

static void report(const struct run_args *a, const struct psw_run_summary *s, psw_status rc)
{
    char took[32];
    psw_log_progress(NULL, 0);
    if (rc != PSW_OK && rc != PSW_ESTOP) return;
    printf("%lld of %lld runs done", (long long)s->n_done, (long long)s->n_run);
    if (s->n_before) printf(" (%lld before)", (long long)s->n_before);
    if (s->n_failed) printf(", %lld failed", (long long)s->n_failed);
    if (s->n_diverged) printf(", %lld diverged", (long long)s->n_diverged);
    if (s->n_censored) printf(", %lld stopped early", (long long)s->n_censored);
    if (s->n_timeout) printf(", %lld timed out", (long long)s->n_timeout);
    printf(" in %s: %s\n", psw_clock_text(s->wall_s, took), a->opts.out_path);
    if (s->n_unasked)
        printf(
            "not in it: %lld finished run%s of earlier starts, kept in %s.journal until asked "
            "for again\n",
            (long long)s->n_unasked, s->n_unasked == 1 ? "" : "s", a->opts.out_path);
    if (s->n_failed + s->n_diverged + s->n_timeout)
        printf("see why: posweep status %s\n", a->opts.out_path);
    if (a->share.n_elsewhere)
        printf(
            "nothing is left for this job: other jobs work on %d part%s; the last one of them "
            "completes the file, and `posweep status` tells how they stand\n",
            a->share.n_elsewhere, a->share.n_elsewhere == 1 ? "" : "s");
    if (rc == PSW_ESTOP)
        printf("stopped early, everything is saved: run the same command again\n");
    fflush(stdout);
}

/* With a plan of seeds, so many of them. */
static void set_seeds(struct run_args *a, int64_t n)
{
    a->opts.n_sets = a->n_sets_read;
    if (n < 1) return;
    snprintf(a->seeds, sizeof a->seeds, "replicates=%lld", (long long)n);
    a->set[a->opts.n_sets++] = a->seeds;
}

/* Rank 0 reads the plan; where that fails, the sweep itself says why. */
static void read_plan(struct run_args *a)
{
    a->n_sets_read = a->opts.n_sets;
    if (a->share.is_on) return;
    if (psw_comm_rank(MPI_COMM_WORLD) != 0 || a->opts.n_sets == MAX_SETS) return;
    if (psw_cli_seed_plan(&a->opts, &a->plan, NULL) != PSW_OK || a->plan.batch == 0) return;
    set_seeds(a, psw_cli_seeds_before(&a->plan, a->opts.out_path));
}

/* Which of how many jobs this is; of an array Slurm says it. */
static void read_share(struct run_args *a)
{
    const char *const name[] = {"SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_ID",
                                "SLURM_ARRAY_TASK_MIN"};
    long value[3] = {0};
    for (int i = 0; i < 3; i++) value[i] = getenv(name[i]) ? atol(getenv(name[i])) : 0;
    if (value[0] < 1 || value[0] > INT32_MAX) return;
    a->share.opts.n_job = (int32_t)value[0];
    a->share.opts.job = (int32_t)((value[1] - value[2]) % value[0]);
    if (a->share.opts.job < 0) a->share.opts.job = 0;
}

/* Seeds to go on with after all runs have ended, of rank 0; 0: none. */
static psw_status look_further(struct run_args *a, const struct psw_run_summary *s,
                               int64_t *next, struct psw_error *err)
{
    if (psw_comm_rank(MPI_COMM_WORLD) != 0 || a->plan.batch == 0) return PSW_OK;
    report(a, s, PSW_OK);
    return psw_cli_seeds_next(&a->plan, a->opts.out_path, next, err);
}

/* The sweep, again with more seeds while its plan asks for them. Same on all ranks: the result.
 */
static psw_status run_all(struct run_args *a, struct psw_run_summary *s, struct psw_error *err)
{
    for (;;) {
        int64_t next = 0;
        psw_status rc = a->share.is_on
                            ? psw_sweep_run_shared(MPI_COMM_WORLD, &a->opts, &a->share.opts, s,
                                                   &a->share.n_elsewhere, err)
                            : psw_sweep_run(MPI_COMM_WORLD, &a->opts, s, err);
        if (rc != PSW_OK) return rc;
        rc = psw_agree(MPI_COMM_WORLD, look_further(a, s, &next, err), err);
        if (rc != PSW_OK) return rc;
        PSW_MPI(MPI_Bcast(&next, 1, MPI_INT64_T, 0, MPI_COMM_WORLD));
        if (next == 0) return PSW_OK;
        set_seeds(a, next);
        a->opts.retry_failed = 0; /* they were */
    }
}

int psw_cmd_run(int argc, char **argv)
{
    struct run_args args = {.needs_sweep = 1};
    struct psw_cli_notes notes;
    struct psw_run_summary summary = {0};
    struct psw_error err = {0};
    args.opts.sets = args.set;
    psw_log_setup(PSW_LOG_NOTE, "");
    psw_cli_exit_alone(1);
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &args) != 0) return EX_USAGE;
    if (!args.opts.out_path)
        args.opts.out_path =
            psw_cli_default_out(args.opts.sweep_path, args.out, sizeof args.out);
    psw_stop_install(); /* before MPI starts: an early signal must not kill the process */
    int rank = 0;
    psw_status rc = psw_cli_mpi_begin(&rank, &err);
    if (rc != PSW_OK) return rank == 0 ? psw_cli_fail(&err) : psw_status_exit(rc);
    psw_blas_pin(1);
    if (rank == 0) psw_cli_warn_blas();
    psw_cli_quick_checks();
    psw_cli_notes_collect(&notes);
    args.opts.note = notes.note;
    args.opts.n_note = notes.n;
    args.opts.progress = psw_cli_show_progress;
    read_share(&args);
    read_plan(&args);
    const int64_t kept = rank == 0 ? psw_cli_exit_begin(args.opts.out_path) : 0;
    rc = psw_agree(MPI_COMM_WORLD, psw_added_create(&args.opts.added, &err), &err);
    if (rc == PSW_OK) rc = run_all(&args, &summary, &err);
    psw_added_destroy(args.opts.added);
    if (rank == 0 && (args.plan.batch == 0 || rc != PSW_OK)) report(&args, &summary, rc);
    const int is_short = summary.n_failed + summary.n_timeout > 0;
    const int status = rc == PSW_OK && is_short ? EX_SOFTWARE : psw_status_exit(rc);
    if (rc != PSW_OK && rc != PSW_ESTOP && rank == 0) psw_cli_fail(&err);
    if (rank == 0) psw_cli_tell_end(args.opts.out_path, status, &err);
    if (rank == 0) psw_cli_exit_end(args.opts.out_path, kept, status);
    MPI_Finalize(); /* waits for all: a launcher kills the job when the first exits with 75 */
    return status;
}
