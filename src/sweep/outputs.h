/* From a sweep to its two files: what the journal is told of it, and the results file. */
#ifndef POSWEEP_SWEEP_OUTPUTS_H
#define POSWEEP_SWEEP_OUTPUTS_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/results.h>

/** The labels of the components and directions that results have. Plain data, borrows nothing
 *  that ends. */
struct psw_outputs_axes {
    const char *component[32], *direction[16];
    struct psw_results_axes axes; /* of the two */
};
void psw_outputs_axes(struct psw_outputs_axes *out);

/** What a journal is told of a sweep. */
struct psw_outputs_spec {
    struct psw_journal_opts opts; /* provenance and lock_wait_s are the caller's */
    uint64_t *hash;               /* owned [n_run] */
    char *label;                  /* owned: of the runs, a line each */
};
/** The sweep is borrowed. Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_outputs_spec_init(const struct psw_sweep *sweep, struct psw_outputs_spec *out,
                                 struct psw_error *err);
void psw_outputs_spec_clear(struct psw_outputs_spec *spec);

/** The results file of a sweep from what a journal holds. Errors: those of psw_results_write.
 */
psw_status psw_outputs_write(const char *path, const struct psw_sweep *sweep,
                             const struct psw_results_note *note, int n_note,
                             struct psw_journal *journal, struct psw_error *err);

#endif
