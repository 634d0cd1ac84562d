/* The report: a results file as one page of HTML that needs no network. */
#ifndef POSWEEP_ANALYZE_PAGE_H
#define POSWEEP_ANALYZE_PAGE_H

#include <posweep/analyze/cells.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>

struct psw_page_opts {
    const char *path; /* of the results file, as it is named on the page */
    const char *by;   /* what is compared; NULL: the variant, or where there is one only, the
                         first swept setting */
    const char *baseline; /* its value that the others are held against; NULL: vanilla, or the
                             first value */
    const char *spectrum; /* file of `posweep spectrum` on the same results; NULL: none */
    struct psw_selection selection;
};

/** Write the page, atomically: what differs and how sure, the traces with pickers, positive
 *  against negative learning, the comparisons, what the runs came to, where the file is from.
 *  Every text of the file is escaped. Without Vega at build the figures are still pictures.
 *  MPI: Local. Errors: those of psw_cells_init and psw_file_write. */
psw_status psw_page_write(struct psw_results *results, const char *out,
                          const struct psw_page_opts *opts, struct psw_error *err);

/** The figures of the page as SVG files, NAME.svg in a folder, which is made. Those that a file
 *  has no data for are left out. Errors: as psw_page_write; files written before stay. */
psw_status psw_page_figures(struct psw_results *results, const char *folder,
                            const struct psw_page_opts *opts, struct psw_error *err);

/** Name of figure i, from 0; NULL after the last. */
const char *psw_page_figure_name(int i);

#endif
