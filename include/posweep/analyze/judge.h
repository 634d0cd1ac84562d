/* A judge from outside: pairs of responses for it to read, and its verdicts read back beside
 * our own score.
 *
 * Pairs are made of the responses that stand in the results file, to the first eval.samples
 * prompts of each run: the policy's against those of its own SFT model, against the chosen or
 * the rejected ones of the data, where the prompts came from pairs, or against those of another
 * variant (method, value of a setting) with the same seed, where the prompt is the
 * same. Which of the two is response_a is drawn from a counter, from what the pair says, and
 * written nowhere: the same file and the same question give the same pairs. What is said by
 * both word by word is a tie and nobody is asked. Runs that are in no mean of `show` are in no
 * pair. */
#ifndef POSWEEP_ANALYZE_JUDGE_H
#define POSWEEP_ANALYZE_JUDGE_H

#include <posweep/analyze/cells.h>
#include <posweep/analyze/pairing.h>
#include <posweep/util/interval.h>
#include <stdio.h>

/** What a run's responses meet where that is no other variant. */
enum psw_judge_against { PSW_AGAINST_SFT, PSW_AGAINST_CHOSEN, PSW_AGAINST_REJECTED };
enum { PSW_N_JUDGE_AGAINST = 3 };

/** "sft", "chosen", "rejected". MPI: Local. */
const char *psw_judge_against_name(enum psw_judge_against against);

/** What meets what. */
struct psw_judge_opts {
    struct psw_pairing_opts pairing; /* baseline NULL: `against` of each run */
    enum psw_judge_against against;
    int of_sft;    /* the SFT model's responses in place of the policy's; only
                      against chosen or rejected ones */
    double max_kl; /* of psw_apart_judge; 0: PSW_MAX_KL */
};

enum { PSW_JUDGE_ID_BYTES = 80, PSW_JUDGE_CUT_BYTES = 2047 };

/** A run's response and what it meets. */
struct psw_judge_pair {
    int64_t run, sample;
    struct {
        const char *prompt, *own, *other; /* borrowed of the results */
    } text;
    int is_swapped; /* response_a is the other one */
    int is_same;    /* both say the same */
    double score;   /* by our own score: 0 lost, 1/2 tie, 1 won; NaN: not known */
    double verdict; /* by the judge: 0 to 1, what the pair counts; NaN: none */
    int winner;     /* by the judge: -1, 0, 1 for lost, tie, won, where there is a verdict */
    char id[PSW_JUDGE_ID_BYTES]; /* RUN-OTHER-SAMPLE-TEXTS: hash; hash, "sft",
                                    "chosen" or "rejected"; number; hash */
};

/** The pairs of a cell. */
struct psw_judge_group {
    struct psw_contrast contrast; /* baseline NULL: the SFT model */
    int64_t first, n;             /* in psw_judging.pair; by run, then sample */
    struct psw_pairs_of runs;
    int64_t n_unlike; /* samples to which the other had another prompt, or had no response */
};

/** What a file of verdicts held. Plain data. */
struct psw_verdict_counts {
    int64_t n_verdict, n_used, n_repeated, n_unknown;
    int64_t unknown_line;       /* of the first one; 0: none */
    int64_t n_asked, n_missing; /* pairs to judge; of these without a verdict */
};

/** All pairs. */
struct psw_judging {
    struct psw_judge_pair *pair; /* owned */
    int64_t n_pair;
    int64_t n_same, n_cut;         /* n_cut: one of its texts is cut at PSW_JUDGE_CUT_BYTES */
    struct psw_judge_group *group; /* owned */
    int64_t n_group;
    struct psw_cells cells;
    struct psw_pairing pairing; /* zeroed: by `against` */
    enum psw_judge_against against;
    struct psw_verdict_counts verdicts;
};

/** Owns: the caller clears. Borrows the results.
 *  Errors: PSW_EDATA when the file has no responses (eval.samples), or none that meet;
 *  PSW_ENOMEM; those of psw_cells_init and psw_pairing_init. */
psw_status psw_judging_init(struct psw_results *results, const struct psw_judge_opts *opts,
                            struct psw_judging *out, struct psw_error *err);
void psw_judging_clear(struct psw_judging *judging);

/** The pairs to judge, a JSON object on a line each: id, prompt, response_a, response_b.
 *  Errors: PSW_EDATA for a text that is not UTF-8; PSW_EIO. */
psw_status psw_judging_write(FILE *out, const struct psw_judging *judging,
                             struct psw_error *err);

/** Read verdicts, {"id": ..., "winner": "a"|"b"|"tie"} on a line each; a "score" from 0 (b) to
 * 1 (a), if there is one, is what the pair counts in place of 0, 1/2 and 1. The first verdict
 * on a pair counts; repeated and unknown ones are counted. Errors: PSW_EDATA with file:line for
 * what is no verdict, for one whose score contradicts its winner, and when no verdict is on one
 * of these pairs; those of opening the file. */
psw_status psw_judging_read(const char *path, struct psw_judging *judging,
                            struct psw_error *err);

/** A share of wins with its interval: by the two-level bootstrap over seeds and prompts; of one
 *  seed, over its prompts (psw_tied_interval, Student's t where verdicts have scores). */
struct psw_judge_share {
    int64_t n, n_seed;
    double mean;
    struct psw_interval interval;
};

/** What the verdicts on a group of pairs say. Plain data. */
struct psw_judge_row {
    int64_t n_pair, n_same, n_missing;
    struct psw_judge_share judge, own; /* of the same pairs, ties half; own: by our score */
    int64_t n_both;                    /* asked pairs that both know */
    double agreement, kappa;           /* of these, with the outcomes lost, tie and won */
    int64_t n_decided, n_a;            /* verdicts that are no tie; of these, for response_a */
    struct psw_interval a; /* of the share of those: 1/2 where position does not matter */
};

/** Shapes: group i, or all pairs together for i = -1.
 *  Errors: PSW_ENOMEM. Source: kappa: Cohen 1960. */
psw_status psw_judging_rate(const struct psw_judging *judging, int64_t i, double alpha,
                            struct psw_judge_row *out, struct psw_error *err);

/** The table: as text, as CSV, as JSON. Errors: PSW_ENOMEM, PSW_EIO. */
psw_status psw_judging_text(FILE *out, const struct psw_judging *judging, double alpha,
                            struct psw_error *err);
psw_status psw_judging_csv(FILE *out, const struct psw_judging *judging, double alpha,
                           struct psw_error *err);
psw_status psw_judging_json(FILE *out, const struct psw_judging *judging, double alpha,
                            struct psw_error *err);

#endif
