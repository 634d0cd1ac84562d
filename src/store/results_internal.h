/* An open results file, for the reader and the checker. */
#ifndef POSWEEP_STORE_RESULTS_INTERNAL_H
#define POSWEEP_STORE_RESULTS_INTERNAL_H

#include "h5_internal.h"

#include <posweep/store/results.h>
#include <posweep/store/schema.h>
#include <posweep/util/hash.h>

enum { PSW_SEAL_BYTES = 32, PSW_FAULT_BYTES = 200 };

/** A dataset of the root group: what it is, and its content once it has been read. */
struct psw_dataset_view {
    char name[PSW_FIELD_BYTES], setting[PSW_FIELD_BYTES];
    const struct psw_schema_row *row; /* NULL: a swept setting, or none of ours */
    enum psw_type type;               /* in the file; 0: none of ours */
    struct psw_shape shape;           /* n_dim -1: more than we write */
    haddr_t address;                  /* of the object, whatever links lead to it */
    int is_leaf;                      /* a swept setting */
    int is_chars;                     /* long texts as characters, PSW_S_CHARS: read by rows */
    int is_checked;                   /* and all rows have been held against the hash */
    char fault[PSW_FAULT_BYTES];      /* why its form is not that of the schema; "": it is */
    char hash[PSW_HASH_TEXT_BYTES];   /* of its content, as the file says */
    int is_bad;                       /* its content could not be read, or has another hash */
    struct {
        double *f64;  /* owned */
        int64_t *i64; /* owned */
        char **text;  /* owned [n_text], and so is each */
        int64_t n_text;
        struct {
            char *block, *text; /* owned [n_row][n_char], [n_char + 1] */
            int64_t first, n_row;
        } chars; /* rows that were read last, and the one that was asked for */
    } value;
};

struct psw_results {
    hid_t file;
    enum psw_schema_kind kind;
    char path[PSW_PATH_BYTES];
    int64_t n_file_bytes, n_declared_bytes; /* what all datasets together would take */
    int keeps_bad; /* the checker wants to say what is wrong with values of another hash */
    int is_sealed; /* the bytes are those that were written */
    struct psw_dataset_view *set; /* owned */
    int n_set, n_room;
    char attr[1024];
    struct psw_error fault; /* the first that was met while reading values */
};

/** As psw_results_write, with so many bytes of columns in memory at a time. */
psw_status psw_results_write_blocks(const char *path, const struct psw_results_layout *layout,
                                    struct psw_journal *journal, int64_t block_bytes,
                                    struct psw_error *err);

/** Open without asking for more than a file of ours of this schema version: whatever does not
 *  fit has a fault in its view. */
psw_status psw_results_open_any(const char *path, struct psw_results **out,
                                struct psw_error *err);

struct psw_dataset_view *psw_results_view(const struct psw_results *results, const char *name);
/** Whether a dataset may be read: of the schema or a swept setting, and without a fault. */
int psw_view_is_sound(const struct psw_dataset_view *view);
/** Read a sound dataset and hold it against its hash; 0: it is bad now, and the results have a
 *  fault. */
int psw_results_load(struct psw_results *results, struct psw_dataset_view *view);

/** Give the memory of its values back. */
void psw_view_drop(struct psw_dataset_view *view);

/* results_form.c: types, shapes and storage, before any value is read. */

/** Type, shape, storage and hash of an open dataset. Its fault says why its values must not be
 *  read: in another file, behind a filter that we do not write, too large for the file... */
void psw_form_describe_set(struct psw_results *results, hid_t set,
                           struct psw_dataset_view *view);
/** The same of the dataset of the root group that the view names; whether it is a setting. */
void psw_form_describe(struct psw_results *results, struct psw_dataset_view *view);
/** Hold them against the schema and the dimensions of the file. After all are described. */
void psw_form_fit(const struct psw_results *results, struct psw_dataset_view *view);

/* results_values.c: values into memory, and their hash. */

/** Row i of a sound dataset of characters, borrowed until the next call; NULL: it cannot be
 *  read, and the results have a fault. */
const char *psw_chars_row(struct psw_results *results, struct psw_dataset_view *view,
                          int64_t i);

/** Read a dataset of known form: double, int64_t or char * by its type. The caller frees, with
 *  psw_values_free. NULL: it cannot be read. */
void *psw_values_read(hid_t set, enum psw_type type, struct psw_shape shape);
void psw_values_free(void *values, enum psw_type type, int64_t n);

/* seal.c */

/** Behind the last byte of a file, open for reading and writing. Errors: PSW_ENOSPC, PSW_EIO.
 */
psw_status psw_seal_append(int fd, const char *path, struct psw_error *err);
/** *is_sealed: 1 the bytes are those that were sealed; 0 there is no seal: another program has
 *  written to the file, or cut it. Errors: PSW_EDATA when the seal is that of other bytes. */
psw_status psw_seal_check(int fd, const char *path, int *is_sealed, struct psw_error *err);

/* results_check*.c */

struct psw_checker {
    struct psw_results *results; /* borrowed */
    FILE *out;                   /* borrowed; may be NULL */
    int64_t n_violation;
    int64_t n_run, n_checkpoint, n_component;
    const int64_t *status, *step; /* borrowed; NULL when broken */
};

/** results_report.c: count a violation, and write its line. */
void psw_check_report(struct psw_checker *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/** Form of all datasets, their attributes and dimension scales; what must be there. */
void psw_check_form(struct psw_checker *c);
/** Every link and object of the file, down to the groups for viewers. */
void psw_check_tree(struct psw_checker *c);

#endif
