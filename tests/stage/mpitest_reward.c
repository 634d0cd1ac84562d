/* The reward stage on 1, 2 and 4 ranks: interrupted and resumed it ends with the bits of one
 * rank that was left alone; its model ranks pairs as they are labelled, and is centred on the
 * SFT model. */
#include "stages.h"
#include <support/example_list.h>

#include <posweep/comm/agree.h>
#include <posweep/optim/state.h>
#include <posweep/parallel/responses.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "64"},        {"lists.pairs", "64"},    {"model.layers", "1"},
        {"model.width", "96"},      {"sft.steps", "6"},       {"sft.batch", "8"},
        {"policy.steps", "4"},      {"policy.batch", "8"},    {"policy.lr", "1e-3"},
        {"final.prompts", "8"},     {"eval.prompts", "8"},    {"final.max_new", "16"},
        {"trace.every", "2"},       {"trace.tokens", "true"}, {"trace.cosine_every", "4"},
        {"trace.directions", "on"}, {"log.every", "1"},       {"rollout.max_new", "12"},
        {"reward.steps", "6"},      {"reward.batch", "8"},    {"policy.epochs", "2"},
        {"policy.method", "ppo"},   {"trace.probe", "8"}};
    if (stages_setup(state, SETTINGS, sizeof SETTINGS / sizeof *SETTINGS) != 0) return -1;
    /* What all tests start from. */
    struct fixture *f = *state;
    struct seen alone;
    perform_in_pieces(f, PSW_STAGE_SFT, 1);
    perform_alone(f, PSW_STAGE_SFT, &alone);
    return 0;
}

/* What the file of a reward model says of it, in order. */
enum { N_HELDOUT, ACCURACY, LOSS, CALIBRATION, SHIFT, N_INFO };

/* The reward model of the fixture's configuration, as rank 0 of the team sees it. */
static void read_reward(struct fixture *f, int alone, float *param, int64_t n_param,
                        double info[N_INFO])
{
    char path[PSW_PATH_BYTES];
    struct psw_team team;
    const struct psw_stage stage = stage_of(f, alone, NULL);
    struct psw_state s = {
        .key = psw_stage_key(PSW_STAGE_REWARD, &f->config, f->data->content_hash),
        .n_param = n_param,
        .param = param,
        .extra = info,
        .n_extra_bytes = sizeof(double) * N_INFO};
    assert_int_equal(psw_team_init(MPI_COMM_SELF, 1, &team, NULL), PSW_OK);
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_REWARD, path, NULL), PSW_OK);
    assert_int_equal(psw_state_read(&team, &(struct psw_exec){0}, path, &s, NULL), PSW_OK);
}

static struct psw_model *value_model(const struct fixture *f)
{
    struct psw_model_dims dims = *psw_model_dims(f->model);
    struct psw_model *model = NULL;
    dims.value = 1;
    assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
    return model;
}

static void an_interrupted_reward_stage_ends_with_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    perform_in_pieces(f, PSW_STAGE_REWARD, 2);
    assert_true(f->seen.used_bytes <= f->seen.planned_bytes);
    perform_alone(f, PSW_STAGE_REWARD, &alone);
    assert_same_result(f, PSW_STAGE_REWARD);
    stages_set(
        f, "reward.flip=0.3 reward.pairs=24 reward.center=false"); /* another key, all else */
    perform_in_pieces(f, PSW_STAGE_REWARD, 1);
    perform_alone(f, PSW_STAGE_REWARD, &alone);
    assert_same_result(f, PSW_STAGE_REWARD);
}

static void a_reward_model_ranks_held_out_pairs_as_its_labels_do(void **state)
{
    struct fixture *f = *state;
    struct psw_model *model = value_model(f);
    const int64_t n_param = psw_model_n_param(model);
    float *param = aligned_alloc(64, sizeof *param * (size_t)n_param);
    double accuracy[2];
    for (int flip = 0; flip < 2; flip++) {
        double info[N_INFO];
        stages_set(f, "reward.steps=40 reward.batch=16 reward.lr=1e-3");
        stages_set(f, flip ? "reward.flip=1" : "reward.flip=0");
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(psw_stage_perform(PSW_STAGE_REWARD, &stage, NULL), PSW_OK);
        read_reward(f, 0, param, n_param, info);
        assert_int_equal((int64_t)info[N_HELDOUT], f->data->pairs_heldout.n);
        assert_true(info[LOSS] > 0 && info[CALIBRATION] >= 0 && info[CALIBRATION] <= 1);
        accuracy[flip] = info[ACCURACY];
    }
    assert_true(accuracy[0] > 0.6);
    assert_true(accuracy[1] < 0.4);
    free(param);
    psw_model_destroy(model);
}

/* Rounding may order the two sides of such a pair; nobody is right about it. */
static void a_pair_of_equal_responses_is_a_tie(void **state)
{
    struct fixture *f = *state;
    const struct psw_examples *from = &f->data->pairs_heldout;
    struct psw_dataset data = *f->data;
    struct psw_model *model = value_model(f);
    const int64_t n_param = psw_model_n_param(model);
    float *param = aligned_alloc(64, sizeof *param * (size_t)n_param);
    double info[N_INFO];
    struct psw_example *item = calloc((size_t)from->n, sizeof *item);
    assert_true(param && item);
    for (int64_t i = 0; i < from->n; i++) {
        item[i] = psw_examples_at(from, i);
        item[i].response[1] = item[i].response[0];
        item[i].n_response[1] = item[i].n_response[0];
    }
    data.pairs_heldout = example_list(item, from->n);
    stages_set(f, "reward.steps=8"); /* a key of its own */
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    stage.data = &data;
    assert_int_equal(psw_stage_perform(PSW_STAGE_REWARD, &stage, NULL), PSW_OK);
    read_reward(f, 0, param, n_param, info);
    assert_close(info[ACCURACY], 0.5, 0);
    assert_close(info[LOSS], log(2), 1e-14);
    example_list_clear(&data.pairs_heldout);
    free(item);
    free(param);
    psw_model_destroy(model);
}

/* Scores of what the SFT model says to the first prompts of its own training, computed here. */
static double mean_sft_score(struct fixture *f, const struct psw_model *model, float *param,
                             double *deviation)
{
    enum { N = 64 };
    struct psw_arena *arena = NULL;
    struct psw_team team;
    struct psw_responses r;
    struct psw_example item[N];
    const struct psw_example *prompt[N];
    char path[PSW_PATH_BYTES];
    double score[N], mean = 0, square = 0;
    const struct psw_stage stage = stage_of(f, 0, NULL);
    assert_int_equal(psw_team_init(MPI_COMM_SELF, 4, &team, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("scores", 200 << 20, &arena, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    struct psw_state sft = {.key =
                                psw_stage_key(PSW_STAGE_SFT, &f->config, f->data->content_hash),
                            .n_param = psw_model_n_param(f->model),
                            .param = psw_arena_f32(arena, psw_model_n_param(f->model))};
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_SFT, path, NULL), PSW_OK);
    assert_int_equal(psw_state_read(&team, &(struct psw_exec){0}, path, &sft, NULL), PSW_OK);
    int64_t longest = 1;
    for (int i = 0; i < N; i++) {
        item[i] = psw_examples_at(&f->data->sft, i);
        prompt[i] = &item[i];
        if (prompt[i]->n_response[0] > longest) longest = prompt[i]->n_response[0];
    }
    assert_int_equal(psw_responses_init(N, 1, longest, &r, NULL), PSW_OK);
    psw_responses_set_prompts(&r, prompt);
    const struct psw_sampler with = {
        .team = &team, .model = f->model, .exec = &exec, .param = sft.param};
    const struct psw_sample_opts opts = {
        .temperature = 1,
        .top_p = 1,
        .eos = f->data->tokenizer->eos,
        .rng = {.seed = (uint64_t)f->config.seed, .use = PSW_RNG_CENTER}};
    assert_int_equal(psw_responses_sample(&with, &opts, &r, NULL), PSW_OK);
    struct psw_shards pass = {.model = model,
                              .team = &team,
                              .exec = &exec,
                              .arena = arena,
                              .opts = {.last_only = 1, .want = PSW_WANT_VALUE}};
    psw_shards_pack(&pass, r.pointer, N);
    psw_shards_evaluate(&pass, param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, score);
    for (int i = 0; i < N; i++) mean += score[i] / N;
    for (int i = 0; i < N; i++) square += (score[i] - mean) * (score[i] - mean) / (N - 1);
    *deviation = sqrt(square);
    psw_responses_clear(&r);
    psw_arena_destroy(arena);
    return mean;
}

static void centred_scores_of_the_sft_model_have_mean_0(void **state)
{
    struct fixture *f = *state;
    struct psw_model *model = value_model(f);
    const int64_t n_param = psw_model_n_param(model);
    float *param = aligned_alloc(64, sizeof *param * (size_t)n_param);
    double info[N_INFO], deviation;
    read_reward(f, 0, param, n_param, info);
    const double centred = mean_sft_score(f, model, param, &deviation);
    assert_true(fabs(info[SHIFT]) > 1e-4 * deviation && deviation > 1e-4);
    assert_true(fabs(centred) <= 1e-5 * fabs(info[SHIFT]) + 1e-5); /* rounding of float32 */
    stages_set(f, "reward.center=false");
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_perform(PSW_STAGE_REWARD, &stage, NULL), PSW_OK);
    const double shift = info[SHIFT];
    read_reward(f, 0, param, n_param, info);
    assert_close(info[SHIFT], 0, 0);
    assert_close(mean_sft_score(f, model, param, &deviation), shift, 1e-5);
    free(param);
    psw_model_destroy(model);
}

static void data_without_pairs_make_no_reward_model(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    struct psw_stage_cost cost;
    struct psw_dataset data = *f->data;
    data.pairs.n = 0;
    data.content_hash++;
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    stage.data = &data;
    assert_int_equal(psw_stage_perform(PSW_STAGE_REWARD, &stage, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "no preference pairs"));
    assert_non_null(strstr(err.text, "reward.source: scorer"));
    err = (struct psw_error){0};
    assert_int_equal(psw_stage_predict(PSW_STAGE_REWARD, &stage, 1, &cost, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "no preference pairs"));
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_interrupted_reward_stage_ends_with_the_bits_of_one_rank,
                               stages_afresh),
        cmocka_unit_test_setup(a_reward_model_ranks_held_out_pairs_as_its_labels_do,
                               stages_afresh),
        cmocka_unit_test_setup(a_pair_of_equal_responses_is_a_tie, stages_afresh),
        cmocka_unit_test_setup(centred_scores_of_the_sft_model_have_mean_0, stages_afresh),
        cmocka_unit_test_setup(data_without_pairs_make_no_reward_model, stages_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
