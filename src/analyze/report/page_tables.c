/* Tables of the page: what the runs came to, which are set apart, what they cost, and where the
 * file is from. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>

#include "../analyze_internal.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name, *title;
} OUTCOMES[] = {{"score", "score"},       {"score_sft", "of SFT"},
                {"win_rate", "win rate"}, {"kl_ref", "KL to SFT"},
                {"length", "length"},     {"heldout_accuracy", "held-out accuracy"}};

/** Rows up to which a table stands open. */
enum { MOST_OPEN = 40 };

void psw_page_open_table(const struct psw_page *page, int64_t n_row, const char *name)
{
    if (n_row > MOST_OPEN)
        fprintf(page->out, "<details><summary>%s: %lld rows</summary>\n", name,
                (long long)n_row);
}

void psw_page_close_table(const struct psw_page *page, int64_t n_row)
{
    if (n_row > MOST_OPEN) fputs("</details>\n", page->out);
}

static void put_label(const struct psw_page *page, const char *text)
{
    fputs("<tr><th scope='row'>", page->out);
    psw_html_text(page->out, text);
    fputs("</th>", page->out);
}

/** Median and range over the replicates that count, which no run-away seed can own. */
static void put_middle(const struct psw_page *page, const struct psw_cell *cell,
                       const char *name)
{
    char text[PSW_WORD_BYTES];
    const double *x = psw_results_f64(page->results, name);
    int64_t n = 0;
    for (int64_t i = 0; x && i < cell->n_run; i++)
        if (cell->apart[i] == PSW_APART_NOT) page->scratch[n++] = x[cell->run[i]];
    const struct psw_spread s = psw_spread_of(page->scratch, n);
    if (s.n > 1)
        fprintf(page->out, "<br><span class='n'>%s</span>",
                psw_wording_spread(s, PSW_WORD_BYTES - 1, text));
}

void psw_page_cells(const struct psw_page *page)
{
    const struct psw_printer words = {.out = page->out};
    psw_page_open_table(page, page->cells.n_cell, "What the runs came to");
    fputs("<table><thead><tr><th scope='col'>runs</th><th scope='col'>seeds</th>", page->out);
    for (size_t i = 0; i < sizeof OUTCOMES / sizeof *OUTCOMES; i++)
        if (psw_results_has(page->results, OUTCOMES[i].name))
            fprintf(page->out, "<th scope='col'>%s</th>", OUTCOMES[i].title);
    fputs("</tr></thead><tbody>\n", page->out);
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        put_label(page, cell->label);
        fprintf(page->out, "<td>%lld of %lld</td>", (long long)cell->n_used,
                (long long)cell->n_run);
        for (size_t i = 0; i < sizeof OUTCOMES / sizeof *OUTCOMES; i++) {
            char text[PSW_WORD_BYTES];
            if (!psw_results_has(page->results, OUTCOMES[i].name)) continue;
            fprintf(page->out, "<td>%s",
                    psw_wording_number(
                        &words, psw_replicates_metric(page->results, cell, OUTCOMES[i].name),
                        text));
            put_middle(page, cell, OUTCOMES[i].name);
            fputs("</td>", page->out);
        }
        fputs("</tr>\n", page->out);
    }
    fputs("</tbody></table>\n<p class='caption'>Mean \xc2\xb1 standard error across seeds; "
          "below, "
          "median [least..greatest seed].</p>\n",
          page->out);
    psw_page_close_table(page, page->cells.n_cell);
}

void psw_page_apart(const struct psw_page *page)
{
    const int64_t *seed = psw_results_i64(page->results, "seed");
    int64_t n = 0;
    for (int64_t c = 0; c < page->cells.n_cell; c++)
        for (int64_t i = 0; i < page->cells.cell[c].n_run; i++) {
            char text[PSW_SENTENCE_BYTES];
            const struct psw_cell *cell = &page->cells.cell[c];
            if (cell->apart[i] == PSW_APART_NOT) continue;
            if (n++ == 0) fputs("<ul class='apart'>\n", page->out);
            psw_finding_of_run(page->results, cell, i, text);
            fputs("<li><b>", page->out);
            psw_html_text(page->out, cell->label);
            fprintf(page->out,
                    " seed %lld</b>: ", (long long)(seed ? seed[cell->run[i]] : cell->run[i]));
            psw_html_text(page->out, text);
            fputs("</li>\n", page->out);
        }
    fputs(n ? "</ul>\n" : "<p>None: every run finished, within 5 nat of its SFT model.</p>\n",
          page->out);
}

void psw_page_costs(const struct psw_page *page)
{
    static const struct {
        const char *name, *title;
    } COSTS[] = {{"wall_s", "seconds a run"},
                 {"train_s", "of it training"},
                 {"sample_s", "of it sampling"},
                 {"trace_s", "of it tracing"},
                 {"flops", "floating-point operations"}};
    psw_page_open_table(page, page->cells.n_cell, "Cost of the runs");
    fputs("<table><thead><tr><th scope='col'>runs</th>", page->out);
    for (size_t i = 0; i < sizeof COSTS / sizeof *COSTS; i++)
        fprintf(page->out, "<th scope='col'>%s</th>", COSTS[i].title);
    fputs("</tr></thead><tbody>\n", page->out);
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        put_label(page, page->cells.cell[c].label);
        for (size_t i = 0; i < sizeof COSTS / sizeof *COSTS; i++) {
            const struct psw_stat s =
                psw_replicates_metric(page->results, &page->cells.cell[c], COSTS[i].name);
            fprintf(page->out, s.n ? "<td>%.3g</td>" : "<td>-</td>", s.mean);
        }
        fputs("</tr>\n", page->out);
    }
    fputs("</tbody></table>\n", page->out);
    psw_page_close_table(page, page->cells.n_cell);
}

void psw_page_provenance(const struct psw_page *page)
{
    static const char *const NOTES[] = {"version", "commit", "cpu",      "host", "mpi",
                                        "blas",    "hdf5",   "compiler", "flags"};
    fputs("<table class='notes'><tbody>\n", page->out);
    for (size_t i = 0; i < sizeof NOTES / sizeof *NOTES; i++) {
        const char *text = psw_results_attr(page->results, "provenance", NOTES[i]);
        if (!text[0]) continue;
        put_label(page, NOTES[i]);
        fputs("<td>", page->out);
        psw_html_text(page->out, text);
        fputs("</td></tr>\n", page->out);
    }
    fputs("</tbody></table>\n", page->out);
}
