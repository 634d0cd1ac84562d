/* Which cells are compared with which: those that agree in everything but the compared setting
 * and what goes with it; and the pairs of their runs that share a seed.
 *
 * Compared is the variant, the method or one swept setting. A swept setting has to agree unless
 * it is fixed by method, variant and compared setting together: what a variant sets, or what is
 * zipped with the compared setting, goes with it; an axis has to agree. */
#ifndef POSWEEP_ANALYZE_PAIRING_H
#define POSWEEP_ANALYZE_PAIRING_H

#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** What is compared with what. */
struct psw_pairing_opts {
    const char *by;       /* "variant", "method", "policy.beta"; NULL: variant */
    const char *baseline; /* its value that the others are held against */
    const char *where;    /* "method=dpo,policy.beta=0.1": only these, and the baseline beside
                             the values of `by` that are asked for; NULL: all */
    const char *const *also; /* words that the caller takes as a baseline that is no value,
                                ended by NULL: offered where `baseline` is none; NULL: none */
};

/** One cell and its baseline. Plain data. */
struct psw_contrast {
    const struct psw_cell *cell, *baseline; /* borrowed */
};

/** The contrasts of a file, in the order of its cells. */
struct psw_pairing {
    struct psw_contrast *contrast; /* owned */
    int64_t n_contrast;
    int64_t n_alone;               /* selected cells without a baseline that agrees */
    const struct psw_cell *alone;  /* the first of them; NULL: none. Borrowed */
    char by[PSW_SETTING_BYTES];    /* "variant", "policy_beta" */
    char value[PSW_SETTING_BYTES]; /* the baseline's, as the sweep file has it */
};

/** Owns: the caller clears. Borrows the cells. Errors: PSW_EINVAL when the setting, the
 * baseline or something of the expression is not there (with the nearest and what there is),
 * when nothing but the baseline is selected, or no cell agrees with it. */
psw_status psw_pairing_init(struct psw_results *results, const struct psw_cells *cells,
                            const struct psw_pairing_opts *opts, struct psw_pairing *out,
                            struct psw_error *err);
void psw_pairing_clear(struct psw_pairing *pairing);

/** What became of the runs of a cell. */
struct psw_run_counts {
    int64_t n_run;
    int64_t n_unended;    /* queued, running or interrupted */
    int64_t n_failed;     /* failed for good */
    int64_t n_censored;   /* was stopped early by the rule of its sweep */
    int64_t n_diverged;   /* has no final policy */
    int64_t n_apart;      /* over-optimised: ended, but in no mean */
    int64_t n_missing;    /* counts, but has no value */
    int64_t n_degenerate; /* counts although something is wrong with its D' */
};

/** The pairs of a contrast. */
struct psw_pairs_of {
    int64_t n;                         /* pairs with a value on both sides */
    struct psw_run_counts of, against; /* the cell's, the baseline's */
};

/** The pairs themselves: runs that count, share a seed and have a value, by ascending seed.
 *  Shapes: value [n_run of the file]; of [n_run of the cell] and against [n_run of the
 * baseline] get rows of the file, the first n of which belong together. */
struct psw_pairs_of psw_contrast_runs(struct psw_results *results,
                                      const struct psw_contrast *contrast, const double *value,
                                      int64_t *of, int64_t *against);

/** Their differences, cell minus baseline. Shapes: difference [n_run of the cell]; scratch
 * [n_run of the cell + n_run of the baseline]. */
struct psw_pairs_of psw_contrast_pairs(struct psw_results *results,
                                       const struct psw_contrast *contrast, const double *value,
                                       double *difference, int64_t *scratch);

#endif
