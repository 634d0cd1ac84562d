/* The block of a cell: each component at a few checkpoints, as mean over seeds of G over the
 * norm of v with its median and middle half, as median and range of G, and as signs, with its
 * shares and a sparkline; then what pos and neg do to each other, and what the runs came to. */
#include "../analyze_internal.h"

#include <posweep/analyze/ticks.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WHAT_WIDTH = 8, /* with the indent */
    NUMBER_WIDTH = 23,
    DEFAULT_COLUMNS = 4,
    MOST_COLUMNS = 64,
    NAME_WIDTH = 72,
    SPARK_WIDTH = 28,
    METRIC_INDENT = 2
};

/** Final metrics, in the order of the table. */
static const struct {
    const char *name, *title;
} METRICS[] = {{"score", "score"},
               {"score_sft", "score of SFT"},
               {"win_rate", "win rate"},
               {"heldout_accuracy", "held-out accuracy"},
               {"heldout_loss", "held-out loss"},
               {"length", "length"},
               {"length_sft", "length of SFT"},
               {"kl_ref", "KL to SFT"},
               {"eos_rate", "EOS rate"},
               {"final_distinct_2", "distinct-2 of D'"},
               {"reward_final", "reward"},
               {"reward_sft", "reward of SFT"},
               {"reward_model_accuracy", "accuracy of the reward model"}};

/** The components of the default view; the others stand behind --all. */
static int is_shown(const struct psw_shower *s, int64_t component)
{
    static const char *const CORE[] = {"total", "pos", "neg", "nll", "kl", "entropy", "value"};
    const char *name = psw_results_text(s->results, "component", component);
    for (size_t i = 0; i < sizeof CORE / sizeof *CORE; i++)
        if (strcmp(CORE[i], name) == 0) return 1;
    return s->opts->all;
}

static struct psw_replicates at(const struct psw_shower *s, const struct psw_cell *cell,
                                int64_t component, int64_t checkpoint)
{
    return psw_replicates_at(&s->traces, cell, component, checkpoint, s->scratch);
}

static double cosine_at(const struct psw_shower *s, int64_t run, int64_t checkpoint,
                        int64_t component)
{
    return s->cosine[(run * s->traces.n_checkpoint + checkpoint) * s->traces.n_component +
                     component];
}

/** Whether a checkpoint may be a column: with cosines, one that any replicate has them at. */
static int is_column(const struct psw_shower *s, const struct psw_cell *cell,
                     int64_t checkpoint)
{
    const int64_t total = psw_results_component(s->results, "total");
    for (int64_t i = 0; s->cosine && i < cell->n_run; i++)
        if (cell->apart[i] != PSW_APART_UNENDED && total >= 0 &&
            isfinite(cosine_at(s, cell->run[i], checkpoint, total)))
            return 1;
    return !s->cosine;
}

/** The place-th of the checkpoints that may be columns. */
static int64_t column_at(const struct psw_shower *s, const struct psw_cell *cell, int64_t place)
{
    int64_t k = 0;
    for (;; k++)
        if (is_column(s, cell, k) && place-- == 0) return k;
}

/** Checkpoints printed as numbers, evenly over those of the longest trace; returns how many. */
static int64_t choose_columns(const struct psw_shower *s, const struct psw_cell *cell,
                              int64_t column[MOST_COLUMNS])
{
    int64_t n_long = 0, n_have = 0,
            n = s->opts->n_column > 0 ? s->opts->n_column : DEFAULT_COLUMNS;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t length = psw_trace_length(&s->traces, cell->run[i]);
        if (cell->apart[i] != PSW_APART_UNENDED && length > n_long) n_long = length;
    }
    for (int64_t k = 0; k < n_long; k++) n_have += is_column(s, cell, k);
    if (n > MOST_COLUMNS) n = MOST_COLUMNS;
    if (n > n_have) n = n_have;
    for (int64_t i = 0; i < n; i++)
        column[i] = column_at(s, cell, n > 1 ? (i * (n_have - 1) + (n - 1) / 2) / (n - 1) : 0);
    return n;
}

/** Least and greatest median over the shown components: one scale for all sparklines. */
static struct psw_interval scale_of(const struct psw_shower *s, const struct psw_cell *cell)
{
    struct psw_interval scale = {0, 0};
    for (int64_t m = 0; m < s->traces.n_component; m++) {
        for (int64_t k = 0; is_shown(s, m) && k < s->traces.n_checkpoint; k++) {
            const struct psw_replicates r = at(s, cell, m, k);
            if (r.middle.n == 0) continue;
            scale.lo = fmin(scale.lo, r.middle.median);
            scale.hi = fmax(scale.hi, r.middle.median);
        }
    }
    return scale;
}

static void put_head(const struct psw_shower *s, const struct psw_cell *cell,
                     const int64_t column[], int64_t n_column)
{
    char text[PSW_WORD_BYTES];
    psw_wording_put(&s->words, "", WHAT_WIDTH);
    for (int64_t i = 0; i < n_column; i++) {
        double step = NAN;
        for (int64_t r = 0; r < cell->n_run && isnan(step); r++)
            if (cell->apart[r] != PSW_APART_UNENDED)
                step = psw_trace_at(&s->traces, cell->along, cell->run[r], column[i], 0).step;
        snprintf(text, sizeof text, "step %.0f", step);
        psw_wording_put(&s->words, text, NUMBER_WIDTH);
    }
    fputc('\n', s->words.out);
}

/** What a row holds. */
static void put_what(const struct psw_shower *s, const char *what)
{
    psw_wording_put(&s->words, "  ", -2);
    psw_wording_put(&s->words, what, 2 - WHAT_WIDTH);
}

/** The name of a component with its shares of signs and its sparkline. */
static void put_name(const struct psw_shower *s, const struct psw_cell *cell, int64_t m,
                     struct psw_interval scale)
{
    char text[PSW_SENTENCE_BYTES];
    int64_t n = 0;
    const int64_t every = (s->traces.n_checkpoint + SPARK_WIDTH - 1) / SPARK_WIDTH;
    const char *name = psw_results_text(s->results, "component", m);
    const struct psw_percents p =
        psw_wording_percents(psw_replicates_shares(&s->traces, cell, m));
    for (int64_t k = 0; k < s->traces.n_checkpoint; k += every)
        s->spark[n++] = at(s, cell, m, k).middle.median;
    while (n > 0 && isnan(s->spark[n - 1])) n--;
    snprintf(text, sizeof text,
             "  %s: above 0: %d %% of the checkpoints, unclear: %d %%, below: %d %%", name,
             p.above, p.open, p.below);
    if (p.n == 0) snprintf(text, sizeof text, "  %s: its errors are not known", name);
    psw_wording_put(&s->words, text, -NAME_WIDTH);
    psw_wording_spark(&s->words, s->spark, n, scale.lo, scale.hi);
    fputc('\n', s->words.out);
}

/** G over the norm of v of the runs that are set apart, a line each: "(seed)". */
static void put_apart(const struct psw_shower *s, const struct psw_cell *cell, int64_t m,
                      const int64_t column[], int64_t n_column)
{
    const int64_t *seed = psw_results_i64(s->results, "seed");
    for (int64_t i = 0; i < cell->n_run; i++) {
        char text[PSW_WORD_BYTES];
        if (cell->apart[i] == PSW_APART_NOT || cell->apart[i] == PSW_APART_UNENDED) continue;
        snprintf(text, sizeof text, "(%lld)", (long long)(seed ? seed[cell->run[i]] : i));
        put_what(s, text);
        for (int64_t c = 0; c < n_column; c++) {
            const double x =
                psw_trace_at(&s->traces, cell->along, cell->run[i], column[c], m).scaled;
            const struct psw_stat one = {.n = isfinite(x) != 0, .mean = x};
            psw_wording_put(
                &s->words,
                psw_wording_signed(&s->words, one, 1, psw_wording_digits(fabs(x), 3), text),
                NUMBER_WIDTH);
        }
        fputc('\n', s->words.out);
    }
}

/** Mean over seeds of G over the norm of v; below it their median and middle half. */
static void put_scaled(const struct psw_shower *s, const struct psw_replicates r[], int64_t n)
{
    char text[PSW_WORD_BYTES];
    double size = 0;
    for (int64_t i = 0; i < n; i++)
        if (r[i].scaled.n > 0) size = fmax(size, fabs(r[i].scaled.mean));
    const double unit = psw_unit_for(size);
    const int digits = psw_wording_digits(size / unit, 3);
    snprintf(text, sizeof text, "G/%s", psw_wording_norm(&s->words));
    put_what(s, text);
    for (int64_t i = 0; i < n; i++)
        psw_wording_put(&s->words,
                        psw_wording_signed(&s->words, r[i].scaled, unit, digits, text),
                        NUMBER_WIDTH);
    if (unit != 1) fprintf(s->words.out, "  x %g", unit);
    fputc('\n', s->words.out);
    put_what(s, "median");
    for (int64_t i = 0; i < n; i++) {
        const struct psw_spread m = r[i].middle;
        const struct psw_spread half = {.n = m.n,
                                        .median = m.median / unit,
                                        .least = m.lower / unit,
                                        .most = m.upper / unit};
        psw_wording_put(&s->words, psw_wording_spread(half, NUMBER_WIDTH - 1, text),
                        NUMBER_WIDTH);
    }
    fputc('\n', s->words.out);
}

/** Median and middle half over the seeds that count. */
static void put_cosine(const struct psw_shower *s, const struct psw_cell *cell, int64_t m,
                       const int64_t column[], int64_t n_column)
{
    char text[PSW_WORD_BYTES];
    put_what(s, "cosine");
    for (int64_t c = 0; c < n_column; c++) {
        int64_t n = 0;
        for (int64_t i = 0; i < cell->n_run; i++)
            if (cell->apart[i] == PSW_APART_NOT)
                s->scratch[n++] = cosine_at(s, cell->run[i], column[c], m);
        struct psw_spread x = psw_spread_of(s->scratch, n);
        x.least = x.lower, x.most = x.upper;
        psw_wording_put(&s->words, psw_wording_spread(x, NUMBER_WIDTH - 1, text), NUMBER_WIDTH);
    }
    fputc('\n', s->words.out);
}

static void put_component(const struct psw_shower *s, const struct psw_cell *cell, int64_t m,
                          const int64_t column[], int64_t n_column, struct psw_interval scale)
{
    struct psw_replicates r[MOST_COLUMNS];
    char text[PSW_WORD_BYTES];
    for (int64_t i = 0; i < n_column; i++) r[i] = at(s, cell, m, column[i]);
    put_name(s, cell, m, scale);
    put_scaled(s, r, n_column);
    put_what(s, "G");
    for (int64_t i = 0; i < n_column; i++)
        psw_wording_put(&s->words, psw_wording_spread(r[i].g, NUMBER_WIDTH - 1, text),
                        NUMBER_WIDTH);
    fputc('\n', s->words.out);
    if (s->cosine) put_cosine(s, cell, m, column, n_column);
    put_what(s, "seeds");
    for (int64_t i = 0; i < n_column; i++)
        psw_wording_put(&s->words, psw_wording_seeds(&r[i], text), NUMBER_WIDTH);
    fputc('\n', s->words.out);
    if (s->opts->all) put_apart(s, cell, m, column, n_column);
}

/* ---- pos against neg ---- */

static void put_crossing(const struct psw_shower *s, const struct psw_cell *cell)
{
    FILE *out = s->words.out;
    const struct psw_replicates_crossing c =
        psw_replicates_crossing(&s->traces, cell, s->scratch);
    const struct psw_percents p =
        psw_wording_percents(psw_replicates_shares(&s->traces, cell, PSW_POS_MINUS_NEG));
    const int64_t n = c.n_pos_first + c.n_neg_first;
    if (c.n == 0) return;
    fprintf(
        out,
        "  pos - neg: pos leads at %d %% of the checkpoints, neg at %d %%, unclear at %d %%\n"
        "  crossings: ",
        p.above, p.below, p.open);
    if (n == 0) fprintf(out, "none in %lld of %lld seeds", (long long)c.n, (long long)c.n);
    if (c.n_pos_first > 0)
        fprintf(out, "%lld of %lld seeds (pos leads, then neg)", (long long)c.n_pos_first,
                (long long)c.n);
    if (c.n_neg_first > 0)
        fprintf(out, "%s%lld of %lld seeds (neg leads, then pos)", c.n_pos_first ? ", " : "",
                (long long)c.n_neg_first, (long long)c.n);
    fprintf(out, " (95 %% interval of the share: %.2f..%.2f)\n", c.share.lo, c.share.hi);
    if (n == 1)
        fprintf(out, "    between steps %.0f and %.0f\n", c.lo.median, c.hi.median);
    else if (n > 1)
        fprintf(out, "    between steps %.0f and %.0f (medians; all: %.0f to %.0f)\n",
                c.lo.median, c.hi.median, c.lo.least, c.hi.most);
}

/* ---- the runs ---- */

static void put_metrics(const struct psw_shower *s, const struct psw_cell *cell)
{
    char number[PSW_WORD_BYTES], text[2 * PSW_WORD_BYTES];
    int used = 0, n = 0;
    for (size_t i = 0; i < sizeof METRICS / sizeof *METRICS; i++) {
        const struct psw_stat x = psw_replicates_metric(s->results, cell, METRICS[i].name);
        if (x.n == 0) continue;
        snprintf(text, sizeof text, "%s %s", METRICS[i].title,
                 psw_wording_number(&s->words, x, number));
        psw_wording_item(&s->words, text, METRIC_INDENT, &used);
        n++;
    }
    if (n > 0) fputc('\n', s->words.out);
}

static void put_left_out(const struct psw_shower *s, const struct psw_cell *cell)
{
    const int64_t *seed = psw_results_i64(s->results, "seed");
    for (int64_t i = 0; i < cell->n_run; i++) {
        char text[PSW_SENTENCE_BYTES];
        if (cell->apart[i] == PSW_APART_NOT) continue;
        psw_finding_of_run(s->results, cell, i, text);
        fprintf(s->words.out, "  left out: seed %lld: %s\n",
                (long long)(seed ? seed[cell->run[i]] : i), text);
    }
}

void psw_show_block(const struct psw_shower *s, const struct psw_cell *cell)
{
    int64_t column[MOST_COLUMNS];
    const int64_t n_column = choose_columns(s, cell, column);
    fprintf(s->words.out, "\n%s: %lld of %lld seeds, v %s\n", cell->label,
            (long long)cell->n_used, (long long)cell->n_run,
            cell->along == PSW_ALONG_SOFT ? "soft" : "sampled");
    put_left_out(s, cell);
    if (cell->n_used > 0 && n_column > 0) {
        const struct psw_interval scale = scale_of(s, cell);
        put_head(s, cell, column, n_column);
        for (int64_t m = 0; m < s->traces.n_component; m++)
            if (is_shown(s, m) && psw_replicates_have(&s->traces, cell, m))
                put_component(s, cell, m, column, n_column, scale);
        put_crossing(s, cell);
    }
    put_metrics(s, cell);
    psw_findings_of_final(&s->words, s->results, cell);
}
