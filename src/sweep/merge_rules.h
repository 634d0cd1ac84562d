/* Rules of early stopping that meet in a merge. A run that is done does not depend on the rule
 * of its sweep, so that it may come from any source; which runs were stopped does. */
#ifndef POSWEEP_SRC_SWEEP_MERGE_RULES_H
#define POSWEEP_SRC_SWEEP_MERGE_RULES_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal_merge.h>

/** The sweep of source i, from the text that its journal keeps. MPI: Local. Owns: the caller
 *  destroys. Errors: those of psw_sweep_reread, with what to do. */
psw_status psw_merge_spec(const struct psw_journal_merge *m, int i, struct psw_sweep **out,
                          struct psw_error *err);

/** Whether the runs of the sweep that were stopped early in some source, and are done in none,
 *  were all stopped by one rule: that of all sources, or that of the sweep at sweep_path, which
 *  may also have none and then finishes them. sweep_path NULL: the sweep is made of the
 *  sources. MPI: Local. Errors: PSW_EINVAL naming a run and both rules; those of
 *  psw_merge_spec. */
psw_status psw_merge_rules_check(const struct psw_journal_merge *m,
                                 const struct psw_sweep *sweep, const char *sweep_path,
                                 struct psw_error *err);

#endif
