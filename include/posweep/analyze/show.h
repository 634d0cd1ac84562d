/* A first look at a results file, as text: per method, variant and swept settings the traces of
 * each component with their standard errors across seeds, small sparklines, sign shares,
 * crossings and final metrics. */
#ifndef POSWEEP_ANALYZE_SHOW_H
#define POSWEEP_ANALYZE_SHOW_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

struct psw_show_opts {
    int ascii;           /* 1: no UTF-8 in sparklines and signs */
    int all_components;  /* 0: total, pos, neg and those that stand beside them */
    int64_t n_column;    /* checkpoints shown as numbers; 0: 5 */
    const char *variant; /* only this one; NULL: all */
};

/** Write the text. Errors: PSW_EDATA when the file lacks what is shown; PSW_EIO. */
psw_status psw_show(FILE *out, struct psw_results *results, const struct psw_show_opts *opts,
                    struct psw_error *err);

/** Whether the environment asks for something else than UTF-8 (LC_ALL, LC_CTYPE, LANG). */
int psw_show_wants_ascii(void);

#endif
