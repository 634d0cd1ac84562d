/* What people call a run: method, variant, the swept settings that tell it from others of the
 * same variant, seed. */
#ifndef POSWEEP_SWEEP_LABEL_H
#define POSWEEP_SWEEP_LABEL_H

#include <posweep/config/sweep_file.h>

enum { PSW_LABEL_BYTES = 160 };

/** What the names of a sweep's runs depend on. */
struct psw_labels {
    const struct psw_sweep *sweep; /* borrowed */
    int64_t *lead;                 /* [n_run] owned: the first run of the same variant */
    uint8_t *varies; /* [n_run][swept] owned: rows of leads; whether a setting tells its runs
                        apart */
    struct psw_config_reader reader;
};

/** Errors: PSW_ENOMEM. The caller clears. */
psw_status psw_labels_init(const struct psw_sweep *sweep, struct psw_labels *out,
                           struct psw_error *err);
void psw_labels_clear(struct psw_labels *labels);

/** "policy_beta=0.1 model_width=64" of run i, or "", cut if need be; returns out. */
char *psw_label_settings(struct psw_labels *labels, int64_t i, char out[PSW_LABEL_BYTES]);

/** "dpo vanilla policy_beta=0.1 seed 2" of run i, likewise. */
char *psw_label_text(struct psw_labels *labels, int64_t i, char out[PSW_LABEL_BYTES]);

#endif
