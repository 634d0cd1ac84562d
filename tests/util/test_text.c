/* Pieces of text: blanks, cuts at characters, distances between words. */
#include <posweep/util/text.h>
#include <string.h>
#include <support/support.h>

static struct psw_text text(const char *at)
{
    return (struct psw_text){at, strlen(at)};
}

static void blanks_around_a_text_are_taken_off(void **state)
{
    (void)state;
    assert_true(psw_text_equal(psw_text_trim(text(" \r\n a b\t")), text("a b")));
    assert_true(psw_text_is_blank(text(" \t\r\n")));
    assert_true(psw_text_is_blank(text("")));
    assert_false(psw_text_is_blank(text(" . ")));
}

static void a_cut_keeps_whole_characters(void **state)
{
    (void)state;
    const struct psw_text t = text("a\xC3\xA9z");
    static const size_t KEPT[] = {0, 1, 1, 3, 4, 4};
    for (size_t n = 0; n < sizeof KEPT / sizeof *KEPT; n++)
        assert_int_equal(psw_text_cut(t, n).n, KEPT[n]);
}

static void sizes_are_told_in_units_that_people_read(void **state)
{
    (void)state;
    char out[PSW_SIZE_BYTES];
    assert_string_equal(psw_size_text(0, out), "0 KiB");
    assert_string_equal(psw_size_text(122880, out), "120 KiB");
    assert_string_equal(psw_size_text(1.6 * 0x1p20, out), "1.6 MiB");
    assert_string_equal(psw_size_text(1023 * 1024, out), "0.999 MiB");
    assert_string_equal(psw_size_text(3.25 * 0x1p30, out), "3.25 GiB");
    assert_string_equal(psw_size_text(0x1p60, out), "1.05e+06 TiB");
}

static void a_text_starts_with_itself_and_is_no_longer_one(void **state)
{
    (void)state;
    assert_true(psw_text_starts_with(text("ab"), text("ab")));
    assert_true(psw_text_starts_with(text("ab"), text("")));
    assert_false(psw_text_starts_with(text("ab"), text("abc")));
    assert_false(psw_text_equal(text("ab"), text("a")));
}

static void edits_are_counted_and_neighbours_may_swap(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int n;
    } row[] = {{"", "", 0},        {"", "abc", 3},          {"beta", "beta", 0},
               {"beta", "bta", 1}, {"ab", "ba", 1},         {"ca", "abc", 3},
               {"lr", "l2", 1},    {"kitten", "sitting", 3}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        assert_int_equal(psw_edit_distance(row[i].a, row[i].b), row[i].n);
        assert_int_equal(psw_edit_distance(row[i].b, row[i].a), row[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_around_a_text_are_taken_off),
        cmocka_unit_test(a_cut_keeps_whole_characters),
        cmocka_unit_test(sizes_are_told_in_units_that_people_read),
        cmocka_unit_test(a_text_starts_with_itself_and_is_no_longer_one),
        cmocka_unit_test(edits_are_counted_and_neighbours_may_swap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
