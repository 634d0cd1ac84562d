/* What differs: the rows of the paired comparison in words, as a table, as data of the figure,
 * and as its picture. */
#include "chart_internal.h"
#include "page_internal.h"

#include <posweep/analyze/ticks.h>

#include "../analyze_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is compared ---- */

/** Whether a variant of that name is there, and another one. */
static int has_variants(const struct psw_page *page, const char *baseline)
{
    int is_there = 0, is_other = 0;
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const char *own =
            psw_results_text(page->results, "variant", page->cells.cell[c].run[0]);
        is_there |= strcmp(own, baseline) == 0;
        is_other |= strcmp(own, baseline) != 0;
    }
    return is_there && is_other;
}

/** The first swept setting with two values, and the first of them; 0: none. */
static int first_axis(const struct psw_page *page, struct psw_page_axis *out)
{
    for (int i = 0; i < psw_results_n_leaf(page->results); i++) {
        char other[PSW_SETTING_BYTES];
        const int64_t first = page->cells.cell[0].run[0];
        psw_results_leaf_text(page->results, i, first, out->value);
        for (int64_t c = 1; c < page->cells.n_cell; c++) {
            psw_results_leaf_text(page->results, i, page->cells.cell[c].run[0], other);
            if (strcmp(other, out->value) == 0) continue;
            snprintf(out->by, sizeof out->by, "%s", psw_results_leaf(page->results, i));
            return 1;
        }
    }
    return 0;
}

/** Methods against the first one, where there are several: what is paired is their seeds. */
static psw_status compare_methods(struct psw_page *page, struct psw_compare_opts opts)
{
    const char *first = psw_results_text(page->results, "method", page->cells.cell[0].run[0]);
    for (int64_t c = 1; c < page->cells.n_cell; c++) {
        const char *own = psw_results_text(page->results, "method", page->cells.cell[c].run[0]);
        if (strcmp(own, first) == 0) continue;
        opts.pairing = (struct psw_pairing_opts){.by = "method", .baseline = first};
        return psw_compare(page->results, &opts, &page->comparison[1], NULL);
    }
    return PSW_OK;
}

psw_status psw_page_compare(struct psw_page *page, struct psw_error *err)
{
    struct psw_page_axis *axis = &page->axis;
    struct psw_error why = {0};
    const char *baseline = page->opts->baseline ? page->opts->baseline : "vanilla";
    struct psw_compare_opts opts = {.pairing = {.by = page->opts->by, .baseline = baseline},
                                    .along = page->opts->selection.along,
                                    .max_kl = page->opts->selection.max_kl};
    const int is_asked = page->opts->baseline || page->opts->by;
    psw_status rc = PSW_OK;
    if (is_asked || has_variants(page, baseline)) {
        rc = psw_compare(page->results, &opts, &page->comparison[0], &why);
    } else if (first_axis(page, axis)) {
        opts.pairing.by = axis->by;
        opts.pairing.baseline = axis->value;
        rc = psw_compare(page->results, &opts, &page->comparison[0], &why);
    } else {
        rc = psw_fail(&why, PSW_EINVAL, "the file has one configuration of each method");
    }
    if (rc != PSW_OK && (is_asked || rc == PSW_ENOMEM))
        return psw_fail(err, rc, "%s", why.text);
    if (rc != PSW_OK) snprintf(page->not_compared, sizeof page->not_compared, "%s", why.text);
    if (!is_asked && compare_methods(page, opts) == PSW_ENOMEM)
        return psw_fail(err, PSW_ENOMEM, "comparison of methods");
    return PSW_OK;
}

void psw_page_compare_clear(struct psw_page *page)
{
    for (int i = 0; i < PSW_PAGE_COMPARISONS; i++) psw_comparison_clear(&page->comparison[i]);
}

/* ---- words ---- */

enum { MOST_NAMED = 10 }; /* in a list of the answer */

/** What the names of metrics mean to a reader. */
static const struct {
    const char *name, *title;
} TITLES[] = {{"score", "score"},
              {"reward_final", "reward"},
              {"win_rate", "win rate"},
              {"kl_ref", "KL to SFT, nat"},
              {"length", "length, tokens"},
              {"heldout_accuracy", "held-out accuracy"},
              {"heldout_loss", "held-out loss"},
              {"Gv.pos:mean", "G/\xe2\x80\x96v\xe2\x80\x96 of positive learning, mean"},
              {"Gv.neg:mean", "G/\xe2\x80\x96v\xe2\x80\x96 of negative learning, mean"}};

static const char *title_of(const char *metric)
{
    for (size_t i = 0; i < sizeof TITLES / sizeof *TITLES; i++)
        if (strcmp(TITLES[i].name, metric) == 0) return TITLES[i].title;
    return metric;
}

static const char *number(double x, int digits, char out[PSW_WORD_BYTES])
{
    if (isnan(x))
        snprintf(out, PSW_WORD_BYTES, "\xe2\x80\x93");
    else if (isinf(x))
        snprintf(out, PSW_WORD_BYTES, "%s\xe2\x88\x9e", x < 0 ? "\xe2\x88\x92" : "");
    else
        snprintf(out, PSW_WORD_BYTES, "%+.*f", digits, x);
    return out;
}

/** Digits that all rows of a metric share. */
static int digits_of(const struct psw_comparison *c, int metric)
{
    double size = 0;
    for (int64_t i = 0; i < c->pairing.n_contrast; i++) {
        const double mean = c->row[metric * c->pairing.n_contrast + i].test.mean;
        if (isfinite(mean)) size = fmax(size, fabs(mean));
    }
    return psw_wording_digits(size, 3);
}

/** "+0.41 [+0.32, +0.50]". */
static void put_difference(const struct psw_page *page, const struct psw_compare_row *row,
                           int digits)
{
    char mean[PSW_WORD_BYTES], lo[PSW_WORD_BYTES], hi[PSW_WORD_BYTES];
    fprintf(page->out, "%s <span class='n'>[%s, %s]</span>",
            number(row->test.mean, digits, mean), number(row->test.interval.lo, digits, lo),
            number(row->test.interval.hi, digits, hi));
}

static int is_sure(const struct psw_compare_row *row)
{
    return row->judged.verdict == PSW_COMPARE_DIFFERS;
}

static int is_alone(const struct psw_compare_row *row)
{
    return row->judged.verdict == PSW_COMPARE_ALONE;
}

/** The rows with a verdict, as one sentence each. Returns how many. */
static int64_t put_found(const struct psw_page *page, const struct psw_comparison *c,
                         const char *lead, int (*is_it)(const struct psw_compare_row *row))
{
    int64_t n = 0;
    for (int64_t i = 0; i < c->n_row; i++) {
        const struct psw_compare_row *row = &c->row[i];
        if (!is_it(row)) continue;
        if (n++ == 0) fprintf(page->out, "<p>%s</p><ul>\n", lead);
        if (n > MOST_NAMED) continue;
        fputs("<li><b>", page->out);
        psw_html_text(page->out, row->contrast->cell->label);
        fprintf(page->out, "</b>: %s ", title_of(row->metric));
        put_difference(page, row, digits_of(c, (int)(i / c->pairing.n_contrast)));
        fprintf(page->out, ", p = %.2g</li>\n", row->test.p);
    }
    if (n > MOST_NAMED)
        fprintf(page->out, "<li>and %lld more, in the table</li>\n",
                (long long)(n - MOST_NAMED));
    if (n) fputs("</ul>\n", page->out);
    return n;
}

/** That so few pairs can show nothing among so many tests, where that is so. */
static void put_floor(const struct psw_page *page, const struct psw_comparison *c)
{
    int64_t most = 0;
    for (int64_t i = 0; i < c->n_row; i++)
        if (c->row[i].pairs.n > most) most = c->row[i].pairs.n;
    const double least = psw_signflip_floor(most);
    const long long n_test = (long long)c->row[0].judged.n_family;
    if (n_test * least > c->alpha)
        fprintf(
            page->out,
            "<p class='caption'>With %lld pairs no p is below %.2g: among %lld tests none can "
            "pass.</p>\n",
            (long long)most, least, n_test);
}

static void put_comparison(const struct psw_page *page, const struct psw_comparison *c)
{
    char alone[256];
    fputs("<h4>Against ", page->out);
    psw_html_text(page->out, c->pairing.value);
    fputs("</h4>\n", page->out);
    const int64_t n = put_found(page, c, "Also among all that was tested (Holm):", is_sure);
    snprintf(alone, sizeof alone,
             "At 5 %% if it had been the only question, but not among %lld tests:",
             (long long)c->row[0].judged.n_family);
    const int64_t n_alone = put_found(page, c, alone, is_alone);
    const long long n_left = (long long)(c->n_row - n - n_alone);
    if (n_left == c->n_row)
        fprintf(page->out, "<p>None of %lld comparisons is distinguishable.</p>\n", n_left);
    else if (n_left > 0)
        fprintf(page->out, "<p>The other %lld %s not distinguishable.</p>\n", n_left,
                n_left == 1 ? "is" : "are");
    put_floor(page, c);
}

void psw_page_differences(const struct psw_page *page)
{
    fputs("<article class='card'><h3>What differs</h3>\n", page->out);
    if (page->comparison[0].n_row == 0) {
        fputs("<p>Variants were not compared: ", page->out);
        psw_html_text(page->out, page->not_compared);
        fputs(".</p>\n", page->out);
    }
    for (int i = 0; i < PSW_PAGE_COMPARISONS; i++)
        if (page->comparison[i].n_row > 0) put_comparison(page, &page->comparison[i]);
    if (psw_page_has_comparison(page))
        fputs("<p class='caption'>Pairs of equal seed. How many seeds each would need stands "
              "in the <a href='#compared'>table</a>.</p>\n",
              page->out);
    fputs("</article>\n", page->out);
}

/* ---- the table ---- */

static void put_row(const struct psw_page *page, const struct psw_compare_row *row, int digits)
{
    char words[PSW_VERDICT_BYTES], text[PSW_WORD_BYTES];
    fputs("<tr><th scope='row'>", page->out);
    psw_html_text(page->out, row->contrast->cell->label);
    fprintf(page->out, "</th><td>%lld</td><td>%s</td><td>", (long long)row->pairs.n,
            number(row->test.median, digits, text));
    put_difference(page, row, digits);
    if (isfinite(row->test.p))
        fprintf(page->out, "</td><td>%.2g%s</td><td>%.2g</td><td>%.0f %%</td>", row->test.p,
                row->test.p <= row->test.p_floor * (1 + 1e-9) ? "*" : "", row->judged.holm,
                100 * row->p_better);
    else
        fputs("</td><td></td><td></td><td></td>", page->out);
    fprintf(page->out, "<td class='text'>%s</td></tr>\n", psw_compare_words(row, words));
}

static void put_metrics(const struct psw_page *page, const struct psw_comparison *c)
{
    for (int m = 0; m < c->n_metric; m++) {
        fprintf(page->out,
                "<tbody><tr><th colspan='8' scope='rowgroup' class='group'>%s, against ",
                title_of(c->metric[m]));
        psw_html_text(page->out, c->pairing.value);
        fputs("</th></tr>\n", page->out);
        for (int64_t i = 0; i < c->pairing.n_contrast; i++)
            put_row(page, &c->row[m * c->pairing.n_contrast + i], digits_of(c, m));
        fputs("</tbody>\n", page->out);
    }
}

void psw_page_compare_table(const struct psw_page *page)
{
    int64_t n_row = 0;
    for (int i = 0; i < PSW_PAGE_COMPARISONS; i++) n_row += page->comparison[i].n_row;
    psw_page_open_table(page, n_row, "Every difference");
    fputs("<table><thead><tr><th scope='col'>runs</th><th scope='col'>pairs</th><th "
          "scope='col'>median d</th><th scope='col'>mean d [interval]</th><th "
          "scope='col'>p</th><th scope='col'>Holm</th><th scope='col'>better</th><th "
          "scope='col'>verdict</th></tr></thead>\n",
          page->out);
    for (int i = 0; i < PSW_PAGE_COMPARISONS; i++) put_metrics(page, &page->comparison[i]);
    fputs("</table>\n<p class='caption'>d: the metric less that of the baseline with the same "
          "seed. Interval and p by the exact sign-flip test; * where so few pairs allow no "
          "smaller p. Holm: p among the tests against the same baseline. Better: share of the "
          "pairs, ties half. Methods differ in more than their name: in steps, rates and what "
          "they may learn from.</p>\n",
          page->out);
    psw_page_close_table(page, n_row);
}

/* ---- the next sweep ---- */

void psw_page_next_compare(const struct psw_page *page, int *n)
{
    enum { WORTH = 60 };
    int64_t enough = 2;
    const struct psw_compare_row *best = NULL;
    const struct psw_comparison *c = &page->comparison[0];
    for (int64_t i = 0; i < c->n_row; i++) {
        const struct psw_compare_row *row = &c->row[i];
        const int64_t needed = row->judged.n_needed;
        if (row->direction == 0 || needed <= row->pairs.n || needed > WORTH) continue;
        if (!best || needed < best->judged.n_needed) best = row;
    }
    while (c->n_row > 0 &&
           psw_signflip_floor(enough) * (double)c->row[0].judged.n_family > c->alpha)
        enough++;
    if (c->n_row > 0 && enough > c->row[0].pairs.n) {
        if ((*n)++ == 0) fputs("<ul>\n", page->out);
        fprintf(
            page->out,
            "<li><b>More seeds</b> <code>replicates: %lld</code> is the least at which one of "
            "%lld tests can pass among all; or ask fewer questions of the same file "
            "(<code>posweep compare --metric</code>).</li>\n",
            (long long)enough, (long long)c->row[0].judged.n_family);
    }
    if (!best) return;
    if ((*n)++ == 0) fputs("<ul>\n", page->out);
    fputs("<li><b>More seeds</b> <b>", page->out);
    psw_html_text(page->out, best->contrast->cell->label);
    fprintf(
        page->out,
        "</b>: %lld seeds could show its difference in %s, if it is what it seems from %lld: "
        "<code>replicates: %lld</code>, with this variant and its baseline alone.</li>\n",
        (long long)best->judged.n_needed, title_of(best->metric), (long long)best->pairs.n,
        (long long)best->judged.n_needed);
}

/* ---- data and picture ---- */

static json_t *row_json(const struct psw_compare_row *row)
{
    char words[PSW_VERDICT_BYTES];
    const struct psw_interval in = row->test.interval;
    return json_pack("{s:o, s:o, s:o, s:s, s:b, s:b, s:I, s:f, s:f, s:o, s:o}", "metric",
                     psw_html_json(title_of(row->metric)), "label",
                     psw_html_json(row->contrast->cell->label), "baseline",
                     psw_html_json(row->contrast->baseline->label), "words",
                     psw_compare_words(row, words), "sure", is_sure(row), "alone",
                     is_alone(row), "n", (json_int_t)row->pairs.n, "mean", row->test.mean, "p",
                     row->test.p, "lo", isfinite(in.lo) ? json_real(in.lo) : json_null(), "hi",
                     isfinite(in.hi) ? json_real(in.hi) : json_null());
}

json_t *psw_page_compare_json(const struct psw_page *page)
{
    json_t *rows = json_array();
    for (int k = 0; k < PSW_PAGE_COMPARISONS; k++)
        for (int64_t i = 0; i < page->comparison[k].n_row; i++) {
            const struct psw_compare_row *row = &page->comparison[k].row[i];
            if (row->pairs.n == 0 || json_array_append_new(rows, row_json(row)) == 0) continue;
            json_decref(rows);
            return NULL;
        }
    return rows;
}

static void draw_metric(FILE *out, const struct psw_comparison *c, int metric,
                        struct psw_chart chart)
{
    char title[PSW_METRIC_BYTES + PSW_SETTING_BYTES + 16];
    const struct psw_compare_row *row = c->row + metric * c->pairing.n_contrast;
    const int64_t n = c->pairing.n_contrast;
    snprintf(title, sizeof title, "%s, against %s", title_of(c->metric[metric]),
             c->pairing.value);
    chart.out = out;
    chart.title = title;
    chart.x.title = "difference from the baseline, same seed";
    chart.n_row = (int)n;
    for (int64_t i = 0; i < n; i++) {
        const double x[3] = {row[i].test.mean, row[i].test.interval.lo,
                             row[i].test.interval.hi};
        for (int k = 0; k < 3; k++)
            if (isfinite(x[k]))
                chart.x.lo = fmin(chart.x.lo, x[k]), chart.x.hi = fmax(chart.x.hi, x[k]);
    }
    psw_chart_begin(&chart);
    for (int64_t i = 0; i < n; i++) {
        const double y = (double)(n - 1 - i), line[2] = {y, y};
        const double lo = row[i].test.interval.lo, hi = row[i].test.interval.hi;
        const double x[2] = {isfinite(lo) ? lo : chart.x.lo, isfinite(hi) ? hi : chart.x.hi};
        struct psw_chart_pen pen = {is_sure(&row[i]) || is_alone(&row[i]) ? "#d55e00"
                                                                          : "#0072b2",
                                    "none", 2, 1, !is_sure(&row[i])};
        if (row[i].pairs.n == 0) continue;
        psw_chart_line(&chart, x, line, 2, pen);
        psw_chart_point(&chart, row[i].test.mean, y, 4.5, pen);
    }
    psw_chart_end(&chart);
    for (int64_t i = 0; i < n; i++)
        psw_chart_row(&chart, (double)(n - 1 - i), row[i].contrast->cell->label);
}

int psw_page_has_comparison(const struct psw_page *page)
{
    for (int i = 0; i < PSW_PAGE_COMPARISONS; i++)
        if (page->comparison[i].n_row > 0) return 1;
    return 0;
}

psw_status psw_page_draw_forest(const struct psw_page *page, FILE *out, struct psw_error *err)
{
    enum { ROW = 24, FRAME = 92, WIDE = 880 };
    double top = 0, total = 0;
    (void)err;
    for (int k = 0; k < PSW_PAGE_COMPARISONS; k++)
        total += page->comparison[k].n_metric *
                 (FRAME + ROW * (double)page->comparison[k].pairing.n_contrast);
    psw_chart_document(out, WIDE, total);
    for (int k = 0, n = 0; k < PSW_PAGE_COMPARISONS; k++) {
        const struct psw_comparison *c = &page->comparison[k];
        const double height = FRAME + ROW * (double)c->pairing.n_contrast;
        for (int m = 0; m < c->n_metric; m++, top += height)
            draw_metric(out, c, m,
                        (struct psw_chart){.box.top = top,
                                           .box.width = WIDE,
                                           .box.height = height,
                                           .index = 100 + n++});
    }
    fputs("</svg>\n", out);
    return PSW_OK;
}
