/* An open results file, for the reader and the checker. */
#ifndef POSWEEP_STORE_RESULTS_INTERNAL_H
#define POSWEEP_STORE_RESULTS_INTERNAL_H

#include "h5_internal.h"

#include <posweep/store/results.h>
#include <posweep/store/schema.h>

/** A dataset of the root group: what it is, and its content once it has been read. */
struct psw_dataset_view {
    char name[PSW_FIELD_BYTES], setting[PSW_FIELD_BYTES];
    struct psw_shape shape; /* n_dim -1: more than we write */
    int is_text, is_float, is_integer, is_leaf;
    int is_sound; /* the checker found its type and shape to be those of the schema */
    size_t width; /* bytes of an element */
    double *f64;  /* owned */
    int64_t *i64; /* owned */
    char **text;  /* owned, and so is each */
    int64_t n_text;
};

struct psw_results {
    hid_t file;
    struct psw_dataset_view *set; /* owned */
    int n_set, n_room;
    char attr[1024];
};

struct psw_dataset_view *psw_results_view(const struct psw_results *results, const char *name);

#endif
