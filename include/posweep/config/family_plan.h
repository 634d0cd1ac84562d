/* Families of tests that a sweep file names beforehand, `families:`, so that what is adjusted
 * together is settled before there are results:
 *
 *   families:
 *     quality: {metrics: [score, win_rate], variants: [cdpo, flat]}
 *     mechanics: {metrics: [Gv.pos:mean, Gv.neg:mean]}
 *
 * A family is every metric of its list for every variant of its list against the baseline; of
 * all variants without a list. No test is in two families. */
#ifndef POSWEEP_CONFIG_FAMILY_PLAN_H
#define POSWEEP_CONFIG_FAMILY_PLAN_H

#include <posweep/util/status.h>
#include <stddef.h>

enum { PSW_FAMILY_NAME_BYTES = 64, PSW_MAX_TEST_FAMILIES = 16, PSW_MAX_FAMILY_NAMES = 32 };

/** A family. Plain data. */
struct psw_test_family {
    char name[PSW_FAMILY_NAME_BYTES];
    char metric[PSW_MAX_FAMILY_NAMES][PSW_FAMILY_NAME_BYTES];
    char variant[PSW_MAX_FAMILY_NAMES][PSW_FAMILY_NAME_BYTES];
    int n_metric, n_variant; /* n_variant 0: all */
};

/** All of a sweep file, in its order. Zeroed: none. */
struct psw_family_plan {
    struct psw_test_family *family; /* owned */
    int n;
};

/** The families of the text of a sweep file, without a look at anything else in it; none is
 *  fine, and of several documents the first that has some counts. `path` is for messages. Owns:
 * the caller clears. Errors: PSW_EINVAL as "file:line:column: ..."; PSW_ENOMEM. */
psw_status psw_family_plan_parse(const char *path, const char *text, size_t n_bytes,
                                 struct psw_family_plan *out, struct psw_error *err);
void psw_family_plan_clear(struct psw_family_plan *plan);

/** The family that a metric and a variant are in; -1: none. */
int psw_family_plan_find(const struct psw_family_plan *plan, const char *metric,
                         const char *variant);

#endif
