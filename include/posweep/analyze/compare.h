/* Comparison across seeds: every cell against its baseline, for each metric, by paired
 * differences. What the table prints, `claims` and the report read from the same rows. */
#ifndef POSWEEP_ANALYZE_COMPARE_H
#define POSWEEP_ANALYZE_COMPARE_H

#include <posweep/analyze/cells.h>
#include <posweep/analyze/metric.h>
#include <posweep/analyze/pairing.h>
#include <posweep/analyze/sequential.h>
#include <posweep/analyze/signflip.h>
#include <posweep/analyze/twolevel.h>
#include <posweep/config/family_plan.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

#define PSW_COMPARE_ALPHA 0.05
#define PSW_COMPARE_POWER 0.8

/** What Holm's adjustment is over. */
enum psw_compare_family {
    PSW_FAMILY_TABLE,  /* the whole table */
    PSW_FAMILY_METRIC, /* the rows of a metric */
    PSW_FAMILY_FILE    /* the `families:` of the sweep file, whose metrics come with those asked
                          for, and one of all other rows; without any, or by another setting than
                          the variant, the whole table */
};

/** What is compared. All zero but the baseline: variants, by the default metrics. */
struct psw_compare_opts {
    struct psw_pairing_opts pairing;
    const char *const *metric; /* [n_metric] names of metric.h; borrowed */
    int n_metric;              /* 0: those of psw_compare_defaults */
    const char *along;         /* direction of traces, as in metric.h */
    double alpha;              /* 0: PSW_COMPARE_ALPHA */
    double max_kl;             /* of psw_apart_judge; 0: PSW_MAX_KL */
    enum psw_compare_family family;
    int64_t batch, max; /* of sequential.h, whose decisions are then the verdicts; 0: none */
};

enum psw_compare_verdict {
    PSW_COMPARE_CENSORED, /* runs were stopped early: who is left was chosen by value */
    PSW_COMPARE_NO_PAIRS, /* no seed with a value on both sides */
    PSW_COMPARE_EQUAL,    /* every difference is 0 */
    PSW_COMPARE_OPEN,     /* not distinguishable at this n */
    PSW_COMPARE_ALONE,    /* p is at most alpha, but not within its family */
    PSW_COMPARE_DIFFERS,  /* within its family */
    PSW_COMPARE_GO_ON     /* sequential: not decided yet */
};

/** What a row comes to among those of its family. Plain data. */
struct psw_compare_judgement {
    enum psw_compare_verdict verdict;
    double holm;      /* p within the family; NaN: no pairs */
    int64_t n_family; /* tests in the family */
    int family;       /* which one: rows with the same number are one family */
    int64_t n_needed; /* pairs that could show it within the family, if the effect is what it
                         seems; 0: it differs, -1: unknown, or very many */
};

/** One contrast, one metric. Plain data but for what it borrows. */
struct psw_compare_row {
    const char *metric;                  /* borrowed from the comparison */
    const struct psw_contrast *contrast; /* borrowed from the comparison */
    struct psw_pairs_of pairs;
    struct psw_signflip test; /* of cell minus baseline; n = 0: no pairs, the rest is NaN */
    double baseline_mean;     /* of the metric over the baseline's runs that count */
    double mde;               /* minimal detectable effect at this n and alpha, in sd */
    double p_better;          /* share_above, or 1 - it where less is better */
    int direction;            /* of psw_metric_direction */
    struct psw_compare_judgement judged;
    struct psw_sequential sequential; /* all 0 unless it was asked for */
    struct psw_twolevel prompts;      /* all 0 where the file has no values by prompt */
};

enum { PSW_COMPARE_METRICS = 32 };

/** A comparison. Owns what its rows borrow; borrows the results. */
struct psw_comparison {
    struct psw_compare_row *row;      /* owned [n_metric][n_contrast] */
    char (*metric)[PSW_METRIC_BYTES]; /* owned [n_metric] */
    int64_t n_row;
    int n_metric;
    struct psw_cells cells;     /* owned */
    struct psw_pairing pairing; /* owned */
    double alpha;
    enum psw_compare_family family; /* as it came to be */
    struct psw_family_plan plan;    /* owned; of the file */
    int64_t batch, max;             /* as asked for */
};

/** Compare. Deterministic: the same file and options give the same rows.
 *  Owns: the caller clears. Errors: those of psw_cells_init, psw_pairing_init and
 *  psw_metric_values; PSW_EINVAL when no row has two pairs or more, with the reason. */
psw_status psw_compare(struct psw_results *results, const struct psw_compare_opts *opts,
                       struct psw_comparison *out, struct psw_error *err);
void psw_comparison_clear(struct psw_comparison *comparison);

/** Rows of the file that belong together. Borrowed. Shapes: [n]. */
struct psw_prompt_pairs {
    const int64_t *of, *against;
    int64_t n;
};

/** The difference of a metric from its values by evaluation prompt, paired by seed and prompt:
 *  of win_rate, score and reward_final. Pairs whose runs do not have the same prompts, by their
 *  data and numbers, are left out; n_seed is 0 where none is left or the metric has no such
 *  values. Errors: PSW_ENOMEM. */
psw_status psw_compare_prompts(struct psw_results *results, const char *metric,
                               const struct psw_prompt_pairs *pairs, double alpha,
                               struct psw_twolevel *out, struct psw_error *err);

/** The metrics that are compared unasked: one of quality, then KL, length, and the mean of G
 *  over the norm of v of pos and neg; those that a file has. Returns how many. */
int psw_compare_defaults(struct psw_results *results, const char *out[PSW_COMPARE_METRICS]);

/** "differs", "not distinguishable at n = 3 (6 seeds could show it)", ... Returns out. */
enum { PSW_VERDICT_BYTES = 160 };
char *psw_compare_words(const struct psw_compare_row *row, char out[PSW_VERDICT_BYTES]);

/** "quality", "others"; "" where the sweep file named no families. */
const char *psw_compare_family_name(const struct psw_comparison *c,
                                    const struct psw_compare_row *row);

/** "differs", "differs_alone", "not_distinguishable", "equal", "no_pairs", "censored", "go_on".
 */
const char *psw_compare_verdict_name(enum psw_compare_verdict verdict);

/** As a table of 100 columns, as CSV with a header, as JSON. Errors: PSW_EIO. */
psw_status psw_compare_text(FILE *out, const struct psw_comparison *c, struct psw_error *err);
psw_status psw_compare_csv(FILE *out, const struct psw_comparison *c, struct psw_error *err);
psw_status psw_compare_json(FILE *out, const struct psw_comparison *c, struct psw_error *err);

/** As a file of its own, with the schema of store/schema_compare.c. source: of the results, for
 *  the reader. Errors: those of psw_derived_write. */
psw_status psw_compare_write(const char *path, const char *source, struct psw_results *results,
                             const struct psw_comparison *c, struct psw_error *err);

/** Whole traces: bands of the paired difference of G over the norm of v for each contrast, of
 *  total, pos, neg and pos_minus_neg (bands.h). As text: the steps at which a band excludes 0;
 * as CSV: every point. Errors: PSW_EDATA when no pair has traces; PSW_ENOMEM; PSW_EIO. */
psw_status psw_compare_traces_text(FILE *out, struct psw_results *results,
                                   const struct psw_comparison *c, struct psw_error *err);
psw_status psw_compare_traces_csv(FILE *out, struct psw_results *results,
                                  const struct psw_comparison *c, struct psw_error *err);

#endif
