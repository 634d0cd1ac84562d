/* What of a build or machine can change the last bits of a result. */
#include <posweep/sweep/provenance.h>
#include <support/support.h>

#include <string.h>

enum { BOTH = PSW_PROVENANCE_BUILD | PSW_PROVENANCE_CPU };

static const struct psw_results_note NOW[] = {
    {"version", "0.1.0"}, {"cpu", "B"}, {"blas", "OpenBLAS 0.3.21"}, {"host", "n2"}};

static void another_cpu_type_is_told_with_both_names(void **state)
{
    (void)state;
    char text[200];
    const char *before = "version=0.0.9\ncpu=A one\nblas=OpenBLAS 0.3.21\nhost=n1\n";
    assert_int_equal(psw_provenance_compare(before, NOW, 4, BOTH, text, sizeof text), 1);
    assert_string_equal(text, "cpu (A one before, B now)");
}

static void what_decides_no_bits_or_was_not_noted_is_no_difference(void **state)
{
    (void)state;
    char text[200] = "x";
    assert_int_equal(
        psw_provenance_compare("host=n1\nxcpu=A\ncpu=B\n", NOW, 4, BOTH, text, 200), 0);
    assert_string_equal(text, "");
    assert_int_equal(psw_provenance_compare("", NOW, 4, BOTH, text, sizeof text), 0);
}

static void a_long_difference_is_cut(void **state)
{
    (void)state;
    char text[8];
    assert_int_equal(psw_provenance_compare("cpu=BB\nblas=x", NOW, 4, BOTH, text, sizeof text),
                     2);
    assert_string_equal(text, "cpu (BB");
}

static void the_hash_sees_only_what_decides_bits(void **state)
{
    (void)state;
    struct psw_results_note other[4];
    memcpy(other, NOW, sizeof NOW);
    other[3].value = "n7";
    assert_true(psw_provenance_hash(NOW, 4) == psw_provenance_hash(other, 4));
    other[2].value = "BLIS";
    assert_true(psw_provenance_hash(NOW, 4) != psw_provenance_hash(other, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_cpu_type_is_told_with_both_names),
        cmocka_unit_test(what_decides_no_bits_or_was_not_noted_is_no_difference),
        cmocka_unit_test(a_long_difference_is_cut),
        cmocka_unit_test(the_hash_sees_only_what_decides_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
