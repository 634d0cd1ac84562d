/* What can be compared: which runs have sketches, of which length, and of models of which size.
 * Rank 0 finds out and tells the others. */
#include <posweep/analyze/spectrum.h>

#include <posweep/comm/agree.h>
#include <posweep/config/nearest.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** A run that might be compared. */
struct candidate {
    int64_t run, cell, seed, k, n_param, n_used;
};

/** Why runs are not. */
enum reason { UNENDED, OVER_OPTIMISED, NO_SKETCH, ONE_CHECKPOINT, OTHER_SIZE, N_REASON };
static const char *const REASONS[N_REASON] = {
    [UNENDED] = "not finished",
    [OVER_OPTIMISED] = "over-optimised (--max-kl inf keeps them)",
    [NO_SKETCH] = "without sketches (trace.sketch)",
    [ONE_CHECKPOINT] = "of fewer than two checkpoints",
    [OTHER_SIZE] = "with sketches of another length, or models of another size"};

/** The work of finding out. */
struct search {
    struct psw_results *results;
    struct psw_spectrum_plan *plan;
    struct psw_cells cells;
    struct candidate *candidate; /* owned [n_run of the file] */
    int64_t n, n_left_out[N_REASON];
};

void psw_spectrum_plan_clear(struct psw_spectrum_plan *plan)
{
    free(plan->run);
    free(plan->cell);
    free(plan->seed);
    free(plan->n_used);
    *plan = (struct psw_spectrum_plan){0};
}

void psw_spectrum_words_clear(struct psw_spectrum_words *words)
{
    free(words->cell);
    free(words->seed_value);
    free(words->step);
    free(words->signal);
    free(words->norm);
    *words = (struct psw_spectrum_words){0};
}

static int plan_room(struct psw_spectrum_plan *p, int64_t n)
{
    const size_t n_bytes = sizeof *p->run * ((size_t)n + 1);
    p->run = malloc(n_bytes);
    p->cell = malloc(n_bytes);
    p->seed = malloc(n_bytes);
    p->n_used = malloc(n_bytes);
    return p->run && p->cell && p->seed && p->n_used;
}

static psw_status no_memory(int64_t n, struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "spectrum: plan of %lld runs", (long long)n);
}

/* ---- which component ---- */

static psw_status find_component(struct search *s, const struct psw_spectrum_opts *opts,
                                 struct psw_error *err)
{
    const char *name = opts->component ? opts->component : "total";
    const char *names[64];
    char did[PSW_DID_BYTES];
    int n = 0;
    if (!psw_results_has(s->results, "sketch_component"))
        return psw_fail(err, PSW_EDATA,
                        "no run has sketches of gradients: they are kept where both "
                        "trace.sketch (1024, say) and trace.cosine_every are set");
    s->plan->component = psw_results_component(s->results, name);
    if (s->plan->component >= 0) return PSW_OK;
    for (; n < 64 && n < psw_results_dim(s->results, "component"); n++)
        names[n] = psw_results_text(s->results, "component", n);
    psw_did_you_mean(psw_nearest(name, names, n), did);
    return psw_fail(err, PSW_EINVAL, "no component \"%s\"%s", name, did);
}

/* ---- which runs ---- */

/* Numbers of a run's sketch: those at the front that are not missing. */
static psw_status count_numbers(struct search *s, int64_t run, int64_t *k,
                                struct psw_error *err)
{
    const int64_t n = psw_results_dim(s->results, "sketch");
    const int64_t start[3] = {run, 0, 0}, count[3] = {1, 1, n};
    double *x = malloc(sizeof *x * (size_t)n + 1);
    psw_status rc =
        x ? psw_results_block(s->results, "sketch_v", start, count, x, err) : no_memory(1, err);
    *k = 0;
    while (rc == PSW_OK && *k < n && isfinite(x[*k])) ++*k;
    free(x);
    return rc;
}

/* The last checkpoint is no part of v's path. */
static int64_t count_used(const struct search *s, int64_t run)
{
    const int64_t *step = psw_results_i64(s->results, "step");
    const int64_t C = s->plan->n_checkpoint;
    int64_t n = 0;
    while (step && n < C && step[run * C + n] >= 0) n++;
    return s->plan->of == PSW_SPECTRUM_V ? n - 1 : n;
}

static psw_status add_run(struct search *s, int64_t cell, int64_t place, struct psw_error *err)
{
    const struct psw_cell *c = &s->cells.cell[cell];
    const int64_t *seed = psw_results_i64(s->results, "seed");
    const int64_t *n_param = psw_results_i64(s->results, "n_param");
    struct candidate one = {.run = c->run[place], .cell = cell};
    if (c->apart[place] != PSW_APART_NOT) {
        s->n_left_out[c->apart[place] == PSW_APART_UNENDED ? UNENDED : OVER_OPTIMISED]++;
        return PSW_OK;
    }
    const psw_status rc = count_numbers(s, one.run, &one.k, err);
    if (rc != PSW_OK) return rc;
    one.seed = seed ? seed[one.run] : 0;
    one.n_param = n_param ? n_param[one.run] : 0;
    one.n_used = count_used(s, one.run);
    if (one.k == 0)
        s->n_left_out[NO_SKETCH]++;
    else if (one.n_used < 2)
        s->n_left_out[ONE_CHECKPOINT]++;
    else
        s->candidate[s->n++] = one;
    return PSW_OK;
}

static int same_size(const struct candidate *a, const struct candidate *b)
{
    return a->k == b->k && a->n_param == b->n_param;
}

/* Keep the largest group that agrees; of two the first. */
static void keep_largest(struct search *s)
{
    int64_t best = 0, n_best = 0, n = 0;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t n_same = 0;
        for (int64_t j = 0; j < s->n && n_best <= s->n / 2; j++)
            n_same += same_size(&s->candidate[i], &s->candidate[j]);
        if (n_same > n_best) best = i, n_best = n_same;
    }
    const struct candidate kept = s->candidate[best];
    for (int64_t i = 0; i < s->n; i++)
        if (same_size(&s->candidate[i], &kept)) s->candidate[n++] = s->candidate[i];
    s->n_left_out[OTHER_SIZE] = s->n - n;
    s->n = n;
    s->plan->k = kept.k;
}

static psw_status refuse(const struct search *s, struct psw_error *err)
{
    const int64_t *n = s->n_left_out;
    if (n[NO_SKETCH] == 0 && n[ONE_CHECKPOINT] > 0)
        return psw_fail(err, PSW_EDATA,
                        "no run has two checkpoints to compare%s: a smaller trace.every keeps "
                        "more",
                        s->plan->of == PSW_SPECTRUM_V ? " beside its last" : "");
    return psw_fail(err, PSW_EDATA,
                    "no finished run can be compared: %lld are not finished, %lld "
                    "over-optimised, %lld without sketches (trace.sketch)",
                    (long long)n[UNENDED], (long long)n[OVER_OPTIMISED],
                    (long long)n[NO_SKETCH]);
}

static psw_status find_runs(struct search *s, const struct psw_spectrum_opts *opts,
                            struct psw_error *err)
{
    struct psw_traces traces;
    psw_status rc = psw_traces_init(s->results, &traces, err);
    if (rc == PSW_OK)
        rc = psw_cells_init(s->results, &traces, &opts->selection, &s->cells, err);
    if (rc != PSW_OK) return rc;
    s->candidate = calloc((size_t)psw_results_dim(s->results, "run") + 1, sizeof *s->candidate);
    if (!s->candidate) return no_memory(psw_results_dim(s->results, "run"), err);
    for (int64_t c = 0; c < s->cells.n_cell; c++)
        for (int64_t i = 0; i < s->cells.cell[c].n_run; i++) {
            rc = add_run(s, c, i, err);
            if (rc != PSW_OK) return rc;
        }
    if (s->n == 0) return refuse(s, err);
    keep_largest(s);
    return PSW_OK;
}

/* ---- what is handed on ---- */

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Cells and seeds by place; candidates stand cell by cell. */
static void number(const struct search *s, struct psw_spectrum_words *words)
{
    struct psw_spectrum_plan *p = s->plan;
    for (int64_t i = 0; i < s->n; i++) words->seed_value[i] = s->candidate[i].seed;
    qsort(words->seed_value, (size_t)s->n, sizeof *words->seed_value, by_value);
    for (int64_t i = 0; i < s->n; i++)
        if (i == 0 || words->seed_value[i] != words->seed_value[p->n_seed - 1])
            words->seed_value[p->n_seed++] = words->seed_value[i];
    for (int64_t i = 0; i < s->n; i++) {
        const struct candidate *c = &s->candidate[i];
        if (i == 0 || c->cell != s->candidate[i - 1].cell)
            snprintf(words->cell[p->n_cell++], sizeof *words->cell, "%s",
                     s->cells.cell[c->cell].label);
        p->run[i] = c->run;
        p->cell[i] = p->n_cell - 1;
        p->n_used[i] = c->n_used;
        const int64_t *seed = bsearch(&c->seed, words->seed_value, (size_t)p->n_seed,
                                      sizeof *words->seed_value, by_value);
        p->seed[i] = seed - words->seed_value;
    }
    p->n_run = s->n;
}

static void tell_left_out(const struct search *s, char *out, size_t n_bytes)
{
    size_t used = 0;
    for (int r = 0; r < N_REASON && used < n_bytes; r++)
        if (s->n_left_out[r] > 0)
            used += (size_t)snprintf(out + used, n_bytes - used, "%s%lld %s", used ? "; " : "",
                                     (long long)s->n_left_out[r], REASONS[r]);
}

/* What the file knows of the vectors themselves. */
static void fill_known(const struct search *s, struct psw_spectrum_words *words)
{
    const struct psw_spectrum_plan *p = s->plan;
    const int64_t C = p->n_checkpoint, n_component = psw_results_dim(s->results, "component");
    const int is_v = p->of == PSW_SPECTRUM_V, is_component = p->of == PSW_SPECTRUM_COMPONENT;
    const double *v = psw_results_f64(s->results, "v_norm");
    const double *halves = psw_results_f64(s->results, "v_halves");
    const double *grad =
        is_component ? psw_results_f64(s->results, "grad_norm_component") : NULL;
    for (int64_t i = 0; i < p->n_run; i++)
        for (int64_t t = 0; t < C; t++) {
            const int64_t at = p->run[i] * C + t;
            words->signal[i * C + t] =
                is_v && v && halves && v[at] > 0 ? halves[at] / (v[at] * v[at]) : NAN;
            words->norm[i * C + t] = is_v && v ? v[at]
                                     : grad    ? grad[at * n_component + p->component]
                                               : NAN;
        }
}

static psw_status hand_on(struct search *s, struct psw_spectrum_words *words,
                          struct psw_error *err)
{
    struct psw_spectrum_plan *p = s->plan;
    const size_t n = (size_t)s->n + 1, C = (size_t)p->n_checkpoint;
    const int64_t *step = psw_results_i64(s->results, "step");
    words->cell = calloc(n, sizeof *words->cell);
    words->seed_value = calloc(n, sizeof *words->seed_value);
    words->step = calloc(n * C, sizeof *words->step);
    words->signal = calloc(n * C, sizeof *words->signal);
    words->norm = calloc(n * C, sizeof *words->norm);
    if (!plan_room(p, s->n) || !words->cell || !words->seed_value || !words->step ||
        !words->signal || !words->norm)
        return no_memory(s->n, err);
    number(s, words);
    fill_known(s, words);
    for (int64_t i = 0; step && i < p->n_run; i++)
        memcpy(words->step + (size_t)i * C, step + (size_t)p->run[i] * C, sizeof *step * C);
    tell_left_out(s, words->left_out, sizeof words->left_out);
    snprintf(words->title, sizeof words->title, "%.*s", (int)sizeof words->title - 1,
             psw_results_attr(s->results, "/", "title"));
    if (p->of == PSW_SPECTRUM_COMPONENT)
        snprintf(words->of, sizeof words->of, "the gradient of %.60s",
                 psw_results_text(s->results, "component", p->component));
    else
        snprintf(words->of, sizeof words->of, "%s",
                 p->of == PSW_SPECTRUM_V ? "v" : "the displacement");
    return PSW_OK;
}

psw_status psw_spectrum_plan_init(struct psw_results *results,
                                  const struct psw_spectrum_opts *opts,
                                  struct psw_spectrum_plan *plan,
                                  struct psw_spectrum_words *words, struct psw_error *err)
{
    struct psw_spectrum_plan p = {.of = opts->of,
                                  .component = -1,
                                  .n_dim = opts->n_dim ? opts->n_dim : 2,
                                  .n_checkpoint = psw_results_dim(results, "checkpoint")};
    struct psw_spectrum_words w = {0};
    struct search s = {.results = results, .plan = &p};
    psw_status rc = PSW_OK;
    if (!psw_results_has(results, "sketch_v"))
        PSW_TRY(psw_fail(err, PSW_EDATA,
                         "no run has sketches: they are kept where the sweep file says "
                         "trace: {sketch: 1024} (0, none, is the default); runs that differ "
                         "in it are new runs"));
    if (p.of == PSW_SPECTRUM_COMPONENT) PSW_TRY(find_component(&s, opts, err));
    PSW_TRY(find_runs(&s, opts, err));
    PSW_TRY(hand_on(&s, &w, err));
    *plan = p;
    *words = w;
fail:
    psw_cells_clear(&s.cells);
    free(s.candidate);
    if (rc != PSW_OK) psw_spectrum_plan_clear(&p);
    if (rc != PSW_OK) psw_spectrum_words_clear(&w);
    return rc;
}

psw_status psw_spectrum_plan_share(MPI_Comm comm, struct psw_spectrum_plan *plan,
                                   struct psw_error *err)
{
    const int is_first = psw_comm_rank(comm) == 0;
    struct psw_spectrum_plan p = *plan;
    PSW_MPI(MPI_Bcast(&p, sizeof p, MPI_BYTE, 0, comm));
    int ok = 1;
    if (!is_first) ok = plan_room(&p, p.n_run);
    if (!is_first) *plan = p;
    const psw_status rc = psw_agree(comm, ok ? PSW_OK : no_memory(p.n_run, err), err);
    int64_t *const list[] = {plan->run, plan->cell, plan->seed, plan->n_used};
    for (size_t i = 0; rc == PSW_OK && i < sizeof list / sizeof *list; i++)
        PSW_MPI(MPI_Bcast(list[i], psw_int_cast(p.n_run), MPI_INT64_T, 0, comm));
    return rc;
}
