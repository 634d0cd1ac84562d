/* Files that a command makes from a results file: flat, labelled and sealed like it, with a
 * table of their own in the schema.
 *
 * They are files beside the results and not groups in them: the results file is written anew
 * from the journal whenever something is measured, and what was in it besides would be lost. */
#ifndef POSWEEP_STORE_DERIVED_H
#define POSWEEP_STORE_DERIVED_H

#include <posweep/store/results.h>
#include <posweep/store/schema.h>

/** Values of a dataset, in the order of its dimensions: double, int64_t or char * by the type
 * of its row; NULL for the index of a dimension: 0, 1, 2... */
struct psw_derived_set {
    const char *name;
    const void *data;
};

struct psw_derived_dim {
    const char *name;
    int64_t n;
};

/** What is to be written. All borrowed. */
struct psw_derived {
    enum psw_schema_kind kind;
    const char *kind_name; /* attribute `kind` */
    int64_t version;       /* attribute `<kind_name>_version` */
    const struct psw_derived_dim *dim;
    int n_dim;
    const struct psw_derived_set *set; /* one per row of the schema */
    int n_set;
    const struct psw_results_note *note; /* attributes of the file */
    int n_note;
};

/** Write the file, atomically.
 *  MPI:    Local.
 *  Errors: PSW_ENOSPC, PSW_EIO, PSW_EPERM with the path: an old file is then untouched;
 *          PSW_ENOMEM. */
psw_status psw_derived_write(const char *path, const struct psw_derived *what,
                             struct psw_error *err);

#endif
