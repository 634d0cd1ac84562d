/* The page as a whole: the order of its sections, what is built in, and how it is written. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>
#include <posweep/store/record.h>
#include <posweep/store/schema.h>
#include <posweep/util/file.h>

#include <stdlib.h>
#include <string.h>

static const struct psw_page_asset *asset(const char *name)
{
    for (const struct psw_page_asset *a = PSW_PAGE_ASSETS; a->name; a++)
        if (strcmp(a->name, name) == 0) return a;
    return NULL;
}

/** An asset between two texts; nothing where it is not built in. */
static void put_asset(const struct psw_page *page, const char *before, const char *name,
                      const char *after)
{
    const struct psw_page_asset *a = asset(name);
    if (!a) return;
    fputs(before, page->out);
    fwrite(a->data, 1, a->n_bytes, page->out);
    fputs(after, page->out);
}

static void put_head(const struct psw_page *page)
{
    fputs("<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
          "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
          "<meta name='generator' content='posweep'>\n<title>",
          page->out);
    psw_html_text(page->out, psw_results_attr(page->results, "/", "title"));
    fputs(": posweep report</title>\n", page->out);
    put_asset(page, "<style>\n", "page.css", "</style>\n");
    fputs("</head>\n<body>\n", page->out);
}

static void put_counts(const struct psw_page *page)
{
    int64_t n_outcome[PSW_N_OUTCOME] = {0};
    const int64_t *status = psw_results_i64(page->results, "status");
    const int64_t n_run = psw_results_dim(page->results, "run");
    for (int64_t r = 0; r < n_run; r++)
        if (status[r] >= 0 && status[r] < PSW_N_OUTCOME) n_outcome[status[r]]++;
    fprintf(page->out, "<p class='lead'>%lld runs:", (long long)n_run);
    for (int i = 0, n = 0; i < PSW_N_OUTCOME; i++)
        if (n_outcome[i] > 0)
            fprintf(page->out, "%s %lld %s", n++ ? "," : "", (long long)n_outcome[i],
                    psw_outcome_name((enum psw_outcome)i));
    fprintf(page->out, "; %lld configurations.</p>\n", (long long)page->cells.n_cell);
    const int64_t n_censored = n_outcome[PSW_OUTCOME_CENSORED];
    if (n_censored > 0)
        fprintf(page->out,
                "<p class='warn'>%lld runs were stopped early because they were behind the "
                "others: what is said here is of those that were not, and looks the better "
                "for it.</p>\n",
                (long long)n_censored);
    if (n_outcome[PSW_OUTCOME_DONE] + n_censored < n_run)
        fputs("<p class='warn'>The sweep is not finished, or not every run is: what is said "
              "here is of the runs that are done.</p>\n",
              page->out);
    if (!psw_page_has_trace(page))
        fputs("<p class='warn'>The file has no G: no run that counts has been traced.</p>\n",
              page->out);
}

/** Cells up to which a page that has a script has pictures besides: they grow with the data. */
enum { MOST_STILLS = 24 };

/** A section whose figure is drawn by the script; where that does not run, its picture stands.
 */
static psw_status put_figure(const struct psw_page *page, const char *id, const char *title,
                             const char *caption, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    fprintf(page->out, "<section id='%s' class='figure' aria-label='%s'><h2>%s</h2>\n", id,
            title, title);
    for (const struct psw_page_still *s = PSW_PAGE_STILLS; s->name; s++) {
        if (strcmp(s->name, id) != 0 || !s->is_there(page)) continue;
        if (asset("vega.js") && page->cells.n_cell > MOST_STILLS) continue;
        fputs("<div class='static'>", page->out);
        PSW_TRY(s->draw(page, page->out, err));
        fputs("</div>\n", page->out);
    }
    fprintf(page->out, "<p class='caption'>%s</p></section>\n", caption);
fail:
    return rc;
}

/** The figures with how each is read. */
static const struct {
    const char *id, *title, *caption;
} FIGURES[] = {
    {"traces", "G along training",
     "Above 0, a step on this part of the loss makes the policy\xe2\x80\x99s own final "
     "responses "
     "more likely; below 0, less likely. Thin: single seeds; bold: their median; band: from "
     "quartile to quartile, or that of the mean at all steps at once (95 %, bold: the mean). A "
     "point is filled where most seeds differ from 0, on the same "
     "side, "
     "by more than two of their own standard errors; hollow: not known to differ. The last "
     "checkpoint is left out: there the true G is 0. Seeds are cut where they leave a panel."},
    {"phase", "Positive against negative learning",
     "Each line is a median over seeds along training, from the hollow mark to the filled one. "
     "Above the dashed diagonal negative learning leads, below it positive learning; where a "
     "line meets the diagonal the medians cross, which no single seed need show beyond its "
     "errors. Left of the vertical axis positive learning "
     "pushes "
     "away from the final responses."},
    {"forest", "Paired differences",
     "Each point is the mean difference from the baseline over pairs of one seed, which share "
     "data order and start; the bar is its interval by the exact sign-flip test at 5 %. "
     "Vermilion: "
     "it leaves out 0; filled: it differs also among all tests against the same baseline "
     "(Holm)."},
    {"scatter", "What it bought, and at what price",
     "One mark a run; a cross spans the quartiles over seeds. A higher score at the same KL is "
     "the better bargain; a score that comes with length may be length."},
    {"spectrum", "The geometry of the directions",
     "By sketches of v. Map: the trajectory of each configuration in the two directions that "
     "tell "
     "most of them apart, from the hollow mark to the filled one; only lengths mean something. "
     "Cosine with the start: 1 while v, the way to the final responses, points where it did at "
     "step 0; near 0 the target has turned away from it, or noise is all there is. Effective "
     "rank: how many directions v has taken up to a step."},
    {"curves", "Training curves",
     "Thin: single seeds; bold: their median. What is logged of each batch is noisier than "
     "what "
     "is measured on held-out pairs."}};

static psw_status put_figures(const struct psw_page *page, size_t first, size_t n,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (size_t i = first; i < first + n; i++)
        PSW_TRY(put_figure(page, FIGURES[i].id, FIGURES[i].title, FIGURES[i].caption, err));
fail:
    return rc;
}

static const struct {
    const char *id, *text;
} LINKS[] = {{"answer", "Answer"},
             {"traces", "G along training"},
             {"phase", "Positive and negative"},
             {"forest", "Differences"},
             {"scatter", "Outcome"},
             {"spectrum", "Geometry"},
             {"curves", "Curves"},
             {"claims", "Claims"},
             {"samples", "Samples"},
             {"apart", "Failures"},
             {"costs", "Cost"},
             {"provenance", "Provenance"}};

static void put_top(const struct psw_page *page)
{
    const char *name = strrchr(page->opts->path, '/');
    fputs("<header><h1>", page->out);
    psw_html_text(page->out, psw_results_attr(page->results, "/", "title"));
    fputs("</h1><span class='sub'>posweep report of ", page->out);
    psw_html_text(page->out, name ? name + 1 : page->opts->path);
    fputs("</span><button id='theme' type='button'>dark</button></header>\n"
          "<nav aria-label='sections'>",
          page->out);
    for (size_t i = 0; i < sizeof LINKS / sizeof *LINKS; i++)
        if (strcmp(LINKS[i].id, "spectrum") != 0 || psw_page_has_spectrum(page))
            fprintf(page->out, "<a href='#%s'>%s</a>", LINKS[i].id, LINKS[i].text);
    fputs("</nav>\n<main>\n", page->out);
}

static psw_status put_sections(const struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    put_top(page);
    put_counts(page);
    fputs("<section id='answer'><h2>What positive and negative learning did</h2>\n", page->out);
    psw_page_answer(page);
    fputs("</section>\n", page->out);
    PSW_TRY(put_figures(page, 0, 2, err));
    if (psw_page_has_comparison(page)) {
        PSW_TRY(put_figures(page, 2, 1, err));
        fputs("<section id='compared' class='wide'>", page->out);
        psw_page_compare_table(page);
        fputs("</section>\n", page->out);
    }
    PSW_TRY(put_figures(page, 3, 1, err));
    fputs("<section id='outcomes' class='wide'>", page->out);
    psw_page_cells(page);
    fputs("</section>\n", page->out);
    if (psw_page_has_spectrum(page)) PSW_TRY(put_figures(page, 4, 1, err));
    PSW_TRY(put_figures(page, 5, 1, err));
    fputs("<section id='claims' class='wide'><h2>What the paper claims</h2>\n", page->out);
    psw_page_claims(page);
    fputs("</section>\n<section id='samples' class='wide'><h2>Samples side by side</h2>\n",
          page->out);
    psw_page_samples(page);
    fputs("</section>\n<section id='apart'><h2>Runs that are set apart</h2>\n", page->out);
    psw_page_apart(page);
    fputs("</section>\n<section id='costs' class='wide'><h2>Cost</h2>\n", page->out);
    psw_page_costs(page);
    fputs("</section>\n<section id='provenance'><h2>Where it is from</h2>\n", page->out);
    psw_page_provenance(page);
    fputs("</section>\n</main>\n", page->out);
fail:
    return rc;
}

/** In this order; they are one program. */
static const char *const SCRIPTS[] = {"page_decode.js", "page_charts.js", "page_figures.js",
                                      "page.js"};

static psw_status put_scripts(const struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    fputs("<script type='application/json' id='data'>", page->out);
    PSW_TRY(psw_page_data(page, err));
    fputs("</script>\n", page->out);
    PSW_TRY(psw_page_first_blocks(page, err));
    for (const struct psw_page_asset *a = PSW_PAGE_ASSETS; a->name; a++) {
        const char *end = strrchr(a->name, '.');
        if (strcmp(end, ".json") != 0) continue;
        fprintf(page->out, "<script type='application/json' id='spec-%.*s'>",
                (int)(end - a->name), a->name);
        put_asset(page, "", a->name, "</script>\n");
    }
    put_asset(page, "<script>/*\n", "vega_notice.txt", "*/\n");
    put_asset(page, "", "vega.js", "</script>\n");
    fputs("<script>\n", page->out);
    for (size_t i = 0; i < sizeof SCRIPTS / sizeof *SCRIPTS; i++)
        put_asset(page, "", SCRIPTS[i], "");
    fputs("</script>\n", page->out);
    PSW_TRY(psw_page_other_blocks(page, err));
    put_asset(page, "<script>\n", "page_rest.js", "</script>\n");
fail:
    return rc;
}

static psw_status reserve(struct psw_page *page, struct psw_error *err)
{
    int64_t n = 3 * page->traces.n_checkpoint + psw_results_dim(page->results, "log_step") +
                psw_results_dim(page->results, "checkpoint") + 1;
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const int64_t own = psw_replicates_scratch(&page->traces, &page->cells.cell[c]);
        n = own > n ? own : n;
    }
    page->scratch = calloc((size_t)n, sizeof *page->scratch);
    return page->scratch ? PSW_OK : psw_fail(err, PSW_ENOMEM, "page: %lld", (long long)n);
}

/** The page into memory: it is written in one piece. */
static psw_status compose(struct psw_page *page, char **text, size_t *n_bytes,
                          struct psw_error *err)
{
    page->out = open_memstream(text, n_bytes);
    if (!page->out) return psw_fail(err, PSW_ENOMEM, "page");
    put_head(page);
    psw_status rc = put_sections(page, err);
    if (rc == PSW_OK) rc = put_scripts(page, err);
    fputs("</body>\n</html>\n", page->out);
    const int is_whole = !ferror(page->out);
    if (fclose(page->out) != 0 || !is_whole)
        return psw_fail(err, PSW_ENOMEM, "page of %zu bytes", *n_bytes);
    return rc;
}

static psw_status begin(struct psw_page *page, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    if (psw_traces_init(page->results, &page->traces, NULL) != PSW_OK)
        page->traces.n_checkpoint = page->traces.n_component = 0;
    PSW_TRY(psw_cells_init(page->results, &page->traces, &page->opts->selection, &page->cells,
                           err));
    for (int64_t c = 0; c < page->cells.n_cell; c++) page->n_used += page->cells.cell[c].n_used;
    PSW_TRY(reserve(page, err));
    if (page->opts->spectrum)
        PSW_TRY(psw_results_open_kind(page->opts->spectrum, PSW_SCHEMA_SPECTRUM,
                                      &page->spectrum, err));
    PSW_TRY(psw_page_compare(page, err));
fail:
    return rc;
}

static void end(struct psw_page *page)
{
    psw_results_close(page->spectrum);
    free(page->scratch);
    psw_page_compare_clear(page);
    psw_cells_clear(&page->cells);
}

psw_status psw_page_write(struct psw_results *results, const char *out,
                          const struct psw_page_opts *opts, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_page page = {.results = results, .opts = opts};
    char *text = NULL;
    size_t n_bytes = 0;
    PSW_TRY(begin(&page, err));
    PSW_TRY(compose(&page, &text, &n_bytes, err));
    PSW_TRY(psw_results_fault(results, err));
    if (page.spectrum) PSW_TRY(psw_results_fault(page.spectrum, err));
    const struct psw_file_part part = {text, n_bytes};
    rc = psw_file_write(out, &part, 1, err);
fail:
    free(text);
    end(&page);
    return rc;
}

/** One picture into its file. */
static psw_status write_still(const struct psw_page *page, const struct psw_page_still *still,
                              const char *folder, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char path[PSW_PATH_BYTES], *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    if (!out) return psw_fail(err, PSW_ENOMEM, "%s: picture", still->name);
    rc = still->draw(page, out, err);
    if (fclose(out) != 0 && rc == PSW_OK)
        rc = psw_fail(err, PSW_ENOMEM, "%s: picture", still->name);
    const struct psw_file_part part = {text, n_bytes};
    if (rc == PSW_OK) rc = psw_results_fault(page->results, err);
    if (rc == PSW_OK) rc = psw_path(path, sizeof path, err, "%s/%s.svg", folder, still->name);
    if (rc == PSW_OK) rc = psw_file_write(path, &part, 1, err);
    free(text);
    return rc;
}

psw_status psw_page_figures(struct psw_results *results, const char *folder,
                            const struct psw_page_opts *opts, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_page page = {.results = results, .opts = opts};
    PSW_TRY(begin(&page, err));
    PSW_TRY(psw_file_make_dir(folder, err));
    for (const struct psw_page_still *s = PSW_PAGE_STILLS; s->name; s++)
        if (s->is_there(&page)) PSW_TRY(write_still(&page, s, folder, err));
fail:
    end(&page);
    return rc;
}

const char *psw_page_figure_name(int i)
{
    return PSW_PAGE_STILLS[i].name;
}
