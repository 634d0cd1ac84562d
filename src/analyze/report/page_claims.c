/* What the paper claims, asked of this file. */
#include "page_internal.h"

#include <posweep/analyze/claims.h>

#include "../analyze_internal.h"

#include <math.h>

/** A mean with its interval; an end without bound is drawn as one. */
static void put_number(const struct psw_page *page, const struct psw_claim_number *part)
{
    const struct psw_signflip *t = &part->test;
    fputs("<div>", page->out);
    psw_html_text(page->out, part->what);
    fputs(": ", page->out);
    if (t->n == 0) {
        fputs("not in the file</div>\n", page->out);
        return;
    }
    const double width = t->interval.hi - t->interval.lo;
    const int digits = psw_wording_digits(fmax(fabs(t->mean), isfinite(width) ? width : 0), 2);
    fprintf(page->out, "<b class='n'>%+.*f</b>", digits, t->mean);
    if (isfinite(t->interval.lo) && isfinite(t->interval.hi))
        fprintf(page->out, " <span class='n'>[%+.*f, %+.*f]</span>", digits, t->interval.lo,
                digits, t->interval.hi);
    fputs("</div>\n", page->out);
}

static void put_numbers(const struct psw_page *page, const struct psw_claim_number *part, int n)
{
    fputs("<td class='text'>", page->out);
    for (int i = 0; i < n; i++) put_number(page, &part[i]);
    fputs("</td>", page->out);
}

static void put_verdict(const struct psw_page *page, const struct psw_claim_judgement *j)
{
    static const char *const CLASS[] = {[PSW_CLAIM_NOT_ASKED] = "unclear",
                                        [PSW_CLAIM_UNDECIDED] = "unclear",
                                        [PSW_CLAIM_SUPPORTED] = "towards",
                                        [PSW_CLAIM_CONTRADICTED] = "away"};
    fprintf(page->out, "<td class='text %s'><b>%s</b>", CLASS[j->verdict],
            psw_claim_verdict_name(j->verdict));
    if (j->alone != j->verdict)
        fprintf(page->out, "<br>alone: %s", psw_claim_verdict_name(j->alone));
    if (j->verdict == PSW_CLAIM_UNDECIDED && j->n_needed > 0)
        fprintf(page->out, "<br>%lld seeds could decide", (long long)j->n_needed);
    fprintf(page->out, "</td><td>%.2g</td><td>%.2g</td></tr>\n", j->p, j->holm);
}

static void put_claim(const struct psw_page *page, const struct psw_claim *claim)
{
    fprintf(page->out, "<tr><td>%d</td><th scope='row'>", claim->number);
    psw_html_text(page->out, claim->sentence);
    fputs("</th>", page->out);
    put_numbers(page, claim->part, claim->n_part);
    put_numbers(page, claim->control, claim->n_control);
    put_verdict(page, &claim->judged);
}

static void put_unasked(const struct psw_page *page, const struct psw_claim *claim, int n)
{
    fputs("<details><summary>Claims that this file cannot be asked</summary><ul>\n", page->out);
    for (int i = 0; i < n; i++) {
        if (claim[i].judged.verdict != PSW_CLAIM_NOT_ASKED) continue;
        fputs("<li>", page->out);
        psw_html_text(page->out, claim[i].sentence);
        fputs(" Needs: ", page->out);
        psw_html_text(page->out, claim[i].needs);
        fputs("</li>\n", page->out);
    }
    fputs("</ul></details>\n", page->out);
}

void psw_page_claims(const struct psw_page *page)
{
    struct psw_claim claim[PSW_MAX_CLAIMS];
    int n = 0, n_asked = 0;
    if (psw_claims_ask(page->results, 0, 0, claim, &n, NULL) != PSW_OK) n = 0;
    for (int i = 0; i < n; i++) n_asked += claim[i].judged.verdict != PSW_CLAIM_NOT_ASKED;
    if (n_asked > 0) {
        fputs(
            "<table class='claims'><thead><tr><th scope='col'></th><th scope='col'>claim</th>"
            "<th scope='col'>numbers that it says are above 0</th><th scope='col'>controls</th>"
            "<th scope='col'>verdict</th><th scope='col'>p</th><th scope='col'>Holm</th></tr>"
            "</thead><tbody>\n",
            page->out);
        for (int i = 0; i < n; i++)
            if (claim[i].judged.verdict != PSW_CLAIM_NOT_ASKED) put_claim(page, &claim[i]);
        fputs(
            "</tbody></table>\n<p class='caption'>Each number across seeds, with its interval "
            "by the exact sign-flip test; a claim is supported if all of its numbers are above "
            "0, contradicted if one is below, and undecided else, among all claims asked "
            "(Holm). Controls decide nothing. A claim that fails here is a result of this "
            "sweep.</p>\n",
            page->out);
    }
    if (n_asked == 0) fputs("<p>The file can be asked none of them.</p>\n", page->out);
    if (n_asked < n) put_unasked(page, claim, n);
}
