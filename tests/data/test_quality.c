/* distinct-n on counts that can be made by hand. */
#include <support/support.h>

#include <math.h>
#include <posweep/data/quality.h>

static double distinct(const int32_t *token, int64_t stride, const int32_t *n_token,
                       int64_t n_seq, int order)
{
    const struct psw_token_block block = {token, n_token, n_seq, stride};
    double out = -1.0;
    assert_int_equal(psw_distinct_n(&block, order, &out, NULL), PSW_OK);
    return out;
}

static void distinct_n_counts_grams_within_sequences_only(void **state)
{
    (void)state;
    const int32_t token[2][4] = {{1, 2, 1, 2}, {2, 1, 9, 9}}, n_token[] = {4, 2};
    assert_close(distinct(token[0], 4, n_token, 2, 1), 2.0 / 6.0, 1e-15);
    assert_close(distinct(token[0], 4, n_token, 2, 2), 2.0 / 4.0, 1e-15); /* 12 21 12, 21 */
}

static void distinct_n_of_one_phrase_is_small(void **state)
{
    (void)state;
    int32_t token[100];
    for (int i = 0; i < 100; i++) token[i] = i % 2;
    const int32_t n_token[] = {100};
    assert_close(distinct(token, 100, n_token, 1, 2), 2.0 / 99.0, 1e-15);
}

static void distinct_n_without_grams_is_nan(void **state)
{
    (void)state;
    const int32_t token[] = {1}, n_token[] = {1};
    assert_true(isnan(distinct(token, 1, n_token, 1, 2)));
    assert_true(isnan(distinct(token, 1, n_token, 0, 1)));
}

static void distinct_n_refuses_an_order_of_zero(void **state)
{
    (void)state;
    const struct psw_token_block block = {0};
    struct psw_error err = {0};
    double out = 0.0;
    assert_int_equal(psw_distinct_n(&block, 0, &out, &err), PSW_EINVAL);
    assert_non_null(err.text[0] ? err.text : NULL);
}

/* Words as tokens: a letter each. */
static int repeats(const char *words)
{
    int32_t token[64] = {0}, n = 0;
    for (; words[n]; n++) token[n] = words[n];
    return psw_repeats_itself(token, n);
}

static void a_phrase_three_times_in_a_row_is_a_repetition(void **state)
{
    (void)state;
    assert_true(repeats("xyababab"));           /* at the end */
    assert_true(repeats("xabcabcabc.$"));       /* closed by a full stop and the end token */
    assert_true(repeats("abcdeabcdeabcdexyz")); /* left again */
    assert_true(repeats("xaaaaaa"));            /* "aa" three times */
    assert_true(repeats("abcabcabcxyzw"));      /* at the start */
}

static void lists_and_echoes_are_no_repetition(void **state)
{
    (void)state;
    assert_false(repeats(""));
    assert_false(repeats("s"));
    assert_false(repeats("sa,b,c,d.$")); /* a list: its commas return, its items do not */
    assert_false(repeats("abcabc"));     /* twice */
    assert_false(repeats("abxabyab"));   /* three times, but not in a row */
    assert_false(repeats("1=111,"));     /* a number */
    assert_false(repeats("xabcabcabx")); /* the third time is not complete */
}

static void repetition_rate_counts_sequences_by_their_own_length(void **state)
{
    (void)state;
    const int32_t token[3][8] = {
        {1, 2, 1, 2, 1, 2, 9, 9}, {1, 2, 1, 2, 1, 2, 9, 9}, {1, 2, 3, 4, 5, 6, 7, 8}};
    const int32_t n_token[] = {6, 5, 8};
    const struct psw_token_block block = {token[0], n_token, 3, 8}, none = {0};
    assert_close(psw_repetition_rate(&block), 1.0 / 3.0, 1e-15);
    assert_true(isnan(psw_repetition_rate(&none)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_n_counts_grams_within_sequences_only),
        cmocka_unit_test(distinct_n_of_one_phrase_is_small),
        cmocka_unit_test(distinct_n_without_grams_is_nan),
        cmocka_unit_test(distinct_n_refuses_an_order_of_zero),
        cmocka_unit_test(a_phrase_three_times_in_a_row_is_a_repetition),
        cmocka_unit_test(lists_and_echoes_are_no_repetition),
        cmocka_unit_test(repetition_rate_counts_sequences_by_their_own_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
