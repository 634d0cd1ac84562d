/* A comparison as text, CSV and JSON. The text is plain ASCII and fits 100 columns; what the
 * columns mean stands above them. */
#include <posweep/analyze/compare.h>

#include "../analyze_internal.h"

#include <posweep/analyze/ticks.h>

#include <math.h>
#include <string.h>

/* ---- words ---- */

enum { MOST_NEEDED = 100 };

char *psw_compare_words(const struct psw_compare_row *row, char out[PSW_VERDICT_BYTES])
{
    const long long n = row->pairs.n, needed = row->judged.n_needed;
    const struct psw_sequential *look = &row->sequential;
    char more[64] = "";
    if (needed > MOST_NEEDED)
        snprintf(more, sizeof more, " (over %d seeds could show it)", MOST_NEEDED);
    else if (needed > 0)
        snprintf(more, sizeof more, " (%lld seeds could show it)", needed);
    switch (row->judged.verdict) {
    case PSW_COMPARE_CENSORED:
        snprintf(out, PSW_VERDICT_BYTES,
                 "no test: runs were stopped early (censored), so seeds are missing by value");
        break;
    case PSW_COMPARE_NO_PAIRS:
        snprintf(out, PSW_VERDICT_BYTES, "no seed has a value on both sides");
        break;
    case PSW_COMPARE_EQUAL:
        snprintf(out, PSW_VERDICT_BYTES, "no difference at all");
        break;
    case PSW_COMPARE_DIFFERS:
        snprintf(out, PSW_VERDICT_BYTES, "differs");
        if (look->n_used > 0)
            snprintf(out, PSW_VERDICT_BYTES, "differs (found by the look at %lld seeds)",
                     (long long)look->n_used);
        break;
    case PSW_COMPARE_GO_ON:
        snprintf(out, PSW_VERDICT_BYTES, "go on: the next look is at %lld seeds",
                 (long long)look->n_next);
        break;
    case PSW_COMPARE_ALONE:
        snprintf(out, PSW_VERDICT_BYTES,
                 "differs alone, but not among %lld tests at n = %lld%s",
                 (long long)row->judged.n_family, n, more);
        break;
    case PSW_COMPARE_OPEN:
        snprintf(out, PSW_VERDICT_BYTES, "not distinguishable at n = %lld%s",
                 look->n_used > 0 ? (long long)look->n_used : n,
                 look->n_used > 0 ? ", the last look" : more);
        break;
    }
    return out;
}

const char *psw_compare_verdict_name(enum psw_compare_verdict verdict)
{
    static const char *const NAMES[] = {
        [PSW_COMPARE_CENSORED] = "censored",   [PSW_COMPARE_NO_PAIRS] = "no_pairs",
        [PSW_COMPARE_EQUAL] = "equal",         [PSW_COMPARE_OPEN] = "not_distinguishable",
        [PSW_COMPARE_ALONE] = "differs_alone", [PSW_COMPARE_DIFFERS] = "differs",
        [PSW_COMPARE_GO_ON] = "go_on"};
    return NAMES[verdict];
}

static const char *direction_text(int direction)
{
    return direction > 0 ? "more is better" : direction < 0 ? "less is better" : "neutral";
}

/* ---- the table ---- */

enum {
    W_LABEL = 24,
    W_N = 3,
    W_VALUE = 10,
    W_INTERVAL = 22,
    W_P = 8,
    W_HOLM = 7,
    W_BETTER = 8,
    W_EFFECT = 8
};

/** "0.031", "4e-05", with "*" where no smaller one can be reached. */
static const char *p_text(double p, double p_floor, char out[PSW_WORD_BYTES])
{
    const char *mark = p <= p_floor * (1 + 1e-9) ? "*" : " ";
    if (isnan(p))
        snprintf(out, PSW_WORD_BYTES, "-");
    else if (p < 0.001)
        snprintf(out, PSW_WORD_BYTES, "%.1g%s", p, mark);
    else
        snprintf(out, PSW_WORD_BYTES, "%.3f%s", p, mark);
    return out;
}

/** A value in a unit; "-" for NaN, "-inf" and "inf" for what is unbounded. */
static const char *value_text(double x, double unit, int digits, char out[PSW_WORD_BYTES])
{
    if (isnan(x))
        snprintf(out, PSW_WORD_BYTES, "-");
    else
        snprintf(out, PSW_WORD_BYTES, "%+.*f", digits, x / unit);
    if (strspn(out, "-0.") == strlen(out) && out[1]) out[0] = ' '; /* "-0.00" */
    return out;
}

static void put_row(const struct psw_printer *w, const struct psw_compare_row *row, double unit,
                    int digits)
{
    const struct psw_signflip *t = &row->test;
    char text[PSW_WORD_BYTES], lo[PSW_WORD_BYTES], hi[PSW_WORD_BYTES];
    const int is_long = strlen(row->contrast->cell->label) > W_LABEL - 3;
    fprintf(w->out, "  %s%s", row->contrast->cell->label, is_long ? "\n" : "");
    psw_wording_put(w, "",
                    W_LABEL - (is_long ? 0 : 2 + (int)strlen(row->contrast->cell->label)));
    fprintf(w->out, "%*lld", W_N, (long long)row->pairs.n);
    psw_wording_put(w, value_text(t->median, unit, digits, text), W_VALUE);
    psw_wording_put(w, value_text(t->mean, unit, digits, text), W_VALUE);
    snprintf(text, sizeof text, "[%.40s, %.40s]", value_text(t->interval.lo, unit, digits, lo),
             value_text(t->interval.hi, unit, digits, hi));
    psw_wording_put(w, t->n > 0 ? text : "-", W_INTERVAL);
    psw_wording_put(w, p_text(t->p, t->p_floor, text), W_P);
    psw_wording_put(w, p_text(row->judged.holm, -1, text), W_HOLM);
    snprintf(text, sizeof text, "%.0f %%", 100 * row->p_better);
    psw_wording_put(w, t->n > 0 ? text : "-", W_BETTER);
    psw_wording_put(w, value_text(t->effect, 1, 2, text), W_EFFECT);
    fputc('\n', w->out);
}

/** The interval that knows the prompts. */
static void put_prompts(const struct psw_printer *w, const struct psw_compare_row *row,
                        double unit, int digits)
{
    const struct psw_twolevel *p = &row->prompts;
    char lo[PSW_WORD_BYTES], hi[PSW_WORD_BYTES];
    if (p->n_seed < 2) return;
    fprintf(w->out, "      over seeds and prompts: [%s, %s], %lld prompts of %lld seeds\n",
            value_text(p->interval.lo, unit, digits, lo),
            value_text(p->interval.hi, unit, digits, hi), (long long)p->n_prompt,
            (long long)p->n_seed);
}

/** "cdpo: 1 of 6 over-optimised": what is missing from the pairs of a row. */
static void put_lost(const struct psw_printer *w, const struct psw_cell *cell,
                     const struct psw_run_counts *c)
{
    const struct {
        int64_t n;
        const char *what;
    } LOST[] = {{c->n_censored, "stopped early (censored)"},
                {c->n_diverged, "diverged"},
                {c->n_failed, "failed"},
                {c->n_unended, "not ended"},
                {c->n_apart, "over-optimised (left out)"},
                {c->n_missing, "without value"},
                {c->n_degenerate, "with degenerate D'"}};
    int n = 0;
    for (size_t i = 0; i < sizeof LOST / sizeof *LOST; i++) {
        if (LOST[i].n == 0) continue;
        if (n == 0) fprintf(w->out, "      %s:", cell->label);
        fprintf(w->out, "%s %lld of %lld %s", n++ ? "," : "", (long long)LOST[i].n,
                (long long)c->n_run, LOST[i].what);
    }
    if (n > 0) fputc('\n', w->out);
}

static void put_metric(const struct psw_printer *w, const struct psw_comparison *c, int metric)
{
    const int64_t n_row = c->pairing.n_contrast;
    const struct psw_compare_row *row = c->row + metric * n_row;
    double size = 0;
    for (int64_t i = 0; i < n_row; i++) {
        const struct psw_signflip *t = &row[i].test;
        if (t->n > 0) size = fmax(size, fmax(fabs(t->mean), fabs(t->median)));
    }
    const double unit = psw_unit_for(size);
    const int digits = psw_wording_digits(size / unit, 3);
    fprintf(w->out, "\n%s", row->metric);
    if (row->direction != 0) fprintf(w->out, " (%s)", direction_text(row->direction));
    if (unit != 1) fprintf(w->out, ", in units of %g", unit);
    fputc('\n', w->out);
    for (int64_t i = 0; i < n_row; i++) {
        char words[PSW_VERDICT_BYTES];
        put_row(w, &row[i], unit, digits);
        const char *family = psw_compare_family_name(c, &row[i]);
        fprintf(w->out, "      %s%s%s%s\n", psw_compare_words(&row[i], words),
                family[0] ? " [" : "", family, family[0] ? "]" : "");
        put_prompts(w, &row[i], unit, digits);
        put_lost(w, row[i].contrast->cell, &row[i].pairs.of);
        put_lost(w, row[i].contrast->baseline, &row[i].pairs.against);
    }
}

static void put_head(const struct psw_printer *w)
{
    psw_wording_put(w, "", W_LABEL);
    fprintf(w->out, "%*s", W_N, "n");
    psw_wording_put(w, "median d", W_VALUE);
    psw_wording_put(w, "mean d", W_VALUE);
    psw_wording_put(w, "interval", W_INTERVAL);
    psw_wording_put(w, "p ", W_P);
    psw_wording_put(w, "Holm ", W_HOLM);
    psw_wording_put(w, "better", W_BETTER);
    psw_wording_put(w, "effect", W_EFFECT);
    fputc('\n', w->out);
}

/** What n pairs can show, once for each n that there is, by ascending n. */
static void put_power(const struct psw_printer *w, const struct psw_comparison *c)
{
    for (int64_t n = 0, next; n >= 0; n = next) {
        next = -1;
        for (int64_t i = 0; i < c->n_row; i++) {
            const int64_t own = c->row[i].pairs.n;
            if (own > n && (next < 0 || own < next)) next = own;
        }
        if (next < 0) return;
        const double mde = psw_signflip_mde(next, c->alpha, PSW_COMPARE_POWER);
        fprintf(w->out, "With n = %lld no p is below %.3g; ", (long long)next,
                psw_signflip_floor(next));
        if (isinf(mde))
            fprintf(w->out, "nothing can be shown at %g.\n", c->alpha);
        else
            fprintf(w->out, "one test finds an effect of %.2f in 80 %% of sweeps.\n", mde);
    }
}

/** Whether a row has an interval over prompts. */
static int has_prompts(const struct psw_comparison *c)
{
    for (int64_t i = 0; i < c->n_row; i++)
        if (c->row[i].prompts.n_seed > 1) return 1;
    return 0;
}

/** "4 tests of the table (or --family metric)". */
static const char *family_words(const struct psw_comparison *c, char out[PSW_WORD_BYTES])
{
    if (c->family == PSW_FAMILY_FILE)
        snprintf(out, PSW_WORD_BYTES, "tests of its [family], which the sweep file named");
    else
        snprintf(out, PSW_WORD_BYTES, "%lld tests of %s", (long long)c->row[0].judged.n_family,
                 c->family == PSW_FAMILY_METRIC ? "a metric"
                                                : "the table (or --family metric)");
    return out;
}

static void put_words(const struct psw_printer *w, const struct psw_comparison *c)
{
    char words[PSW_WORD_BYTES];
    fprintf(
        w->out,
        "d: the metric under another %s minus that under %s; same seed, everything else "
        "equal.\n"
        "interval: of the centre of d, by inverting the exact sign-flip test at %g. p: of that "
        "test,\n"
        "* where n allows none smaller. Holm: p among the %s.\n"
        "better: share of the pairs, ties half (of d > 0 where neither is better). effect: "
        "mean "
        "d\n"
        "over its sd, corrected for small n.\n",
        c->pairing.by, c->pairing.value, c->alpha, family_words(c, words));
    if (has_prompts(c))
        fprintf(w->out,
                "over seeds and prompts: interval of the mean of d by a two-level bootstrap "
                "(seeds, "
                "then their\nevaluation prompts), %.4g %%.\n",
                100 * (1 - c->alpha));
    if (c->batch > 0)
        fprintf(
            w->out,
            "The verdicts are those of looks every %lld seeds up to %lld, which share %g among "
            "all rows;\np, Holm and interval are of the seeds that are there, and for "
            "description only.\n",
            (long long)c->batch, (long long)c->max, c->alpha);
    put_power(w, c);
}

psw_status psw_compare_text(FILE *out, const struct psw_comparison *c, struct psw_error *err)
{
    const struct psw_printer w = {.out = out, .ascii = 1};
    put_words(&w, c);
    fputc('\n', out);
    put_head(&w);
    for (int m = 0; m < c->n_metric; m++) put_metric(&w, c, m);
    if (c->pairing.n_alone > 0)
        fprintf(out, "\n%lld cell%s no baseline that agrees with %s: \"%s\"%s\n",
                (long long)c->pairing.n_alone, c->pairing.n_alone == 1 ? " has" : "s have",
                c->pairing.n_alone == 1 ? "it" : "them", c->pairing.alone->label,
                c->pairing.n_alone == 1 ? "" : ", ...");
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}
