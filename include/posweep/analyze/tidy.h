/* A results file as tidy tables: one row per observation, one column per variable, for programs
 * that read CSV or JSON lines rather than HDF5. Rows are made and written one by one.
 *
 * Every table begins with what its rows belong to (run, method, variant, seed, the swept
 * settings); its other columns are the file's datasets under their own names (`posweep help
 * results`), in the order of the schema. Numbers have the fewest digits that read back to the
 * same double. A missing value is an empty field in CSV and null in JSON. */
#ifndef POSWEEP_ANALYZE_TIDY_H
#define POSWEEP_ANALYZE_TIDY_H

#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdio.h>

enum psw_tidy_format {
    PSW_TIDY_CSV, /* RFC 4180: a header, CR LF, quotes where they are needed */
    PSW_TIDY_JSON /* an object per line, in UTF-8; bytes that are none become U+FFFD */
};

/** Write a table: runs, traces, directions, training, samples or tokens.
 *  Errors: PSW_EINVAL when there is no such table, with the nearest and all names; PSW_EDATA
 *  when the file has nothing of it, with the setting that would have stored it; PSW_EIO;
 *  PSW_ENOMEM. */
psw_status psw_tidy_write(FILE *out, struct psw_results *results, const char *table,
                          enum psw_tidy_format format, struct psw_error *err);

#endif
