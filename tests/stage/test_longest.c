/* The step that stands for all steps of a long training is as large as any of them, and the
 * memory planned with it is enough for those that were walked through one by one. */
#include "stage_internal.h"

#include <posweep/data/epoch_order.h>
#include <support/example_list.h>
#include <support/support.h>

#include <stdio.h>
#include <string.h>

enum { N_WALKED = 1500, LONGEST = 40, MOST_ITEMS = 37, MOST_BATCH = 24 };

/* Lengths from 1 on, most of them short. */
static int32_t draw_length(uint64_t item, uint32_t column)
{
    const struct psw_rng rng = {.seed = 1, .use = PSW_RNG_INIT};
    const double u = psw_rng_uniform(rng, item, column);
    return 1 + (int32_t)((LONGEST - 1) * u * u * u);
}

static struct psw_examples draw_list(int64_t n, int32_t n_seq)
{
    static const int32_t TOKEN[LONGEST];
    struct psw_example item[MOST_ITEMS] = {0};
    for (int64_t i = 0; i < n; i++) {
        item[i] = (struct psw_example){
            .prompt = TOKEN, .n_prompt = draw_length((uint64_t)i, 0), .n_seq = n_seq};
        for (int s = 0; s < n_seq; s++)
            item[i].n_response[s] = draw_length((uint64_t)i, 1 + (uint32_t)s);
    }
    return example_list(item, n);
}

static void assert_within(const struct psw_batch *a, const struct psw_batch *longest)
{
    assert_true(a->n_tok <= longest->n_tok && a->n_row <= longest->n_row);
    assert_true(a->n_seg <= longest->n_seg && a->max_path <= longest->max_path);
    assert_true(a->n_seq == longest->n_seq && a->n_item == longest->n_item);
}

/* Shard by shard; returns how many tokens the largest shard has, of `step` and of the longest.
 */
static void compare_step(const struct psw_picked *step, const struct psw_picked *longest,
                         const struct psw_config_train *train, unsigned how, int64_t n_tok[2])
{
    for (int shard = 0; shard < train->shards; shard++) {
        struct psw_batch shape[2];
        int64_t begin, end;
        psw_shard_items(train->batch, (int)train->shards, shard, &begin, &end);
        psw_batch_measure(step->at + begin, end - begin, how, &shape[0]);
        psw_batch_measure(longest->at + begin, end - begin, how, &shape[1]);
        assert_within(&shape[0], &shape[1]);
        for (int k = 0; k < 2; k++)
            if (shape[k].n_tok > n_tok[k]) n_tok[k] = shape[k].n_tok;
    }
}

/* All steps of a few epochs under several seeds; all ways to pack. */
static void check_training(const struct psw_examples *list, int64_t batch, int64_t shards)
{
    const struct psw_config_train train = {.batch = batch, .shards = shards};
    struct psw_picked step, longest;
    int64_t index[MOST_BATCH], n_tok[2] = {0};
    assert_int_equal(psw_picked_init(&step, batch, NULL), PSW_OK);
    assert_int_equal(psw_picked_init(&longest, batch, NULL), PSW_OK);
    psw_stage_put_longest(list, list->n, &train, &longest);
    for (uint64_t seed = 0; seed < 1; seed++)
        for (int64_t at = 0; at * batch < 3 * list->n + batch; at++) {
            psw_data_order(seed, PSW_STAGE_POLICY, list->n, at, batch, index);
            psw_picked_put(&step, 0, list, index, batch);
            for (unsigned how = 0; how <= (PSW_PACK_SHARE | PSW_PACK_LAST); how++)
                compare_step(&step, &longest, &train, how, n_tok);
        }
    assert_true(n_tok[0] > 0 && n_tok[1] <= 4 * n_tok[0]); /* not just any bound */
    psw_picked_clear(&step);
    psw_picked_clear(&longest);
}

static void no_step_exceeds_the_longest(void **state)
{
    (void)state;
    static const int64_t N_ITEM[] = {1, 3, 16, MOST_ITEMS};
    static const int64_t BATCH[] = {1, 4, 6, 16, MOST_BATCH};
    for (size_t n = 0; n < sizeof N_ITEM / sizeof *N_ITEM; n++)
        for (int32_t n_seq = 1; n_seq <= 2; n_seq++) {
            struct psw_examples list = draw_list(N_ITEM[n], n_seq);
            for (size_t b = 0; b < sizeof BATCH / sizeof *BATCH; b++)
                for (int64_t shards = 1; shards <= 8; shards *= 2)
                    check_training(&list, BATCH[b], shards);
            example_list_clear(&list);
        }
}

static void of_items_alike_the_longest_step_is_any_step(void **state)
{
    (void)state;
    static const int32_t TOKEN[9];
    const struct psw_config_train train = {.batch = 4, .shards = 2};
    struct psw_example item[3];
    struct psw_picked longest;
    for (int i = 0; i < 3; i++)
        item[i] = (struct psw_example){
            .prompt = TOKEN, .n_prompt = 9, .n_seq = 2, .n_response = {5, 3}};
    struct psw_examples list = example_list(item, 3);
    assert_int_equal(psw_picked_init(&longest, 4, NULL), PSW_OK);
    psw_stage_put_longest(&list, 3, &train, &longest);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(longest.item[i].n_prompt, 9);
        assert_int_equal(longest.item[i].n_seq, 2);
        assert_int_equal(longest.item[i].n_response[0], 5);
        assert_int_equal(longest.item[i].n_response[1], 3);
    }
    psw_picked_clear(&longest);
    example_list_clear(&list);
}

/* The items of a list from some number on are not those of a training that uses fewer. */
static void items_that_are_not_used_do_not_count(void **state)
{
    (void)state;
    static const int32_t TOKEN[9];
    const struct psw_config_train train = {.batch = 2, .shards = 1};
    const struct psw_example item[3] = {
        {.prompt = TOKEN, .n_prompt = 2, .n_seq = 1, .n_response = {4}},
        {.prompt = TOKEN, .n_prompt = 3, .n_seq = 1, .n_response = {1}},
        {.prompt = TOKEN, .n_prompt = 9, .n_seq = 1, .n_response = {9}}};
    struct psw_picked longest;
    struct psw_examples list = example_list(item, 3);
    assert_int_equal(psw_picked_init(&longest, 2, NULL), PSW_OK);
    psw_stage_put_longest(&list, 2, &train, &longest);
    assert_int_equal(longest.item[0].n_prompt, 3);
    assert_int_equal(longest.item[0].n_response[0], 4);
    assert_int_equal(longest.item[1].n_prompt, 2);
    assert_int_equal(longest.item[1].n_response[0], 1);
    psw_picked_clear(&longest);
    example_list_clear(&list);
}

/* ---- planned memory ---- */

struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
};

static void set(struct psw_config *config, const char *key, const char *value)
{
    assert_int_equal(psw_config_set(config, key, value, NULL), PSW_OK);
}

static void fixture_init(struct fixture *f, const char *vocab)
{
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "64"},         {"lists.pairs", "90"},
        {"model.layers", "1"},       {"model.width", "16"},
        {"model.heads", "2"},        {"model.context", "64"},
        {"sft.batch", "8"},          {"reward.batch", "8"},
        {"policy.batch", "8"},       {"sft.shards", "4"},
        {"policy.shards", "4"},      {"final.prompts", "1"},
        {"final.max_new", "1"},      {"trace.every", "1000000"},
        {"trace.probe", "1"},        {"eval.prompts", "1"},
        {"trace.cosine_every", "0"}, {"reward.source", "model"},
        {"policy.steps", "2"},       {"policy.share_prefix", "on"},
        {"sft.steps", "2"},          {"reward.pairs", "70"},
        {"reward.shards", "4"},      {"eval.pairs", "1"},
        {"trace.tokens", "off"},     {"model.vocab", ""}};
    struct psw_model_dims dims;
    psw_config_default(&f->config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        set(&f->config, SETTINGS[i][0], SETTINGS[i][1][0] ? SETTINGS[i][1] : vocab);
    assert_int_equal(psw_dataset_open(&f->config, &f->data, NULL), PSW_OK);
    assert_int_equal(psw_stage_model_dims(&f->config, f->data->tokenizer->n_vocab, &dims, NULL),
                     PSW_OK);
    assert_int_equal(psw_model_create(&dims, &f->model, NULL), PSW_OK);
}

static void fixture_clear(struct fixture *f)
{
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
}

static double planned(struct fixture *f, enum psw_stage_kind kind, const char *key,
                      int64_t n_step, int n_rank)
{
    char text[32];
    struct psw_stage_cost cost;
    const struct psw_stage stage = {
        .config = &f->config, .data = f->data, .model = f->model, .work_dir = ""};
    snprintf(text, sizeof text, "%lld", (long long)n_step);
    set(&f->config, key, text);
    assert_int_equal(psw_stage_predict(kind, &stage, n_rank, &cost, NULL), PSW_OK);
    return (double)cost.peak_bytes;
}

/* The most steps that are walked through: by their number, as batches are small. */
static int64_t most_walked(void)
{
    struct psw_config_train train = {.batch = 8, .steps = 1};
    while (psw_stage_walks_steps(&train)) train.steps *= 2;
    return train.steps / 2;
}

static void check_planned(struct fixture *f, enum psw_stage_kind kind, const char *key,
                          int n_rank)
{
    const double walked = planned(f, kind, key, N_WALKED, n_rank);
    const double longest = planned(f, kind, key, most_walked() + 1, n_rank);
    assert_true(longest >= walked);
    assert_true(longest <= 1.6 * walked);
    assert_true(planned(f, kind, key, 1000000000, n_rank) >= longest);
}

static void a_long_training_is_planned_for_at_least_what_a_walk_gives(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "0");
    check_planned(&f, PSW_STAGE_SFT, "sft.steps", 1);
    check_planned(&f, PSW_STAGE_REWARD, "reward.steps", 2);
    check_planned(&f, PSW_STAGE_POLICY, "policy.steps", 1);
    fixture_clear(&f);
}

/* The shards of the longest step keep no probabilities for the way back, as they have too many
 * rows; those of most steps do. */
static void shards_that_keep_what_the_longest_do_not_are_planned_for(void **state)
{
    (void)state;
    struct fixture f;
    fixture_init(&f, "140000");
    check_planned(&f, PSW_STAGE_POLICY, "policy.steps", 1);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_step_exceeds_the_longest),
        cmocka_unit_test(of_items_alike_the_longest_step_is_any_step),
        cmocka_unit_test(items_that_are_not_used_do_not_count),
        cmocka_unit_test(a_long_training_is_planned_for_at_least_what_a_walk_gives),
        cmocka_unit_test(shards_that_keep_what_the_longest_do_not_are_planned_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
