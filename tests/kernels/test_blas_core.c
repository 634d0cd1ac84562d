/* Which kernels OpenBLAS is told to take. */
#include <posweep/kernels/blas.h>
#include <support/support.h>

static void kernels_without_the_vector_units_of_the_processor_are_replaced(void **state)
{
    (void)state;
    assert_string_equal(psw_blas_core_for("Prescott", 1, 1), "SkylakeX");
    assert_string_equal(psw_blas_core_for("Prescott", 1, 0), "Haswell");
    assert_string_equal(psw_blas_core_for("Sandybridge", 1, 0), "Haswell");
    assert_string_equal(psw_blas_core_for("", 1, 0), "Haswell");
}

static void kernels_that_fit_the_processor_are_left(void **state)
{
    (void)state;
    assert_null(psw_blas_core_for("Prescott", 0, 0));
    assert_null(psw_blas_core_for("Haswell", 1, 1));
    assert_null(psw_blas_core_for("Zen", 1, 0));
    assert_null(psw_blas_core_for("SapphireRapids", 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels_without_the_vector_units_of_the_processor_are_replaced),
        cmocka_unit_test(kernels_that_fit_the_processor_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
