/* Which runs a sweep asks for, and which finished ones of a journal it does not. */
#include <posweep/sweep/asked.h>

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void psw_hashes_sort(uint64_t *hash, int64_t n)
{
    qsort(hash, (size_t)n, sizeof *hash, ascending);
}

int psw_hashes_have(const uint64_t *sorted, int64_t n, uint64_t hash)
{
    return n > 0 && bsearch(&hash, sorted, (size_t)n, sizeof *sorted, ascending) != NULL;
}

uint64_t *psw_sweep_asked(const struct psw_sweep *sweep)
{
    uint64_t *hash = malloc(((size_t)sweep->n_run + 1) * sizeof *hash);
    for (int64_t i = 0; hash && i < sweep->n_run; i++) hash[i] = sweep->run[i].hash;
    if (hash) psw_hashes_sort(hash, sweep->n_run);
    return hash;
}

psw_status psw_sweep_unasked(const struct psw_sweep *sweep, const struct psw_journal *journal,
                             int64_t *n_unasked, struct psw_error *err)
{
    const int64_t n_entry = psw_journal_n_entry(journal);
    uint64_t *asked = psw_sweep_asked(sweep);
    uint64_t *done = malloc(((size_t)n_entry + 1) * sizeof *done);
    int64_t n_done = 0, n = 0;
    psw_status rc = asked && done ? PSW_OK
                                  : psw_fail(err, PSW_ENOMEM, "journal of %lld records",
                                             (long long)n_entry);
    for (int64_t i = 0; rc == PSW_OK && i < n_entry; i++) {
        const struct psw_journal_entry *e = psw_journal_entry_at(journal, i);
        if (e->type == PSW_J_DONE && !psw_hashes_have(asked, sweep->n_run, e->run))
            done[n_done++] = e->run;
    }
    if (rc == PSW_OK) psw_hashes_sort(done, n_done);
    for (int64_t i = 0; i < n_done; i++) n += i == 0 || done[i] != done[i - 1];
    if (rc == PSW_OK) *n_unasked = n;
    free(asked);
    free(done);
    return rc;
}
