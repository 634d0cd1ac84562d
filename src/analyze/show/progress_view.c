/* What is asked of a journal that has been loaded. */
#include "progress_internal.h"

#include <posweep/store/journal.h>

#include <stdlib.h>
#include <string.h>

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

int psw_progress_ranks(const struct psw_progress_view *view, int64_t entry)
{
    char *host = psw_progress_text(view, entry);
    const size_t n = host ? strlen(host) : 0;
    const int has = host && psw_journal_entry_at(view->journal, entry)->n_bytes > n + 1;
    const int n_rank = has ? atoi(host + n + 1) : 0;
    free(host);
    return n_rank;
}
