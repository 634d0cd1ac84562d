/* Groups for HDF5 viewers. */
#ifndef POSWEEP_STORE_NXDATA_INTERNAL_H
#define POSWEEP_STORE_NXDATA_INTERNAL_H

#include "table_internal.h"

#include <hdf5.h>

/** Write /entry with one NXdata group per cell (the first ones, where there are very many) and
 *  one of the whole array G, and the attributes `default` that lead to the first curve. After
 *  the datasets that it links to. Negative on failure. */
herr_t psw_nxdata_put(hid_t file, struct psw_table *table);

#endif
