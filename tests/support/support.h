/* What every test includes: cmocka with its prerequisites, and comparisons with a reason. */
#ifndef POSWEEP_TESTS_SUPPORT_H
#define POSWEEP_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/** Fails unless |a - b| <= tolerance * max(1, |b|); NaN always fails. */
#define assert_close(a, b, tolerance) support_close((a), (b), (tolerance), __FILE__, __LINE__)
void support_close(double a, double b, double tolerance, const char *file, int line);

/** Fill with reproducible values in (-scale, scale). */
void support_fill(float *x, int64_t n, float scale, uint64_t seed);

/** Leave the test out, saying why; where POSWEEP_NO_SKIP is set it fails unless the reason is a
 * line of tests/support/may_skip.txt. */
#define support_skip(why)                                                                      \
    do {                                                                                       \
        if (!support_may_skip(why)) fail_msg("left out where nothing may be: %s", why);        \
        print_message("skipped: %s\n", why);                                                   \
        skip();                                                                                \
    } while (0)
int support_may_skip(const char *why);

/** Path of a file below the shared sample data: $POSWEEP_DATA, else ../shared/data beside the
 *  checkout. NULL when it is not there: support_skip("no sample data"). */
const char *support_data(const char *relative);

/** A fresh temporary folder; the test removes it. */
void support_temp_dir(char out[256]);

#endif
