/* How much a data file may hold. A few hundred bytes of gzip can stand for gigabytes, and one
 * JSON value for many times its text, so the reader stops at a bound, not at the end of memory.
 * All bounds are of the decompressed text and stand in one table (limits.c). */
#ifndef POSWEEP_DATA_LIMITS_H
#define POSWEEP_DATA_LIMITS_H

#include <posweep/config/config.h>
#include <stddef.h>

enum psw_data_limit {
    PSW_LIMIT_LINE,  /* one line of JSON lines */
    PSW_LIMIT_ARRAY, /* a file that is one JSON array: it is parsed as a whole */
    PSW_LIMIT_FILE,  /* what is read of a compressed file; with data.limit, its first rows only.
                      * A plain one may be of any length */
    PSW_N_DATA_LIMIT
};

/** Bounds in bytes. Zeroed: those of this machine. */
struct psw_data_limits {
    size_t bytes[PSW_N_DATA_LIMIT];
};

/** Memory that data are held against: limits.memory_gib or, when that is 0, this machine's. */
double psw_data_memory_bytes(const struct psw_config *config);

/** The bounds for a rank with this much memory; 0: with this machine's. */
struct psw_data_limits psw_data_limits_of(double memory_bytes);

/** Where a reader met a bound. */
struct psw_data_place {
    const char *path;
    long long line;
    size_t n_bytes; /* read so far */
};

/** Say which bound, of how much, was met where, and what to do. Returns PSW_EDATA. */
psw_status psw_data_limit_fail(enum psw_data_limit which, const struct psw_data_limits *limits,
                               struct psw_data_place at, struct psw_error *err);

#endif
