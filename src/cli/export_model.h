/* Models that runs have kept: finding one, and posweep export FILE RUN, which makes it a folder
 * of its own. */
#ifndef PSW_EXPORT_MODEL_H
#define PSW_EXPORT_MODEL_H

#include <posweep/analyze/run_find.h>
#include <posweep/data/safetensors.h>
#include <posweep/util/file.h>

/** What to export, and where to. Borrowed. */
struct psw_export_model {
    const char *path, *run; /* results file; run as a user names it */
    const char *out;        /* the folder to make */
    const char *work_dir;   /* NULL: PATH.work */
    const char *stage;      /* "sft", "reward" or "policy" */
    int64_t step;           /* of the policy; -1: the last one kept */
    enum psw_stored_type type;
};

/** A run of a results file. Plain data. */
struct psw_kept_run {
    int64_t row;
    int is_done;
    char run[17]; /* its hash */
    char name[PSW_RUN_NAME_BYTES];
    char config[1 << 16];  /* its settings, JSON */
    char provenance[4096]; /* what decides bits: "\nkey=value\n" of the last start */
};

/** Find a run by the name that a user gave it; `command` reads the file. Returns the exit
 *  status. Owns: psw_cli_kept_run_free. */
int psw_cli_find_run(const char *command, const struct psw_export_model *m,
                     struct psw_kept_run **out);

void psw_cli_kept_run_free(struct psw_kept_run *run);

/** The folder of the model that was asked for. Errors: PSW_ENOENT with what to set when it is
 *  not kept. */
psw_status psw_cli_find_model(const struct psw_export_model *m, const struct psw_kept_run *run,
                              char out[PSW_PATH_BYTES], struct psw_error *err);

/** Copy the folder of a model to m->out, narrowed if so asked. Errors: PSW_EBUSY when that is
 *  there already; those of reading and writing. */
psw_status psw_cli_export_folder(const struct psw_export_model *m, const char *folder,
                                 struct psw_error *err);

/** A model that was not kept. Borrowed. */
struct psw_export_replay {
    const struct psw_export_model *model;
    const char *sweep_dir; /* where relative paths of the sweep file start; NULL: here */
    int accept_cpu;        /* take it though its bits are others */
};

/** Train the run again, hold it against the results file, and export its model; says what came
 *  of it. Begins and ends MPI.
 *  MPI: Collective (MPI_COMM_WORLD). Returns the exit status. */
int psw_cli_export_replay(const struct psw_export_replay *opts);

/** Returns the exit status; says what was written, or what went wrong. */
int psw_cli_export_model(const struct psw_export_model *m);

#endif
