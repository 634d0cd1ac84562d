/* The schema: every dataset of the results file, one row each. Writing, checking and `posweep
 * help results` all read this table; a new measurement is a new row here and nothing else in
 * this module.
 *
 * A worker puts an array into a record under the row's name. `run` is left out of its shape
 * (the journal knows the run); with a scalar field `checkpoint` in the record, so is the
 * checkpoint: the array is that checkpoint's row. A scalar field `log_step` says at which row
 * of the log its arrays begin (0 without it). Beside arrays with a `component` or `direction`
 * dimension the record names their labels in a text field of that name
 * (psw_record_put_labels). Arrays over `sequence` and `token` are one checkpoint's share of the
 * token table. A later record of the same run overwrites what an earlier one said. */
#ifndef POSWEEP_STORE_SCHEMA_H
#define POSWEEP_STORE_SCHEMA_H

#include <posweep/store/record.h>
#include <stdio.h>

/** Of the records in a journal; of the results file that is made of them, in its attribute
 *  schema_version. */
enum { PSW_SCHEMA_VERSION = 2, PSW_RESULTS_VERSION = 3 };

/** Properties of a row. */
enum psw_schema_flag {
    PSW_S_VOLATILE = 1, /* times, hosts: may differ between two computations of one sweep */
    PSW_S_ALWAYS = 2,   /* written even if no run gave a value */
    PSW_S_FINITE = 4,   /* finite for every done run (at checkpoints that exist) */
    PSW_S_SCALE = 8,    /* a dimension scale: labels or indices of its dimension */
    PSW_S_FLAGS = 16,   /* carries flag_values and flag_meanings */
    PSW_S_WRITER = 32,  /* filled by the writer itself, never taken from a record */
    PSW_S_MASKS = 64,   /* bits of enum psw_finding: carries flag_masks and flag_meanings */
    PSW_S_BARE = 256,   /* a scale that is a length alone: netCDF and xarray see no variable */
    PSW_S_CHARS = 128   /* long text: characters along the last dimension, packed as numbers are
                           and read by rows */
};

/** What can be wrong with D', the bits of `final_degenerate`. */
enum psw_finding {
    PSW_FINDING_CUT = 1,    /* too many responses have no end */
    PSW_FINDING_REPEATS = 2 /* too many responses repeat themselves */
};

/** One dataset. */
struct psw_schema_row {
    const char *name;
    enum psw_type type;
    const char *dims;      /* "run checkpoint component", slowest first */
    const char *unit;      /* one that psw_schema_unit_is_known; "" for text */
    const char *long_name; /* ends in ", in nat" or ", in nat squared" where that is meant */
    unsigned flags;        /* enum psw_schema_flag */
    double min, max;
    const char *text; /* one sentence for the reader; may be NULL */
};

/** Kinds of files: results of a sweep; what `posweep spectrum` and `posweep compare` made of
 *  one. */
enum psw_schema_kind {
    PSW_SCHEMA_RESULTS,
    PSW_SCHEMA_SPECTRUM,
    PSW_SCHEMA_COMPARE,
    PSW_SCHEMA_TENSORS,
    PSW_N_SCHEMA
};

enum { PSW_SPECTRUM_VERSION = 1, PSW_COMPARE_VERSION = 1, PSW_TENSORS_VERSION = 1 };

/** The table of a kind, and its row of a name; NULL when there is none. */
const struct psw_schema_row *psw_schema_rows_of(enum psw_schema_kind kind, int *n_row);
const struct psw_schema_row *psw_schema_find(enum psw_schema_kind kind, const char *name);

/** The same of results. */
const struct psw_schema_row *psw_schema_rows(int *n_row);
const struct psw_schema_row *psw_schema_row_find(const char *name);

/** The table of spectra (schema_spectrum.c). */
const struct psw_schema_row *psw_schema_spectrum_rows(int *n_row);

/** The table of comparisons (schema_compare.c). */
const struct psw_schema_row *psw_schema_compare_rows(int *n_row);

/** The table of spectra of tensors (schema_tensors.c). */
const struct psw_schema_row *psw_schema_tensors_rows(int *n_row);

/** Names of a row's dimensions, cut from its `dims`; returns how many. */
int psw_schema_dims(const struct psw_schema_row *row, char out[PSW_MAX_DIMS][PSW_FIELD_BYTES]);

/** Whether the file may have this unit: "1", "s", "s-1" or "byte". UDUNITS reads nat as
 *  nano-technical-atmosphere and knows no token, so such units stand in the long_name. */
int psw_schema_unit_is_known(const char *unit);

/** The tables of `posweep help results` and `posweep help geometry`, in Markdown. */
void psw_schema_markdown(FILE *out);
void psw_schema_spectrum_markdown(FILE *out);
void psw_schema_compare_markdown(FILE *out);

#endif
