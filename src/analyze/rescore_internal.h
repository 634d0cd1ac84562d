/* An objective as it is asked for, and as it is for one run. */
#ifndef PSW_RESCORE_INTERNAL_H
#define PSW_RESCORE_INTERNAL_H

#include <posweep/analyze/rescore.h>

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

#endif
