/* Results files made up for the comparison: a sweep of dpo and ppo runs with final metrics and
 * short traces, of variants that set policy.reweight, along an axis policy.beta. */
#ifndef POSWEEP_TESTS_COMPARE_FILE_H
#define POSWEEP_TESTS_COMPARE_FILE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

enum { CF_CHECKPOINTS = 4 };

/** One run. Plain data. */
struct cf_run {
    const char *method, *variant;
    int64_t seed;
    double beta;
    enum psw_outcome outcome; /* DONE, FAILED, DIVERGED, CENSORED, or QUEUED: not begun */
    double score, kl;         /* NaN: not recorded */
    double pos, neg;          /* G at every checkpoint, with an error of 0.1 and a norm of 2 */
    int finding;              /* bits of enum psw_finding */
};

/** Journal and results file; the variant "flat" has policy.reweight off. */
void cf_write(const struct cf_run *run, int64_t n_run, const char *path);

#endif
