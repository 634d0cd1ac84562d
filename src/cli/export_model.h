/* posweep export FILE RUN: a model that a run has kept, as a folder of its own. */
#ifndef PSW_EXPORT_MODEL_H
#define PSW_EXPORT_MODEL_H

#include <posweep/data/safetensors.h>

/** What to export, and where to. Borrowed. */
struct psw_export_model {
    const char *path, *run; /* results file; run as a user names it */
    const char *out;        /* the folder to make */
    const char *work_dir;   /* NULL: PATH.work */
    const char *stage;      /* "sft", "reward" or "policy" */
    int64_t step;           /* of the policy; -1: the last one kept */
    enum psw_stored_type type;
};

/** Returns the exit status; says what was written, or what went wrong. */
int psw_cli_export_model(const struct psw_export_model *m);

#endif
