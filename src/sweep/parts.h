/* A sweep that several jobs share is cut into parts, each a sweep of its own with its own
 * journal: OUT.parts/K.h5.journal. The plan, OUT.parts/plan, says which run is in which; the
 * first job makes it, and a job whose ranks idle puts runs into it that were added to the sweep
 * file since. The lease of a part is the lock of its journal: it names its holder, and
 * a holder that died has let go of it. */
#ifndef POSWEEP_SWEEP_PARTS_H
#define POSWEEP_SWEEP_PARTS_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/record.h>
#include <posweep/sweep/run.h>
#include <posweep/util/file.h>

struct psw_parts {
    char out_path[PSW_PATH_BYTES];
    int32_t n_part; /* 0: nothing is left to do */
    int64_t n_run;  /* of the plan: those that had not ended before */
    uint64_t *run;  /* owned [n_run], by part */
    int64_t *first; /* owned [n_part + 1]: of the runs of each part */
    int64_t n_before;
    uint64_t *before;                  /* owned [n_before]: asked for, but ended before */
    struct psw_record *plan;           /* owned */
    struct psw_file_identity identity; /* of the plan */
};

/** Which part each run goes to: runs that share a start model stay together where there are
 *  enough of these, and the parts have about as many runs each. A function of the sweep alone.
 *  Shapes: is_left, part [n_run]; part is -1 where nothing is left. Errors: PSW_ENOMEM. */
psw_status psw_parts_cut(const struct psw_sweep *sweep, const uint8_t *is_left, int32_t n_part,
                         int32_t *part, struct psw_error *err);

/** Read the plan beside a results file; if there is none, make one with n_part parts of what
 *  has not ended yet. Whoever comes first decides. Owns: the caller clears. Errors: PSW_EINVAL
 *  when the plan has runs that the sweep does not ask for, or was begun on another kind of
 *  machine (unless that is accepted); PSW_EBUSY when a start that does not share works there.
 */
psw_status psw_parts_open(const struct psw_run_opts *opts, const struct psw_sweep *sweep,
                          int32_t n_part, struct psw_parts *out, struct psw_error *err);
void psw_parts_clear(struct psw_parts *parts);

/** How a part stands. Plain data. */
struct psw_part_state {
    int64_t n_run, n_ended, n_good; /* good: ended as done */
    int is_begun, is_held;          /* held: by a process that lives, as far as can be told */
};
psw_status psw_parts_state(const struct psw_parts *parts, int32_t k, struct psw_part_state *out,
                           struct psw_error *err);

/** OUT.parts/K.h5, and its journal. */
psw_status psw_parts_path(const struct psw_parts *parts, int32_t k, char out[PSW_PATH_BYTES],
                          struct psw_error *err);

/** Read the plan again if another job has grown it. *is_there: 0 when it is gone: who finished
 * the last part has removed it, and another may have been made for runs that were added. Parts
 * keep their numbers. Errors: those of reading. */
psw_status psw_parts_renew(struct psw_parts *parts, int *is_there, struct psw_error *err);

/** Lay out n runs, of which run i is in part of[i]; write a plan, with what decides bits ("key=
 * value" lines), and when its first form was made. Errors: PSW_EDATA for a part that is not
 * below n_part; those of writing. */
psw_status psw_parts_arrange(struct psw_parts *parts, const uint64_t *run, const int32_t *of,
                             int64_t n, int32_t n_part, struct psw_error *err);
psw_status psw_parts_write(const struct psw_parts *parts, const char *notes, double made_s,
                           struct psw_error *err);

/** Runs that a job took, of those that were added. */
struct psw_parts_taken {
    int32_t part;
    uint64_t *run; /* owned [n] ascending */
    int64_t n;     /* 0: others have them */
};
void psw_parts_taken_clear(struct psw_parts_taken *taken);

/** Count the runs that the sweep asks for and no part has, and that had not ended before the
 * plan. */
psw_status psw_parts_count_more(const struct psw_parts *parts, const struct psw_sweep *sweep,
                                int64_t *n_more, struct psw_error *err);

/** Put a job's share of these runs, n_least if there are as many, into part k, which it is to
 * perform, or into a new one (-1). Owns: the caller clears *out. */
psw_status psw_parts_take(struct psw_parts *parts, const struct psw_sweep *sweep, int32_t k,
                          int64_t n_least, struct psw_parts_taken *out, struct psw_error *err);

/** Put them out of the plan again: they were refused. */
psw_status psw_parts_give_back(struct psw_parts *parts, const struct psw_parts_taken *taken,
                               struct psw_error *err);

/** Remove OUT.parts. */
psw_status psw_parts_remove(const struct psw_parts *parts, struct psw_error *err);

#endif
