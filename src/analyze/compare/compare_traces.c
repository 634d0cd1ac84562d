/* Whole traces of a comparison: bands of the paired difference of G over the norm of v, as text
 * that names the steps where a band excludes 0, and as CSV. */
#include <posweep/analyze/compare.h>

#include "../analyze_internal.h"

#include <posweep/analyze/bands.h>

#include <math.h>
#include <string.h>

/** Components that are looked at, where the file has them. */
static const char *const SHOWN[] = {"total", "pos", "neg", "pos_minus_neg"};
enum { N_SHOWN = sizeof SHOWN / sizeof *SHOWN };

/** What is done with a band. */
struct visit {
    struct psw_printer words;
    void (*show)(const struct psw_printer *w, const struct psw_contrast *contrast,
                 const char *component, const struct psw_band *band);
    void (*head)(const struct psw_printer *w, const struct psw_contrast *contrast);
};

static int64_t component_of(struct psw_results *r, const struct psw_traces *t, const char *name)
{
    if (strcmp(name, "pos_minus_neg") == 0 && t->pos >= 0 && t->neg >= 0)
        return PSW_POS_MINUS_NEG;
    return psw_results_component(r, name);
}

static psw_status for_each_band(struct psw_results *results, const struct psw_comparison *c,
                                const struct visit *v, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_traces traces;
    int64_t n_band = 0;
    PSW_TRY(psw_traces_init(results, &traces, err));
    for (int64_t i = 0; i < c->pairing.n_contrast; i++) {
        const struct psw_contrast *contrast = &c->pairing.contrast[i];
        if (v->head) v->head(&v->words, contrast);
        for (int k = 0; k < N_SHOWN; k++) {
            struct psw_band band;
            const int64_t component = component_of(results, &traces, SHOWN[k]);
            if (component == -1) continue;
            PSW_TRY(psw_band_of_contrast(results, &traces, contrast, component, c->alpha, &band,
                                         err));
            n_band += band.n_point > 0;
            v->show(&v->words, contrast, SHOWN[k], &band);
            psw_band_clear(&band);
        }
    }
    if (n_band == 0)
        PSW_TRY(
            psw_fail(err, PSW_EDATA, "no two paired runs have a trace of G at the same steps"));
    if (ferror(v->words.out)) PSW_TRY(psw_fail(err, PSW_EIO, "cannot write the table"));
fail:
    return rc;
}

/* ---- text ---- */

/** Which side of 0 the band lies on at a point: 1, -1, or 0 where it holds 0. */
static int side_of(const struct psw_band *b, int64_t k)
{
    return b->lo[k] > 0 ? 1 : b->hi[k] < 0 ? -1 : 0;
}

/** "above 0 at steps 20..60, 100": the runs of points on one side. Returns how many points. */
static int64_t put_side(const struct psw_printer *w, const struct psw_band *b, int side,
                        const char *before)
{
    int64_t n = 0;
    for (int64_t k = 0, end; k < b->n_point; k = end) {
        end = k + 1;
        if (side_of(b, k) != side) continue;
        while (end < b->n_point && side_of(b, end) == side) end++;
        fprintf(w->out, "%s%.0f", n ? ", " : before, b->step[k]);
        if (end > k + 1) fprintf(w->out, "..%.0f", b->step[end - 1]);
        n += end - k;
    }
    return n;
}

static void show_text(const struct psw_printer *w, const struct psw_contrast *contrast,
                      const char *component, const struct psw_band *b)
{
    int64_t at = 0, n_off = 0;
    (void)contrast;
    fprintf(w->out, "  %-14s", component);
    if (b->n_point == 0) {
        fprintf(w->out, "%lld pairs of traces, no checkpoint that all have\n", (long long)b->n);
        return;
    }
    if (isinf(b->factor)) {
        fprintf(w->out, "n = %lld: too few for a band (see the smallest p above)\n",
                (long long)b->n);
        return;
    }
    n_off = put_side(w, b, 1, "above 0 at steps ");
    n_off += put_side(w, b, -1, n_off ? "; below at " : "below 0 at steps ");
    for (int64_t k = 1; k < b->n_point; k++)
        if (fabs(b->mean[k]) > fabs(b->mean[at])) at = k;
    fprintf(w->out, "%s%lld of %lld; largest d %+.3g [%+.3g, %+.3g] at step %.0f\n",
            n_off ? ": " : "nowhere off 0: ", (long long)n_off, (long long)b->n_point,
            b->mean[at], b->lo[at], b->hi[at], b->step[at]);
}

static void head_text(const struct psw_printer *w, const struct psw_contrast *contrast)
{
    fprintf(w->out, "\n%s, less %s\n", contrast->cell->label, contrast->baseline->label);
}

psw_status psw_compare_traces_text(FILE *out, struct psw_results *results,
                                   const struct psw_comparison *c, struct psw_error *err)
{
    const struct visit v = {
        .words = {.out = out, .ascii = 1}, .show = show_text, .head = head_text};
    fprintf(out,
            "\nWhole traces of G/|v|: paired differences d with simultaneous bands at %g, "
            "which hold "
            "the\nwhole true trace of one component of one row. Named: checkpoints whose band "
            "excludes 0\n"
            "(so many of all that have it), and where the mean d is largest, with its band.\n",
            c->alpha);
    return for_each_band(results, c, &v, err);
}

/* ---- CSV ---- */

static void put_number(FILE *out, double x, char end)
{
    if (isfinite(x)) fprintf(out, "%.17g", x);
    fputc(end, out);
}

static void show_csv(const struct psw_printer *w, const struct psw_contrast *contrast,
                     const char *component, const struct psw_band *b)
{
    for (int64_t k = 0; k < b->n_point; k++) {
        psw_compare_csv_text(w->out, contrast->cell->label);
        fputc(',', w->out);
        psw_compare_csv_text(w->out, contrast->baseline->label);
        fprintf(w->out, ",%s,%lld,", component, (long long)b->n);
        put_number(w->out, b->step[k], ',');
        put_number(w->out, b->mean[k], ',');
        put_number(w->out, b->lo[k], ',');
        put_number(w->out, b->hi[k], '\n');
    }
}

psw_status psw_compare_traces_csv(FILE *out, struct psw_results *results,
                                  const struct psw_comparison *c, struct psw_error *err)
{
    const struct visit v = {.words = {.out = out, .ascii = 1}, .show = show_csv};
    fputs("cell,baseline,component,n,step,mean,low,high\n", out);
    return for_each_band(results, c, &v, err);
}
