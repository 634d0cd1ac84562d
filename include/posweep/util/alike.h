/* Which items of a list have the same 64-bit key, found by sorting, so that a long list costs
 * n log n and not n n. */
#ifndef POSWEEP_UTIL_ALIKE_H
#define POSWEEP_UTIL_ALIKE_H

#include <posweep/util/status.h>
#include <stdint.h>

struct psw_alike {
    int64_t *first; /* [n] owned: the first item of the same key */
    int64_t *next;  /* [n] owned: the next item of the same key, n behind the last */
};

/** Link the items of a key, each with the first and the next one.
 *  Shapes: key [n].
 *  Owns:   the caller clears, also after an error.
 *  Errors: PSW_ENOMEM. */
psw_status psw_alike_init(const uint64_t *key, int64_t n, struct psw_alike *out,
                          struct psw_error *err);

/** Accepts one of zeros. */
void psw_alike_clear(struct psw_alike *alike);

#endif
