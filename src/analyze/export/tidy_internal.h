/* Cells of a tidy table as text. */
#ifndef PSW_ANALYZE_TIDY_INTERNAL_H
#define PSW_ANALYZE_TIDY_INTERNAL_H

#include <posweep/analyze/tidy.h>
#include <posweep/store/record.h>

enum { PSW_TIDY_NUMBER_BYTES = 40 };

/** A column: a dataset, and where its value of a row stands. What is one value for many rows
 *  is put into digits once. */
struct psw_tidy_column {
    char name[PSW_FIELD_BYTES];
    const double *f64; /* borrowed; one of the four is set */
    const int64_t *i64;
    const char **text;            /* owned; the texts are borrowed */
    struct psw_results *by_rows;  /* borrowed; long texts, read when they are put */
    int64_t stride[PSW_MAX_DIMS]; /* along the dimensions of the table */
    int is_status;                /* its numbers are told as words */
    int is_single;                /* a float32: fewer digits read back to it */
    int has_holes;                /* an integer of -1 is missing */
    int decides;                  /* a row of the table is there if it has this value */
    int64_t digits_of;            /* the element that `digits` are of; -1: none yet */
    char digits[PSW_TIDY_NUMBER_BYTES];
};

struct psw_tidy_writer {
    FILE *out;
    enum psw_tidy_format format;
    int n_cell; /* in the row so far */
};

void psw_tidy_header(struct psw_tidy_writer *w, const struct psw_tidy_column *column, int n);
void psw_tidy_begin_row(struct psw_tidy_writer *w);
void psw_tidy_put(struct psw_tidy_writer *w, struct psw_tidy_column *column, int64_t i,
                  int is_missing);
void psw_tidy_end_row(struct psw_tidy_writer *w);

#endif
