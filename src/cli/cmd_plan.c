/* posweep plan: what a sweep would do, before any of it is done. */
#include "cli_internal.h"
#include "plan_internal.h"
#include "submit_internal.h"
#include <math.h>
#include <posweep/analyze/compare.h>
#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>
#include <posweep/sweep/asked.h>
#include <posweep/sweep/continued.h>
#include <posweep/sweep/scheduler.h>
#include <posweep/sweep/work_plan.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

enum { MAX_SETS = 256 };

struct plan_args {
    const char *path, *out;
    const char *set[MAX_SETS];
    int n_sets, n_rank, n_rank_node, all;
    double gflops;
    char default_out[PSW_PATH_BYTES];
};

enum { KEY_ALL = 1000 };

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "FILE", 0,
     "results file whose journal says what has ended already (default: as posweep run)", 0},
    {"set", 's', "KEY=VALUE", 0, "change a setting of `base`; repeatable", 0},
    {"ranks", 'r', "N", 0, "ranks that work, for makespan and, without -n, memory (default 1)",
     0},
    {"ranks-per-node", 'n', "N", 0,
     "ranks that work on a node, for memory and node hours (default: all)", 0},
    {"gflops", 'g', "RATE", 0, "speed of one rank in GFLOP/s (default 20)", 0},
    {"all", KEY_ALL, NULL, 0, "list every run with its hash and seed, however many", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct plan_args *a = state->input;
    char *end = NULL;
    switch (key) {
    case 'o':
        a->out = psw_cli_path("--output", arg, state);
        return 0;
    case 's':
        if (a->n_sets == MAX_SETS) argp_error(state, "more than %d --set", MAX_SETS);
        a->set[a->n_sets++] = arg;
        return 0;
    case 'r':
        a->n_rank = (int)psw_cli_count("--ranks", arg, state);
        return 0;
    case 'n':
        a->n_rank_node = (int)psw_cli_count("--ranks-per-node", arg, state);
        return 0;
    case 'g':
        a->gflops = strtod(arg, &end);
        if (*end || end == arg || !(a->gflops > 0) || !isfinite(a->gflops))
            argp_error(state, "--gflops: '%s' is no rate > 0 in GFLOP/s", arg);
        return 0;
    case KEY_ALL:
        a->all = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path) argp_error(state, "one sweep file at a time: '%s' is too much", arg);
        a->path = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which sweep file?");
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
    .args_doc = "SWEEP.yaml",
    .doc =
        "Say what a sweep would do: its runs (by method, variant and swept settings, then one "
        "by one), memory, work, time, what of it is done already, and the smallest p-value "
        "that "
        "its seeds can reach. Nothing is run and nothing is written.\vA run's own TFLOP are "
        "those of its policy stage; SFT and reward stages may be shared. Ranks of one "
        "run hold the weights of its reference and its reward model once per node.\n\n"
        "  posweep plan sweeps/components.yaml --ranks 8 -o components.h5\n"
        "  posweep plan sweeps/paper-2.8b.yaml --ranks 512 -n 8 --gflops 60"};

/* Without -o: what `posweep run` would continue, if it is there. */
static void default_out(struct plan_args *a)
{
    char journal[PSW_PATH_BYTES];
    if (a->out) return;
    psw_cli_default_out(a->path, a->default_out, sizeof a->default_out);
    if (psw_journal_path(a->default_out, journal, NULL) == PSW_OK && psw_file_exists(journal))
        a->out = a->default_out;
}

/* What an earlier start left, in the journal if not in the results file yet; and what of it the
 * next start leaves out of the file, because this sweep does not ask for it. */
static void print_before(const struct plan_args *a, const struct psw_sweep *sweep,
                         const uint8_t *ended, int64_t n_unasked)
{
    int64_t n[PSW_N_OUTCOME] = {0};
    for (int64_t i = 0; i < sweep->n_run; i++) n[ended[i]]++;
    printf("output    %s: %lld of %lld runs are done already", a->out,
           (long long)n[PSW_OUTCOME_DONE], (long long)sweep->n_run);
    if (n[PSW_OUTCOME_FAILED]) printf(", %lld failed", (long long)n[PSW_OUTCOME_FAILED]);
    if (n[PSW_OUTCOME_DIVERGED]) printf(", %lld diverged", (long long)n[PSW_OUTCOME_DIVERGED]);
    if (n[PSW_OUTCOME_CENSORED])
        printf(", %lld stopped early", (long long)n[PSW_OUTCOME_CENSORED]);
    if (n[PSW_OUTCOME_TIMEOUT]) printf(", %lld timed out", (long long)n[PSW_OUTCOME_TIMEOUT]);
    putchar('\n');
    if (n_unasked)
        printf(
            "          %lld finished run%s more in its journal %s not asked for now: left out "
            "of %s, kept in the journal,\n          and back without work when asked for "
            "again. For another file use -o\n",
            (long long)n_unasked, n_unasked == 1 ? "" : "s", n_unasked == 1 ? "is" : "are",
            a->out);
}

/* Ranks that work on a node. */
static int per_node(const struct plan_args *a)
{
    return a->n_rank_node ? a->n_rank_node : a->n_rank;
}

/* What the batch system will bill. */
static void print_nodes(const struct plan_args *a, double makespan_s)
{
    const int n = per_node(a), n_node = (a->n_rank + n - 1) / n;
    printf("nodes     %d of %d rank%s each: %.3g node hours\n", n_node, n, n == 1 ? "" : "s",
           n_node * makespan_s / 3600);
}

/** What all of the work comes to. */
struct sums {
    double flops;
    size_t disk_bytes, training_bytes, sketch_bytes;
    int64_t n_training; /* runs that leave one */
};

static void print_work(const struct plan_args *a, const struct psw_ledger *ledger,
                       struct sums sums)
{
    const double flops = sums.flops;
    struct psw_error err = {0};
    char text[32], work[32];
    double makespan_s = NAN;
    const psw_status rc = psw_schedule_makespan(ledger, a->n_rank, per_node(a), a->gflops * 1e9,
                                                &makespan_s, &err);
    printf("work      %.3g TFLOP, %s of one rank at %.1f GFLOP/s\n", flops / 1e12,
           psw_clock_text(flops / (a->gflops * 1e9), work), a->gflops);
    if (rc == PSW_OK) {
        printf("makespan  %s on %d rank%s\n", psw_clock_text(makespan_s, text), a->n_rank,
               a->n_rank == 1 ? "" : "s");
        print_nodes(a, makespan_s);
    } else {
        printf("makespan  unknown: %s\n", err.text);
    }
    printf("disk      at most %.1f MiB in the work folder\n", (double)sums.disk_bytes / 0x1p20);
    if (sums.n_training > 0)
        printf("          of which at most %.1f MiB stay: the training of %lld run%s "
               "(limits.keep_training)\n",
               (double)sums.training_bytes / 0x1p20, (long long)sums.n_training,
               sums.n_training == 1 ? "" : "s");
    if (sums.sketch_bytes > 0)
        printf("sketches  at most %.1f MiB in the journal, and about as much in the results\n",
               (double)sums.sketch_bytes / 0x1p20);
}

/* Where the work is less than the runs have steps. */
static void print_continued(const struct psw_continued *c)
{
    char text[128];
    if (c->n_run > 0)
        printf("go on     %s (limits.keep_training); the\n          work above counts what is "
               "left of them\n",
               psw_continued_text(c, text, sizeof text));
}

/* What so many seeds can show, before the hours are spent. */
static void print_power(int64_t n_seed)
{
    const double alpha = PSW_COMPARE_ALPHA;
    const double mde = psw_signflip_mde(n_seed, alpha, PSW_COMPARE_POWER);
    printf("seeds     %lld; the smallest p that a paired sign-flip test can reach is %.4g\n",
           (long long)n_seed, psw_signflip_floor(n_seed));
    if (isinf(mde))
        printf("          so no comparison can reach %g: that takes %lld seeds\n", alpha,
               (long long)psw_signflip_pairs_for(INFINITY, alpha, PSW_COMPARE_POWER));
    else
        printf(
            "          one comparison at %g finds a difference of %.2f standard deviations of "
            "the paired\n          difference in 80 %% of sweeps\n",
            alpha, mde);
}

static int descending(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* What a rule of early stopping may save: no run is stopped before its first rung, and none of
 * the first that come there, or of those that must have finished before. */
static void print_stop(const struct psw_sweep *sweep)
{
    const struct psw_stop_rule *rule = &sweep->stop;
    const int64_t n_let = rule->kind == PSW_STOP_ASHA ? rule->reduction - 1 : rule->min_runs;
    const int64_t n_stopped = sweep->n_run > n_let ? sweep->n_run - n_let : 0;
    int64_t *rest = malloc(((size_t)sweep->n_run + 1) * sizeof *rest);
    double saved = 0, all = 0;
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; rest && i < sweep->n_run; i++) {
        const int64_t n_step = psw_sweep_config(sweep, i, &reader)->policy.train.steps;
        const int64_t rung = psw_stop_next_rung(rule, 0, n_step);
        rest[i] = rung > 0 ? n_step - rung : 0;
        all += (double)n_step;
    }
    if (!rest) return;
    qsort(rest, (size_t)sweep->n_run, sizeof *rest, descending);
    for (int64_t i = 0; i < n_stopped; i++) saved += (double)rest[i];
    printf("stop      %s by %s, from step %lld: saves at most %.0f %% of the training steps, "
           "and the measuring\n          of the runs that it stops; %lld of %lld at most are\n",
           psw_stop_kind_name(rule->kind), psw_stop_metric_name(rule->metric),
           (long long)rule->grace, 100 * saved / all, (long long)n_stopped,
           (long long)sweep->n_run);
    free(rest);
}

/* How seeds are added, and from when on that can end. */
static void print_seed_plan(const struct psw_seed_plan *p)
{
    const int64_t n_look = (p->max + p->batch - 1) / p->batch;
    int64_t first = 1; /* look that may spend what the smallest p costs */
    while (first < n_look &&
           psw_signflip_floor(first * p->batch) > p->alpha * (double)first / (double)n_look)
        first++;
    printf("          above are the first %lld; %lld are added at a time until %s of every "
           "cell is "
           "decided\n          from that of %s %s, or there are %lld. The first look that can "
           "find "
           "anything is at %lld\n",
           (long long)p->batch, (long long)p->batch, p->metric, p->by, p->baseline,
           (long long)p->max,
           (long long)(first * p->batch < p->max ? first * p->batch : p->max));
}

static void print_totals(const struct plan_args *a, const struct psw_plan_view *v,
                         const struct psw_ledger *ledger)
{
    const struct psw_sweep *sweep = v->sweep;
    const struct psw_work_plan *plan = v->plan;
    struct sums sums = {0};
    for (int32_t t = 0; t < plan->n_task; t++) {
        const struct psw_stage_cost *cost =
            psw_plan_cost(plan, plan->task[t].run, plan->task[t].kind);
        sums.flops += plan->task[t].cost * psw_ledger_left(ledger, t);
        sums.disk_bytes += cost->disk_bytes;
        sums.training_bytes += cost->training_bytes;
        sums.n_training += cost->training_bytes > 0;
        sums.sketch_bytes += cost->sketch_bytes;
    }
    printf("%lld runs of %s, %d stages of work (%lld asked for, shared ones counted once)\n\n",
           (long long)sweep->n_run, sweep->name, plan->n_task, (long long)plan->n_asked);
    psw_plan_print_cells(v);
    putchar('\n');
    if (plan->n_task > 0)
        print_work(a, ledger, sums);
    else
        printf("work      nothing is left to do\n");
    print_continued(&v->continued);
    if (sweep->stop.kind != PSW_STOP_NEVER) print_stop(sweep);
    print_power(sweep->seed_plan.batch ? sweep->seed_plan.max : sweep->n_seed);
    if (sweep->seed_plan.batch) print_seed_plan(&sweep->seed_plan);
    if (plan->data_text[0]) printf("data      %s\n", plan->data_text);
    if (plan->cut_text[0]) printf("warning   %s\n", plan->cut_text);
    if (plan->less_text[0]) printf("note      %s\n", plan->less_text);
}

/* Everything that is printed on stdout. */
static psw_status print_plan(const struct plan_args *a, const struct psw_plan_view *v,
                             const struct psw_ledger *ledger, struct psw_journal *journal,
                             struct psw_error *err)
{
    int64_t n_unasked = 0;
    psw_status rc = journal ? psw_sweep_unasked(v->sweep, journal, &n_unasked, err) : PSW_OK;
    if (rc != PSW_OK) return rc;
    print_totals(a, v, ledger);
    if (journal) {
        print_before(a, v->sweep, v->ended, n_unasked);
        rc = psw_data_sets_compare(&v->plan->data, journal, 0, err);
    }
    if (rc == PSW_OK) psw_plan_print_runs(v);
    return rc;
}

static psw_status plan_sweep(const struct plan_args *a, struct psw_error *err)
{
    struct psw_sweep *sweep = NULL;
    struct psw_work_plan plan = {0};
    struct psw_ledger *ledger = NULL;
    struct psw_labels labels = {0};
    uint8_t *ended = NULL;
    struct psw_journal *journal = NULL;
    char work_dir[PSW_PATH_BYTES];
    psw_status rc = psw_sweep_read(a->path, a->set, a->n_sets, &sweep, err);
    if (rc != PSW_OK) return rc;
    for (int32_t i = 0; i < sweep->warnings.n; i++)
        psw_log(PSW_LOG_WARN, "%s", sweep->warnings.text[i]);
    PSW_TRY(psw_work_plan_keep_index(sweep, a->out ? a->out : a->default_out, err));
    ended = calloc((size_t)sweep->n_run + 1, 1);
    if (!ended)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)sweep->n_run));
    if (a->out) PSW_TRY(psw_cli_find_ended(a->out, sweep, ended, &journal, err));
    PSW_TRY(psw_work_plan_check_generated(sweep, ended, per_node(a), err));
    PSW_TRY(psw_work_plan_init(sweep, ended, &plan, err));
    psw_work_plan_place_frozen(sweep, &plan, per_node(a));
    PSW_TRY(psw_ledger_create(plan.task, plan.n_task, &ledger, err));
    PSW_TRY(
        psw_path(work_dir, sizeof work_dir, err, "%s.work", a->out ? a->out : a->default_out));
    PSW_TRY(psw_labels_init(sweep, &labels, err));
    const struct psw_plan_view view = {.sweep = sweep,
                                       .plan = &plan,
                                       .labels = &labels,
                                       .ended = ended,
                                       .n_rank_node = per_node(a),
                                       .continued =
                                           psw_plan_continued(sweep, &plan, work_dir, ledger),
                                       .all = a->all};
    PSW_TRY(print_plan(a, &view, ledger, journal, err));
    rc = psw_work_plan_check_memory(sweep, &plan, per_node(a), err);
fail:
    psw_labels_clear(&labels);
    psw_journal_close(journal);
    psw_ledger_destroy(ledger);
    psw_work_plan_clear(&plan);
    psw_sweep_destroy(sweep);
    free(ended);
    return rc;
}

int psw_cmd_plan(int argc, char **argv)
{
    struct plan_args args = {.n_rank = 1, .gflops = 20};
    struct psw_error err = {0};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &args) != 0) return EX_USAGE;
    default_out(&args);
    psw_cli_warn_blas();
    return plan_sweep(&args, &err) == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
