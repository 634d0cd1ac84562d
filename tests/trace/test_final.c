/* Which held-out prompts D' and the evaluation have: disjoint, and what happens when there are
 * too few of them. */
#include <support/example_list.h>
#include <support/support.h>

#include <posweep/data/tokenizer.h>
#include <posweep/trace/final.h>
#include <string.h>

enum { N = 10 };

/* A data set of n prompts of one token: its number. */
struct fixture {
    int32_t word[N];
    struct psw_example item[N];
    struct psw_dataset data;
    struct psw_config config;
};

static struct fixture *fixture(int64_t n, int64_t n_final, int64_t n_eval)
{
    static struct fixture f;
    psw_config_default(&f.config);
    f.config.final.prompts = n_final;
    f.config.final.samples = 2;
    f.config.eval.prompts = n_eval;
    for (int i = 0; i < N; i++) {
        f.word[i] = i;
        f.item[i] = (struct psw_example){.prompt = &f.word[i], .n_prompt = 1};
    }
    static const struct psw_tokenizer tokenizer = {.n_vocab = 2};
    example_list_clear(&f.data.prompts_heldout);
    f.data = (struct psw_dataset){.tokenizer = &tokenizer,
                                  .prompts_heldout = example_list(f.item, n)};
    return &f;
}

/* How often each prompt is in a list; returns how many there are. */
static int64_t count(const struct fixture *f, enum psw_prompt_list list, int64_t n_sample,
                     int *n_time)
{
    struct psw_responses r;
    const int64_t n = psw_final_n_prompt(&f->config, &f->data, list);
    if (n == 0) return 0;
    assert_int_equal(psw_final_init(&f->config, &f->data, list, &r, NULL), PSW_OK);
    assert_int_equal(r.n_prompt, n);
    assert_int_equal(r.n_sample, n_sample);
    for (int64_t i = 0; i < n; i++) n_time[r.example[i].prompt[0]]++;
    psw_responses_clear(&r);
    return n;
}

static void splits_into(int64_t n, int64_t n_final, int64_t n_eval, int64_t has_final,
                        int64_t has_eval)
{
    const struct fixture *f = fixture(n, n_final, n_eval);
    int n_time[N] = {0};
    assert_int_equal(count(f, PSW_PROMPTS_FINAL, 2, n_time), has_final);
    assert_int_equal(count(f, PSW_PROMPTS_EVAL, 1, n_time), has_eval);
    for (int i = 0; i < N; i++) assert_int_equal(n_time[i], i < has_final + has_eval);
}

static void the_evaluation_has_none_of_the_prompts_of_final_responses(void **state)
{
    (void)state;
    splits_into(10, 4, 6, 4, 6);
    splits_into(10, 4, 3, 4, 3);
    splits_into(10, 4, 0, 4, 0);
}

static void too_few_prompts_are_shared_out_the_evaluation_has_at_most_half(void **state)
{
    (void)state;
    splits_into(10, 8, 8, 5, 5);
    splits_into(10, 8, 3, 7, 3);  /* it wants less */
    splits_into(10, 2, 99, 2, 8); /* D' leaves more */
    splits_into(3, 99, 99, 2, 1);
    splits_into(1, 8, 8, 1, 0);
}

static void without_held_out_prompts_there_are_no_final_responses(void **state)
{
    (void)state;
    const struct fixture *f = fixture(0, 8, 8);
    struct psw_responses r;
    struct psw_error err = {0};
    assert_int_equal(psw_final_init(&f->config, &f->data, PSW_PROMPTS_FINAL, &r, &err),
                     PSW_EINVAL);
    assert_non_null(strstr(err.text, "data.heldout"));
}

static void evaluation_responses_have_random_numbers_of_their_own(void **state)
{
    (void)state;
    const struct fixture *f = fixture(10, 4, 4);
    const struct psw_sample_opts a = psw_final_opts(&f->config, &f->data, PSW_PROMPTS_FINAL),
                                 b = psw_final_opts(&f->config, &f->data, PSW_PROMPTS_EVAL);
    assert_int_equal(a.rng.seed, b.rng.seed);
    assert_int_not_equal(a.rng.use, b.rng.use);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_evaluation_has_none_of_the_prompts_of_final_responses),
        cmocka_unit_test(too_few_prompts_are_shared_out_the_evaluation_has_at_most_half),
        cmocka_unit_test(without_held_out_prompts_there_are_no_final_responses),
        cmocka_unit_test(evaluation_responses_have_random_numbers_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
