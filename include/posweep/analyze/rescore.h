/* G of an objective that a run was not trained by, from its token table.
 *
 * kappa and log pi of every token of the probe are in the table; the weights of any objective
 * follow from them by the very code that training uses (objective/components.h), and G is their
 * inner product. v stays that of the run: its own final responses, not those of a policy that
 * the other objective would have trained. The reference of a run that learns from pairs is its
 * checkpoint 0. Options of the objective are the run's own settings unless they are given. */
#ifndef POSWEEP_ANALYZE_RESCORE_H
#define POSWEEP_ANALYZE_RESCORE_H

#include <posweep/analyze/cells.h>
#include <posweep/objective/components.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

/** What is asked for. */
struct psw_rescore_opts {
    const char *objective; /* "simpo" or "simpo,beta=2,gamma=0.5" */
    const char *where;     /* "method=dpo,policy.beta=0.1": only these runs; NULL: all */
    double max_kl;         /* of psw_apart_judge; 0: PSW_MAX_KL */
};

enum { PSW_OBJECTIVE_BYTES = 256 };

/** A checkpoint of a run. Components that the objective lacks, or whose quantities the table
 *  does not have (`raw`), are NaN. */
struct psw_rescored_point {
    int64_t run, checkpoint;
    double g[PSW_N_COMPONENT], g_se[PSW_N_COMPONENT]; /* g_se: NaN in files of older versions */
};

/** A run whose table was weighed anew. */
struct psw_rescored_run {
    int64_t run;
    int64_t first, n;                    /* its points */
    char objective[PSW_OBJECTIVE_BYTES]; /* with its options: "simpo,beta=0.1,gamma=0.5" */
};

/** The whole. Owned but for the results that it was made from. */
struct psw_rescore {
    struct psw_cells cells; /* all of the file */
    struct psw_rescored_point *point;
    struct psw_rescored_run *scored; /* by ascending run */
    int64_t n_point, n_scored;
    int64_t n_refused;                  /* selected runs that cannot be */
    char refused[PSW_ERROR_TEXT_BYTES]; /* why the first of them cannot */
};

/** Weigh the tokens of the selected runs by the objective.
 *  Errors: PSW_EINVAL for an unknown objective or option, one that the objective does not read
 *  or that is out of its range, an expression that selects nothing, or when none of the
 *  selected runs can be weighed by it, with the reason; PSW_EDATA when there is no token table,
 *  with the setting that stores it; PSW_ENOMEM. */
psw_status psw_rescore(struct psw_results *results, const struct psw_rescore_opts *opts,
                       struct psw_rescore *out, struct psw_error *err);
void psw_rescore_clear(struct psw_rescore *rescore);

/** A run's row of the result; NULL: it was not weighed. */
const struct psw_rescored_run *psw_rescored_run_of(const struct psw_rescore *rescore,
                                                   int64_t run);

/** Means over seeds of G over the norm of v along training, cell by cell, beside those of the
 *  run's own objective. Errors: PSW_EIO. */
psw_status psw_rescore_text(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                            struct psw_error *err);
/** Every run, checkpoint and component: as CSV, or as an object per line. Errors: PSW_EIO. */
psw_status psw_rescore_csv(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                           struct psw_error *err);
psw_status psw_rescore_json(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                            struct psw_error *err);

#endif
