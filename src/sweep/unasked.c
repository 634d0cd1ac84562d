/* Which finished runs of a journal a sweep does not ask for. */
#include <posweep/sweep/unasked.h>

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

psw_status psw_sweep_unasked(const struct psw_sweep *sweep, const struct psw_journal *journal,
                             int64_t *n_unasked, struct psw_error *err)
{
    const int64_t n_entry = psw_journal_n_entry(journal), n_run = sweep->n_run;
    uint64_t *asked = malloc(((size_t)n_run + 1) * sizeof *asked);
    uint64_t *done = malloc(((size_t)n_entry + 1) * sizeof *done);
    int64_t n_done = 0, n = 0;
    psw_status rc = asked && done ? PSW_OK
                                  : psw_fail(err, PSW_ENOMEM, "journal of %lld records",
                                             (long long)n_entry);
    for (int64_t i = 0; rc == PSW_OK && i < n_run; i++) asked[i] = sweep->run[i].hash;
    if (rc == PSW_OK) qsort(asked, (size_t)n_run, sizeof *asked, ascending);
    for (int64_t i = 0; rc == PSW_OK && i < n_entry; i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        if (e->type == PSW_J_DONE &&
            !bsearch(&e->run, asked, (size_t)n_run, sizeof *asked, ascending))
            done[n_done++] = e->run;
    }
    if (rc == PSW_OK) qsort(done, (size_t)n_done, sizeof *done, ascending);
    for (int64_t i = 0; i < n_done; i++) n += i == 0 || done[i] != done[i - 1];
    if (rc == PSW_OK) *n_unasked = n;
    free(asked);
    free(done);
    return rc;
}
