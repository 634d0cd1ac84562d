/* Results files made up for these tests: one sweep of dpo runs whose traces of pos and neg,
 * errors and KL are given, written by the store's own writer. */
#ifndef POSWEEP_TESTS_TRACES_FILE_H
#define POSWEEP_TESTS_TRACES_FILE_H

#include <posweep/store/journal.h>
#include <posweep/store/results.h>

enum { TF_CHECKPOINTS = 6, TF_MOST_RUNS = 24 };

/** One run; its variants' names and seeds tell the cells. */
struct tf_run {
    const char *variant;
    int64_t seed;
    double pos[TF_CHECKPOINTS], neg[TF_CHECKPOINTS]; /* at steps 0, 20, ... 100 */
    double kl, cut_rate;
    int is_diverged;
    int finding; /* bits of enum psw_finding */
};

/** The file. NaN in an error: it is not recorded. */
struct tf_file {
    const struct tf_run *run;
    int n_run;
    double se;                       /* G_se of every component */
    double se_difference;            /* of pos_minus_neg; NaN: the file has no such component */
    double se_final[TF_CHECKPOINTS]; /* of every component */
    double norm;                     /* v_norm */
    double soft; /* G_soft is so much of G, and so is v_soft_norm; 0: none */
    double soft_se;
};

/** Journal and results file. */
void tf_write(const struct tf_file *file, const char *path);

/** The journal alone, as of a sweep that has just begun; the caller closes it. */
struct psw_journal *tf_begin(const struct tf_file *file, const char *path);

#endif
