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
                       int64_t component, double *mean, double *lo, double *hi,
                       struct psw_error *err)
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
    return rc == PSW_ENOMEM ? psw_fail(err, PSW_ENOMEM, "bands") : PSW_OK;
}

psw_status psw_page_put_bands(const struct psw_page *page, struct psw_error *err)
{
    static const char *const NAMES[3] = {"mean", "lo", "hi"};
    const int64_t n = page->traces.n_checkpoint, n_row = page->cells.n_cell * N_BANDED;
    struct psw_page_pack p[3] = {{0}};
    psw_status rc = PSW_OK;
    for (int i = 0; i < 3; i++) PSW_TRY(psw_page_begin_block(&p[i], n_row, n, err));
    for (int64_t row = 0; row < n_row; row++) {
        double *mean = page->scratch, *lo = mean + n, *hi = lo + n;
        const int64_t component = component_of(page, (int)(row % N_BANDED));
        const double *const column[3] = {mean, lo, hi};
        PSW_TRY(fill(page, &page->cells.cell[row / N_BANDED], component, mean, lo, hi, err));
        for (int i = 0; i < 3; i++) psw_page_pack_row(&p[i], row, column[i], NULL);
    }
    for (int i = 0; i < 3; i++)
        PSW_TRY(psw_page_put_block(page, "band", NAMES[i], &p[i], 0, err));
fail:
    for (int i = 0; i < 3; i++) psw_page_pack_clear(&p[i]);
    return rc;
}

void psw_page_put_band(const struct psw_page *page, const struct psw_cell *cell)
{
    const int64_t n = page->traces.n_checkpoint;
    double *mean = page->scratch, *lo = mean + n, *hi = lo + n;
    int n_said = 0;
    if (fill(page, cell, PSW_POS_MINUS_NEG, mean, lo, hi, NULL) != PSW_OK) return;
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
