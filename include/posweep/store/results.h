/* The results file: one flat, labelled HDF5 file, derived from the journal.
 *
 * It is always written whole beside its name, synced and renamed over, so a reader never meets
 * half of it; rows stand in the order of the sweep, whatever the order in which runs finished.
 * What is in it is the table of store/schema.h, plus one 1-D variable over `run` per swept
 * setting. Readers load a dataset on first use and keep it. */
#ifndef POSWEEP_STORE_RESULTS_H
#define POSWEEP_STORE_RESULTS_H

#include <posweep/config/sweep_file.h>
#include <posweep/store/journal.h>
#include <posweep/store/record.h>
#include <posweep/store/schema.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

/** One row of the `run` dimension. */
struct psw_results_run {
    uint64_t hash, group; /* group: hash without the seed */
    int64_t seed;
    int32_t block;
    const char *method, *variant; /* borrowed; lower case */
};

/** One swept setting: policy.beta becomes the variable policy_beta. */
struct psw_results_leaf {
    const char *path;       /* "policy.beta" */
    enum psw_type type;     /* PSW_F64, PSW_I64 or PSW_TEXT */
    const double *f64;      /* [n_run], the one of the three that fits the type; borrowed */
    const int64_t *i64;     /* [n_run] */
    const char *const *str; /* [n_run] */
    const char *unit, *long_name;
};

/** A fact about how the file came to be. Becomes an attribute of the group `provenance`. */
struct psw_results_note {
    const char *key, *value;
};

/** All names there are of the labelled dimensions, in their canonical order. Borrowed. */
struct psw_results_axes {
    const char *const *component, *const *direction;
    int n_component, n_direction;
};

/** All settings of each run as JSON, made when they are asked for: together they would take
 *  4 KB a run. */
struct psw_results_configs {
    const char *(*text)(void *ctx, int64_t run); /* borrowed until the next call; NULL: no
                                                    memory. No function: not known */
    void *ctx;
};

/** What the file is to contain besides what the journal holds. All pointers are borrowed. */
struct psw_results_layout {
    const char *name, *spec_text;
    uint64_t spec_hash;
    const struct psw_results_run *run;
    int64_t n_run;
    const struct psw_results_leaf *leaf;
    int n_leaf;
    struct psw_results_configs configs;
    struct psw_results_axes axes;
    const struct psw_results_note *note; /* commit, dirty, data and binary hashes, versions */
    int n_note;
};

/** The layout for an expanded sweep file: runs, and one leaf per swept setting (the seed and
 * the method have variables of their own). The sweep, names and notes are borrowed, and must
 * stay as they are. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_results_layout_create(const struct psw_sweep *sweep,
                                     const struct psw_results_axes *axes,
                                     struct psw_results_layout **out, struct psw_error *err);
void psw_results_layout_destroy(struct psw_results_layout *layout); /* accepts NULL */

/** Write the file from what the journal holds at this moment, atomically.
 *  MPI: Local.
 *  Errors: PSW_EDATA when a record does not fit the schema (run and field named); PSW_ENOSPC,
 *  PSW_EIO, PSW_EPERM with the path: the old file is then untouched. */
psw_status psw_results_write(const char *path, const struct psw_results_layout *layout,
                             struct psw_journal *journal, struct psw_error *err);

struct psw_results; /* opaque, owns the open file and what was read */

/** Open for reading. The bytes of the file are held against their seal, then types, shapes and
 *  storage against the schema, before any value is read; so what the getters below return has
 *  the extents of its dimensions, whoever wrote the file. HDF5 itself may crash on hostile
 *  bytes: work on files of strangers belongs into psw_guard.
 *  Errors: PSW_ENOENT; PSW_EDATA when it is no posweep file of this schema, or damaged. */
psw_status psw_results_open(const char *path, struct psw_results **out, struct psw_error *err);
/** The same of a file of any kind; the getters read it by its own schema. */
psw_status psw_results_open_kind(const char *path, enum psw_schema_kind kind,
                                 struct psw_results **out, struct psw_error *err);
void psw_results_close(struct psw_results *results); /* accepts NULL */

/** The first fault met while values were read: then a getter has returned NULL or "" for what
 * is there. To be asked after the work. Errors: PSW_EDATA with file and dataset. */
psw_status psw_results_fault(const struct psw_results *results, struct psw_error *err);

/** Extent of a dimension; 0 when it is not there. */
int64_t psw_results_dim(const struct psw_results *results, const char *dim);
/** Whether there is a dataset of this name, of the schema or a swept setting. */
int psw_results_has(const struct psw_results *results, const char *name);

/** A numeric dataset as doubles (integer fill -1 stays -1), row-major; NULL when it is not
 *  there or is text. Borrowed. Shapes: as the schema's dims. */
const double *psw_results_f64(struct psw_results *results, const char *name);
/** An integer dataset; NULL when it is not there or is no integer. Borrowed. */
const int64_t *psw_results_i64(struct psw_results *results, const char *name);
/** Element i of a text dataset; "" when it is not there. Borrowed; of `config`, which is read
 * by rows and not kept, until the next call for it. */
const char *psw_results_text(struct psw_results *results, const char *name, int64_t i);
/** A block of a float dataset, `count` elements from `start` in each of its dimensions, which
 * is read when it is asked for and not kept: for datasets that are too large to be loaded.
 *  Shapes: start, count [dimensions]; out [product of count], row-major.
 *  Errors: PSW_EDATA with file and dataset when it is not there, or its values cannot be read;
 *  PSW_EINVAL when the block reaches beyond it. */
psw_status psw_results_block(struct psw_results *results, const char *name,
                             const int64_t *start, const int64_t *count, double *out,
                             struct psw_error *err);
/** A text attribute of a dataset ("/" for the file, "provenance"); "" when missing. Borrowed
 *  until the next call. */
const char *psw_results_attr(struct psw_results *results, const char *object, const char *name);

/** The sweep file that the runs came from, with the --set at its end, from `provenance`; NULL
 *  when it is not there, or not as it was written. Owns: the caller frees. */
char *psw_results_spec_text(struct psw_results *results);

/** Names of the swept settings, as variables (policy_beta). Borrowed. */
int psw_results_n_leaf(const struct psw_results *results);
const char *psw_results_leaf(const struct psw_results *results, int i);

enum { PSW_SETTING_BYTES = PSW_CFG_STR };
/** The value of swept setting i in a run, in the words of the sweep file. Returns out. */
char *psw_results_leaf_text(struct psw_results *results, int i, int64_t run,
                            char out[PSW_SETTING_BYTES]);

/** Index of a component; -1 when it is not there. */
int64_t psw_results_component(struct psw_results *results, const char *name);

/** Check a file against the schema table: names, types, shapes, attributes, fill values,
 *  labels, ranges, finite where done, and additivity of the components. Every violation is one
 *  line in `out` (NULL: only counted).
 *  Errors: PSW_ENOENT, PSW_EDATA when it cannot be opened at all. */
psw_status psw_results_check(const char *path, FILE *out, int64_t *n_violation,
                             struct psw_error *err);

#endif
