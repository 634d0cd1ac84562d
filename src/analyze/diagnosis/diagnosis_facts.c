/* Facts of one run, each NaN where the file does not have it. */
#include "diagnosis_internal.h"

#include <posweep/analyze/stats.h>
#include <posweep/store/schema.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

double psw_fact(const struct psw_patient *p, const char *name)
{
    const double *x = psw_results_f64(p->results, name);
    return x ? x[p->run] : NAN;
}

double psw_fact_at(const struct psw_patient *p, const char *name, int64_t checkpoint)
{
    const double *x = psw_results_f64(p->results, name);
    const int64_t n = psw_results_dim(p->results, "checkpoint");
    return x && checkpoint >= 0 && checkpoint < n ? x[p->run * n + checkpoint] : NAN;
}

double psw_fact_of(const struct psw_patient *p, const char *name, int64_t checkpoint,
                   const char *component)
{
    const double *x = psw_results_f64(p->results, name);
    const int64_t n = psw_results_dim(p->results, "checkpoint");
    const int64_t n_component = psw_results_dim(p->results, "component");
    const int64_t c = psw_results_component(p->results, component);
    if (!x || c < 0 || checkpoint < 0 || checkpoint >= n) return NAN;
    return x[(p->run * n + checkpoint) * n_component + c];
}

double psw_fact_along(const struct psw_patient *p, const char *direction, int64_t checkpoint,
                      const char *component)
{
    const double *x = psw_results_f64(p->results, "G_dir");
    const int64_t n = psw_results_dim(p->results, "checkpoint");
    const int64_t n_direction = psw_results_dim(p->results, "direction");
    const int64_t n_component = psw_results_dim(p->results, "component");
    const int64_t c = psw_results_component(p->results, component);
    int64_t d = 0;
    while (d < n_direction &&
           strcmp(psw_results_text(p->results, "direction", d), direction) != 0)
        d++;
    if (!x || c < 0 || d == n_direction || checkpoint < 0 || checkpoint >= n) return NAN;
    return x[((p->run * n + checkpoint) * n_direction + d) * n_component + c];
}

double psw_fact_setting(const struct psw_patient *p, const char *path)
{
    char name[PSW_FIELD_BYTES], key[PSW_FIELD_BYTES + 8];
    snprintf(name, sizeof name, "%s", path);
    for (char *at = name; *at; at++)
        if (*at == '.') *at = '_';
    const double swept = psw_fact(p, name);
    if (!isnan(swept)) return swept;
    snprintf(key, sizeof key, "\"%s\": ", path);
    const char *at = strstr(psw_results_text(p->results, "config", p->run), key);
    char *end = NULL;
    const double x = at ? strtod(at + strlen(key), &end) : NAN;
    return at && end != at + strlen(key) ? x : NAN;
}

double psw_fact_step(const struct psw_patient *p, int64_t checkpoint)
{
    return psw_fact_at(p, "step", checkpoint);
}

int psw_fact_is_there(const struct psw_patient *p, const char *name)
{
    const struct psw_schema_row *row = psw_schema_row_find(name);
    const double *x = psw_results_f64(p->results, name);
    char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    if (!row || !x) return 0;
    int64_t n = 1;
    for (int d = psw_schema_dims(row, dims) - 1; d > 0; d--)
        n *= psw_results_dim(p->results, dims[d]);
    const int is_whole = psw_results_i64(p->results, name) != NULL;
    for (int64_t i = 0; i < n; i++) {
        const double value = x[p->run * n + i];
        if (isfinite(value) && !(is_whole && value == -1)) return 1;
    }
    return 0;
}

struct psw_course psw_fact_course(const struct psw_patient *p, const char *name)
{
    struct psw_course c = {0, NAN, NAN, NAN, NAN, NAN, NAN};
    const double *x = psw_results_f64(p->results, name);
    const int64_t n_log = psw_results_dim(p->results, "log_step");
    double *kept = x ? malloc(sizeof *kept * ((size_t)n_log + 1)) : NULL;
    for (int64_t i = 0; kept && i < n_log; i++)
        if (isfinite(x[p->run * n_log + i])) kept[c.n++] = x[p->run * n_log + i];
    if (c.n > 0) {
        const int64_t quarter = (c.n + 3) / 4;
        const struct psw_stat first = psw_stat_of(kept, quarter, 1);
        const struct psw_stat last = psw_stat_of(kept + c.n - quarter, quarter, 1);
        c.mean = psw_stat_of(kept, c.n, 1).mean;
        c.first = first.mean;
        c.last = last.mean;
        c.se = quarter > 1 ? hypot(first.se, last.se) : NAN;
        const struct psw_spread all = psw_spread_of(kept, c.n);
        c.least = all.least;
        c.most = all.most;
    }
    free(kept);
    return c;
}

/** The other terms of the loss, without which pos + neg is the whole. */
static int has_other_terms(const struct psw_patient *p, int64_t checkpoint)
{
    static const char *const TERMS[] = {"nll", "kl", "entropy", "value"};
    for (size_t i = 0; i < sizeof TERMS / sizeof *TERMS; i++)
        if (psw_fact_of(p, "grad_norm_component", checkpoint, TERMS[i]) > 0) return 1;
    return 0;
}

struct psw_entanglement psw_fact_entanglement(const struct psw_patient *p, int64_t checkpoint)
{
    const double total = psw_fact_of(p, "grad_norm_component", checkpoint, "total");
    struct psw_entanglement e = {psw_fact_of(p, "grad_norm_component", checkpoint, "pos"),
                                 psw_fact_of(p, "grad_norm_component", checkpoint, "neg"), NAN,
                                 NAN, 0};
    if (!(e.pos > 0) || !(e.neg > 0) || isnan(total) || has_other_terms(p, checkpoint))
        return e;
    /* g+ = -d+ s+ and g- = d- s-, so the cosine of s+ and s- is minus that of g+ and g- */
    e.cosine = -(total * total - e.pos * e.pos - e.neg * e.neg) / (2 * e.pos * e.neg);
    e.ratio = e.pos / e.neg;
    e.is_known = fabs(e.cosine) <= 1 + 1e-6;
    return e;
}
