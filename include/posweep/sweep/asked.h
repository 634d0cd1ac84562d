/* Which runs a sweep asks for. An edited sweep file or another --set leaves the results of
 * others in the journal, and their rows out of the results file. */
#ifndef POSWEEP_SWEEP_ASKED_H
#define POSWEEP_SWEEP_ASKED_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>

/** The hashes of a sweep's runs, ascending: [sweep->n_run], to be freed; NULL: no memory. */
uint64_t *psw_sweep_asked(const struct psw_sweep *sweep);

/** Put hashes into ascending order; whether one is among them. */
void psw_hashes_sort(uint64_t *hash, int64_t n);
int psw_hashes_have(const uint64_t *ascending, int64_t n, uint64_t hash);

/** Count runs that the journal knows as done and the sweep does not have.
 *  Errors: PSW_ENOMEM. */
psw_status psw_sweep_unasked(const struct psw_sweep *sweep, const struct psw_journal *journal,
                             int64_t *n_unasked, struct psw_error *err);

#endif
