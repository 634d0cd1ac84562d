/* One leaf of one configuration: read, compare, set by its row of the schema. */
#ifndef POSWEEP_CONFIG_LEAF_H
#define POSWEEP_CONFIG_LEAF_H

#include <posweep/config/leaves.h>

enum { PSW_LEAF_TEXT_BYTES = PSW_CFG_STR, PSW_LEAF_COLUMN_BYTES = 64 };

/** Name of the variable in the results file: "policy.beta" -> "policy_beta". Returns out. */
char *psw_leaf_column(const struct psw_leaf *leaf, char out[PSW_LEAF_COLUMN_BYTES]);

/** The value in canonical text: shortest digits that read back to the same number, enum and
 *  bool names, paths as written. Returns out. */
char *psw_leaf_text(const struct psw_leaf *leaf, const struct psw_config *config,
                    char out[PSW_LEAF_TEXT_BYTES]);

/** The same of a value that psw_leaf_number gave; of no leaf (NULL): the number. Returns out.
 */
char *psw_leaf_number_text(const struct psw_leaf *leaf, double value,
                           char out[PSW_LEAF_TEXT_BYTES]);

/** The value as a number: enums and bools as their index, paths NaN. */
double psw_leaf_number(const struct psw_leaf *leaf, const struct psw_config *config);

/** Are the two values the same? Paths: as written. */
int psw_leaf_equal(const struct psw_leaf *leaf, const struct psw_config *a,
                   const struct psw_config *b);

/** Whether two configurations hold the same bits of it: 0 and -0 differ, and so do paths that
 *  are written alike and resolve to others. */
int psw_leaf_identical(const struct psw_leaf *leaf, const struct psw_config *a,
                       const struct psw_config *b);

/** Is the value that of the leaf's default? */
int psw_leaf_is_default(const struct psw_leaf *leaf, const struct psw_config *config);

/** Type and range in words, e.g. "number in (0, 1]", "true or false", "dpo | ipo". Returns out.
 */
char *psw_leaf_expected(const struct psw_leaf *leaf, char *out, size_t n_bytes);

/** Is a number within the range of the leaf of this path, which is an int or a real? For
 * options that are computed from settings. Errors: PSW_EINVAL with path, expectation and value.
 */
psw_status psw_leaf_check(const char *path, double value, struct psw_error *err);

/** Set one leaf, type and range checked; `folder` is what a relative path starts from.
 *  Errors: PSW_EINVAL with path, expectation and value; nothing is then changed. */
psw_status psw_leaf_set(const struct psw_leaf *leaf, const char *text, const char *folder,
                        struct psw_config *config, struct psw_error *err);

#endif
