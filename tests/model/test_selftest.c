/* The self-test passes on this build, reports every identity, and names one that fails. */
#include "support/support.h"

#include <posweep/model/selftest.h>
#include <string.h>
#include <support/checking.h>

struct seen {
    int n, n_ok;
};

static void count(void *ctx, const struct psw_selftest_row *row)
{
    struct seen *seen = ctx;
    seen->n++;
    seen->n_ok += row->is_ok;
    assert_true(strlen(row->name) > 0);
    assert_true(row->is_ok == (row->error <= row->tolerance));
}

/* The first of each over buffers that cannot be touched: the self-test tries any backend. */
static void all_identities_hold_for_every_family_and_several_seeds(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 4 * PSW_N_FAMILY; i++) {
        struct seen seen = {0};
        struct psw_error err;
        const struct psw_selftest_opts opts = {.dims = psw_selftest_dims(i % PSW_N_FAMILY),
                                               .seed = 1 + i / PSW_N_FAMILY,
                                               .backend =
                                                   i < PSW_N_FAMILY ? &checking_backend : NULL,
                                               .report = count,
                                               .ctx = &seen};
        if (psw_selftest(&opts, &err) != PSW_OK) fail_msg("%s", err.text);
        assert_int_equal(seen.n, 16);
        assert_int_equal(seen.n_ok, seen.n);
    }
}

/* Blocks and angles that no family has by itself. */
static void all_identities_hold_for_variants(void **state)
{
    (void)state;
    struct psw_model_dims neox = psw_selftest_dims(PSW_FAMILY_GPT_NEOX);
    struct psw_model_dims qwen3 = psw_selftest_dims(PSW_FAMILY_QWEN3);
    neox.sequential = 1;
    qwen3.tied = 1;
    qwen3.window = 1;
    qwen3.scaling = (struct psw_rope_scaling){PSW_ROPE_LLAMA3, 8.0, 1.0, 4.0, 20};
    const struct psw_model_dims dims[] = {neox, qwen3};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        struct psw_error err;
        const struct psw_selftest_opts opts = {.dims = dims[i], .seed = 5};
        if (psw_selftest(&opts, &err) != PSW_OK) fail_msg("%s", err.text);
    }
}

static void a_failing_identity_is_named_with_its_numbers(void **state)
{
    (void)state;
    struct psw_error err;
    struct seen seen = {0};
    struct psw_selftest_opts opts = {.dims = psw_selftest_dims(PSW_FAMILY_GPT_NEOX),
                                     .seed = 7,
                                     .report = count,
                                     .ctx = &seen};
    opts.dims.init_std = 1e30; /* overflows: nothing can agree */
    assert_int_equal(psw_selftest(&opts, &err), PSW_EINTERNAL);
    assert_non_null(strstr(err.text, "tangent = explicit gradient"));
    assert_non_null(strstr(err.text, "seed 7"));
    assert_int_equal(seen.n, 16);
    assert_true(seen.n_ok < seen.n);
}

static void a_context_that_is_too_short_is_refused(void **state)
{
    (void)state;
    struct psw_selftest_opts opts = {.dims = psw_selftest_dims(PSW_FAMILY_GPT_NEOX), .seed = 1};
    opts.dims.context = 8;
    assert_int_equal(psw_selftest(&opts, NULL), PSW_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_identities_hold_for_every_family_and_several_seeds),
        cmocka_unit_test(all_identities_hold_for_variants),
        cmocka_unit_test(a_failing_identity_is_named_with_its_numbers),
        cmocka_unit_test(a_context_that_is_too_short_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
