/* The table of bounds. */
#include <posweep/data/limits.h>

#include <posweep/util/machine.h>

/* A JSON value takes up to 30 times its text while it is parsed. A byte of text becomes a token
 * of 4 bytes, and a short row an item of 32 more, in memory or on the disk. */
static const struct {
    size_t most_bytes; /* at most; 0: no matter */
    double share;      /* at most, of a rank's memory; 0: no matter */
    const char *what, *advice;
} LIMITS[PSW_N_DATA_LIMIT] = {
    [PSW_LIMIT_LINE] = {(size_t)16 << 20, 0, "one line",
                        "expected one row of text on each line: split or remove the line"},
    [PSW_LIMIT_ARRAY] = {(size_t)1 << 30, 1.0 / 32, "one JSON array",
                         "write one object on each line instead (jq -c '.[]'), or raise "
                         "limits.memory_gib to what a rank may take"},
    [PSW_LIMIT_FILE] = {0, 1.0 / 8, "text of one compressed file",
                        "decompress the file (a plain one may be of any length), or read its "
                        "first rows only (data.limit)"},
};

double psw_data_memory_bytes(const struct psw_config *config)
{
    const double gib = config->limits.memory_gib;
    return gib > 0 ? gib * 0x1p30 : psw_machine_bytes();
}

struct psw_data_limits psw_data_limits_of(double memory_bytes)
{
    struct psw_data_limits out;
    const double memory = memory_bytes > 0 ? memory_bytes : psw_machine_bytes();
    for (int i = 0; i < PSW_N_DATA_LIMIT; i++) {
        const double share = LIMITS[i].share * memory;
        const size_t most = LIMITS[i].most_bytes;
        const int by_share = share > 0 && (most == 0 || share < (double)most);
        out.bytes[i] = by_share ? (size_t)share : most;
    }
    return out;
}

psw_status psw_data_limit_fail(enum psw_data_limit which, const struct psw_data_limits *limits,
                               struct psw_data_place at, struct psw_error *err)
{
    return psw_fail(err, PSW_EDATA,
                    "%s:%lld: %s is longer than the %.4g MiB that it may have decompressed "
                    "(%.4g MiB were read so far); %s",
                    at.path, at.line, LIMITS[which].what, (double)limits->bytes[which] / 0x1p20,
                    (double)at.n_bytes / 0x1p20, LIMITS[which].advice);
}
