/* The rules, and what the journal remembers of them. */
#include "early_stop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record at a rung begins with these; the values compared with follow. */
enum { STEP, VALUE, STOPS, THRESHOLD, RULE, N_COMPARED, N_HEAD };

/* What a rule compares by and what it compares, as the journal has it. */
enum { KINDS = 16 };
static double rule_code(const struct psw_stop_rule *rule)
{
    return rule->kind + KINDS * (int)rule->metric;
}

static int is_better(double a, double b, int is_min)
{
    if (isnan(a) || isnan(b)) return !isnan(a) && isnan(b);
    return is_min ? a < b : a > b;
}

/* By value, NaN last. */
static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

int psw_asha_stops(double *other, int64_t n_other, double own, int is_min, int64_t reduction,
                   double *threshold)
{
    const int64_t n_keep = (n_other + 1) / reduction;
    int64_t n_better = 0, n_number = 0;
    *threshold = NAN;
    for (int64_t i = 0; i < n_other; i++) n_better += is_better(other[i], own, is_min);
    if (n_keep == 0 || n_better < n_keep) return 0;
    qsort(other, (size_t)n_other, sizeof *other, ascending);
    while (n_number < n_other && !isnan(other[n_number])) n_number++;
    *threshold = other[is_min ? n_keep - 1 : n_number - n_keep];
    return 1;
}

int psw_median_stops(double *average, int64_t n, double best, int is_min, int64_t min_runs,
                     double *threshold)
{
    *threshold = NAN;
    if (n < min_runs || n == 0) return 0;
    qsort(average, (size_t)n, sizeof *average, ascending);
    *threshold = n % 2 ? average[n / 2] : (average[n / 2 - 1] + average[n / 2]) / 2;
    return is_better(*threshold, best, is_min);
}

static int by_run(const void *a, const void *b)
{
    const uint64_t x = ((const struct psw_stop_run *)a)->run,
                   y = ((const struct psw_stop_run *)b)->run;
    return (x > y) - (x < y);
}

static struct psw_stop_run *find_run(const struct psw_early_stop *s, uint64_t run)
{
    const struct psw_stop_run key = {.run = run};
    return s->n_run ? bsearch(&key, s->run, (size_t)s->n_run, sizeof key, by_run) : NULL;
}

static psw_status add_rung(struct psw_early_stop *s, const struct psw_rung *rung,
                           struct psw_error *err)
{
    struct psw_stop_run *of = find_run(s, rung->run);
    if (!of) return PSW_OK;
    if ((s->n_rung & (s->n_rung - 1)) == 0) {
        const size_t n = s->n_rung ? 2 * (size_t)s->n_rung : 1;
        struct psw_rung *grown = realloc(s->rung, n * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "stop: %zu rungs", n);
        s->rung = grown;
    }
    s->rung[s->n_rung++] = *rung;
    of->last = s->n_rung;
    return PSW_OK;
}

static psw_status read_rung(struct psw_early_stop *s, struct psw_journal *journal, int64_t i,
                            struct psw_error *err)
{
    const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
    const struct psw_rung of = {.run = e->run};
    double head[N_HEAD];
    void *bytes = NULL;
    if (e->n_bytes < sizeof head) return PSW_OK;
    const psw_status rc = psw_journal_payload(journal, i, &bytes, err);
    if (rc != PSW_OK) return rc;
    memcpy(head, bytes, sizeof head);
    free(bytes);
    if ((int)head[RULE] / KINDS != (int)s->rule.metric) return PSW_OK; /* of an earlier rule */
    struct psw_rung rung = of;
    rung.step = (int64_t)head[STEP];
    rung.value = head[VALUE];
    rung.threshold = head[THRESHOLD];
    rung.stops = head[STOPS] != 0;
    return add_rung(s, &rung, err);
}

/* A run that is begun again after its end was asked for. */
static psw_status read_journal(struct psw_early_stop *s, struct psw_journal *journal,
                               struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; rc == PSW_OK && i < psw_journal_n_entry(journal); i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        struct psw_stop_run *run = find_run(s, e->run);
        if (!run) continue;
        if (e->type == PSW_J_RUNG) rc = read_rung(s, journal, i, err);
        if (e->type == PSW_J_CENSORED) run->is_ended = 1;
        if (e->type == PSW_J_STARTED && run->is_ended) run->is_exempt = 1;
    }
    return rc;
}

static int is_to_stop(const struct psw_early_stop *s, const struct psw_stop_run *run)
{
    return run->last && s->rung[run->last - 1].stops && !run->is_exempt;
}

static psw_status end_stopped(struct psw_early_stop *s, struct psw_journal *journal,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; rc == PSW_OK && i < s->n_run; i++) {
        int32_t n_attempt = 0;
        char text[PSW_STOP_TEXT_BYTES];
        const uint64_t run = s->run[i].run;
        if (!is_to_stop(s, &s->run[i]) || s->run[i].is_ended ||
            psw_outcome_is_end(psw_journal_outcome(journal, run, &n_attempt)))
            continue;
        psw_early_stop_text(s, run, text);
        const struct psw_journal_entry e = {
            .type = PSW_J_CENSORED, .run = run, .attempt = n_attempt, .n_bytes = strlen(text)};
        rc = psw_journal_append(journal, e, text, err);
    }
    return rc == PSW_OK ? psw_journal_sync(journal, err) : rc;
}

psw_status psw_early_stop_init(const struct psw_sweep *sweep, struct psw_journal *journal,
                               struct psw_early_stop *out, struct psw_error *err)
{
    struct psw_early_stop s = {.rule = sweep->stop};
    *out = s;
    if (s.rule.kind == PSW_STOP_NEVER) return PSW_OK;
    s.run = calloc((size_t)sweep->n_run + 1, sizeof *s.run);
    if (!s.run) return psw_fail(err, PSW_ENOMEM, "stop: %lld runs", (long long)sweep->n_run);
    for (; s.n_run < sweep->n_run; s.n_run++) s.run[s.n_run].run = sweep->run[s.n_run].hash;
    qsort(s.run, (size_t)s.n_run, sizeof *s.run, by_run);
    psw_status rc = read_journal(&s, journal, err);
    if (rc == PSW_OK) rc = end_stopped(&s, journal, err);
    *out = s;
    return rc;
}

void psw_early_stop_clear(struct psw_early_stop *s)
{
    free(s->rung);
    free(s->run);
    *s = (struct psw_early_stop){0};
}

/* The best value of a run up to a rung, or the mean of its values. */
static double best_of(const struct psw_early_stop *s, uint64_t run, double own)
{
    double best = own;
    for (int64_t i = 0; i < s->n_rung; i++)
        if (s->rung[i].run == run && is_better(s->rung[i].value, best, s->rule.is_min))
            best = s->rung[i].value;
    return best;
}

static double average_of(const struct psw_early_stop *s, uint64_t run, int64_t step)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_rung; i++)
        if (s->rung[i].run == run && s->rung[i].step <= step) {
            sum += s->rung[i].value;
            n++;
        }
    return n > 0 ? sum / (double)n : NAN;
}

/* What a run is compared with: of asha the others at the rung, of median the averages of those
 * that have finished. Shapes: out [n_rung + n_run]. */
static int64_t gather(const struct psw_early_stop *s, const struct psw_journal *journal,
                      const struct psw_rung *own, double *out)
{
    int64_t n = 0;
    if (s->rule.kind == PSW_STOP_ASHA) {
        for (int64_t i = 0; i < s->n_rung; i++)
            if (s->rung[i].step == own->step && s->rung[i].run != own->run)
                out[n++] = s->rung[i].value;
        return n;
    }
    for (int64_t i = 0; i < s->n_run; i++) {
        const uint64_t run = s->run[i].run;
        if (run == own->run || psw_journal_outcome(journal, run, NULL) != PSW_OUTCOME_DONE)
            continue;
        out[n] = average_of(s, run, own->step);
        n += !isnan(out[n]);
    }
    return n;
}

static void decide(const struct psw_early_stop *s, struct psw_rung *own, double *value,
                   int64_t n)
{
    if (s->rule.kind == PSW_STOP_ASHA)
        own->stops = psw_asha_stops(value, n, own->value, s->rule.is_min, s->rule.reduction,
                                    &own->threshold);
    else
        own->stops = psw_median_stops(value, n, best_of(s, own->run, own->value),
                                      s->rule.is_min, s->rule.min_runs, &own->threshold);
}

psw_status psw_early_stop_see(struct psw_early_stop *s, struct psw_journal *journal,
                              uint64_t run, int32_t attempt, const double step_value[2],
                              int *stops, struct psw_error *err)
{
    const struct psw_stop_run *of = find_run(s, run);
    struct psw_rung own = {
        .run = run, .step = (int64_t)step_value[0], .value = step_value[1], .threshold = NAN};
    *stops = 0;
    if (!of) return PSW_OK;
    for (int64_t i = 0; i < s->n_rung; i++)
        if (s->rung[i].run == run && s->rung[i].step == own.step)
            return *stops = s->rung[i].stops && !of->is_exempt, PSW_OK;
    double *record = malloc(sizeof *record * (size_t)(N_HEAD + s->n_rung + s->n_run));
    if (!record) return psw_fail(err, PSW_ENOMEM, "stop: %lld values", (long long)s->n_rung);
    const int64_t n = gather(s, journal, &own, record + N_HEAD);
    if (!of->is_exempt) decide(s, &own, record + N_HEAD, n);
    const double head[N_HEAD] = {
        [STEP] = (double)own.step,   [VALUE] = own.value,          [STOPS] = own.stops,
        [THRESHOLD] = own.threshold, [RULE] = rule_code(&s->rule), [N_COMPARED] = (double)n};
    memcpy(record, head, sizeof head);
    const struct psw_journal_entry e = {.type = PSW_J_RUNG,
                                        .run = run,
                                        .attempt = attempt,
                                        .n_bytes = sizeof *record * (size_t)(N_HEAD + n)};
    psw_status rc = psw_journal_append(journal, e, record, err);
    free(record);
    if (rc == PSW_OK) rc = add_rung(s, &own, err);
    if (rc == PSW_OK) *stops = own.stops;
    return rc;
}

char *psw_early_stop_text(const struct psw_early_stop *s, uint64_t run,
                          char out[PSW_STOP_TEXT_BYTES])
{
    const struct psw_stop_run *of = find_run(s, run);
    snprintf(out, PSW_STOP_TEXT_BYTES, "stopped by %s", psw_stop_kind_name(s->rule.kind));
    if (!of || !of->last) return out;
    const struct psw_rung *rung = &s->rung[of->last - 1];
    snprintf(out, PSW_STOP_TEXT_BYTES,
             "stopped by %s at step %lld: %s %.6g, to go on took %.6g",
             psw_stop_kind_name(s->rule.kind), (long long)rung->step,
             psw_stop_metric_name(s->rule.metric), rung->value, rung->threshold);
    return out;
}
