/* What G is measured along in a results file: v as D' was drawn, or with soft targets. The
 * names of their columns, and the one rule for the error of a value. */
#ifndef POSWEEP_STORE_ALONG_H
#define POSWEEP_STORE_ALONG_H

enum psw_along { PSW_ALONG_SAMPLED, PSW_ALONG_SOFT, PSW_N_ALONG };

/** Names. Plain data. */
struct psw_along_columns {
    const char *name, *g, *se, *se_final, *norm;
};
const struct psw_along_columns *psw_along_columns(enum psw_along along);

/** "sampled", "soft". */
const char *psw_along_name(enum psw_along along);

/** The error of G from that over the probe items and that through D', where that is known (not
 *  NaN). */
double psw_along_error(double se, double se_final);

#endif
