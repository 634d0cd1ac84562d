/* Trainings of finished runs that were kept (limits.keep_training): the folder of a run as its
 * training left it, checkpoints and all, below the work folder as kept/training/KEY/STEPS. KEY
 * says what decides the steps but not how many there are, so a run with more of them finds it
 * and takes it: one rename, so nobody else gets it, and nothing is copied. */
#ifndef POSWEEP_STAGE_TRAINING_H
#define POSWEEP_STAGE_TRAINING_H

#include <posweep/config/config.h>
#include <posweep/config/stop_rule.h>
#include <posweep/util/file.h>

/** Whether the first steps of a run are those of every run that has more and is else the same.
 *  MPI: Local. */
int psw_training_has_no_end(const struct psw_config *config);

/** The most steps that a kept training may have for a run to go on from it: no more than its
 * own, and none beyond the first rung where it has to tell what it is worth. stop: NULL: no
 * rule. MPI: Local. */
int64_t psw_training_most_steps(const struct psw_config *config,
                                const struct psw_stop_rule *stop);

/** Whether a work folder may have kept trainings at all. MPI: Local. */
int psw_training_is_any(const char *work_dir);

/** Steps of the longest kept training of this key with at most n_most; 0: there is none.
 *  MPI: Local. */
int64_t psw_training_find(const char *work_dir, uint64_t key, int64_t n_most);

/** The same, moved to the folder `to`, which is not there. 0: none, or it could not be moved,
 *  which the log says. MPI: Local. */
int64_t psw_training_take(const char *work_dir, uint64_t key, int64_t n_most, const char *to);

/** A training to be kept. Everything is borrowed. */
struct psw_training {
    const char *path; /* its folder, which is moved */
    uint64_t key;
    int64_t n_step;
    uint64_t run; /* whose it is */
};

/** Keep it. One of the same key and steps gives way. MPI: Local. Errors: PSW_EIO, PSW_ENOSPC.
 */
psw_status psw_training_keep(const char *work_dir, const struct psw_training *training,
                             struct psw_error *err);

/** Remove what is kept of a run's training; of all. MPI: Local. Errors: PSW_EIO. */
psw_status psw_training_remove(const char *work_dir, uint64_t run, struct psw_error *err);
psw_status psw_training_remove_all(const char *work_dir, struct psw_error *err);

#endif
