/* What people call a run: method, variant, the swept settings that tell it from others of the
 * same variant, seed. */
#ifndef POSWEEP_SWEEP_LABEL_H
#define POSWEEP_SWEEP_LABEL_H

#include <posweep/config/sweep_file.h>

enum { PSW_LABEL_BYTES = 160 };

/** For each run, "policy_beta=0.1 model_width=64" or "". */
struct psw_labels {
    char (*settings)[PSW_LABEL_BYTES]; /* [n_run] owned */
};

/** Errors: PSW_ENOMEM. The caller clears. */
psw_status psw_labels_init(const struct psw_sweep *sweep, struct psw_labels *out,
                           struct psw_error *err);
void psw_labels_clear(struct psw_labels *labels);

/** "dpo vanilla policy_beta=0.1 seed 2" of run i, cut if need be; returns out. */
char *psw_label_text(const struct psw_sweep *sweep, const struct psw_labels *labels, int64_t i,
                     char out[PSW_LABEL_BYTES]);

#endif
