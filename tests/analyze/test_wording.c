#include <support/support.h>

#include "analyze_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_spread(double median, double least, double most, const char *expected)
{
    char out[PSW_WORD_BYTES];
    const struct psw_spread spread = {.n = 3, .median = median, .least = least, .most = most};
    assert_string_equal(psw_wording_spread(spread, 22, out), expected);
}

static void spreads_keep_two_digits_where_there_is_room(void **state)
{
    char out[PSW_WORD_BYTES];
    (void)state;
    check_spread(0.65, 0.4, 0.93, "0.65 [0.40..0.93]");
    check_spread(3.7, 0.2, 551, "3.7 [0.2..551.0]");
    check_spread(-0.0134, -0.0301, -0.0042, "-.013 [-.030..-.004]");
    check_spread(0.00134, -0.0364, 0.0029, ".0013 [-.0364..0.0029]");
    check_spread(120, -10.2, 1000.4, "120 [-10..1000]");
    check_spread(0, 0, 0, "0.0 [0.0..0.0]");
    check_spread(-0.00123, -0.0412, 1021.5, "-0.00 [-0.04..1021.50]");
    assert_string_equal(psw_wording_spread((struct psw_spread){.n = 0, .median = NAN}, 22, out),
                        "-");
    assert_string_equal(
        psw_wording_spread(
            (struct psw_spread){.n = 1, .median = 0.65, .least = 0.65, .most = 0.65}, 22, out),
        "0.65");
}

static void percents_add_up_to_a_hundred(void **state)
{
    (void)state;
    const struct psw_percents p =
        psw_wording_percents((struct psw_shares){8, 0.125, 0.75, 0.125});
    assert_int_equal(p.above + p.open + p.below, 100);
    const struct psw_percents half =
        psw_wording_percents((struct psw_shares){2, 0.995, 0, 0.005});
    assert_int_equal(half.above + half.open + half.below, 100);
    assert_true(half.open >= 0 && half.below >= 0);
    assert_int_equal(psw_wording_percents((struct psw_shares){0, NAN, NAN, NAN}).n, 0);
}

static void seeds_are_told_by_their_signs(void **state)
{
    char out[PSW_WORD_BYTES];
    (void)state;
    struct psw_replicates r = {.n_above = 3};
    assert_string_equal(psw_wording_seeds(&r, out), "3 of 3 above");
    r = (struct psw_replicates){.n_below = 2, .n_open = 1};
    assert_string_equal(psw_wording_seeds(&r, out), "2 of 3 below");
    r = (struct psw_replicates){.n_below = 2, .n_above = 1, .n_open = 4};
    assert_string_equal(psw_wording_seeds(&r, out), "1 above, 2 below");
    r = (struct psw_replicates){.n_open = 3};
    assert_string_equal(psw_wording_seeds(&r, out), "all unclear");
    r = (struct psw_replicates){0};
    assert_string_equal(psw_wording_seeds(&r, out), "-");
}

static void items_break_before_the_line_is_full(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n_bytes = 0;
    int used = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    const struct psw_printer w = {.out = out};
    for (int i = 0; i < 12; i++) psw_wording_item(&w, "an item of 19 bytes", 2, &used);
    fclose(out);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(strlen(line) <= PSW_LINE_WIDTH);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spreads_keep_two_digits_where_there_is_room),
        cmocka_unit_test(percents_add_up_to_a_hundred),
        cmocka_unit_test(seeds_are_told_by_their_signs),
        cmocka_unit_test(items_break_before_the_line_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
