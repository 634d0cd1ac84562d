/* Samples side by side: what the configurations say to the same prompts, beside the SFT model.
 */
#include "page_internal.h"

#include <math.h>
#include <string.h>

enum { MOST_COLUMNS = 8, MOST_ROWS = 12 };

/** The run that speaks for each cell: its first that counts. Shapes: out [MOST_COLUMNS];
 * returns how many. */
static int64_t speakers_of(const struct psw_page *page, int64_t out[MOST_COLUMNS])
{
    int64_t n = 0;
    for (int64_t c = 0; c < page->cells.n_cell && n < MOST_COLUMNS; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        for (int64_t i = 0; i < cell->n_run; i++)
            if (cell->apart[i] == PSW_APART_NOT) {
                out[n++] = cell->run[i];
                break;
            }
    }
    return n;
}

static void put_response(const struct psw_page *page, const char *text, const double *score,
                         int64_t at)
{
    fputs("<td class='text'>", page->out);
    psw_html_text(page->out, text[0] ? text : "(nothing)");
    if (score && isfinite(score[at]))
        fprintf(page->out, " <span class='n'>%.3g</span>", score[at]);
    fputs("</td>", page->out);
}

/** What the data's pair with this prompt prefers; a dash where the prompt is of no pair. */
static void put_chosen(const struct psw_page *page, int64_t at)
{
    if (!psw_results_has(page->results, "sample_chosen")) return;
    if (psw_results_text(page->results, "sample_chosen_ids", at)[0])
        put_response(page, psw_results_text(page->results, "sample_chosen", at), NULL, at);
    else
        fputs("<td class='text'>\xe2\x80\x93</td>", page->out);
}

static void put_head(const struct psw_page *page, const int64_t *run, int64_t n)
{
    const int64_t *seed = psw_results_i64(page->results, "seed");
    fputs("<table class='samples'><thead><tr><th scope='col'>prompt</th>", page->out);
    if (psw_results_has(page->results, "sample_chosen"))
        fputs("<th scope='col'>chosen in the data</th>", page->out);
    fputs("<th scope='col'>SFT</th>", page->out);
    for (int64_t i = 0; i < n; i++) {
        fputs("<th scope='col'>", page->out);
        psw_html_text(page->out, psw_results_text(page->results, "method", run[i]));
        fputc(' ', page->out);
        psw_html_text(page->out, psw_results_text(page->results, "variant", run[i]));
        fprintf(page->out, "<br><span class='n'>seed %lld</span></th>",
                (long long)(seed ? seed[run[i]] : run[i]));
    }
    fputs("</tr></thead><tbody>\n", page->out);
}

/** The row of a run's table that answers a prompt; -1: none. */
static int64_t find(const struct psw_page *page, int64_t run, int64_t n_sample,
                    const char *prompt)
{
    for (int64_t k = 0; k < n_sample; k++) {
        const char *own = psw_results_text(page->results, "sample_prompt", run * n_sample + k);
        if (strcmp(own, prompt) == 0) return run * n_sample + k;
    }
    return -1;
}

void psw_page_samples(const struct psw_page *page)
{
    int64_t run[MOST_COLUMNS];
    const int64_t n = speakers_of(page, run);
    const int64_t n_sample = psw_results_dim(page->results, "sample");
    const double *score = psw_results_f64(page->results, "sample_score");
    const double *score_sft = psw_results_f64(page->results, "sample_score_sft");
    if (n == 0 || n_sample == 0 || !psw_results_has(page->results, "sample_prompt")) {
        fputs("<p>The file has none; <code>eval.samples: 8</code> keeps some.</p>\n",
              page->out);
        return;
    }
    put_head(page, run, n);
    for (int64_t k = 0; k < n_sample && k < MOST_ROWS; k++) {
        const int64_t at = run[0] * n_sample + k;
        const char *prompt = psw_results_text(page->results, "sample_prompt", at);
        fputs("<tr><th scope='row'>", page->out);
        psw_html_text(page->out, prompt);
        fputs("</th>", page->out);
        put_chosen(page, at);
        put_response(page, psw_results_text(page->results, "sample_response_sft", at),
                     score_sft, at);
        for (int64_t i = 0; i < n; i++) {
            const int64_t own = find(page, run[i], n_sample, prompt);
            if (own < 0)
                fputs("<td class='text'>\xe2\x80\x93</td>", page->out);
            else
                put_response(page, psw_results_text(page->results, "sample_response", own),
                             score, own);
        }
        fputs("</tr>\n", page->out);
    }
    fputs("</tbody></table>\n<p class='caption'>The first held-out prompts of the evaluation, "
          "one "
          "response each, with its score; of one seed: single responses show what the models "
          "say, not which is better.</p>\n",
          page->out);
}
