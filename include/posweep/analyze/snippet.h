/* Code that loads one results file in Python, R or Julia and draws its first plot: G over the
 * norm of v along training, a panel per cell, thin lines for seeds and bold ones for their
 * mean, of the runs that `posweep show` counts. It prints the means as tables, too. */
#ifndef POSWEEP_ANALYZE_SNIPPET_H
#define POSWEEP_ANALYZE_SNIPPET_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

/** Print the code. path: of the file, as the code is to open it; language: python, r, julia.
 *  Errors: PSW_EINVAL when there is no such language, with the nearest and all names; PSW_EDATA
 *  when no run of the file counts; PSW_EIO. */
psw_status psw_snippet(FILE *out, struct psw_results *results, const char *path,
                       const char *language, struct psw_error *err);

#endif
