/* The schema of what `posweep compare --write` writes: a row per contrast and metric. */
#include <posweep/store/schema.h>

#include <math.h>

#define ANY -INFINITY, INFINITY
#define SHARE -1e-9, 1.000000001
#define COUNT -1, INFINITY
#define SET PSW_S_ALWAYS
#define R "row"

static const struct psw_schema_row ROWS[] = {
    {"row", PSW_I64, R, "1", "one metric of one cell beside its baseline",
     PSW_S_SCALE | PSW_S_ALWAYS, ANY, "In the order of `posweep compare`."},
    {"metric", PSW_TEXT, R, "", "what is compared", SET, ANY, NULL},
    {"cell", PSW_TEXT, R, "", "method, variant and settings", SET, ANY, NULL},
    {"baseline", PSW_TEXT, R, "", "the same of what it is held against", SET, ANY, NULL},
    {"verdict", PSW_TEXT, R, "", "what may be said", SET, ANY,
     "differs, differs_alone, not_distinguishable, equal, no_pairs, censored or go_on."},
    {"family", PSW_TEXT, R, "", "of tests that are adjusted together", SET, ANY,
     "As `families` of the sweep file names it; empty where it names none."},
    {"direction", PSW_I64, R, "1", "1: more is better, -1: less is, 0: neither", SET, ANY,
     NULL},
    {"n", PSW_I64, R, "1", "pairs", SET, COUNT, NULL},
    {"baseline_mean", PSW_F64, R, "1", "mean of the metric over the baseline's runs", SET, ANY,
     NULL},
    {"mean", PSW_F64, R, "1", "mean of the paired differences", SET, ANY, NULL},
    {"median", PSW_F64, R, "1", "their median", SET, ANY, NULL},
    {"sd", PSW_F64, R, "1", "their standard deviation", SET, ANY, NULL},
    {"low", PSW_F64, R, "1", "lower end of the interval by inverting the sign-flip test", SET,
     ANY, "Missing where it has no bound."},
    {"high", PSW_F64, R, "1", "its upper end", SET, ANY, NULL},
    {"coverage", PSW_F64, R, "1", "what the interval covers", SET, SHARE, NULL},
    {"p", PSW_F64, R, "1", "of the exact sign-flip test, two-sided", SET, SHARE, NULL},
    {"p_floor", PSW_F64, R, "1", "the smallest p that so many pairs can reach", SET, SHARE,
     NULL},
    {"is_exact", PSW_I64, R, "1", "whether all patterns of signs were counted", SET, ANY, NULL},
    {"p_holm", PSW_F64, R, "1", "p within the family (Holm)", SET, SHARE, NULL},
    {"n_family", PSW_I64, R, "1", "tests in the family", SET, COUNT, NULL},
    {"share_better", PSW_F64, R, "1", "share of the pairs that are better, ties half", SET,
     SHARE, NULL},
    {"effect", PSW_F64, R, "1", "mean over standard deviation, corrected for small n", SET, ANY,
     NULL},
    {"detectable_effect", PSW_F64, R, "1", "effect that so many pairs find in 80 % of sweeps",
     SET, ANY, NULL},
    {"n_needed", PSW_I64, R, "1", "pairs that could show it", SET, COUNT, "-1: not known."},
    {"look_n_used", PSW_I64, R, "1", "pairs of the look that decided", SET, COUNT,
     "Of a sequential plan; 0 otherwise, as the next."},
    {"look_n_next", PSW_I64, R, "1", "pairs of the next look", SET, COUNT, NULL},
    {"bootstrap_low", PSW_F64, R, "1", "lower end of the interval over seeds and prompts", SET,
     ANY, "Two-level bootstrap of the mean difference; missing where it has no bound."},
    {"bootstrap_high", PSW_F64, R, "1", "its upper end", SET, ANY, NULL},
    {"bootstrap_n_seed", PSW_I64, R, "1", "seeds with values by prompt", SET, COUNT, NULL},
    {"bootstrap_n_prompt", PSW_I64, R, "1", "their prompts, together", SET, COUNT, NULL},
    {"n_run", PSW_I64, R, "1", "runs of the cell", SET, COUNT, NULL},
    {"n_unended", PSW_I64, R, "1", "of them, not ended", SET, COUNT, NULL},
    {"n_failed", PSW_I64, R, "1", "failed", SET, COUNT, NULL},
    {"n_censored", PSW_I64, R, "1", "stopped early", 0, COUNT,
     "By the rule `stop` of the sweep; where it or the baseline's is above 0, nothing is "
     "tested. "
     "Absent from files that older versions wrote."},
    {"n_diverged", PSW_I64, R, "1", "diverged", SET, COUNT, NULL},
    {"n_over_optimised", PSW_I64, R, "1", "over-optimised, and left out", SET, COUNT, NULL},
    {"n_missing", PSW_I64, R, "1", "without a value", SET, COUNT, NULL},
    {"n_degenerate", PSW_I64, R, "1", "with a degenerate D'", SET, COUNT, NULL},
    {"baseline_n_run", PSW_I64, R, "1", "runs of the baseline", SET, COUNT, NULL},
    {"baseline_n_unended", PSW_I64, R, "1", "of them, not ended", SET, COUNT, NULL},
    {"baseline_n_failed", PSW_I64, R, "1", "failed", SET, COUNT, NULL},
    {"baseline_n_censored", PSW_I64, R, "1", "stopped early", 0, COUNT,
     "Absent from files that older versions wrote."},
    {"baseline_n_diverged", PSW_I64, R, "1", "diverged", SET, COUNT, NULL},
    {"baseline_n_over_optimised", PSW_I64, R, "1", "over-optimised, and left out", SET, COUNT,
     NULL},
    {"baseline_n_missing", PSW_I64, R, "1", "without a value", SET, COUNT, NULL},
    {"baseline_n_degenerate", PSW_I64, R, "1", "with a degenerate D'", SET, COUNT, NULL},
};

const struct psw_schema_row *psw_schema_compare_rows(int *n_row)
{
    *n_row = (int)(sizeof ROWS / sizeof *ROWS);
    return ROWS;
}
