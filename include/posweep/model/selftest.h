/* The identities that G rests on, checked on the user's machine, build, BLAS and backend.
 *
 * A small model with random weights and a batch of random pairs goes through every pass; what
 * must agree by algebra is compared, with tolerances that follow from float arithmetic. */
#ifndef POSWEEP_MODEL_SELFTEST_H
#define POSWEEP_MODEL_SELFTEST_H

#include <posweep/model/model.h>

/** One identity: it holds when error <= tolerance. NaN does not hold. */
struct psw_selftest_row {
    const char *name; /* e.g. "tangent = explicit gradient" */
    double error, tolerance;
    int is_ok;
};

struct psw_selftest_opts {
    struct psw_model_dims dims;        /* context >= 32, n_vocab >= 2; a scalar head is added */
    const struct psw_backend *backend; /* NULL: cpu */
    uint64_t seed;
    void (*report)(void *ctx, const struct psw_selftest_row *row); /* or NULL */
    void *ctx;
};

/** Dimensions that take well under a second, with odd sizes in them, and several heads to a
 * head of keys, and a window shorter than the texts, where the family can have that. */
struct psw_model_dims psw_selftest_dims(enum psw_family family);

/** Check all identities, in a fixed order; each is reported, also after a failure.
 *  Errors: PSW_EINTERNAL names the first identity that does not hold, with its numbers;
 *          PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_selftest(const struct psw_selftest_opts *opts,
                        struct psw_error *err) PSW_MUST_CHECK;

#endif
