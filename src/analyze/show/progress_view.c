/* What is asked of a journal that has been loaded. */
#include "progress_internal.h"

#include <posweep/store/journal.h>

enum psw_outcome psw_progress_outcome(const struct psw_progress_view *view, int64_t r,
                                      int32_t *attempts)
{
    const enum psw_outcome o = psw_journal_outcome(view->journal, view->run[r].hash, attempts);
    return o == PSW_OUTCOME_RUNNING && !view->p.holder.text[0] ? PSW_OUTCOME_INTERRUPTED : o;
}

char *psw_progress_text(const struct psw_progress_view *view, int64_t entry)
{
    void *bytes = NULL;
    if (entry < 0) return NULL;
    return psw_journal_payload(view->journal, entry, &bytes, NULL) == PSW_OK ? bytes : NULL;
}
