/* Runs that are set apart: finished ones whose policy has run away from the SFT model, so that
 * one of them would own every mean and every scale. They are named with their values, not
 * hidden. */
#ifndef POSWEEP_ANALYZE_APART_H
#define POSWEEP_ANALYZE_APART_H

#include <stdint.h>

/** In nat of KL from the SFT model. */
#define PSW_MAX_KL 5.0

/** Over-optimised beside its replicates: this many times their median, and at least a tenth of
 *  PSW_MAX_KL, since ten times a tiny KL is still tiny. */
#define PSW_MAX_KL_RATIO 10.0
#define PSW_MIN_KL_RATIO_NAT 0.5

enum psw_apart {
    PSW_APART_NOT,     /* counts in the means */
    PSW_APART_UNENDED, /* queued, running, failed or diverged: has no final policy */
    PSW_APART_KL,      /* kl_ref above the limit */
    PSW_APART_RATIO    /* kl_ref above 10 x the median of its cell */
};

/** Judge the replicates of one cell by the KL of their final policies. The median is that of
 * all finished replicates, run-aways included; of two it is their mean, which neither can
 * exceed tenfold, so the ratio needs three. A KL that is not known, or a median that is not
 * above 0 (the KL is estimated), sets none apart. Shapes: kl, scratch, out [n]; NaN in kl: not
 * known. out holds PSW_APART_UNENDED where the run has not ended, anything else elsewhere.
 * max_kl: PSW_MAX_KL; INFINITY: neither rule. */
void psw_apart_judge(const double *kl, int64_t n, double max_kl, double *scratch,
                     enum psw_apart *out);

#endif
