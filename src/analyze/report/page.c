/* The page as a whole: the order of its sections, what is built in, and how it is written. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>
#include <posweep/store/record.h>
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
    if (n_outcome[PSW_OUTCOME_DONE] < n_run)
        fputs("<p class='warn'>The sweep is not finished, or not every run is: what is said "
              "here is of the runs that are done.</p>\n",
              page->out);
    if (page->traces.n_checkpoint == 0)
        fputs("<p class='warn'>The file has no G: no run has been traced.</p>\n", page->out);
}

/** A section whose figure is drawn by the script. */
static void put_figure(const struct psw_page *page, const char *id, const char *title)
{
    fprintf(page->out,
            "<section id='%s' class='figure' aria-label='%s'><h2>%s</h2></section>\n", id,
            title, title);
}

static void put_sections(const struct psw_page *page)
{
    fputs("<header><h1>", page->out);
    psw_html_text(page->out, psw_results_attr(page->results, "/", "title"));
    fputs("</h1><button id='theme' type='button'>dark</button></header>\n<main>\n", page->out);
    put_counts(page);
    fputs("<section id='answer'><h2>What positive and negative learning did</h2>\n", page->out);
    psw_page_answer(page);
    fputs("</section>\n", page->out);
    put_figure(page, "traces", "G along training");
    put_figure(page, "phase", "Positive against negative learning");
    put_figure(page, "scatter", "What it came to");
    fputs("<section id='outcomes'>", page->out);
    psw_page_cells(page);
    fputs("</section>\n", page->out);
    put_figure(page, "curves", "Training curves");
    fputs("<section id='apart'><h2>Runs that are set apart</h2>\n", page->out);
    psw_page_apart(page);
    fputs("</section>\n<section id='costs'><h2>Cost</h2>\n", page->out);
    psw_page_costs(page);
    fputs("</section>\n<section id='provenance'><h2>Where it is from</h2>\n", page->out);
    psw_page_provenance(page);
    fputs("</section>\n</main>\n", page->out);
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
fail:
    return rc;
}

static psw_status reserve(struct psw_page *page, struct psw_error *err)
{
    int64_t n = 2 * page->traces.n_checkpoint + psw_results_dim(page->results, "log_step") +
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
    put_sections(page);
    const psw_status rc = put_scripts(page, err);
    fputs("</body>\n</html>\n", page->out);
    const int is_whole = !ferror(page->out);
    if (fclose(page->out) != 0 || !is_whole)
        return psw_fail(err, PSW_ENOMEM, "page of %zu bytes", *n_bytes);
    return rc;
}

psw_status psw_page_write(struct psw_results *results, const char *out,
                          const struct psw_page_opts *opts, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_page page = {.results = results, .opts = opts};
    char *text = NULL;
    size_t n_bytes = 0;
    if (psw_traces_init(results, &page.traces, NULL) != PSW_OK)
        page.traces.n_checkpoint = page.traces.n_component = 0;
    PSW_TRY(psw_cells_init(results, &page.traces, &opts->selection, &page.cells, err));
    PSW_TRY(reserve(&page, err));
    PSW_TRY(compose(&page, &text, &n_bytes, err));
    PSW_TRY(psw_results_fault(results, err));
    const struct psw_file_part part = {text, n_bytes};
    rc = psw_file_write(out, &part, 1, err);
fail:
    free(text);
    free(page.scratch);
    psw_cells_clear(&page.cells);
    return rc;
}
