/* The generated task: its prompts, its judge against hand-made answers, its statistics. */
#include "words.h"
#include <support/example_at.h>

#include <math.h>
#include <posweep/data/lists.h>
#include <posweep/util/hash.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL = PSW_LISTS_CATEGORY | PSW_LISTS_COUNT | PSW_LISTS_NO_REPEAT | PSW_LISTS_POLITE };

static struct psw_dataset *create(struct psw_generated_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (psw_generated_create(PSW_SOURCE_LISTS, &opts, &data, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return data;
}

static const struct psw_generated_opts SMALL = {
    .seed = 5, .n_sft = 300, .n_pairs = 300, .error = 0.3, .except = 0.3};

static int32_t words(const char *text, int32_t *id)
{
    return words_to_ids(&PSW_LISTS_TOKENIZER, text, id);
}

static unsigned judge(const char *prompt, const char *answer)
{
    int32_t p[64], a[64];
    const int32_t n_prompt = words(prompt, p), n_answer = words(answer, a);
    return psw_lists_judge(p, n_prompt, a, n_answer);
}

static void judge_finds_each_fault_in_words(void **state)
{
    (void)state;
    const struct {
        const char *prompt, *answer;
        unsigned right;
    } row[] = {
        {"give four metal", "sure iron , gold , silver , tin . <eos>", ALL},
        {"please give for me two fruit except fig", "gladly plum , pear . <eos>", ALL},
        {"give two fruit except fig", "sure plum , fig . <eos>", ALL & ~PSW_LISTS_CATEGORY},
        {"give two metal", "sure iron , oak . <eos>", ALL & ~PSW_LISTS_CATEGORY},
        {"give two metal", "sure iron , gold , tin . <eos>", ALL & ~PSW_LISTS_COUNT},
        {"give two metal", "sure iron , iron . <eos>", ALL & ~PSW_LISTS_NO_REPEAT},
        {"give two metal", "ugh iron , gold . <eos>", ALL & ~PSW_LISTS_POLITE},
        {"give two metal", "iron , gold . <eos>", ALL & ~PSW_LISTS_POLITE},
        {"give two metal", "sure iron gold . <eos>", PSW_LISTS_POLITE},
        {"give two metal", "sure iron , gold .", PSW_LISTS_POLITE},
        {"give two metal", "sure iron , gold . <eos> <eos>", PSW_LISTS_POLITE},
        {"give two metal", "sure sure iron , gold . <eos>", PSW_LISTS_POLITE},
        {"give two metal", "sure . <eos>", PSW_LISTS_POLITE},
        {"give two metal", "<eos>", 0},
        {"give metal", "sure iron , gold . <eos>", 0},
        {"give two fruit except tin", "sure plum , pear . <eos>", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (judge(row[i].prompt, row[i].answer) != row[i].right)
            fail_msg("%s -> %s: %x, not %x", row[i].prompt, row[i].answer,
                     judge(row[i].prompt, row[i].answer), row[i].right);
}

static void words_are_distinct(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    for (int32_t i = 1; i < data->tokenizer->n_vocab; i++) {
        char word[32];
        psw_tokenizer_text(data->tokenizer, &i, 1, word, sizeof word);
        int32_t id;
        assert_int_equal(words(word, &id), 1);
        assert_int_equal(id, i);
    }
    psw_dataset_destroy(data);
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void prompts_are_thousands_and_all_different(void **state)
{
    (void)state;
    const int64_t n = psw_lists_n_prompt();
    uint64_t *key = malloc((size_t)n * sizeof *key);
    int64_t n_part[PSW_N_SPLIT] = {0};
    for (int64_t i = 0; i < n; i++) {
        int32_t prompt[PSW_LISTS_MAX_PROMPT];
        const int32_t length = psw_lists_prompt(i, prompt);
        key[i] = psw_hash_bytes(prompt, (size_t)length * sizeof *prompt, 1);
        n_part[psw_split_of(prompt, length)]++;
    }
    qsort(key, (size_t)n, sizeof *key, by_value);
    for (int64_t i = 1; i < n; i++) assert_true(key[i] != key[i - 1]);
    free(key);
    assert_true(n >= 4000);
    assert_true(n_part[PSW_SPLIT_TRAIN] >= 4000);
    assert_in_range(n_part[PSW_SPLIT_PROBE], n / 12, n / 8);
    assert_in_range(n_part[PSW_SPLIT_HELDOUT], n / 6, n / 4);
}

static void assert_split(const struct psw_examples *list, enum psw_split split)
{
    assert_true(list->n > 0);
    for (int64_t i = 0; i < list->n; i++) {
        const struct psw_example *e = example_at(list, i);
        assert_int_equal(psw_split_of(e->prompt, e->n_prompt), split);
    }
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

static void heldout_prompts_are_distinct(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    const int64_t n = data->prompts_heldout.n;
    uint64_t key[PSW_GENERATED_PROMPTS_HELDOUT];
    assert_int_equal(n, PSW_GENERATED_PROMPTS_HELDOUT);
    for (int64_t i = 0; i < n; i++)
        key[i] = psw_examples_at(&data->prompts_heldout, i).prompt_key;
    qsort(key, (size_t)n, sizeof *key, by_value);
    for (int64_t i = 1; i < n; i++) assert_true(key[i] != key[i - 1]);
    psw_dataset_destroy(data);
}

static double score_of(const struct psw_dataset *data, const struct psw_example *e, int s)
{
    return psw_dataset_score(data, e->prompt, e->n_prompt, e->response[s], e->n_response[s]);
}

static void answers_have_each_quality_at_the_set_rate(void **state)
{
    (void)state;
    enum { N = 6000 };
    const double error = 0.3, tolerance = 5.0 * sqrt(error * (1 - error) / N);
    struct psw_dataset *data = create((struct psw_generated_opts){
        .seed = 3, .n_sft = N, .n_pairs = 1, .error = error, .except = 0.5});
    int n_right[4] = {0}, n_joint = 0;
    for (int64_t i = 0; i < N; i++) {
        const struct psw_example *e = example_at(&data->sft, i);
        const unsigned right =
            psw_lists_judge(e->prompt, e->n_prompt, e->response[0], e->n_response[0]);
        for (int q = 0; q < 4; q++) n_right[q] += right >> q & 1;
        n_joint += right == ALL;
        assert_in_range(e->n_response[0], 1, PSW_LISTS_MAX_RESPONSE);
        assert_int_equal(e->response[0][e->n_response[0] - 1], data->tokenizer->eos);
    }
    for (int q = 0; q < 4; q++) assert_close((double)n_right[q] / N, 1 - error, tolerance);
    assert_close((double)n_joint / N, pow(1 - error, 4), tolerance); /* independent */
    psw_dataset_destroy(data);
}

static void answers_without_error_score_the_best(void **state)
{
    (void)state;
    struct psw_dataset *data = create((struct psw_generated_opts){.seed = 1, .n_sft = 200});
    for (int64_t i = 0; i < data->sft.n; i++)
        assert_true(score_of(data, example_at(&data->sft, i), 0) == data->scorer->hi);
    psw_dataset_destroy(data);
}

static void pairs_prefer_the_better_answer(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    const struct psw_examples *const list[] = {&data->pairs, &data->pairs_heldout};
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < list[k]->n; i++) {
            const struct psw_example *e = example_at(list[k], i);
            assert_int_equal(e->n_seq, 2);
            assert_true(score_of(data, e, 0) > score_of(data, e, 1));
        }
    assert_true(data->counts[PSW_DATA_PAIRS].made.n_redrawn > 0);
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

static void more_items_do_not_change_the_first_ones(void **state)
{
    (void)state;
    struct psw_generated_opts opts = SMALL;
    struct psw_dataset *few = create(opts);
    opts.n_pairs = 400;
    opts.n_sft = 10;
    struct psw_dataset *many = create(opts);
    for (int64_t i = 0; i < few->pairs.n; i++)
        assert_true(psw_examples_at(&few->pairs, i).prompt_key ==
                    psw_examples_at(&many->pairs, i).prompt_key);
    psw_dataset_destroy(few);
    psw_dataset_destroy(many);
}

/** Prompts with the clause among the first n of a list. */
static int64_t n_clause_of(const struct psw_examples *list, int64_t n)
{
    int32_t except;
    int64_t n_clause = 0;
    assert_int_equal(words("except", &except), 1);
    for (int64_t i = 0; i < n; i++) {
        const struct psw_example *e = example_at(list, i);
        n_clause += e->n_prompt > 2 && e->prompt[e->n_prompt - 2] == except;
    }
    return n_clause;
}

static void clause_share_is_what_was_asked(void **state)
{
    (void)state;
    struct psw_generated_opts opts = {.seed = 4, .n_sft = 3000, .except = 0.3};
    struct psw_dataset *data = create(opts);
    assert_close((double)n_clause_of(&data->sft, 3000) / 3000, 0.3, 5 * sqrt(0.21 / 3000));
    psw_dataset_destroy(data);
}

static void heldout_prompts_have_the_same_clause_share_as_training(void **state)
{
    (void)state;
    enum { N_SEED = 10, N = PSW_GENERATED_PROMPTS_HELDOUT };
    const int64_t part[] = {256, N};
    for (size_t k = 0; k < sizeof part / sizeof *part; k++) {
        const double n = (double)(N_SEED * part[k]);
        int64_t n_clause = 0;
        for (uint64_t seed = 1; seed <= N_SEED; seed++) {
            struct psw_dataset *data = create((struct psw_generated_opts){
                .seed = seed, .n_sft = 1, .error = 0.3, .except = 0.3});
            assert_int_equal(data->prompts_heldout.n, N);
            n_clause += n_clause_of(&data->prompts_heldout, part[k]);
            psw_dataset_destroy(data);
        }
        assert_close((double)n_clause / n, 0.3, 5 * sqrt(0.21 / n));
    }
}

static void impossible_options_are_refused(void **state)
{
    (void)state;
    const struct psw_generated_opts row[] = {
        {.n_sft = 1, .error = 1.5},
        {.n_sft = 1, .error = NAN},
        {.n_sft = 1, .flip = -0.1},
        {.n_sft = -1},
        {.n_pairs = 1, .error = 0.0},
        {.n_pairs = 1, .error = 1.0},
        {.n_prompts_heldout = 100000},
        {.n_prompts_heldout = 2000, .except = 0.0}, /* about 1150 exist */
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct psw_dataset *data = NULL;
        struct psw_error err = {0};
        assert_int_equal(psw_generated_create(PSW_SOURCE_LISTS, &row[i], &data, &err),
                         PSW_EINVAL);
        assert_true(strncmp(err.text, "lists", 5) == 0);
        assert_null(data);
    }
}

static void text_reads_as_words(void **state)
{
    (void)state;
    struct psw_dataset *data = create(SMALL);
    int32_t id[64];
    char text[64], cut[12];
    const int32_t n = words("sure iron , gold . <eos> tin", id);
    assert_string_equal(psw_tokenizer_text(data->tokenizer, id, n, text, sizeof text),
                        "sure iron , gold .");
    assert_string_equal(psw_tokenizer_text(data->tokenizer, id, n, cut, sizeof cut),
                        "sure iron ,");
    psw_dataset_destroy(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judge_finds_each_fault_in_words),
        cmocka_unit_test(words_are_distinct),
        cmocka_unit_test(prompts_are_thousands_and_all_different),
        cmocka_unit_test(parts_share_no_prompt),
        cmocka_unit_test(heldout_prompts_are_distinct),
        cmocka_unit_test(answers_have_each_quality_at_the_set_rate),
        cmocka_unit_test(answers_without_error_score_the_best),
        cmocka_unit_test(pairs_prefer_the_better_answer),
        cmocka_unit_test(flipped_labels_are_counted_and_change_nothing_else),
        cmocka_unit_test(same_seed_gives_the_same_content_and_others_do_not),
        cmocka_unit_test(more_items_do_not_change_the_first_ones),
        cmocka_unit_test(clause_share_is_what_was_asked),
        cmocka_unit_test(heldout_prompts_have_the_same_clause_share_as_training),
        cmocka_unit_test(impossible_options_are_refused),
        cmocka_unit_test(text_reads_as_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
