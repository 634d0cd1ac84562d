/* Functions of single numbers that all objectives use: log sigma and sigma, and what rounding
 * can do to a log-probability. */
#ifndef POSWEEP_OBJECTIVE_SCALARS_H
#define POSWEEP_OBJECTIVE_SCALARS_H

/** log sigma(x) and sigma(x) without overflow or cancellation for any x. */
double psw_log_sigmoid(double x);
double psw_sigmoid(double x);

/** Log-probabilities come from float32 passes: the same response in other company differs in
 * the last bits. What that can do to the log-ratio of a response, in nat; a log-ratio within it
 *  counts as 0 (ties, dpop's penalty, the KL of a token). Relative to the sizes, and to the
 *  tokens, since the logits behind a log-probability near 0 are not small. Measured between a
 *  batch of 8 and a block of 64: at most 0.5 FLT_EPSILON at width 64, 1.7 at width 256. */
#define PSW_LOGP_ROUNDING (16 * 0x1p-23)
double psw_logp_rounding(double logp, double ref, double n_tok);

#endif
