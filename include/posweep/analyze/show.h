/* A first look at a results file, as text: a line per method, variant and swept settings, the
 * runs that are set apart, and a block per cell with each component's traces in numbers and in
 * words that are true of them. */
#ifndef POSWEEP_ANALYZE_SHOW_H
#define POSWEEP_ANALYZE_SHOW_H

#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

struct psw_show_opts {
    int ascii; /* 1: no UTF-8 in sparklines and signs */
    int all;   /* 0: total, pos, neg and those that stand beside them. 1: every component,
                  and in each block the runs that are set apart, a line each */
    int summary_only; /* 1: no blocks */
    int cosine;       /* 1: the cosine of v and each gradient, too; checkpoints shown as numbers
                         are then those at which it was measured */
    int64_t n_column; /* checkpoints shown as numbers; 0: 4 */
    struct psw_selection selection;
};

/** Write the text. Errors: PSW_EDATA when the file lacks what is shown (of the cosine with the
 *  setting that would have stored it); PSW_EIO; those of
 *  psw_cells_init. */
psw_status psw_show(FILE *out, struct psw_results *results, const struct psw_show_opts *opts,
                    struct psw_error *err);

/** Whether the environment asks for something else than UTF-8 (LC_ALL, LC_CTYPE, LANG). */
int psw_show_wants_ascii(void);

#endif
