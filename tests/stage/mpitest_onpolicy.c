/* The reward stage and the policy stage of ppo, grpo and dapo on 1, 2 and 4 ranks: interrupted
 * and resumed they end with the bits of one rank that was left alone, in the memory that was
 * planned; first updates are on-policy; what cannot be trained on is refused, what runs away
 * diverges. */
#include "stages.h"

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

/* A test that fails half-way leaves its settings behind. */
static int start_afresh(void **state)
{
    struct fixture *f = *state;
    f->config = f->base;
    return 0;
}

/* "key=value key=value ..." */
static void set(struct fixture *f, const char *text)
{
    char copy[512], *at = NULL;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        assert_int_equal(psw_config_set(&f->config, word, value, NULL), PSW_OK);
    }
    assert_int_equal(psw_config_validate(&f->config, NULL), PSW_OK);
}

/* --- the reward stage ------------------------------------------------------------------------
 */

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
    set(f, "reward.flip=0.3 reward.pairs=24 reward.center=false"); /* another key, all else */
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
        set(f, "reward.steps=40 reward.batch=16 reward.lr=1e-3");
        set(f, flip ? "reward.flip=1" : "reward.flip=0");
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
        item[i] = from->item[i];
        item[i].response[1] = item[i].response[0];
        item[i].n_response[1] = item[i].n_response[0];
    }
    data.pairs_heldout.item = item;
    set(f, "reward.steps=8"); /* a key of its own */
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    stage.data = &data;
    assert_int_equal(psw_stage_perform(PSW_STAGE_REWARD, &stage, NULL), PSW_OK);
    read_reward(f, 0, param, n_param, info);
    assert_close(info[ACCURACY], 0.5, 0);
    assert_close(info[LOSS], log(2), 1e-14);
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
        prompt[i] = &f->data->sft.item[i];
        if (prompt[i]->n_response[0] > longest) longest = prompt[i]->n_response[0];
    }
    assert_int_equal(psw_responses_init(N, 1, longest, &r, NULL), PSW_OK);
    psw_responses_set_prompts(&r, prompt);
    const struct psw_sampler with = {
        .team = &team, .model = f->model, .exec = &exec, .param = sft.param};
    const struct psw_sample_opts opts = {
        .temperature = 1,
        .top_p = 1,
        .eos = f->data->eos,
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
    set(f, "reward.center=false");
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

/* --- the policy stage
 * ------------------------------------------------------------------------- */

/* Every part that has a state of its own: critics, an adaptive coefficient, redraws. */
static const char *const POLICIES[] = {
    "policy.method=ppo reward.source=scorer policy.minibatches=2 policy.kl_target=0.1 "
    "policy.kl_horizon=50",
    "policy.method=ppo reward.source=model policy.critic=shared policy.entropy_coef=0.01",
    "policy.method=ppo reward.source=model policy.critic_lr=1e-2 reward.noise=0.5 "
    "eval.judge=reward",
    "policy.method=grpo reward.source=scorer rollout.samples=4 policy.minibatches=2",
    "policy.method=dapo reward.source=scorer rollout.samples=4 rollout.redraws=3 "
    "rollout.overlong=6 policy.drop=mid"};
enum { N_POLICY = sizeof POLICIES / sizeof *POLICIES };

/* Not only after training, on any rank. */
static void a_trace_without_prompts_is_refused_before_training(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    struct psw_dataset data = *f->data;
    data.prompts_heldout.n = 0;
    set(f, "policy.method=grpo reward.source=scorer rollout.samples=4");
    seen_clear(&f->seen);
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    stage.data = &data;
    assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "no held-out prompt"));
    assert_int_equal(f->seen.n_progress, 0);
}

/* A field of the log. */
static double logged(const struct seen *s, const char *name, int64_t row)
{
    return psw_record_f64(seen_piece(s, name), name, row);
}

static void an_interrupted_policy_stage_emits_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_POLICY; i++) {
        struct seen alone;
        struct psw_stage_cost cost;
        set(f, POLICIES[i]);
        /* 1 + 2 of the 4 steps, then in the trace, then to the end */
        perform_in_pieces(f, PSW_STAGE_POLICY, 3);
        assert_true(f->seen.used_bytes <= f->seen.planned_bytes);
        const struct psw_stage stage = stage_of(f, 0, NULL);
        assert_int_equal(psw_stage_predict(PSW_STAGE_POLICY, &stage,
                                           psw_comm_size(MPI_COMM_WORLD), &cost, NULL),
                         PSW_OK);
        if (rank() == 0)
            assert_int_equal(cost.peak_bytes,
                             f->seen.planned_bytes + psw_dataset_bytes(f->data));
        perform_alone(f, PSW_STAGE_POLICY, &alone);
        assert_true(rank() != 0 || alone.used_bytes <= alone.planned_bytes);
        assert_int_equal(f->seen.n_piece, rank() == 0 ? 6 : 0);
        for (int k = 0; k < f->seen.n_piece; k++)
            assert_same_record(f->seen.piece[k], alone.piece[k]);
        if (rank() == 0)
            assert_int_equal(
                strlen(psw_record_text(seen_piece(&alone, "final_hash"), "final_hash")), 16);
        if (rank() == 0 &&
            i == 0) /* the coefficient has moved, and went on from where it was */
            assert_true(logged(&alone, "kl_coef", 3) != logged(&alone, "kl_coef", 0));
        seen_clear(&alone);
        f->config = f->base;
    }
}

/* All ranks, to the end, in one go, with results of its own. */
static void run(struct fixture *f, const char *settings)
{
    set(f, settings);
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, NULL), PSW_OK);
}

static void the_first_update_of_a_step_is_exactly_on_policy(void **state)
{
    struct fixture *f = *state;
    static const char *const SETTINGS[] = {
        "policy.method=ppo reward.source=scorer policy.epochs=1 seed=1",
        "policy.method=ppo reward.source=scorer policy.epochs=1 policy.critic=shared",
        "policy.method=grpo reward.source=scorer policy.epochs=1 rollout.samples=4",
        "policy.method=ppo reward.source=scorer policy.epochs=2 policy.lr=1e-2"};
    for (int i = 0; i < 4; i++) {
        run(f, SETTINGS[i]);
        for (int64_t row = 0; rank() == 0 && row < 4; row++) {
            assert_true(logged(&f->seen, "grad_norm", row) > 0);
            if (i < 3) {
                assert_close(logged(&f->seen, "approx_kl", row), 0, 0);
                assert_close(logged(&f->seen, "clip_fraction", row), 0, 0);
            } else {
                assert_true(logged(&f->seen, "approx_kl", row) > 0);
            }
        }
        f->config = f->base;
    }
}

/* Interventions change what is learnt, and not what the loss is. In the first step of a single
 * update all of them see the same rollouts. */
static void the_logged_loss_is_that_of_the_plain_objective(void **state)
{
    struct fixture *f = *state;
    static const char *const METHODS[] = {
        "policy.method=ppo reward.source=scorer policy.epochs=1 policy.whiten=false",
        "policy.method=grpo reward.source=scorer policy.epochs=1 rollout.samples=4",
        "policy.method=dapo reward.source=scorer policy.epochs=1 rollout.samples=4"};
    static const char *const CHANGES[] = {"seed=1", /* none */
                                          "policy.reweight=off",
                                          "policy.negative.from=0",
                                          "policy.drop=top",
                                          "policy.positive.from=1.5 policy.negative.from=0.5",
                                          "policy.damp=below policy.tau=0.5"};
    enum { N_CHANGE = sizeof CHANGES / sizeof *CHANGES };
    for (int i = 0; i < 3; i++) {
        double loss = 0, clipped = 0, norm = 0;
        int n_changed = 0;
        for (int k = 0; k < N_CHANGE; k++) {
            set(f, METHODS[i]);
            run(f, CHANGES[k]);
            if (rank() == 0 && k == 0) {
                loss = logged(&f->seen, "train_loss", 0);
                clipped = logged(&f->seen, "clip_fraction", 0);
                norm = logged(&f->seen, "grad_norm", 0);
            } else if (rank() == 0) {
                assert_close(logged(&f->seen, "train_loss", 0), loss, 0);
                assert_close(logged(&f->seen, "clip_fraction", 0), clipped, 0);
                n_changed += logged(&f->seen, "grad_norm", 0) != norm;
            }
            f->config = f->base;
        }
        if (rank() == 0) assert_true(n_changed > N_CHANGE / 2);
    }
}

/* One token and nothing it could be worth: every score is the worst one. */
#define CONSTANT "rollout.max_new=1 reward.missing_eos=-4 reward.source=scorer "

static void equal_scores_teach_nothing_and_give_no_nan(void **state)
{
    struct fixture *f = *state;
    static const char *const SETTINGS[] = {
        CONSTANT "policy.method=dapo rollout.samples=4 rollout.redraws=2",
        CONSTANT "policy.method=grpo rollout.samples=4 policy.kl_coef=0",
        CONSTANT "policy.method=ppo policy.kl_coef=0"};
    for (int i = 0; i < 3; i++) {
        run(f, SETTINGS[i]);
        for (int64_t row = 0; rank() == 0 && row < 4; row++) {
            assert_close(logged(&f->seen, "train_score", row), -4, 0);
            const double mixed = logged(&f->seen, "mixed_groups", row);
            assert_true(i == 2 ? isnan(mixed) : mixed == 0); /* ppo has no groups */
            assert_true(isfinite(logged(&f->seen, "advantage_deviation", row)));
            if (i < 2) assert_close(logged(&f->seen, "grad_norm", row), 0, 0);
        }
        f->config = f->base;
    }
}

static void a_policy_that_runs_away_is_divergence_on_all_ranks(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_POLICY; i++) {
        struct psw_error err = {0};
        set(f, POLICIES[i]);
        set(f, "policy.lr=1000 policy.weight_decay=1000 policy.steps=20 policy.epochs=20");
        seen_clear(&f->seen);
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EDIVERGED);
        assert_non_null(strstr(err.text, "training diverged"));
        const char *step = strstr(err.text, "at step ");
        assert_non_null(step);
        assert_int_equal(atoi(step + 8), 0); /* a step, not one of its updates */
        f->config = f->base;
    }
}

/* What was logged until then is kept, and the fatal step. */
static void a_policy_that_runs_away_later_leaves_its_log_up_to_there(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_POLICY; i++) {
        struct psw_error err = {0};
        set(f, POLICIES[i]);
        set(f, "policy.lr=0.05 policy.steps=100 policy.epochs=1 policy.minibatches=1");
        seen_clear(&f->seen);
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EDIVERGED);
        const char *text = strstr(err.text, "at step ");
        assert_non_null(text);
        const int n_done = atoi(text + 8);
        assert_true(n_done > 0 && n_done < 100);
        assert_int_equal(f->seen.n_piece, rank() == 0 ? 1 : 0);
        if (rank() == 0) {
            const struct psw_field *step = psw_record_get(f->seen.piece[0], "train_step");
            assert_non_null(step);
            assert_int_equal(psw_shape_count(step->shape), n_done + 1);
        }
        f->config = f->base;
    }
}

/* First a flipped bit, then half a file. */
static void damage(const char *path, int half)
{
    char *bytes = NULL;
    size_t n = 0;
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (rank() == 0) {
        assert_int_equal(psw_file_read(path, &bytes, &n, NULL), PSW_OK);
        bytes[n / 2] ^= 4;
        const struct psw_file_part part = {bytes, half ? n / 2 : n};
        assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
        free(bytes);
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void a_damaged_rollout_file_is_set_aside_and_made_again(void **state)
{
    struct fixture *f = *state;
    char dir[PSW_PATH_BYTES], path[PSW_PATH_BYTES];
    set(f, "policy.method=grpo reward.source=scorer rollout.samples=4 seed=1 policy.lr=2e-3");
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_POLICY, dir, NULL), PSW_OK);
    assert_int_equal(psw_path(path, sizeof path, NULL, "%s/rollout-000002.rec", dir), PSW_OK);
    for (int half = 0; half < 2; half++) {
        struct psw_error err = {0};
        seen_clear(&f->seen);
        f->seen.stop_at = 3; /* before the last step and the trace */
        assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_ESTOP);
        damage(path, half);
        seen_again(&f->seen, 0);
        assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, path));
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        assert_false(psw_file_exists(path));
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        seen_again(&f->seen, 0);
        assert_int_equal(f->seen.measured, 1); /* what came before the damage stays */
        assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_OK);
        assert_int_equal(f->seen.n_piece, rank() == 0 ? 6 : 0);
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        assert_true(psw_file_exists(path));
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        if (rank() == 0)
            assert_int_equal(
                psw_stage_forget(f->dir[0], &f->config, f->data->content_hash, NULL), PSW_OK);
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    }
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_interrupted_reward_stage_ends_with_the_bits_of_one_rank,
                               start_afresh),
        cmocka_unit_test_setup(a_reward_model_ranks_held_out_pairs_as_its_labels_do,
                               start_afresh),
        cmocka_unit_test_setup(a_pair_of_equal_responses_is_a_tie, start_afresh),
        cmocka_unit_test_setup(centred_scores_of_the_sft_model_have_mean_0, start_afresh),
        cmocka_unit_test_setup(data_without_pairs_make_no_reward_model, start_afresh),
        cmocka_unit_test_setup(a_trace_without_prompts_is_refused_before_training,
                               start_afresh),
        cmocka_unit_test_setup(an_interrupted_policy_stage_emits_the_bits_of_one_rank,
                               start_afresh),
        cmocka_unit_test_setup(the_first_update_of_a_step_is_exactly_on_policy, start_afresh),
        cmocka_unit_test_setup(the_logged_loss_is_that_of_the_plain_objective, start_afresh),
        cmocka_unit_test_setup(equal_scores_teach_nothing_and_give_no_nan, start_afresh),
        cmocka_unit_test_setup(a_policy_that_runs_away_is_divergence_on_all_ranks,
                               start_afresh),
        cmocka_unit_test_setup(a_policy_that_runs_away_later_leaves_its_log_up_to_there,
                               start_afresh),
        cmocka_unit_test_setup(a_damaged_rollout_file_is_set_aside_and_made_again,
                               start_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
