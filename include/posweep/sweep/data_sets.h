/* The data sets of a sweep, held against what its journal says of them.
 *
 * A run's identity is its configuration, and that names files, not contents. So the journal
 * keeps what was in them: a start that finds another content under the same name is refused,
 * for finished runs would keep the old data and new ones take the new. A file that is moved or
 * packed is the same content; one that no wanted run reads is not looked at. */
#ifndef POSWEEP_SWEEP_DATA_SETS_H
#define POSWEEP_SWEEP_DATA_SETS_H

#include <mpi.h>
#include <posweep/data/dataset.h>
#include <posweep/store/journal.h>

/** Distinct data sets, in the order in which runs want them. */
struct psw_data_sets {
    struct psw_data_origins *set; /* [n] owned */
    int64_t n;
};

/** Add what is not there yet. Errors: PSW_ENOMEM. MPI: Local. */
psw_status psw_data_sets_add(struct psw_data_sets *sets, const struct psw_data_origins *origins,
                             struct psw_error *err);

/** MPI: Local. */
void psw_data_sets_clear(struct psw_data_sets *sets);

/** Compare contents with the last ones that the journal has under the same names (and
 *  data.limit). accept: changes are only logged. MPI: Local.
 *  Errors: PSW_EDATA for the first change, with both contents and what to do; those of reading
 *  the journal. */
psw_status psw_data_sets_compare(const struct psw_data_sets *sets, struct psw_journal *journal,
                                 int accept, struct psw_error *err);

/** Append what the journal does not know yet (PSW_J_DATA); not synced. MPI: Local. */
psw_status psw_data_sets_record(const struct psw_data_sets *sets, struct psw_journal *journal,
                                struct psw_error *err);

/** Refuse ranks that see other contents than rank 0, whose sets these are.
 *  MPI: Collective (comm). Same on all ranks: the result. May differ: sets (rank 0's count).
 *  Errors: PSW_EDATA, PSW_ENOENT, ... naming host and file. */
psw_status psw_data_sets_agree(MPI_Comm comm, const struct psw_data_sets *sets,
                               struct psw_error *err);

/** Refuse two journals in which a file of one name had two contents; accepted, it is a warning.
 *  Errors: PSW_EINVAL with both; those of reading. */
psw_status psw_data_sets_differ(struct psw_journal *a, struct psw_journal *b, int accept,
                                struct psw_error *err);

#endif
