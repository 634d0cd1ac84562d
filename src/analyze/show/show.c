/* The first look: what the words mean, a line per cell, the runs that are set apart, and the
 * blocks. */
#include <posweep/analyze/show.h>

#include "../analyze_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_LABEL = 20, MOST_APART = 20 };

int psw_show_wants_ascii(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (value && value[0]) return !strcasestr(value, "UTF-8") && !strcasestr(value, "utf8");
    }
    return 1;
}

/* ---- what the words mean ---- */

/** Whether a direction's errors hold the noise of D' in any cell that uses it. */
static int has_final_errors(const struct psw_shower *s, const struct psw_cells *cells,
                            enum psw_along along)
{
    const double *x = s->traces.along[along].se_final;
    const int64_t n_per_run = s->traces.n_checkpoint * s->traces.n_component;
    for (int64_t c = 0; x && c < cells->n_cell; c++)
        for (int64_t i = 0; i < cells->cell[c].n_run; i++)
            for (int64_t k = 0; cells->cell[c].along == along && k < n_per_run; k++)
                if (isfinite(x[cells->cell[c].run[i] * n_per_run + k])) return 1;
    return 0;
}

static void put_direction(const struct psw_shower *s, const struct psw_cells *cells)
{
    static const char *const WHAT[PSW_N_ALONG] = {
        [PSW_ALONG_SAMPLED] = "v sampled: from the final responses (D') as they were drawn.",
        [PSW_ALONG_SOFT] =
            "v soft: at each prefix of D' the expectation over the final policy's "
            "next token stands\nfor the one drawn; the same on average, with less "
            "noise (`--direction sampled`: as drawn)."};
    for (int a = 0; a < PSW_N_ALONG; a++) {
        int n = 0;
        for (int64_t c = 0; c < cells->n_cell; c++)
            n += cells->cell[c].along == (enum psw_along)a && cells->cell[c].n_used > 0;
        if (n == 0) continue;
        fprintf(s->words.out, "%s\n", WHAT[a]);
        if (!has_final_errors(s, cells, a))
            fprintf(s->words.out,
                    "Its errors leave out the noise of D' (the file has no G%s_se_final): too "
                    "few are unclear.\n",
                    a == PSW_ALONG_SOFT ? "_soft" : "");
    }
}

static void put_words(const struct psw_shower *s, const struct psw_cells *cells)
{
    const char *norm = psw_wording_norm(&s->words);
    fprintf(
        s->words.out,
        "G = <v, grad L>: above 0, a training step on this part of the loss makes the "
        "policy's own final\n"
        "responses more likely; below 0, less. G/%s: the same in nat per unit step along v, "
        "so that seeds\n"
        "compare. above, below: by more than 2 standard errors of that seed's G; unclear: "
        "not known to\n"
        "differ from 0. %s: standard error across seeds. median: of the seeds' G/%s, with "
        "their middle half.\n"
        "G: median [least..greatest seed]. The last checkpoint is left out: there the true G "
        "is "
        "0.\n",
        norm, psw_wording_plus_minus(&s->words), norm);
    if (s->cosine)
        fprintf(
            s->words.out,
            "cosine: of v, as D' was drawn, and the part's gradient: median over seeds with "
            "their middle half,\nat the checkpoints of trace.cosine_every.\n");
    put_direction(s, cells);
}

/* ---- the summary ---- */

static int label_width(const struct psw_cells *cells)
{
    size_t width = LEAST_LABEL;
    for (int64_t c = 0; c < cells->n_cell; c++)
        if (strlen(cells->cell[c].label) > width) width = strlen(cells->cell[c].label);
    return (int)width;
}

/** Columns of the summary behind the label. */
enum { W_SEEDS = 9, W_SHARES = 12, W_CROSS = 14, W_METRIC = 15 };

static void put_summary_head(const struct psw_shower *s, int width)
{
    static const struct {
        const char *line[2];
        int width;
    } HEAD[] = {{{"", "seeds"}, W_SEEDS},           {{"G(total)", "a/u/b"}, W_SHARES},
                {{"pos - neg", "a/u/b"}, W_SHARES}, {{NULL, "crossings"}, W_CROSS},
                {{NULL, "score"}, W_METRIC},        {{NULL, "win rate"}, W_METRIC}};
    for (int line = 0; line < 2; line++) {
        psw_wording_put(&s->words, "", width);
        for (size_t i = 0; i < sizeof HEAD / sizeof *HEAD && HEAD[i].line[line]; i++)
            psw_wording_put(&s->words, HEAD[i].line[line], HEAD[i].width);
        fputc('\n', s->words.out);
    }
}

static void put_shares(const struct psw_shower *s, const struct psw_cell *cell,
                       int64_t component)
{
    char text[PSW_WORD_BYTES] = "-";
    const struct psw_percents p =
        psw_wording_percents(psw_replicates_shares(&s->traces, cell, component));
    if (p.n > 0) snprintf(text, sizeof text, "%d/%d/%d", p.above, p.open, p.below);
    psw_wording_put(&s->words, text, W_SHARES);
}

static void put_summary_line(const struct psw_shower *s, const struct psw_cell *cell, int width)
{
    char text[PSW_WORD_BYTES];
    const struct psw_replicates_crossing c =
        psw_replicates_crossing(&s->traces, cell, s->scratch);
    psw_wording_put(&s->words, cell->label, -width);
    snprintf(text, sizeof text, "%lld of %lld", (long long)cell->n_used,
             (long long)cell->n_run);
    psw_wording_put(&s->words, text, W_SEEDS);
    put_shares(s, cell, psw_results_component(s->results, "total"));
    put_shares(s, cell, PSW_POS_MINUS_NEG);
    if (c.n == 0)
        snprintf(text, sizeof text, "-");
    else if (c.n_pos_first + c.n_neg_first == 0)
        snprintf(text, sizeof text, "none of %lld", (long long)c.n);
    else
        snprintf(text, sizeof text, "%lld of %lld", (long long)(c.n_pos_first + c.n_neg_first),
                 (long long)c.n);
    psw_wording_put(&s->words, text, W_CROSS);
    psw_wording_put(
        &s->words,
        psw_wording_number(&s->words, psw_replicates_metric(s->results, cell, "score"), text),
        W_METRIC);
    psw_wording_put(&s->words,
                    psw_wording_number(
                        &s->words, psw_replicates_metric(s->results, cell, "win_rate"), text),
                    W_METRIC);
    fputc('\n', s->words.out);
}

/** The runs that ended and are in no mean, with what they came to. */
static void put_apart(const struct psw_shower *s, const struct psw_cells *cells)
{
    const int64_t *seed = psw_results_i64(s->results, "seed");
    int64_t n = 0;
    for (int64_t c = 0; c < cells->n_cell; c++)
        for (int64_t i = 0; i < cells->cell[c].n_run; i++) {
            char text[PSW_SENTENCE_BYTES];
            const struct psw_cell *cell = &cells->cell[c];
            const enum psw_outcome outcome =
                (enum psw_outcome)psw_results_i64(s->results, "status")[cell->run[i]];
            if (cell->apart[i] == PSW_APART_NOT || !psw_outcome_is_end(outcome)) continue;
            if (n == 0)
                fputs("\nLeft out of every mean, which looks the better for it:\n",
                      s->words.out);
            if (n++ >= MOST_APART) continue;
            psw_finding_of_run(s->results, cell, i, text);
            fprintf(s->words.out, "  %s seed %lld: %s\n", cell->label,
                    (long long)(seed ? seed[cell->run[i]] : i), text);
        }
    if (n > MOST_APART)
        fprintf(s->words.out,
                s->opts->summary_only ? "  and %lld more; without --summary all are named\n"
                                      : "  and %lld more, named in their blocks\n",
                (long long)(n - MOST_APART));
}

static void put_summary(const struct psw_shower *s, const struct psw_cells *cells)
{
    const int width = label_width(cells);
    int64_t n_outcome[PSW_N_OUTCOME] = {0};
    const int64_t *status = psw_results_i64(s->results, "status");
    for (int64_t r = 0; r < psw_results_dim(s->results, "run"); r++)
        if (status[r] >= 0 && status[r] < PSW_N_OUTCOME) n_outcome[status[r]]++;
    fprintf(s->words.out, "%s:", psw_results_attr(s->results, "/", "title"));
    for (int i = 0, n = 0; i < PSW_N_OUTCOME; i++)
        if (n_outcome[i] > 0)
            fprintf(s->words.out, "%s %lld %s", n++ ? "," : "", (long long)n_outcome[i],
                    psw_outcome_name((enum psw_outcome)i));
    fputc('\n', s->words.out);
    put_words(s, cells);
    fputs("a/u/b: share of the checkpoints above 0, unclear, below 0, in %.\n\n", s->words.out);
    put_summary_head(s, width);
    for (int64_t c = 0; c < cells->n_cell; c++) put_summary_line(s, &cells->cell[c], width);
    put_apart(s, cells);
}

static psw_status reserve(struct psw_shower *s, const struct psw_cells *cells,
                          struct psw_error *err)
{
    int64_t n = 1;
    for (int64_t c = 0; c < cells->n_cell; c++) {
        const int64_t own = psw_replicates_scratch(&s->traces, &cells->cell[c]);
        n = own > n ? own : n;
    }
    s->scratch = calloc((size_t)n, sizeof *s->scratch);
    s->spark = calloc((size_t)s->traces.n_checkpoint + 1, sizeof *s->spark);
    if (s->scratch && s->spark) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "show: %lld checkpoints",
                    (long long)s->traces.n_checkpoint);
}

psw_status psw_show(FILE *out, struct psw_results *results, const struct psw_show_opts *opts,
                    struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_cells cells = {0};
    struct psw_shower s = {
        .words = {.out = out, .ascii = opts->ascii}, .results = results, .opts = opts};
    if (opts->cosine && !(s.cosine = psw_results_f64(results, "cosine")))
        PSW_TRY(psw_fail(err, PSW_EDATA,
                         "the file has no cosine; `trace: {cosine_every: N}` in the sweep file "
                         "stores it"));
    PSW_TRY(psw_traces_init(results, &s.traces, err));
    PSW_TRY(psw_cells_init(results, &s.traces, &opts->selection, &cells, err));
    PSW_TRY(reserve(&s, &cells, err));
    put_summary(&s, &cells);
    for (int64_t c = 0; c < cells.n_cell && !opts->summary_only; c++)
        psw_show_block(&s, &cells.cell[c]);
    if (ferror(out)) rc = psw_fail(err, PSW_EIO, "cannot write the table");
fail:
    free(s.scratch);
    free(s.spark);
    psw_cells_clear(&cells);
    return rc;
}
