/* The scheduler in simulated time. Tasks end when they truly do, not when they were predicted
 * to; what it learns of speed, and every decision, is that of a real sweep. Whether a task is
 * given more ranks is asked as often as the coordinator asks, and how much of it is left is
 * known then, as its progress tells. */
#include <posweep/bench/makespan.h>

#include <posweep/sweep/regroup.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>

enum { SHARE = 8, NODE_RANKS = 32, COST_PLACE = 0, ERROR_PLACE = 1 };
enum { STALE = 4 }; /* endings of a task that do not come true, at most */
static const double MINUTE_S = 60, EXPONENT = 1.5, SHARED_PART = 0.25, TELLS_AFTER = 0.02;
static const struct psw_rng STREAM = {.seed = 12, .use = PSW_RNG_TEST};

const char *psw_bench_tail_name(enum psw_bench_tail tail)
{
    static const char *const NAMES[PSW_N_TAIL] = {"minutes", "cut pareto", "pareto"};
    return (unsigned)tail < PSW_N_TAIL ? NAMES[tail] : "unknown";
}

/* What is under way, the next to end first: a binary heap. */
struct ending {
    double end_s;
    int32_t task;
};

struct simulation {
    const struct psw_bench_makespan_opts *opts;
    struct psw_task *task;       /* owned; cost: the predicted seconds */
    double *true_s;              /* owned, [n_task] */
    struct psw_ledger *ledger;   /* owned */
    struct psw_sched_rank *rank; /* owned, [n_rank] */
    int32_t *chosen;             /* owned, [2 n_rank] */
    double *end_s;               /* owned, [n_task] of what is under way */
    int32_t *leader;             /* owned, [n_task] likewise */
    double *tells_s;             /* owned, [n_task] likewise: how much is left is known then */
    struct psw_sched_rank *told; /* owned, [n_rank] as progress tells */
    struct ending *heap;         /* owned */
    int32_t n_heap, n_task;
    double next_look_s; /* for what is worth more ranks; INFINITY: nothing may have more */
    struct psw_speed speed;
    struct psw_sched_in in;
};

static void push(struct simulation *sim, struct ending e)
{
    int32_t at = sim->n_heap++;
    for (; at > 0 && sim->heap[(at - 1) / 2].end_s > e.end_s; at = (at - 1) / 2)
        sim->heap[at] = sim->heap[(at - 1) / 2];
    sim->heap[at] = e;
}

static struct ending pop(struct simulation *sim)
{
    const struct ending first = sim->heap[0], last = sim->heap[--sim->n_heap];
    int32_t at = 0;
    for (int32_t child; (child = 2 * at + 1) < sim->n_heap; at = child) {
        child += child + 1 < sim->n_heap && sim->heap[child + 1].end_s < sim->heap[child].end_s;
        if (sim->heap[child].end_s >= last.end_s) break;
        sim->heap[at] = sim->heap[child];
    }
    sim->heap[at] = last;
    return first;
}

/* Its task was given more ranks since. */
static int is_stale(const struct simulation *sim, struct ending e)
{
    return psw_ledger_state(sim->ledger, e.task) != PSW_TASK_ACTIVE ||
           e.end_s != sim->end_s[e.task];
}

static double true_s_of(const struct psw_bench_makespan_opts *o, int64_t run, double most_s)
{
    if (o->tail == PSW_TAIL_MINUTES) return MINUTE_S;
    const double u = psw_rng_uniform(STREAM, (uint64_t)run, COST_PLACE);
    return fmin(MINUTE_S * pow(u, -1 / EXPONENT), most_s);
}

/* Stages that runs share come first, then the runs. */
static double make_tasks(struct simulation *sim)
{
    const struct psw_bench_makespan_opts *o = sim->opts;
    const int32_t n_shared = sim->n_task - (int32_t)o->n_run;
    double most_s = INFINITY, work_s = 0;
    for (int pass = 0; pass < 2; pass++) {
        work_s = 0;
        for (int32_t i = 0; i < sim->n_task; i++) {
            const int32_t run = i - n_shared;
            sim->true_s[i] = run < 0 ? SHARED_PART * MINUTE_S : true_s_of(o, run, most_s);
            work_s += sim->true_s[i];
        }
        if (o->tail != PSW_TAIL_CUT) break;
        most_s = fmax(work_s / (double)o->n_rank - MINUTE_S, MINUTE_S);
    }
    double chain_s = 0;
    for (int32_t i = 0; i < sim->n_task; i++) {
        const int32_t run = i - n_shared;
        const double wrong =
            pow(1 + o->error, 2 * psw_rng_uniform(STREAM, (uint64_t)i, ERROR_PLACE) - 1);
        sim->task[i] = (struct psw_task){.kind = run >= 0,
                                         .run = run,
                                         .n_rank = 1,
                                         .n_rank_most = o->n_rank_most,
                                         .n_dep = run >= 0,
                                         .dep = {run >= 0 ? run / SHARE : 0},
                                         .cost = sim->true_s[i] * wrong};
        chain_s = fmax(chain_s, sim->true_s[i] + (run >= 0 ? SHARED_PART * MINUTE_S : 0));
    }
    return fmax(chain_s, work_s / (double)o->n_rank);
}

/* What the task truly takes. */
static double duration_s(const struct simulation *sim, int32_t task, int32_t n_rank)
{
    double s = sim->true_s[task];
    for (; n_rank > 1; n_rank /= 2) s /= 2 * sim->opts->efficiency;
    return s;
}

/* The chosen ranks have the task from now on, and it truly takes so long. */
static void assign(struct simulation *sim, int32_t task, int32_t n, double predicted_s,
                   double true_s)
{
    const double now_s = sim->in.now_s;
    for (int32_t i = 0; i < n; i++) {
        struct psw_sched_rank *r = &sim->rank[sim->chosen[i]];
        *r = (struct psw_sched_rank){.node = r->node,
                                     .task = task,
                                     .free_s = now_s + predicted_s,
                                     .n_group = i == 0 ? n : 0};
    }
    sim->leader[task] = sim->chosen[0];
    sim->end_s[task] = now_s + true_s;
    sim->tells_s[task] = now_s + TELLS_AFTER * true_s;
    push(sim, (struct ending){now_s + true_s, task});
}

static psw_status start_tasks(struct simulation *sim, struct psw_error *err)
{
    const struct psw_sched_in *in = &sim->in;
    for (int32_t t, n; (t = psw_schedule_next(in, sim->chosen, &n)) >= 0;) {
        const psw_status rc = psw_ledger_apply(sim->ledger, t, PSW_TASK_ASSIGNED, NULL, err);
        if (rc != PSW_OK) return rc;
        assign(sim, t, n, psw_speed_left_s(in->speed, sim->ledger, t, n),
               duration_s(sim, t, n));
    }
    return PSW_OK;
}

/* The ranks, as the progress of their tasks tells. */
static struct psw_sched_in told(struct simulation *sim)
{
    struct psw_sched_in in = sim->in;
    in.rank = sim->told;
    for (int32_t r = 0; r < in.n_rank; r++) {
        const int32_t t = sim->rank[r].task;
        sim->told[r] = sim->rank[r];
        if (t < 0 || r != sim->leader[t]) continue;
        sim->told[r].free_s = sim->end_s[t];
        sim->told[r].stays = in.now_s < sim->tells_s[t];
    }
    return in;
}

/* More ranks for one of those that go on, where that is worth it. */
static psw_status look(struct simulation *sim, struct psw_error *err)
{
    sim->in.now_s = sim->next_look_s;
    sim->next_look_s += PSW_REGROUP_EVERY_S;
    const struct psw_sched_in in = told(sim);
    double left_s = 0;
    int32_t n = 0;
    const int32_t t = psw_regroup(&in, sim->chosen, &n, &left_s);
    if (t < 0) return PSW_OK;
    const int32_t n_before = sim->rank[sim->leader[t]].n_group;
    const double true_s =
        (sim->end_s[t] - in.now_s) * duration_s(sim, t, n) / duration_s(sim, t, n_before);
    psw_status rc = psw_ledger_apply(sim->ledger, t, PSW_TASK_WIDENED, NULL, err);
    if (rc == PSW_OK) rc = psw_ledger_apply(sim->ledger, t, PSW_TASK_ASSIGNED, NULL, err);
    if (rc == PSW_OK) assign(sim, t, n, left_s, in.restart_s + true_s);
    return rc;
}

/* The group of a task is idle again; it is of one node. Returns how many ranks that are. */
static int32_t release(struct simulation *sim, int32_t task)
{
    const int32_t leader = sim->leader[task], node = sim->rank[leader].node;
    int32_t n = 0;
    for (int32_t r = leader; r < (int32_t)sim->opts->n_rank && sim->rank[r].node == node; r++) {
        if (sim->rank[r].task != task) continue;
        sim->rank[r].task = -1;
        n++;
    }
    return n;
}

static psw_status end_task(struct simulation *sim, int32_t t, struct psw_error *err)
{
    const int32_t n = release(sim, t);
    psw_speed_learn(&sim->speed, &sim->task[t], n, duration_s(sim, t, n));
    return psw_ledger_apply(sim->ledger, t, PSW_TASK_FINISHED, NULL, err);
}

static psw_status simulate(struct simulation *sim, double *makespan_s, struct psw_error *err)
{
    psw_status rc = start_tasks(sim, err);
    while (rc == PSW_OK && sim->n_heap > 0) {
        if (is_stale(sim, sim->heap[0])) {
            pop(sim);
        } else if (sim->next_look_s < sim->heap[0].end_s) {
            rc = look(sim, err);
        } else {
            const struct ending e = pop(sim);
            sim->in.now_s = e.end_s;
            rc = end_task(sim, e.task, err);
            if (rc == PSW_OK) rc = start_tasks(sim, err);
        }
    }
    if (rc == PSW_OK && psw_ledger_count(sim->ledger, PSW_TASK_QUEUED) > 0)
        rc = psw_fail(err, PSW_EINTERNAL, "tasks are left that nothing starts");
    if (rc == PSW_OK) *makespan_s = sim->in.now_s;
    return rc;
}

static void simulation_clear(struct simulation *sim)
{
    psw_ledger_destroy(sim->ledger);
    free(sim->task);
    free(sim->true_s);
    free(sim->rank);
    free(sim->chosen);
    free(sim->end_s);
    free(sim->leader);
    free(sim->tells_s);
    free(sim->told);
    free(sim->heap);
}

static psw_status simulation_init(struct simulation *sim,
                                  const struct psw_bench_makespan_opts *opts,
                                  struct psw_error *err)
{
    const size_t n_rank = (size_t)opts->n_rank;
    *sim = (struct simulation){.opts = opts, .speed.prior_flops_per_s = 1};
    sim->next_look_s = opts->n_rank_most > 1 ? PSW_REGROUP_EVERY_S : INFINITY;
    sim->n_task = (int32_t)(opts->n_run + (opts->n_run + SHARE - 1) / SHARE);
    sim->task = calloc((size_t)sim->n_task, sizeof *sim->task);
    sim->true_s = calloc((size_t)sim->n_task, sizeof *sim->true_s);
    sim->rank = calloc(n_rank, sizeof *sim->rank);
    sim->chosen = calloc(2 * n_rank, sizeof *sim->chosen);
    sim->end_s = calloc((size_t)sim->n_task, sizeof *sim->end_s);
    sim->leader = calloc((size_t)sim->n_task, sizeof *sim->leader);
    sim->tells_s = calloc((size_t)sim->n_task, sizeof *sim->tells_s);
    sim->told = calloc(n_rank, sizeof *sim->told);
    sim->heap = calloc(n_rank + STALE * (size_t)sim->n_task, sizeof *sim->heap);
    if (!sim->task || !sim->true_s || !sim->rank || !sim->chosen || !sim->heap || !sim->end_s ||
        !sim->leader || !sim->tells_s || !sim->told)
        return psw_fail(err, PSW_ENOMEM, "simulation of %lld runs on %lld ranks",
                        (long long)opts->n_run, (long long)opts->n_rank);
    for (int32_t r = 0; r < (int32_t)n_rank; r++)
        sim->rank[r] = (struct psw_sched_rank){.node = r - r % NODE_RANKS, .task = -1};
    sim->in = (struct psw_sched_in){.speed = &sim->speed,
                                    .rank = sim->rank,
                                    .n_rank = (int32_t)n_rank,
                                    .until_s = INFINITY,
                                    .checkpoint_s = MINUTE_S,
                                    .restart_s = PSW_SCHED_RESTART_S};
    return PSW_OK;
}

psw_status psw_bench_makespan(const struct psw_bench_makespan_opts *opts,
                              struct psw_bench_makespan_result *out, struct psw_error *err)
{
    struct simulation sim;
    struct psw_bench_makespan_result r = {0};
    psw_status rc = PSW_OK;
    PSW_TRY(simulation_init(&sim, opts, err));
    r.bound_s = make_tasks(&sim);
    const clock_t begin = clock();
    PSW_TRY(psw_ledger_create(sim.task, sim.n_task, &sim.ledger, err));
    sim.in.ledger = sim.ledger;
    PSW_TRY(simulate(&sim, &r.makespan_s, err));
    r.cpu_s = (double)(clock() - begin) / CLOCKS_PER_SEC;
    r.n_byte_run =
        ((double)psw_ledger_bytes(sim.ledger) + (double)sim.n_task * (double)sizeof *sim.task) /
        (double)opts->n_run;
    *out = r;
fail:
    simulation_clear(&sim);
    return rc;
}
