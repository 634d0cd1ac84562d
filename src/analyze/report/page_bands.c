/* Simultaneous bands: what may be said of a whole trace after looking at it. */
#include "page_internal.h"

#include <posweep/analyze/bands.h>

#include <math.h>

enum { N_BANDED = 4 };
static const double ALPHA = 0.05;

/** The components that have a band on the page; NULL: pos - neg. */
static const char *const BANDED[N_BANDED] = {"total", "pos", "neg", NULL};

static int64_t component_of(const struct psw_page *page, int i)
{
    return BANDED[i] ? psw_results_component(page->results, BANDED[i]) : PSW_POS_MINUS_NEG;
}

/** Mean and ends of a band at the checkpoints of a cell, NaN where it has none. Shapes: mean,
 * lo, hi [n_checkpoint]. Errors: PSW_ENOMEM. */
static psw_status fill(const struct psw_page *page, const struct psw_cell *cell,
                       int64_t component, double *mean, double *lo, double *hi)
{
    struct psw_band band = {0};
    const int64_t n = page->traces.n_checkpoint;
    for (int64_t k = 0; k < n; k++) mean[k] = lo[k] = hi[k] = NAN;
    const psw_status rc = psw_band_of_cell(&page->traces, cell, component, ALPHA, &band, NULL);
    for (int64_t k = 0, at = 0; rc == PSW_OK && k < n && at < band.n_point; k++) {
        const int64_t step = page->traces.step[cell->run[0] * n + k];
        if ((double)step != band.step[at]) continue;
        mean[k] = band.mean[at], lo[k] = band.lo[at], hi[k] = band.hi[at];
        at++;
    }
    psw_band_clear(&band);
    return rc == PSW_ENOMEM ? PSW_ENOMEM : PSW_OK;
}

json_t *psw_page_bands_json(const struct psw_page *page)
{
    static const char *const NAMES[3] = {"mean", "lo", "hi"};
    const int64_t n = page->traces.n_checkpoint, n_row = page->cells.n_cell * N_BANDED;
    struct psw_page_pack p[3] = {{0}};
    json_t *o = json_object();
    int ok = 1;
    for (int i = 0; i < 3; i++) ok &= psw_page_pack_init(&p[i], n_row, n);
    for (int64_t row = 0; ok && row < n_row; row++) {
        double *mean = page->scratch, *lo = mean + n, *hi = lo + n;
        const int64_t component = component_of(page, (int)(row % N_BANDED));
        const double *const column[3] = {mean, lo, hi};
        ok &= fill(page, &page->cells.cell[row / N_BANDED], component, mean, lo, hi) == PSW_OK;
        for (int i = 0; i < 3; i++) psw_page_pack_row(&p[i], row, column[i], NULL);
    }
    for (int i = 0; i < 3; i++) {
        ok = ok && json_object_set_new(o, NAMES[i], psw_page_pack_json(&p[i], 0)) == 0;
        psw_page_pack_clear(&p[i]);
    }
    if (ok) return o;
    json_decref(o);
    return NULL;
}

void psw_page_put_band(const struct psw_page *page, const struct psw_cell *cell)
{
    const int64_t n = page->traces.n_checkpoint;
    double *mean = page->scratch, *lo = mean + n, *hi = lo + n;
    int n_said = 0;
    if (fill(page, cell, PSW_POS_MINUS_NEG, mean, lo, hi) != PSW_OK) return;
    for (int64_t k = 0, end; k < n; k = end) {
        const int sign = lo[k] > 0 ? 1 : hi[k] < 0 ? -1 : 0;
        for (end = k + 1; end < n && sign == (lo[end] > 0 ? 1 : hi[end] < 0 ? -1 : 0);) end++;
        if (sign == 0) continue;
        fprintf(page->out, "%s %s leads at steps %lld to %lld",
                n_said++ ? " and" : " Looking at all steps at once (95 % band):",
                sign > 0 ? "positive learning" : "negative learning",
                (long long)page->traces.step[cell->run[0] * n + k],
                (long long)page->traces.step[cell->run[0] * n + end - 1]);
    }
    if (n_said > 0) fputc('.', page->out);
}
