/* Finished runs that a sweep does not ask for: an edited sweep file or another --set leaves
 * their results in the journal, and their rows out of the results file. */
#ifndef POSWEEP_SWEEP_UNASKED_H
#define POSWEEP_SWEEP_UNASKED_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>

/** Count runs that the journal knows as done and the sweep does not have.
 *  Errors: PSW_ENOMEM. */
psw_status psw_sweep_unasked(const struct psw_sweep *sweep, const struct psw_journal *journal,
                             int64_t *n_unasked, struct psw_error *err);

#endif
