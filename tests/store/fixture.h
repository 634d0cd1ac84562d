/* A small made-up sweep: 2 variants of dpo x 3 seeds, swept settings of each type, traces of 5
 * checkpoints, a log in two parts, and a token table. */
#ifndef POSWEEP_TESTS_STORE_FIXTURE_H
#define POSWEEP_TESTS_STORE_FIXTURE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

enum { FIXTURE_RUNS = 6, FIXTURE_CHECKPOINTS = 5, FIXTURE_COMPONENTS = 4, FIXTURE_LOGS = 8 };

/** The layout of the sweep. Borrows static memory. */
const struct psw_results_layout *fixture_layout(void);

/** Options to open its journal, without waiting for the lock. */
const struct psw_journal_opts *fixture_opts(void);

/** All records of a run that finished (`outcome` PSW_J_DONE) or ended otherwise. */
void fixture_run(struct psw_journal *journal, int run, enum psw_journal_type outcome);

/** Journal and results file of the whole sweep: five runs done, the last one diverged; runs are
 *  recorded in the order given (NULL: that of the sweep). */
void fixture_write(const char *path, const int *order);

/** The same with nothing missing: every run done, with all its checkpoints, and with the soft
 *  direction. */
void fixture_write_whole(const char *path);

/** The same at its first snapshot: one run has failed, no other has begun. */
void fixture_write_begun(const char *path);

#endif
