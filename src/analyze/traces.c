/* Traces of single runs. Datasets are found once; a point is a few loads. */
#include <posweep/analyze/traces.h>

#include <math.h>

psw_status psw_traces_init(struct psw_results *results, struct psw_traces *out,
                           struct psw_error *err)
{
    *out =
        (struct psw_traces){.step = psw_results_i64(results, "step"),
                            .n_run = psw_results_dim(results, "run"),
                            .n_checkpoint = psw_results_dim(results, "checkpoint"),
                            .n_component = psw_results_dim(results, "component"),
                            .pos = psw_results_component(results, "pos"),
                            .neg = psw_results_component(results, "neg"),
                            .pos_minus_neg = psw_results_component(results, "pos_minus_neg")};
    for (int a = 0; a < PSW_N_ALONG; a++) {
        const struct psw_along_columns *name = psw_along_columns((enum psw_along)a);
        out->along[a] =
            (struct psw_traces_columns){.g = psw_results_f64(results, name->g),
                                        .se = psw_results_f64(results, name->se),
                                        .se_final = psw_results_f64(results, name->se_final),
                                        .norm = psw_results_f64(results, name->norm)};
    }
    if (!out->step || !out->along[PSW_ALONG_SAMPLED].g)
        return psw_fail(err, PSW_EDATA, "the results file has no trace");
    return PSW_OK;
}

static double step_at(const struct psw_traces *t, int64_t run, int64_t checkpoint)
{
    const int64_t step = t->step[run * t->n_checkpoint + checkpoint];
    return step < 0 ? NAN : (double)step;
}

static double load(const struct psw_traces *t, const double *column, int64_t run,
                   int64_t checkpoint, int64_t component)
{
    if (!column || component < 0) return NAN;
    return column[(run * t->n_checkpoint + checkpoint) * t->n_component + component];
}

int64_t psw_trace_length(const struct psw_traces *t, int64_t run)
{
    int64_t n = t->n_checkpoint;
    while (n > 0 && isnan(step_at(t, run, n - 1))) n--;
    return n > 0 ? n - 1 : 0;
}

/** The nearest checkpoint from `at` on, going by `by`, that has an error through D'; -1: none.
 */
static int64_t nearest_error(const struct psw_traces *t, const double *column, int64_t run,
                             int64_t at, int by, int64_t component)
{
    for (int64_t k = at; k >= 0 && k < t->n_checkpoint; k += by)
        if (isfinite(load(t, column, run, k, component)) && isfinite(step_at(t, run, k)))
            return k;
    return -1;
}

/** The error through D': measured, interpolated, or that of the nearest; NaN: nowhere known. */
static double final_error(const struct psw_traces *t, const double *column, int64_t run,
                          int64_t checkpoint, int64_t component)
{
    if (!column || component < 0) return NAN;
    const int64_t a = nearest_error(t, column, run, checkpoint, -1, component);
    const int64_t b = nearest_error(t, column, run, checkpoint, 1, component);
    const double se_a = a < 0 ? NAN : load(t, column, run, a, component);
    const double se_b = b < 0 ? NAN : load(t, column, run, b, component);
    if (a < 0 || b < 0 || a == b) return a < 0 ? se_b : se_a;
    const double x = step_at(t, run, checkpoint), x_a = step_at(t, run, a);
    return se_a + (se_b - se_a) * (x - x_a) / (step_at(t, run, b) - x_a);
}

/** The error that counts. */
static double error_at(const struct psw_traces *t, const struct psw_traces_columns *c,
                       int64_t run, int64_t checkpoint, int64_t component)
{
    const double se = load(t, c->se, run, checkpoint, component);
    const double se_final = final_error(t, c->se_final, run, checkpoint, component);
    return psw_along_error(se, se_final);
}

struct psw_trace_value psw_trace_at(const struct psw_traces *t, enum psw_along along,
                                    int64_t run, int64_t checkpoint, int64_t component)
{
    const struct psw_traces_columns *c = &t->along[along];
    struct psw_trace_value v = {NAN, NAN, NAN, NAN, NAN};
    if (checkpoint >= psw_trace_length(t, run)) return v;
    v.step = step_at(t, run, checkpoint);
    if (component == PSW_POS_MINUS_NEG &&
        isfinite(load(t, c->g, run, checkpoint, t->pos_minus_neg)))
        component = t->pos_minus_neg;
    v.g = load(t, c->g, run, checkpoint, component);
    v.se = error_at(t, c, run, checkpoint, component);
    if (component == PSW_POS_MINUS_NEG) {
        v.g = load(t, c->g, run, checkpoint, t->pos) - load(t, c->g, run, checkpoint, t->neg);
        v.se = hypot(error_at(t, c, run, checkpoint, t->pos),
                     error_at(t, c, run, checkpoint, t->neg));
    }
    const double norm = c->norm ? c->norm[run * t->n_checkpoint + checkpoint] : NAN;
    if (norm > 0) {
        v.scaled = v.g / norm;
        v.scaled_se = v.se / norm;
    }
    return v;
}

int psw_trace_has(const struct psw_traces *t, enum psw_along along, int64_t run, int64_t total)
{
    for (int64_t k = 0; k < psw_trace_length(t, run); k++)
        if (isfinite(load(t, t->along[along].g, run, k, total))) return 1;
    return 0;
}
