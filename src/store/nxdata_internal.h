/* Groups for HDF5 viewers. */
#ifndef POSWEEP_STORE_NXDATA_INTERNAL_H
#define POSWEEP_STORE_NXDATA_INTERNAL_H

#include "table_internal.h"

#include <hdf5.h>
#include <posweep/store/along.h>

struct psw_nxdata; /* opaque */

/** Which runs' curves are shown. The table is borrowed, until the end. NULL: no memory. */
struct psw_nxdata *psw_nxdata_create(struct psw_table *table);
/** Take what is in the table's columns now into the curves. */
void psw_nxdata_see(struct psw_nxdata *data);
/** Write /entry with one NXdata group per cell (the first ones, where there are very many) and
 *  one of the whole array G, and the attributes `default` that lead to the first curve. After
 *  the datasets that it links to. Negative on failure. */
herr_t psw_nxdata_put(const struct psw_nxdata *data, hid_t file);
void psw_nxdata_destroy(struct psw_nxdata *data); /* accepts NULL */

/* nxdata_curves.c: G over the norm of its direction, averaged over the finished runs of a cell.
 */

enum { PSW_CURVE_LINES = 7 };

/** A curve as it is written: its checkpoints, and one line per part that is there. */
struct psw_curve {
    int64_t n;     /* checkpoints at which its total is there */
    int64_t *step; /* owned [n] */
    struct {
        double *mean, *error; /* owned [n], NaN: not there */
    } line[PSW_CURVE_LINES];
};

struct psw_curves; /* opaque */

/** Of so many cells. NULL: no memory. */
struct psw_curves *psw_curves_create(struct psw_table *table, int n_cell);
void psw_curves_destroy(struct psw_curves *curves); /* accepts NULL */
/** The runs that are in the table now. Shapes: cell [n_run], -1: of none. */
void psw_curves_see(struct psw_curves *curves, const int8_t *cell);
/** The curve of a cell. Owns: the caller clears. 0: no memory. */
int psw_curves_get(const struct psw_curves *curves, int cell, enum psw_along along,
                   struct psw_curve *out);
void psw_curve_clear(struct psw_curve *curve);
int64_t psw_curves_n_done(const struct psw_curves *curves, int cell);
/** Whether G is over the norm of its direction. */
int psw_curves_is_scaled(const struct psw_curves *curves, enum psw_along along);
/** "total", "pos"... */
const char *psw_curve_line_name(int line);

#endif
