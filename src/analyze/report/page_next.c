/* What the next sweep should be: sentences that follow from numbers of the file, each with them
 * and with the setting that it is about. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>

#include "../analyze_internal.h"

#include <math.h>
#include <string.h>

/** Shares and counts from which something is worth a sentence. */
static const double MOSTLY = 0.5;
enum { LEAST_SEEDS = 6 }; /* below, no exact paired test reaches 5 % */

static void begin_item(const struct psw_page *page, int *n, const char *what)
{
    if ((*n)++ == 0) fputs("<ul>\n", page->out);
    fprintf(page->out, "<li><b>%s</b> ", what);
}

static void put_label(const struct psw_page *page, const struct psw_cell *cell)
{
    fputs("<b>", page->out);
    psw_html_text(page->out, cell->label);
    fputs("</b>", page->out);
}

static const char *signed_text(const struct psw_page *page, struct psw_stat s,
                               char out[PSW_WORD_BYTES])
{
    const struct psw_printer words = {.out = page->out};
    return psw_wording_signed(&words, s, 1, 2, out);
}

/** The first checkpoint from which on the median of a component stays below 0; NaN: none. */
static double below_from(const struct psw_page *page, const struct psw_cell *cell,
                         int64_t component)
{
    double from = NAN;
    for (int64_t k = 0; k < page->traces.n_checkpoint; k++) {
        const struct psw_replicates r =
            psw_replicates_at(&page->traces, cell, component, k, page->scratch);
        if (r.middle.n == 0) continue;
        if (!(r.middle.median < 0))
            from = NAN;
        else if (isnan(from))
            from = r.step;
    }
    return from;
}

/** A part of the loss that pushes away late is one to be damped there. */
static void say_damp(const struct psw_page *page, const struct psw_cell *cell, int *n)
{
    static const struct {
        const char *component, *title, *setting, *control;
    } PARTS[] = {{"pos", "positive learning", "policy.positive", "no_positive"},
                 {"neg", "negative learning", "policy.negative", "no_negative"}};
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        char text[PSW_WORD_BYTES];
        const int64_t c = psw_results_component(page->results, PARTS[i].component);
        const struct psw_stat late = psw_page_third(page, cell, c, PSW_PAGE_THIRDS - 1);
        const double from = below_from(page, cell, c);
        if (psw_page_known(late) != PSW_PAGE_BELOW) continue;
        begin_item(page, n, "Damp");
        put_label(page, cell);
        fprintf(page->out, ": %s pushes away from the final responses late (%s", PARTS[i].title,
                signed_text(page, late, text));
        if (isfinite(from))
            fprintf(page->out, "; its median is below 0 from step %.0f on", from);
        fprintf(
            page->out,
            "). Let <code>%s: {schedule: linear, from: 1, to: 0}</code> stand beside "
            "<code>preset: %s</code> and the base, and see whether the score follows.</li>\n",
            PARTS[i].setting, PARTS[i].control);
    }
}

/** The part that leads throughout is the one whose strength and time are worth varying. */
static void say_lead(const struct psw_page *page, const struct psw_cell *cell, int *n)
{
    int n_neg = 0, n_pos = 0;
    for (int third = 0; third < PSW_PAGE_THIRDS; third++) {
        const enum psw_page_sign known =
            psw_page_known(psw_page_third(page, cell, PSW_POS_MINUS_NEG, third));
        n_neg += known == PSW_PAGE_BELOW;
        n_pos += known == PSW_PAGE_ABOVE;
    }
    if (n_neg < PSW_PAGE_THIRDS && n_pos < PSW_PAGE_THIRDS) return;
    begin_item(page, n, "Switch");
    put_label(page, cell);
    fprintf(page->out,
            ": %s learning leads from the first third to the last. Vary when it is on: "
            "<code>policy.%s: {off_until: N}</code> at two or three N (a fifth, a half of the "
            "steps), and with what weight (<code>policy.beta</code>).</li>\n",
            n_neg ? "negative" : "positive", n_neg ? "negative" : "positive");
}

static void say_unclear(const struct psw_page *page, const struct psw_cell *cell, int *n)
{
    const int64_t total = psw_results_component(page->results, "total");
    const struct psw_shares s = psw_replicates_shares(&page->traces, cell, total);
    if (s.n == 0 || !(s.open > MOSTLY)) return;
    begin_item(page, n, "Measure more");
    put_label(page, cell);
    fprintf(page->out,
            ": at %.0f %% of the checkpoints a single seed\xe2\x80\x99s G(total) is not known "
            "to differ from 0. Four times <code>trace.probe</code> halves the error from the "
            "probe, four times <code>final.prompts</code> that from D\xe2\x80\x99.</li>\n",
            100 * s.open);
}

static void say_seeds(const struct psw_page *page, int *n)
{
    int64_t most = 0;
    for (int64_t c = 0; c < page->cells.n_cell; c++)
        if (page->cells.cell[c].n_run > most) most = page->cells.cell[c].n_run;
    if (most >= LEAST_SEEDS) return;
    begin_item(page, n, "More seeds");
    fprintf(page->out,
            "With %lld no exact paired test can reach 5 %%: <code>replicates: %d</code> is the "
            "least for one comparison, 9 for a table of ten.</li>\n",
            (long long)most, LEAST_SEEDS);
}

static void say_apart(const struct psw_page *page, int *n)
{
    int64_t n_apart = 0, n_open = 0, n_censored = 0;
    const int64_t *status = psw_results_i64(page->results, "status");
    for (int64_t c = 0; c < page->cells.n_cell; c++)
        for (int64_t i = 0; i < page->cells.cell[c].n_run; i++) {
            const enum psw_apart apart = page->cells.cell[c].apart[i];
            n_apart += apart == PSW_APART_KL || apart == PSW_APART_RATIO;
            n_open += apart == PSW_APART_UNENDED;
            n_censored += apart == PSW_APART_UNENDED &&
                          status[page->cells.cell[c].run[i]] == PSW_OUTCOME_CENSORED;
        }
    if (n_apart > 0) {
        begin_item(page, n, "Hold the reins");
        fprintf(
            page->out,
            "%lld runs went far from their SFT model and are in no mean: a lower "
            "<code>policy.lr</code> or a higher <code>policy.beta</code> keeps them.</li>\n",
            (long long)n_apart);
    }
    n_open -= n_censored;
    if (n_censored > 0) {
        begin_item(page, n, "Finish what was stopped");
        fprintf(page->out,
                "%lld runs were stopped early: take <code>stop</code> out of the sweep file "
                "and run it again, to compare with them.</li>\n",
                (long long)n_censored);
    }
    if (n_open > 0) {
        begin_item(page, n, "Finish");
        fprintf(page->out,
                "%lld runs are not done or failed: the same <code>posweep run</code> goes on; "
                "<code>posweep why FILE RUN</code> tells of one.</li>\n",
                (long long)n_open);
    }
}

void psw_page_next(const struct psw_page *page)
{
    int n = 0;
    fputs("<h3>What the next sweep should ask</h3>\n", page->out);
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        if (!psw_page_is_baseline(page, cell) || !psw_page_has_trace(page)) continue;
        say_damp(page, cell, &n);
        say_lead(page, cell, &n);
        say_unclear(page, cell, &n);
    }
    say_seeds(page, &n);
    psw_page_next_compare(page, &n);
    say_apart(page, &n);
    fputs(n ? "</ul>\n" : "<p>Nothing in the file asks for one.</p>\n", page->out);
}
