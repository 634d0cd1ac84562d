/* The points of a run: pieces that stand at a checkpoint, appended when they are measured, long
 * before the run is done. Which of them count. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

psw_status psw_journal_content(struct psw_journal *journal, uint64_t run, uint64_t *out,
                               struct psw_error *err)
{
    void *bytes = NULL;
    const int64_t at = psw_journal_content_entry(journal, run);
    *out = 0;
    if (at < 0 || psw_journal_entry_at(journal, at)->n_bytes != sizeof *out) return PSW_OK;
    const psw_status rc = psw_journal_payload(journal, at, &bytes, err);
    if (rc == PSW_OK) memcpy(out, bytes, sizeof *out);
    free(bytes);
    return rc;
}

int psw_journal_point_counts(const struct psw_journal *journal, int64_t i)
{
    const uint64_t run = psw_journal_entry_at(journal, i)->run;
    return psw_journal_outcome(journal, run, NULL) == PSW_OUTCOME_DONE &&
           i > psw_journal_content_entry(journal, run);
}

psw_status psw_journal_points(struct psw_journal *journal, uint64_t run, int64_t n,
                              uint8_t *is_there, struct psw_error *err)
{
    const int64_t content = psw_journal_content_entry(journal, run);
    memset(is_there, 0, (size_t)n);
    for (int64_t i = psw_journal_n_entry(journal) - 1; content >= 0 && i > content; i--) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        struct psw_record *piece = NULL;
        if (e->type != PSW_J_PIECE || e->run != run) continue;
        const psw_status rc = psw_journal_record(journal, i, &piece, err);
        if (rc != PSW_OK) return rc;
        const int64_t checkpoint = psw_record_i64(piece, "checkpoint", 0, -1);
        if (checkpoint >= 0 && checkpoint < n) is_there[checkpoint] = 1;
        psw_record_destroy(piece);
    }
    return PSW_OK;
}
