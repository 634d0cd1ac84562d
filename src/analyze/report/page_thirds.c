/* What is known of a part of the loss in a third of training, and which cell stands for its
 * method: the facts that the sentences of the page are made of. */
#include "page_internal.h"

#include <posweep/analyze/replicates.h>
#include <posweep/util/interval.h>

#include <math.h>
#include <string.h>

enum psw_page_sign psw_page_known(struct psw_stat s)
{
    const struct psw_interval i = psw_stat_interval(s, 0.95);
    if (s.n < 2 || !isfinite(i.lo)) return PSW_PAGE_NO_DATA;
    return i.lo > 0 ? PSW_PAGE_ABOVE : i.hi < 0 ? PSW_PAGE_BELOW : PSW_PAGE_OPEN;
}

struct psw_stat psw_page_third(const struct psw_page *page, const struct psw_cell *cell,
                               int64_t component, int third)
{
    int64_t n = 0;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const int64_t length = psw_trace_length(&page->traces, cell->run[i]);
        double sum = 0;
        int64_t n_point = 0;
        for (int64_t k = third * length / PSW_PAGE_THIRDS;
             k < (third + 1) * length / PSW_PAGE_THIRDS; k++) {
            const struct psw_trace_value v =
                psw_trace_at(&page->traces, cell->along, cell->run[i], k, component);
            if (isfinite(v.scaled)) sum += v.scaled, n_point++;
        }
        if (cell->apart[i] == PSW_APART_NOT && n_point > 0)
            page->scratch[n++] = sum / (double)n_point;
    }
    return psw_stat_of(page->scratch, n, 1);
}

/** The cell that stands for a method: that of the baseline, or the first. */
static const struct psw_cell *baseline_of(const struct psw_page *page, const char *method)
{
    const struct psw_cell *first = NULL;
    const char *baseline = page->opts->baseline ? page->opts->baseline : "vanilla";
    for (int64_t c = 0; c < page->cells.n_cell; c++) {
        const struct psw_cell *cell = &page->cells.cell[c];
        if (strcmp(psw_results_text(page->results, "method", cell->run[0]), method)) continue;
        if (!first) first = cell;
        if (!strcmp(psw_results_text(page->results, "variant", cell->run[0]), baseline))
            return cell;
    }
    return first;
}

int psw_page_is_baseline(const struct psw_page *page, const struct psw_cell *cell)
{
    return cell == baseline_of(page, psw_results_text(page->results, "method", cell->run[0]));
}

int psw_page_has_trace(const struct psw_page *page)
{
    const int64_t total = psw_results_component(page->results, "total");
    for (int64_t c = 0; c < page->cells.n_cell && page->traces.n_checkpoint > 0; c++)
        if (psw_replicates_have(&page->traces, &page->cells.cell[c], total)) return 1;
    return 0;
}
