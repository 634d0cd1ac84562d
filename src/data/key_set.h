/* A set of hashes. */
#ifndef POSWEEP_SRC_DATA_KEY_SET_H
#define POSWEEP_SRC_DATA_KEY_SET_H

#include <posweep/util/status.h>
#include <stdint.h>

/** Zeroed: empty. Owns: psw_key_set_clear. */
struct psw_key_set {
    uint64_t *key; /* [n_place], a power of two; 0: a free place. owned */
    int64_t n, n_place;
    int has_zero;
};

/** Add a key; *is_new: it was not in it. Errors: PSW_ENOMEM. */
psw_status psw_key_set_add(struct psw_key_set *set, uint64_t key, int *is_new,
                           struct psw_error *err);

void psw_key_set_clear(struct psw_key_set *set);

#endif
