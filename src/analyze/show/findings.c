/* What a reader has to know of single runs and of D' before believing the numbers: facts of the
 * file in words, no more than they hold. */
#include "../analyze_internal.h"

#include <posweep/store/schema.h>

#include <math.h>
#include <string.h>

/* ---- runs that are set apart ---- */

/** Values named beside a run that is set apart: "score 0.31", "12 % of D' cut". */
static const struct {
    const char *name, *before, *after;
    double scale;
    int digits;
    double at_least; /* not worth a word below */
} BESIDE[] = {{"score", "score ", "", 1, 2, -INFINITY},
              {"win_rate", "win rate ", "", 1, 2, -INFINITY},
              {"final_cut_rate", "", " % of D' cut", 100, 0, 0.1},
              {"final_repetition_rate", "", " % of D' repeats itself", 100, 0, 0.1}};

static void put_beside(struct psw_results *results, int64_t run, char *out, size_t used)
{
    int n = 0;
    for (size_t i = 0; i < sizeof BESIDE / sizeof *BESIDE && used < PSW_SENTENCE_BYTES; i++) {
        const double *x = psw_results_f64(results, BESIDE[i].name);
        if (!x || !isfinite(x[run]) || x[run] < BESIDE[i].at_least) continue;
        used += (size_t)snprintf(out + used, PSW_SENTENCE_BYTES - used, "%s%s%.*f%s",
                                 n++ ? ", " : "; ", BESIDE[i].before, BESIDE[i].digits,
                                 BESIDE[i].scale * x[run], BESIDE[i].after);
    }
}

void psw_finding_of_run(struct psw_results *results, const struct psw_cell *cell, int64_t i,
                        char out[PSW_SENTENCE_BYTES])
{
    const int64_t run = cell->run[i];
    const double *kl = psw_results_f64(results, "kl_ref");
    const char *message = psw_results_text(results, "message", run);
    const int64_t *status = psw_results_i64(results, "status");
    int n = 0;
    if (cell->apart[i] == PSW_APART_UNENDED) {
        snprintf(out, PSW_SENTENCE_BYTES, "%s%s%s",
                 psw_outcome_name((enum psw_outcome)status[run]), message[0] ? ": " : "",
                 message);
        return;
    }
    n = snprintf(out, PSW_SENTENCE_BYTES, "over-optimised, KL to SFT %.3g nat%s",
                 kl ? kl[run] : NAN,
                 cell->apart[i] == PSW_APART_RATIO ? " (10 x the median of its cell)" : "");
    put_beside(results, run, out, (size_t)n);
}

/* ---- D' ---- */

/** What the bits of final_degenerate mean for a reader of G. */
static const struct {
    enum psw_finding bit;
    const char *rate, *is, *so;
} FINAL[] = {
    {PSW_FINDING_CUT, "final_cut_rate", "was cut at final.max_new (or the context's end)",
     "v is of beginnings"},
    {PSW_FINDING_REPEATS, "final_repetition_rate", "repeats itself", "G along it says little"}};

void psw_findings_of_final(const struct psw_printer *w, struct psw_results *results,
                           const struct psw_cell *cell)
{
    const int64_t *bits = psw_results_i64(results, "final_degenerate");
    for (size_t f = 0; bits && f < sizeof FINAL / sizeof *FINAL; f++) {
        const double *rate = psw_results_f64(results, FINAL[f].rate);
        double sum = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < cell->n_run; i++) {
            const int64_t run = cell->run[i];
            if (cell->apart[i] != PSW_APART_NOT || bits[run] < 0 ||
                !(bits[run] & (int64_t)FINAL[f].bit))
                continue;
            sum += rate ? rate[run] : NAN;
            n++;
        }
        if (n == 0) continue;
        fputs("  ", w->out);
        if (isfinite(sum)) fprintf(w->out, "%.0f %% of ", 100 * sum / (double)n);
        fprintf(w->out, "D' %s in %lld of %lld seeds: %s\n", FINAL[f].is, (long long)n,
                (long long)cell->n_used, FINAL[f].so);
    }
}
