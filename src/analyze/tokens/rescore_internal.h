/* An objective as it is asked for, and as it is for one run. */
#ifndef PSW_RESCORE_INTERNAL_H
#define PSW_RESCORE_INTERNAL_H

#include <posweep/analyze/rescore.h>
#include <posweep/analyze/tokens.h>

/** Settings by which an objective can be given other values than the run's. */
enum { PSW_N_OBJECTIVE_OPTION = 8 };

/** "simpo,beta=2": a method, and values of its options. */
struct psw_objective_request {
    struct psw_config config; /* method and given options; the rest at its defaults */
    int is_given[PSW_N_OBJECTIVE_OPTION];
};

/** Errors: PSW_EINVAL with what was expected, for an unknown method or option, one that the
 *  method does not read, or a value out of range. */
psw_status psw_objective_request_parse(const char *text, struct psw_objective_request *out,
                                       struct psw_error *err);

/** The request for a run: options that were not given are the run's own settings. `text` gets
 *  the objective with all options that it reads. Errors: PSW_EINVAL when the file's setting is
 *  out of range. */
psw_status psw_objective_for_run(const struct psw_objective_request *request,
                                 struct psw_results *results, int64_t run,
                                 struct psw_config *out, char text[PSW_OBJECTIVE_BYTES],
                                 struct psw_error *err);

/* --- rescore.c --- */

/** Refuse, with the reason, what the table cannot tell of a run. Errors: PSW_EINVAL. */
psw_status psw_rescore_check(struct psw_results *results, const struct psw_token_table *table,
                             int64_t run, const struct psw_config *config,
                             struct psw_error *err);

/* --- rescore_weigh.c --- */

/** One checkpoint of a run that can be weighed. Borrowed. */
struct psw_weigh_task {
    const struct psw_token_table *table;
    const struct psw_config *config;
    struct psw_token_span span, start; /* of the checkpoint, and of checkpoint 0 */
    struct psw_components_key key;
    struct psw_rescored_point *out; /* G of every component is written there */
    int component;                  /* or only its weights: */
    double *weight; /* [tokens of the span] whose sum of weight kappa is G; NULL: G is wanted */
};
struct psw_weigh_task psw_weigh_task_of(struct psw_results *results,
                                        const struct psw_token_table *table,
                                        const struct psw_config *config, int64_t run,
                                        int64_t checkpoint);

/** Errors: PSW_EDATA when the span is no such probe; those of objective/components.h. */
psw_status psw_weigh(const struct psw_weigh_task *task, struct psw_arena *arena,
                     struct psw_error *err);

/** Room for the largest checkpoint of a table. Owns: the caller destroys. */
psw_status psw_weigh_arena(const struct psw_token_table *table, struct psw_arena **out,
                           struct psw_error *err);

#endif
