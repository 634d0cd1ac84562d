/* Wins, ties and losses against the SFT model's responses; what is found wrong with D'. */
#include "policy_internal.h"

#include <posweep/store/schema.h>
#include <support/support.h>

#include <string.h>

enum { N = 4, STRIDE = 3 };

static struct psw_responses say(const int32_t (*token)[STRIDE], const int32_t *n_token)
{
    static const int32_t PROMPT[] = {7};
    static const struct psw_example ASKED = {.prompt = PROMPT, .n_prompt = 1};
    const struct psw_example *const prompt[] = {&ASKED, &ASKED};
    struct psw_responses r;
    assert_int_equal(psw_responses_init(N / 2, 2, STRIDE, &r, NULL), PSW_OK);
    psw_responses_set_prompts(&r, prompt);
    memcpy(r.token, token, sizeof *r.token * N * STRIDE);
    memcpy(r.n_token, n_token, sizeof *r.n_token * N);
    psw_responses_attach(&r);
    return r;
}

static void equal_responses_tie_whatever_the_last_bits_of_their_scores(void **state)
{
    (void)state;
    const int32_t token[2][N][STRIDE] = {{{1, 2, 3}, {1, 2, 3}, {1, 2, 3}, {1, 2, 3}},
                                         {{1, 2, 3}, {1, 2, 4}, {1, 2, 3}, {5, 2, 3}}};
    const int32_t n_token[2][N] = {{3, 3, 3, 2}, {3, 3, 2, 2}};
    const double score[2 * N] = {0.5, 0.5, 1, 0, 0.5000001, 0.25, 1, 0.5};
    struct psw_responses final = say(token[0], n_token[0]), sft = say(token[1], n_token[1]);
    const struct psw_duel end = psw_policy_compare(&final, &sft, score);
    assert_close(end.win, 0.25, 0);
    assert_close(end.tie, 0.5, 0); /* the same tokens; another length with the same score */
    assert_close(end.loss, 0.25, 0);
    psw_responses_clear(&final);
    psw_responses_clear(&sft);
}

static int findings(int64_t max_new, double cut_rate, double repetition_rate,
                    const char *expected)
{
    const struct psw_final_quality final = {
        .cut_rate = cut_rate, .repetition_rate = repetition_rate, .distinct_2 = 0.7};
    struct psw_config config;
    char text[256];
    psw_config_default(&config);
    config.final.max_new = max_new;
    const int bits = psw_policy_findings(&config, &final, text, sizeof text);
    assert_string_equal(text, expected);
    return bits;
}

static void varied_text_that_is_cut_is_cut_and_does_not_repeat(void **state)
{
    (void)state; /* real text at 64 tokens: most responses would go on */
    assert_int_equal(findings(64, 0.75, 0, "75 % of D' was cut at final.max_new 64"),
                     PSW_FINDING_CUT);
    assert_int_equal(findings(0, 0.6, 0.1, "60 % of D' was cut at the end of the context"),
                     PSW_FINDING_CUT);
}

static void responses_that_end_may_repeat_themselves(void **state)
{
    (void)state;
    assert_int_equal(findings(64, 0, 0.31, "D' repeats itself (31 % of responses)"),
                     PSW_FINDING_REPEATS);
    assert_int_equal(
        findings(24, 1, 1,
                 "100 % of D' was cut at final.max_new 24; D' repeats itself (100 % of "
                 "responses)"),
        PSW_FINDING_CUT | PSW_FINDING_REPEATS);
    assert_int_equal(findings(64, 0.1, 0.1, ""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_responses_tie_whatever_the_last_bits_of_their_scores),
        cmocka_unit_test(varied_text_that_is_cut_is_cut_and_does_not_repeat),
        cmocka_unit_test(responses_that_end_may_repeat_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
