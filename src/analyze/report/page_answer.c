/* The answer: what each part of the loss did, by thirds of training, in words and as a table. A
 * sentence says that something is there only where the 95 % interval across seeds leaves out
 * zero. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>

#include "../analyze_internal.h"

#include <math.h>
#include <string.h>

enum { N_THIRD = PSW_PAGE_THIRDS, N_PART = 4 };

/** The parts of the loss that the answer is about. */
static const struct {
    const char *name, *title;
} PARTS[N_PART] = {{"total", "the whole loss"},
                   {"pos", "positive learning"},
                   {"neg", "negative learning"},
                   {NULL, "which leads"}};

static const char *const THIRDS[N_THIRD] = {"early", "middle", "late"};

static int64_t component_of(const struct psw_page *page, int part)
{
    return PARTS[part].name ? psw_results_component(page->results, PARTS[part].name)
                            : PSW_POS_MINUS_NEG;
}

/* ---- the table ---- */

static void put_third(const struct psw_page *page, struct psw_stat s, int is_difference)
{
    static const char *const CLASS[] = {"away", "unclear", "towards", "nothing"};
    static const char *const MARK[] = {"\xe2\x96\xbc", "\xe2\x97\x8b", "\xe2\x96\xb2", ""};
    static const char *const WORD[] = {"away", "unclear", "towards", "no data"};
    static const char *const LEAD[] = {"neg", "unclear", "pos", "no data"};
    char text[PSW_WORD_BYTES];
    const struct psw_printer words = {.out = page->out};
    const enum psw_page_sign known = psw_page_known(s);
    psw_wording_signed(&words, s, 1, 2, text);
    fprintf(page->out, "<td class='third %s' title='%s: %s'><span>%s</span> <i>%s</i></td>",
            is_difference && known != PSW_PAGE_OPEN ? "leads" : CLASS[known],
            (is_difference ? LEAD : WORD)[known], text, MARK[known],
            is_difference ? LEAD[known] : WORD[known]);
}

static void put_thirds_head(const struct psw_page *page)
{
    fputs("<thead><tr><th rowspan='2' scope='col'>runs</th>", page->out);
    for (int p = 0; p < N_PART; p++)
        fprintf(page->out, "<th colspan='3' scope='colgroup'>%s%s%s%s</th>", PARTS[p].title,
                PARTS[p].name ? " (" : "", PARTS[p].name ? PARTS[p].name : "",
                PARTS[p].name ? ")" : "");
    fputs("</tr><tr>", page->out);
    for (int p = 0; p < N_PART; p++)
        for (int third = 0; third < N_THIRD; third++)
            fprintf(page->out, "<th scope='col'>%s</th>", THIRDS[third]);
    fputs("</tr></thead>\n", page->out);
}

static void put_thirds(const struct psw_page *page)
{
    fputs("<figure class='wide'><table class='thirds'>", page->out);
    put_thirds_head(page);
    fputs("<tbody>\n", page->out);
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        fputs("<tr><th scope='row'>", page->out);
        psw_html_text(page->out, cell->label);
        fputs("</th>", page->out);
        for (int p = 0; p < N_PART; p++)
            for (int third = 0; third < N_THIRD; third++)
                put_third(page, psw_page_third(page, cell, component_of(page, p), third),
                          PARTS[p].name == NULL);
        fputs("</tr>\n", page->out);
    }
    fputs(
        "</tbody></table><figcaption>\xe2\x96\xb2 <b>towards</b>: a step on this part of the "
        "loss "
        "made the policy\xe2\x80\x99s own final responses more likely; \xe2\x96\xbc "
        "<b>away</b>: less "
        "likely; \xe2\x97\x8b <b>unclear</b>: the 95 % interval across seeds "
        "(Student\xe2\x80\x99s t, each "
        "by itself) holds 0. Of G/\xe2\x80\x96v\xe2\x80\x96 over the checkpoints of a third of "
        "training.</figcaption></figure>\n",
        page->out);
}

/* ---- sentences ---- */

/** "moved towards the final responses early (+0.16 ± 0.05), was unclear in the middle (...),
 * and pushed away from them late (...)". */
static void put_part(const struct psw_page *page, const struct psw_cell *cell, int part)
{
    static const char *const DOES[] = {"pushed away from the final responses", "was unclear",
                                       "moved towards the final responses", "has no data"};
    static const char *const LEADS[] = {"negative learning led", "neither is known to lead",
                                        "positive learning led", "there is no data"};
    static const char *const WHEN[] = {"early", "in the middle", "late"};
    const int is_lead = PARTS[part].name == NULL;
    const struct psw_printer words = {.out = page->out};
    enum psw_page_sign last = PSW_PAGE_NO_DATA;
    fprintf(page->out, "<li><b>%s</b>", is_lead ? "Between the two" : PARTS[part].title);
    if (!is_lead) fprintf(page->out, " (%s)", PARTS[part].name);
    for (int third = 0; third < N_THIRD; third++) {
        char text[PSW_WORD_BYTES];
        const struct psw_stat s = psw_page_third(page, cell, component_of(page, part), third);
        const enum psw_page_sign known = psw_page_known(s);
        const int is_new = third == 0 || known != last;
        fputs(third == 0 ? "" : third == N_THIRD - 1 ? " and" : ",", page->out);
        if (is_new) fprintf(page->out, " %s", (is_lead ? LEADS : DOES)[known]);
        fprintf(page->out, " %s <span class='n'>(%s)</span>", WHEN[third],
                psw_wording_signed(&words, s, 1, 2, text));
        last = known;
    }
    fputs(is_lead ? "." : ".</li>\n", page->out);
}

/** How many seeds cross beyond their errors. */
static void put_crossing(const struct psw_page *page, const struct psw_cell *cell)
{
    const struct psw_replicates_crossing c =
        psw_replicates_crossing(&page->traces, cell, page->scratch);
    const long long n_cross = c.n_pos_first + c.n_neg_first;
    if (c.n > 0 && n_cross == 0)
        fprintf(page->out, " No seed of %lld has a crossing beyond its errors.",
                (long long)c.n);
    if (n_cross > 0)
        fprintf(page->out,
                " %lld of %lld seeds cross beyond their errors, %lld with positive learning "
                "ahead first; the median crossing lies between steps %.0f and %.0f.",
                n_cross, (long long)c.n, (long long)c.n_pos_first, c.lo.median, c.hi.median);
    psw_page_put_band(page, cell);
    fputs("</li>\n", page->out);
}

static void put_outcome(const struct psw_page *page, const struct psw_cell *cell)
{
    static const struct {
        const char *name, *before, *after;
    } SAID[] = {{"score", "score ", ""},
                {"score_sft", " (SFT: ", ")"},
                {"win_rate", ", win rate against SFT ", ""},
                {"kl_ref", ", KL to SFT ", " nat"}};
    const struct psw_printer words = {.out = page->out};
    fputs("<li><b>It came to</b> ", page->out);
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++) {
        char text[PSW_WORD_BYTES];
        const struct psw_stat s = psw_replicates_metric(page->results, cell, SAID[i].name);
        if (s.n == 0) continue;
        fprintf(page->out, "%s<b class='n'>%s</b>%s", SAID[i].before,
                psw_wording_number(&words, s, text), SAID[i].after);
    }
    fprintf(page->out, "; %lld of %lld seeds count.</li>\n", (long long)cell->n_used,
            (long long)cell->n_run);
}

static void put_method(const struct psw_page *page, const struct psw_cell *cell)
{
    fputs("<article class='card'><h3>", page->out);
    psw_html_text(page->out, cell->label);
    fputs("</h3><ul>\n", page->out);
    for (int p = 0; p < N_PART && psw_page_has_trace(page); p++) put_part(page, cell, p);
    if (psw_page_has_trace(page)) put_crossing(page, cell);
    put_outcome(page, cell);
    fputs("</ul></article>\n", page->out);
}

void psw_page_answer(const struct psw_page *page)
{
    fputs("<div class='cards'>\n", page->out);
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        if (psw_page_is_baseline(page, cell)) put_method(page, cell);
    }
    psw_page_differences(page);
    fputs("<article class='card next'>", page->out);
    psw_page_next(page);
    fputs("</article></div>\n", page->out);
    if (psw_page_has_trace(page)) put_thirds(page);
}
