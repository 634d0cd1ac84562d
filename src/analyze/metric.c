/* Metrics by name: the table of functionals, the traces they are taken of, and which direction
 * is the better one. What cannot be had is refused with the nearest name. */
#include <posweep/analyze/metric.h>

#include <posweep/analyze/signs.h>
#include <posweep/analyze/stats.h>
#include <posweep/config/nearest.h>
#include <posweep/store/schema.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 512 };

/* ---- functionals ---- */

/** A trace of one run: points that have a value, in the order of training. */
struct trace {
    double *step, *value, *se; /* owned [room] */
    int64_t n;
};

static double mean_of(struct trace *t)
{
    return psw_stat_of(t->value, t->n, 1).mean;
}

static double median_of(struct trace *t)
{
    return psw_spread_of(t->value, t->n).median;
}

static double area_of(struct trace *t)
{
    double area = 0;
    for (int64_t k = 1; k < t->n; k++)
        area += (t->step[k] - t->step[k - 1]) * (t->value[k] + t->value[k - 1]) / 2;
    return t->n > 0 ? area : NAN;
}

static double first_of(struct trace *t)
{
    return t->n > 0 ? t->value[0] : NAN;
}

static double last_of(struct trace *t)
{
    return t->n > 0 ? t->value[t->n - 1] : NAN;
}

static double positive_of(struct trace *t)
{
    return psw_shares_of(t->value, t->se, t->n).above;
}

static double negative_of(struct trace *t)
{
    return psw_shares_of(t->value, t->se, t->n).below;
}

static double crossing_of(struct trace *t)
{
    const struct psw_crossing c = psw_crossing_of(t->step, t->value, t->se, t->n);
    return (c.lo + c.hi) / 2;
}

/** Mean over one third of the points, 0 to 2: of four points, 1, 1 and 2. */
static double third_of(const struct trace *t, int64_t i)
{
    const int64_t first = i * t->n / 3, end = (i + 1) * t->n / 3;
    return psw_stat_of(t->value + first, end - first, 1).mean;
}

static double early_of(struct trace *t)
{
    return third_of(t, 0);
}

static double middle_of(struct trace *t)
{
    return third_of(t, 1);
}

static double late_of(struct trace *t)
{
    return third_of(t, 2);
}

static double open_of(struct trace *t)
{
    return psw_shares_of(t->value, t->se, t->n).open;
}

static double rise_of(struct trace *t)
{
    const double last = last_of(t);
    return last - psw_spread_of(t->value, t->n).least;
}

static const struct functional {
    const char *name, *what;
    double (*of)(struct trace *t); /* may reorder the values */
} FUNCTIONALS[] = {
    {"mean", "mean over the checkpoints", mean_of},
    {"median", "median over the checkpoints", median_of},
    {"area", "area under the trace over steps (trapezoids)", area_of},
    {"first", "its first value", first_of},
    {"last", "its last value before the final checkpoint", last_of},
    {"positive", "share of the checkpoints above 0 by more than 2 errors", positive_of},
    {"negative", "share of the checkpoints below 0 by more than 2 errors", negative_of},
    {"open", "share of the checkpoints not known to differ from 0", open_of},
    {"early", "mean over the first third of the checkpoints", early_of},
    {"middle", "mean over the second third of the checkpoints", middle_of},
    {"late", "mean over the last third of the checkpoints", late_of},
    {"rise", "its last value minus its least", rise_of},
    {"crossing", "step of the first change of sign beyond 2 errors", crossing_of},
};
enum { N_FUNCTIONAL = sizeof FUNCTIONALS / sizeof *FUNCTIONALS };

/* ---- families ---- */

enum family { FAMILY_G, FAMILY_SCALED, FAMILY_COSINE, N_FAMILY };

static const struct {
    const char *name, *what;
} FAMILIES[N_FAMILY] = {
    [FAMILY_G] = {"G", "the gradient alignment"},
    [FAMILY_SCALED] = {"Gv", "G over the norm of v: seeds compare"},
    [FAMILY_COSINE] = {"cosine", "of v and the gradient, at trace.cosine_every"},
};

/** Datasets along v besides G: their last checkpoint is the noise of D'. */
static const char ALONG_V[] = "kappa_";

static const struct {
    const char *name, *stands_for;
} SHORT[] = {{"crossing", "G.pos_minus_neg:crossing"}};

/* ---- directions ---- */

static const struct {
    const char *name; /* of a dataset, with or without a functional */
    int direction;
} DIRECTIONS[] = {
    {"score", 1},
    {"win_rate", 1},
    {"loss_rate", -1},
    {"reward_final", 1},
    {"final_score", 1},
    {"heldout_accuracy", 1},
    {"heldout_loss", -1},
    {"reward_model_accuracy", 1},
    {"sft_loss", -1},
    {"reward_model_loss", -1},
    {"train_loss", -1},
    {"reward_model_calibration", -1},
    {"train_score", 1},
    {"reward_accuracy", 1},
    {"probe_loss", -1},
    {"probe_accuracy", 1},
    {"repetition_rate", -1},
    {"trace_heldout_loss", -1},
    {"trace_score", 1},
    {"trace_reward", 1},
    {"trace_eos_rate", 1},
    {"trace_repetition_rate", -1},
    {"eos_rate", 1},
    {"trace_heldout_accuracy", 1},
    {"final_eos_rate", 1},
    {"final_repetition_rate", -1},
    {"final_cut_rate", -1},
    {"wall_s", -1},
    {"explained_variance", 1},
};

/** Functionals that keep the direction of what they are taken of. */
static int keeps_direction(const char *functional)
{
    static const char *const KEEP[] = {"mean", "median", "area",   "first",
                                       "last", "early",  "middle", "late"};
    for (size_t i = 0; i < sizeof KEEP / sizeof *KEEP; i++)
        if (strcmp(KEEP[i], functional) == 0) return 1;
    return 0;
}

int psw_metric_direction(const char *name)
{
    const size_t n = strcspn(name, ":");
    if (name[n] && !keeps_direction(name + n + 1)) return 0;
    for (size_t i = 0; i < sizeof DIRECTIONS / sizeof *DIRECTIONS; i++)
        if (strlen(DIRECTIONS[i].name) == n && strncmp(DIRECTIONS[i].name, name, n) == 0)
            return DIRECTIONS[i].direction;
    return 0;
}

/* ---- what a name means ---- */

/** A name taken apart. */
struct metric {
    const struct functional *functional; /* NULL: a dataset over run */
    enum family family;                  /* N_FAMILY: a dataset of its own */
    int64_t component;                   /* or PSW_POS_MINUS_NEG */
    const char *dataset;                 /* borrowed from the schema */
    enum psw_along along;
};

static int has_dims(const struct psw_schema_row *row, const char *dims)
{
    return row->type != PSW_TEXT && strcmp(row->dims, dims) == 0;
}

/** A number per run that was measured, neither a label nor a set of bits. */
static int is_final(const struct psw_schema_row *row)
{
    return has_dims(row, "run") && !(row->flags & (PSW_S_WRITER | PSW_S_MASKS));
}

/** A number per run and checkpoint or line of the log, neither a label nor a step. */
static int is_along_training(const struct psw_schema_row *row)
{
    return (has_dims(row, "run checkpoint") || has_dims(row, "run log_step")) &&
           strcmp(row->name, "step") != 0 && strcmp(row->name, "train_step") != 0;
}

static psw_status refuse(const char *what, const char *word, const char *const *names, int n,
                         const char *hint, struct psw_error *err)
{
    char did[PSW_DID_BYTES];
    psw_did_you_mean(psw_nearest(word, names, n), did);
    return psw_fail(err, PSW_EINVAL, "no %s \"%s\"%s %s", what, word, did[0] ? did : ".", hint);
}

/** No dataset of that name can be a metric. */
static psw_status refuse_dataset(struct psw_results *r, const char *word, int wants_trace,
                                 struct psw_error *err)
{
    const char *names[MOST_NAMES];
    int n_row, n = 0;
    const struct psw_schema_row *row = psw_schema_rows(&n_row);
    for (int i = 0; i < n_row && n < MOST_NAMES - N_FAMILY; i++)
        if (psw_results_has(r, row[i].name) &&
            (wants_trace ? is_along_training(&row[i]) : is_final(&row[i])))
            names[n++] = row[i].name;
    return refuse("metric", word, names, n,
                  wants_trace
                      ? "Traces are G.COMPONENT, Gv.COMPONENT, cosine.COMPONENT and datasets "
                        "along training; `posweep help compare` has their functionals"
                      : "Metrics are numeric datasets over run (`posweep help results`) and "
                        "functionals of traces such as Gv.pos:mean (`posweep help compare`)",
                  err);
}

static psw_status find_functional(const char *name, const struct functional **out,
                                  struct psw_error *err)
{
    const char *names[N_FUNCTIONAL];
    for (int i = 0; i < N_FUNCTIONAL; i++) {
        names[i] = FUNCTIONALS[i].name;
        if (strcmp(name, names[i]) == 0) *out = &FUNCTIONALS[i];
    }
    if (*out) return PSW_OK;
    return refuse("functional", name, names, N_FUNCTIONAL,
                  "There are mean, median, area, first, last, positive, negative, open, early, "
                  "middle, late, rise and crossing",
                  err);
}

static psw_status find_component(struct psw_results *r, const struct psw_traces *t,
                                 const char *name, int64_t *out, struct psw_error *err)
{
    const char *names[MOST_NAMES];
    int n = 0;
    *out = psw_results_component(r, name);
    if (strcmp(name, "pos_minus_neg") == 0 && t->pos >= 0 && t->neg >= 0)
        *out = PSW_POS_MINUS_NEG;
    if (*out != -1) return PSW_OK;
    for (; n < t->n_component && n < MOST_NAMES; n++)
        names[n] = psw_results_text(r, "component", n);
    return refuse("component", name, names, n, "The file's own are its variable `component`",
                  err);
}

/** FAMILY.COMPONENT, or the name of a dataset along training. */
static psw_status find_trace(struct psw_results *r, const struct psw_traces *t,
                             const char *name, struct metric *out, struct psw_error *err)
{
    const char *names[N_FAMILY];
    char family[PSW_METRIC_BYTES];
    const char *dot = strchr(name, '.');
    const struct psw_schema_row *row = psw_schema_row_find(name);
    if (row && is_along_training(row)) {
        out->dataset = row->name;
        if (psw_results_has(r, row->name)) return PSW_OK;
        return psw_fail(err, PSW_EDATA, "the file has no %s: it was not measured", row->name);
    }
    if (!dot) return refuse_dataset(r, name, 1, err);
    snprintf(family, sizeof family, "%.*s", (int)(dot - name), name);
    for (int i = 0; i < N_FAMILY; i++) {
        names[i] = FAMILIES[i].name;
        if (strcmp(family, names[i]) == 0) out->family = (enum family)i;
    }
    if (out->family == N_FAMILY)
        return refuse("family of traces", family, names, N_FAMILY, "There are G, Gv and cosine",
                      err);
    if (out->family == FAMILY_COSINE && !psw_results_has(r, "cosine"))
        return psw_fail(err, PSW_EDATA,
                        "the file has no cosine: trace.cosine_every would have stored it");
    return find_component(r, t, dot + 1, &out->component, err);
}

static psw_status find_final(struct psw_results *r, const struct psw_traces *t,
                             const char *name, struct metric *out, struct psw_error *err)
{
    const struct psw_schema_row *row = psw_schema_row_find(name);
    struct metric trace = *out;
    if (!row || !is_final(row)) {
        if (find_trace(r, t, name, &trace, NULL) != PSW_OK)
            return refuse_dataset(r, name, 0, err);
        return psw_fail(err, PSW_EINVAL,
                        "\"%s\" is a trace: say what of it, for example %s:mean (`posweep help "
                        "compare` has the functionals)",
                        name, name);
    }
    out->dataset = row->name;
    if (psw_results_has(r, row->name)) return PSW_OK;
    return psw_fail(err, PSW_EDATA, "the file has no %s: it was not measured", row->name);
}

static psw_status choose_along(struct psw_results *r, const struct psw_traces *t,
                               const char *name, enum psw_along *out, struct psw_error *err)
{
    const char *names[PSW_N_ALONG];
    const int64_t total = psw_results_component(r, "total");
    int64_t n[PSW_N_ALONG] = {0};
    for (int a = 0; a < PSW_N_ALONG; a++) {
        names[a] = psw_along_name(a);
        *out = (enum psw_along)a;
        if (name && strcmp(name, names[a]) == 0) return PSW_OK;
        for (int64_t run = 0; run < t->n_run; run++) n[a] += psw_trace_has(t, a, run, total);
    }
    if (name)
        return refuse("direction", name, names, PSW_N_ALONG, "There are sampled and soft", err);
    *out = n[PSW_ALONG_SOFT] > 0 && n[PSW_ALONG_SOFT] == n[PSW_ALONG_SAMPLED]
               ? PSW_ALONG_SOFT
               : PSW_ALONG_SAMPLED;
    return PSW_OK;
}

/** Take a name apart and find what it names. */
static psw_status find_metric(struct psw_results *r, const struct psw_traces *t,
                              const char *along, const char *name, struct metric *out,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char base[PSW_METRIC_BYTES];
    for (size_t i = 0; i < sizeof SHORT / sizeof *SHORT; i++)
        if (strcmp(name, SHORT[i].name) == 0) name = SHORT[i].stands_for;
    const size_t n = strcspn(name, ":");
    *out = (struct metric){.family = N_FAMILY, .component = -1};
    if (strlen(name) >= sizeof base)
        return psw_fail(err, PSW_EINVAL, "no metric \"%.40s...\": the name is too long", name);
    snprintf(base, sizeof base, "%.*s", (int)n, name);
    if (!name[n]) return find_final(r, t, base, out, err);
    PSW_TRY(find_trace(r, t, base, out, err));
    PSW_TRY(find_functional(name + n + 1, &out->functional, err));
    PSW_TRY(choose_along(r, t, along, &out->along, err));
fail:
    return rc;
}

/* ---- values ---- */

static void add_point(struct trace *t, double step, double value, double se)
{
    if (!isfinite(value) || !isfinite(step)) return;
    t->step[t->n] = step, t->value[t->n] = value, t->se[t->n++] = se;
}

/** Points of G, scaled G or the cosine, which has the relative error of G. */
static void read_component(struct psw_results *r, const struct psw_traces *t,
                           const struct metric *m, int64_t run, struct trace *out)
{
    const double *cosine = m->family == FAMILY_COSINE ? psw_results_f64(r, "cosine") : NULL;
    const int64_t own = m->component == PSW_POS_MINUS_NEG ? t->pos_minus_neg : m->component;
    for (int64_t k = 0; k < psw_trace_length(t, run); k++) {
        const struct psw_trace_value v = psw_trace_at(t, m->along, run, k, m->component);
        if (m->family == FAMILY_G) add_point(out, v.step, v.g, v.se);
        if (m->family == FAMILY_SCALED) add_point(out, v.step, v.scaled, v.scaled_se);
        if (cosine && own >= 0) {
            const double x = cosine[(run * t->n_checkpoint + k) * t->n_component + own];
            add_point(out, v.step, x, v.g != 0 ? fabs(x / v.g) * v.se : NAN);
        }
    }
}

/** Points of a dataset over checkpoints or log lines; its errors are not known and count as 0.
 */
static void read_dataset(struct psw_results *r, const struct psw_traces *t,
                         const struct metric *m, int64_t run, struct trace *out)
{
    const struct psw_schema_row *row = psw_schema_row_find(m->dataset);
    const int is_log = has_dims(row, "run log_step");
    const int64_t n = psw_results_dim(r, is_log ? "log_step" : "checkpoint");
    const int64_t *step = psw_results_i64(r, is_log ? "train_step" : "step");
    const double *x = psw_results_f64(r, m->dataset);
    const int is_along_v = strncmp(m->dataset, ALONG_V, strlen(ALONG_V)) == 0;
    const int64_t n_used = is_along_v ? psw_trace_length(t, run) : n;
    for (int64_t k = 0; x && step && k < n_used; k++)
        if (step[run * n + k] >= 0)
            add_point(out, (double)step[run * n + k], x[run * n + k], 0);
}

static psw_status trace_values(struct psw_results *r, const struct psw_traces *t,
                               const struct metric *m, double *out, struct psw_error *err)
{
    const int64_t n_log = psw_results_dim(r, "log_step");
    const size_t room = (size_t)(n_log > t->n_checkpoint ? n_log : t->n_checkpoint);
    double *buffer = calloc(3 * room + 1, sizeof *buffer);
    struct trace trace = {buffer, buffer + room, buffer + 2 * room, 0};
    if (!buffer) return psw_fail(err, PSW_ENOMEM, "metric over %zu points", room);
    for (int64_t run = 0; run < t->n_run; run++) {
        trace.n = 0;
        if (m->family == N_FAMILY)
            read_dataset(r, t, m, run, &trace);
        else
            read_component(r, t, m, run, &trace);
        out[run] = m->functional->of(&trace);
    }
    free(buffer);
    return PSW_OK;
}

psw_status psw_metric_values(struct psw_results *results, const struct psw_traces *traces,
                             const char *along, const char *name, double *out,
                             struct psw_error *err)
{
    struct metric m;
    const psw_status rc = find_metric(results, traces, along, name, &m, err);
    if (rc != PSW_OK) return rc;
    if (m.functional) return trace_values(results, traces, &m, out, err);
    const double *x = psw_results_f64(results, m.dataset);
    const int is_count = psw_schema_row_find(m.dataset)->type == PSW_I64;
    for (int64_t run = 0; run < traces->n_run; run++)
        out[run] = x && isfinite(x[run]) && !(is_count && x[run] < 0) ? x[run] : NAN;
    return PSW_OK;
}

/* ---- help ---- */

void psw_metric_help(FILE *out)
{
    fputs("A metric is one number per run: a numeric dataset over run, such as score (`posweep "
          "help results` lists them), or FAMILY.COMPONENT:FUNCTIONAL of a trace, such as "
          "Gv.pos:mean, or DATASET:FUNCTIONAL of what lies along training, such as "
          "train_loss:last.\n\nFamilies\n",
          out);
    for (int i = 0; i < N_FAMILY; i++)
        fprintf(out, "  %-10s %s\n", FAMILIES[i].name, FAMILIES[i].what);
    fputs("\nFunctionals\n", out);
    for (int i = 0; i < N_FUNCTIONAL; i++)
        fprintf(out, "  %-10s %s\n", FUNCTIONALS[i].name, FUNCTIONALS[i].what);
    for (size_t i = 0; i < sizeof SHORT / sizeof *SHORT; i++)
        fprintf(out, "\n%s is short for %s: where pos and neg cross.\n", SHORT[i].name,
                SHORT[i].stands_for);
}
