/* The policy stage of ppo, grpo and dapo on 2 and 4 ranks: interrupted
 * and resumed they end with the bits of one rank that was left alone, in the memory that was
 * planned; first updates are on-policy; what cannot be trained on is refused, what runs away
 * diverges. */
#include "stages.h"

#include <posweep/comm/agree.h>
#include <posweep/optim/state.h>
#include <posweep/parallel/responses.h>
#include <posweep/rollout/rollout_metrics.h>

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
    perform_in_pieces(f, PSW_STAGE_REWARD, 1);
    perform_alone(f, PSW_STAGE_REWARD, &alone);
    seen_clear(&alone);
    return 0;
}

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
    stages_set(f, "policy.method=grpo reward.source=scorer rollout.samples=4");
    seen_clear(&f->seen);
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    stage.data = &data;
    assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "no held-out prompt"));
    assert_int_equal(f->seen.n_progress, 0);
}

static void a_stop_in_the_middle_of_rollouts_changes_no_bit(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    stages_set(f, "policy.method=ppo reward.source=scorer rollout.max_new=0 policy.steps=2 "
                  "policy.minibatches=2 seed=1");
    /* the step is lost, and no more: the next attempt begins with it */
    assert_true(perform_to_the_end(f, PSW_STAGE_POLICY, "stopped in policy at step 0") > 0);
    perform_alone(f, PSW_STAGE_POLICY, &alone);
    for (int k = 0; k < f->seen.n_piece; k++)
        assert_same_record(f->seen.piece[k], alone.piece[k]);
    seen_clear(&alone);
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
        stages_set(f, POLICIES[i]);
        /* 1 + 2 of the 4 steps, then in the trace, then to the end */
        perform_in_pieces(f, PSW_STAGE_POLICY, 3);
        assert_true(f->seen.used_bytes <= f->seen.planned_bytes);
        const struct psw_stage stage = stage_of(f, 0, NULL);
        assert_int_equal(psw_stage_predict(PSW_STAGE_POLICY, &stage,
                                           psw_comm_size(MPI_COMM_WORLD), &cost, NULL),
                         PSW_OK);
        /* the steps, the controller, a row for each of the 4 steps */
        const size_t log_bytes = sizeof(double) * (1 + 1 + 4 * PSW_ROLLOUT_N_METRIC);
        if (rank() == 0)
            assert_int_equal(cost.peak_bytes,
                             f->seen.planned_bytes + psw_dataset_bytes(f->data) + log_bytes);
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
    stages_set(f, settings);
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
            stages_set(f, METHODS[i]);
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
        stages_set(f, POLICIES[i]);
        stages_set(f,
                   "policy.lr=1000 policy.weight_decay=1000 policy.steps=20 policy.epochs=20");
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
        stages_set(f, POLICIES[i]);
        stages_set(f, "policy.lr=0.05 policy.steps=100 policy.epochs=1 policy.minibatches=1");
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
    stages_set(
        f, "policy.method=grpo reward.source=scorer rollout.samples=4 seed=1 policy.lr=2e-3");
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
        cmocka_unit_test_setup(a_trace_without_prompts_is_refused_before_training,
                               stages_afresh),
        cmocka_unit_test_setup(an_interrupted_policy_stage_emits_the_bits_of_one_rank,
                               stages_afresh),
        cmocka_unit_test_setup(a_stop_in_the_middle_of_rollouts_changes_no_bit, stages_afresh),
        cmocka_unit_test_setup(the_first_update_of_a_step_is_exactly_on_policy, stages_afresh),
        cmocka_unit_test_setup(the_logged_loss_is_that_of_the_plain_objective, stages_afresh),
        cmocka_unit_test_setup(equal_scores_teach_nothing_and_give_no_nan, stages_afresh),
        cmocka_unit_test_setup(a_policy_that_runs_away_is_divergence_on_all_ranks,
                               stages_afresh),
        cmocka_unit_test_setup(a_policy_that_runs_away_later_leaves_its_log_up_to_there,
                               stages_afresh),
        cmocka_unit_test_setup(a_damaged_rollout_file_is_set_aside_and_made_again,
                               stages_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
