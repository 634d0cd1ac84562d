/* What the files of a comparison share. */
#ifndef PSW_COMPARE_INTERNAL_H
#define PSW_COMPARE_INTERNAL_H

#include <posweep/analyze/compare.h>

/* --- compare_families.c --- */

/** Settle c->family, and read the plan of the file where that is wanted. Errors: those of
 *  psw_family_plan_parse. */
psw_status psw_compare_families_init(struct psw_results *results,
                                     enum psw_compare_family wanted, struct psw_comparison *c,
                                     struct psw_error *err);

/** Metric, contrast and family of row i. */
void psw_compare_place_row(struct psw_results *results, struct psw_comparison *c, int64_t i);

/** Rows of a family, placed before. */
int64_t psw_compare_family_size(const struct psw_comparison *c, int family);

/** Holm and verdicts within each family. Errors: PSW_ENOMEM. */
psw_status psw_compare_judge(struct psw_comparison *c, struct psw_error *err);

/* --- compare_data.c: the columns of a row, texts and numbers --- */

enum { PSW_COMPARE_N_TEXT = 5, PSW_COMPARE_MOST_COLUMNS = 48 };

const char *psw_compare_text_name(int i);
const char *psw_compare_text_cell(const struct psw_comparison *c,
                                  const struct psw_compare_row *row, int i);
int psw_compare_n_column(void);
const char *psw_compare_column_name(int i);
int psw_compare_is_real(int i); /* 0: a count or a flag */
/** NaN or infinite: not known, or without bound. */
double psw_compare_number(const struct psw_compare_row *row, int i);

#endif
