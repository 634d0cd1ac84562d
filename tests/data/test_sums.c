/* The generated task of sums: its prompts, its scorer against hand-made answers and a naive
 * twin that reads text, its statistics. */
#include "words.h"
#include <support/example_at.h>

#include <math.h>
#include <posweep/data/sums.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct psw_dataset *create(struct psw_generated_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (psw_generated_create(PSW_SOURCE_SUMS, &opts, &data, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return data;
}

static const struct psw_generated_opts SMALL = {
    .seed = 5, .n_sft = 300, .n_pairs = 300, .terms = 3, .error = 0.6};

static int32_t words(const char *text, int32_t *id)
{
    return words_to_ids(&PSW_SUMS_TOKENIZER, text, id);
}

static void scorer_takes_the_final_answer_alone(void **state)
{
    (void)state;
    const struct {
        const char *prompt, *answer;
        double score;
    } row[] = {
        {"please add for me 8 + 3 + 6", "1 7 # 1 7 <eos>", 1},
        {"add 8 + 3 + 6", "# 1 7 <eos>", 1},
        {"add 8 + 3 + 6", "1 2 + # 9 # 1 7 <eos>", 1},
        {"kindly say 0 + 0", "0 # 0 <eos>", 1},
        {"now find for him 9 + 9 + 9 + 9", "3 6 # 3 6 <eos>", 1},
        {"add 8 + 3 + 6", "1 7 # 1 8 <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # 1 <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # 0 1 7 <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # 1 7", 0},
        {"add 8 + 3 + 6", "1 7 # 1 7 + <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # 1 7 <eos> <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # <eos>", 0},
        {"add 8 + 3 + 6", "1 7 # 1 7 # <eos>", 0},
        {"add 8 + 3 + 6", "1 7 <eos>", 0},
        {"add 8 + 3 + 6", "<eos>", 0},
        {"add 0 + 0", "0 # 0 0 <eos>", 0},
        {"add 8 +", "8 # 8 <eos>", 0},
        {"8 + 3", "1 1 # 1 1 <eos>", 0},
    };
    struct psw_dataset *data = create(SMALL);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        int32_t p[64], a[64];
        const int32_t n_prompt = words(row[i].prompt, p), n_answer = words(row[i].answer, a);
        if (psw_dataset_score(data, p, n_prompt, a, n_answer) != row[i].score)
            fail_msg("%s -> %s is not %g", row[i].prompt, row[i].answer, row[i].score);
    }
    psw_dataset_destroy(data);
}

/** A number written digit by digit, blanks between. */
static int spaced_number(const char *text)
{
    char digits[32];
    size_t n = 0;
    for (; *text; text++)
        if (*text != ' ') digits[n++] = *text;
    digits[n] = 0;
    return atoi(digits);
}

/** The naive twin of the scorer, for well-formed answers: from text alone. */
static double naive_score(const struct psw_dataset *data, const struct psw_example *e, int s)
{
    char text[128];
    int sum = 0;
    psw_tokenizer_text(data->tokenizer, e->prompt, e->n_prompt, text, sizeof text);
    for (const char *c = text; *c; c++)
        if (*c >= '0' && *c <= '9') sum += *c - '0';
    psw_tokenizer_text(data->tokenizer, e->response[s], e->n_response[s], text, sizeof text);
    const char *mark = strrchr(text, '#');
    *strchr(text, '#') = 0;
    assert_int_equal(spaced_number(text), sum); /* the working is right */
    return spaced_number(mark + 1) == sum;
}

static double score_of(const struct psw_dataset *data, const struct psw_example *e, int s)
{
    return psw_dataset_score(data, e->prompt, e->n_prompt, e->response[s], e->n_response[s]);
}

static void final_answers_slip_at_the_set_rate(void **state)
{
    (void)state;
    enum { N = 6000 };
    const double error = 0.6, tolerance = 5.0 * sqrt(error * (1 - error) / N);
    for (int terms = PSW_SUMS_MIN_TERMS; terms <= PSW_SUMS_MAX_TERMS; terms++) {
        struct psw_dataset *data = create(
            (struct psw_generated_opts){.seed = 3, .n_sft = N, .terms = terms, .error = error});
        double n_right = 0;
        for (int64_t i = 0; i < N; i++) {
            const struct psw_example *e = example_at(&data->sft, i);
            const double right = score_of(data, e, 0);
            assert_true(right == naive_score(data, e, 0));
            assert_in_range(e->n_prompt, 1, PSW_SUMS_MAX_PROMPT);
            assert_in_range(e->n_response[0], 1, PSW_SUMS_MAX_RESPONSE);
            n_right += right;
        }
        assert_close(n_right / N, 1 - error, tolerance);
        psw_dataset_destroy(data);
    }
}

static void pairs_prefer_the_right_answer_to_a_slip(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    const struct psw_examples *const list[] = {&data->pairs, &data->pairs_heldout};
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < list[k]->n; i++) {
            assert_int_equal(psw_examples_at(list[k], i).n_seq, 2);
            assert_true(score_of(data, example_at(list[k], i), 0) == 1);
            assert_true(score_of(data, example_at(list[k], i), 1) == 0);
        }
    assert_int_equal(data->pairs_heldout.n, PSW_GENERATED_PAIRS_HELDOUT);
    assert_int_equal(data->counts[PSW_DATA_PAIRS].n_kept, 300);
    psw_dataset_destroy(data);
}

static void flipped_labels_are_counted_and_change_nothing_else(void **state)
{
    (void)state;
    struct psw_generated_opts opts = SMALL;
    struct psw_dataset *plain = create(opts);
    opts.flip = 0.25;
    struct psw_dataset *data = create(opts);
    int64_t n_worse = 0;
    for (int64_t i = 0; i < data->pairs.n; i++) {
        const struct psw_example *e = example_at(&data->pairs, i),
                                 *p = example_at(&plain->pairs, i);
        const int flipped = score_of(data, e, 0) < score_of(data, e, 1);
        assert_int_equal(e->n_response[flipped], p->n_response[0]);
        assert_memory_equal(e->response[flipped], p->response[0],
                            (size_t)e->n_response[flipped] * sizeof(int32_t));
        n_worse += flipped;
    }
    assert_int_equal(n_worse, data->counts[PSW_DATA_PAIRS].made.n_flipped);
    assert_in_range(n_worse, 40, 110); /* 75 expected, deviation 7.5 */
    assert_int_equal(data->counts[PSW_DATA_HELDOUT].made.n_flipped, 0);
    psw_dataset_destroy(data);
    psw_dataset_destroy(plain);
}

static void assert_split(const struct psw_examples *list, enum psw_split split)
{
    assert_true(list->n > 0);
    for (int64_t i = 0; i < list->n; i++)
        assert_int_equal(
            psw_split_of(psw_examples_at(list, i).prompt, psw_examples_at(list, i).n_prompt),
            split);
}

static void parts_share_no_prompt(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    assert_split(&data->sft, PSW_SPLIT_TRAIN);
    assert_split(&data->pairs, PSW_SPLIT_TRAIN);
    assert_split(&data->pairs_heldout, PSW_SPLIT_PROBE);
    assert_split(&data->prompts_heldout, PSW_SPLIT_HELDOUT);
    psw_dataset_destroy(data);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void assert_distinct(uint64_t *key, int64_t n)
{
    qsort(key, (size_t)n, sizeof *key, by_value);
    for (int64_t i = 1; i < n; i++) assert_true(key[i] != key[i - 1]);
}

static void prompts_are_thousands_and_all_different(void **state)
{
    (void)state;
    const int64_t n = psw_sums_n_prompt(2);
    uint64_t *key = malloc((size_t)n * sizeof *key);
    int64_t n_train = 0;
    for (int64_t i = 0; i < n; i++) {
        int32_t prompt[PSW_SUMS_MAX_PROMPT];
        const int32_t length = psw_sums_prompt(2, i, prompt);
        key[i] = psw_hash_bytes(prompt, (size_t)length * sizeof *prompt, 1);
        n_train += psw_split_of(prompt, length) == PSW_SPLIT_TRAIN;
    }
    assert_distinct(key, n);
    free(key);
    assert_int_equal(n, 16000);
    assert_true(n_train >= 4000);
}

static void heldout_prompts_are_distinct(void **state)
{
    (void)state;
    uint64_t key[PSW_GENERATED_PROMPTS_HELDOUT];
    struct psw_dataset *data = create(SMALL);
    assert_int_equal(data->prompts_heldout.n, PSW_GENERATED_PROMPTS_HELDOUT);
    for (int64_t i = 0; i < data->prompts_heldout.n; i++)
        key[i] = psw_examples_at(&data->prompts_heldout, i).prompt_key;
    assert_distinct(key, PSW_GENERATED_PROMPTS_HELDOUT);
    psw_dataset_destroy(data);
}

static void same_seed_gives_the_same_content_and_others_do_not(void **state)
{
    (void)state;
    struct psw_generated_opts opts = SMALL;
    struct psw_dataset *a = create(opts), *b = create(opts);
    opts.seed++;
    struct psw_dataset *c = create(opts);
    assert_true(a->content_hash == b->content_hash);
    assert_true(a->content_hash != c->content_hash);
    psw_dataset_destroy(a);
    psw_dataset_destroy(b);
    psw_dataset_destroy(c);
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    const struct psw_generated_opts row[] = {
        {.terms = 2, .error = 1.5},
        {.terms = 2, .error = NAN},
        {.terms = 2, .flip = -0.1},
        {.terms = 2, .n_sft = -1},
        {.terms = 1},
        {.terms = 5},
        {.terms = 2, .n_prompts_heldout = 5000}, /* about 3200 exist */
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct psw_dataset *data = NULL;
        struct psw_error err = {0};
        assert_int_equal(psw_generated_create(PSW_SOURCE_SUMS, &row[i], &data, &err),
                         PSW_EINVAL);
        assert_true(strncmp(err.text, "sums", 4) == 0);
        assert_null(data);
    }
}

static void text_reads_as_words(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    int32_t id[64];
    char text[64];
    const int32_t n = words("please add for me 8 + 3 <eos> 7", id);
    assert_string_equal(psw_tokenizer_text(data->tokenizer, id, n, text, sizeof text),
                        "please add for me 8 + 3");
    psw_dataset_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scorer_takes_the_final_answer_alone),
        cmocka_unit_test(final_answers_slip_at_the_set_rate),
        cmocka_unit_test(pairs_prefer_the_right_answer_to_a_slip),
        cmocka_unit_test(flipped_labels_are_counted_and_change_nothing_else),
        cmocka_unit_test(parts_share_no_prompt),
        cmocka_unit_test(prompts_are_thousands_and_all_different),
        cmocka_unit_test(heldout_prompts_are_distinct),
        cmocka_unit_test(same_seed_gives_the_same_content_and_others_do_not),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(text_reads_as_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
