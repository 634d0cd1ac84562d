/* The claims of "What Is Preference Optimization Doing", asked of one results file.
 *
 * A claim is one or several numbers per seed that it says are above 0. Each is tested across
 * seeds by the exact sign-flip test. The claim is supported if all of them are above 0 (its p
 * is the largest of theirs), contradicted if one is below 0 (its p is the smallest of those,
 * times how many numbers the claim has), and undecided if neither can be told at alpha. Holm's
 * adjustment is over all claims that the file can be asked. Beside each stand its controls,
 * which are described but decide nothing. Several settings of a method count as their mean, by
 * seed; runs that `posweep show` sets apart do not count. */
#ifndef POSWEEP_ANALYZE_CLAIMS_H
#define POSWEEP_ANALYZE_CLAIMS_H

#include <posweep/analyze/signflip.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

enum { PSW_CLAIM_NUMBERS = 3, PSW_MAX_CLAIMS = 16 };

enum psw_claim_verdict {
    PSW_CLAIM_NOT_ASKED, /* the file lacks what the claim is about; `needs` says what */
    PSW_CLAIM_UNDECIDED,
    PSW_CLAIM_SUPPORTED,
    PSW_CLAIM_CONTRADICTED
};

/** A number of a claim, across seeds. */
struct psw_claim_number {
    const char *what;         /* static; "G(pos) - G(neg), first third" */
    struct psw_signflip test; /* n = 0: the file does not have it, the rest is not set */
};

/** What a claim comes to among those that were asked. */
struct psw_claim_judgement {
    enum psw_claim_verdict verdict; /* within the family */
    enum psw_claim_verdict alone;   /* if it were the only claim */
    double p, holm;                 /* NaN: not asked */
    int64_t n_family;
    int64_t n_needed; /* of an undecided one: seeds that could decide it if the effects are what
                         they seem, with power 0.8; -1: unknown, or very many */
};

struct psw_claim {
    int number;           /* as in the list of claims; several rows may share one */
    const char *sentence; /* static */
    const char *needs;    /* static; what a file must have to be asked */
    struct psw_claim_number part[PSW_CLAIM_NUMBERS], control[PSW_CLAIM_NUMBERS];
    int n_part, n_control;
    struct psw_claim_judgement judged;
};

/** Ask all claims, or those of one number (0: all). alpha: 0: 0.05.
 *  Shapes: out [PSW_MAX_CLAIMS]; *n of them are set. Deterministic.
 *  Errors: PSW_EINVAL when there is no claim of that number; those of psw_cells_init. */
psw_status psw_claims_ask(struct psw_results *results, int number, double alpha,
                          struct psw_claim *out, int *n, struct psw_error *err);

/** "supported", "contradicted", "undecided", "not asked". */
const char *psw_claim_verdict_name(enum psw_claim_verdict verdict);

/** As text of 100 columns, or as a JSON array. Errors: PSW_EIO. */
psw_status psw_claims_text(FILE *out, const struct psw_claim *claim, int n,
                           struct psw_error *err);
psw_status psw_claims_json(FILE *out, const struct psw_claim *claim, int n,
                           struct psw_error *err);

#endif
