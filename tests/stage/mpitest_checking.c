/* Nothing above the kernels follows a pointer to a buffer: whole runs of dpo and of ppo, every
 * stage of them, over a backend whose buffers cannot be touched. They end with the cpu's bits.
 */
#include "stages.h"
#include <support/checking.h>

#include <stdlib.h>

static int setup(void **state)
{
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "32"},        {"lists.pairs", "32"},    {"model.layers", "1"},
        {"model.width", "32"},      {"model.heads", "2"},     {"sft.steps", "3"},
        {"sft.batch", "8"},         {"policy.steps", "4"},    {"policy.batch", "8"},
        {"final.prompts", "4"},     {"eval.prompts", "4"},    {"final.max_new", "8"},
        {"trace.every", "2"},       {"trace.tokens", "true"}, {"trace.cosine_every", "4"},
        {"trace.directions", "on"}, {"log.every", "1"},       {"rollout.max_new", "8"},
        {"reward.steps", "3"},      {"reward.batch", "8"},    {"trace.probe", "4"},
        {"trace.sketch", "64"}};
    return stages_setup(state, SETTINGS, sizeof SETTINGS / sizeof *SETTINGS);
}

static void set(struct fixture *f, const char *key, const char *value)
{
    assert_int_equal(psw_config_set(&f->config, key, value, NULL), PSW_OK);
}

/* All stages, stopped once in the policy's training; then rank 0 alone on the cpu. */
static void run_ends_with_the_bits_of_the_cpu(struct fixture *f)
{
    struct seen alone;
    struct psw_error err = {0};
    struct psw_stage stage = stage_of(f, 0, &f->seen);
    const unsigned stages = psw_stages_of(&f->config);
    assert_int_equal(psw_config_validate(&f->config, NULL), PSW_OK);
    stage.backend = &checking_backend;
    static const enum psw_stage_kind ORDER[] = {PSW_STAGE_SFT, PSW_STAGE_REF, PSW_STAGE_REWARD,
                                                PSW_STAGE_POLICY};
    for (int i = 0; i < PSW_N_STAGE; i++) {
        const enum psw_stage_kind kind = ORDER[i];
        if (!(stages >> kind & 1)) continue;
        seen_clear(&f->seen);
        if (kind == PSW_STAGE_POLICY) {
            seen_again(&f->seen, 2);
            assert_int_equal(psw_stage_perform(kind, &stage, &err), PSW_ESTOP);
            seen_again(&f->seen, 0);
        }
        assert_int_equal(psw_stage_perform(kind, &stage, &err), PSW_OK);
        perform_alone(f, kind, &alone);
        if (kind != PSW_STAGE_POLICY) seen_clear(&alone);
    }
    if (rank() == 0) {
        assert_true(alone.n_piece > 3); /* points, the log, the end */
        assert_int_equal(f->seen.n_piece, alone.n_piece);
        for (int i = 0; i < alone.n_piece; i++)
            assert_same_record(f->seen.piece[i], alone.piece[i]);
    }
    seen_clear(&alone);
}

static void dpo_follows_no_pointer_to_a_buffer(void **state)
{
    struct fixture *f = *state;
    set(f, "policy.method", "dpo");
    run_ends_with_the_bits_of_the_cpu(f);
}

/* A critic of its own, which begins as the reward model. */
static void ppo_follows_no_pointer_to_a_buffer(void **state)
{
    struct fixture *f = *state;
    set(f, "policy.method", "ppo");
    set(f, "reward.source", "model");
    run_ends_with_the_bits_of_the_cpu(f);
}

/* The critic shares the trunk, entropy has a bonus, and llama's operations are others. */
static void ppo_of_llama_with_a_shared_critic_follows_none(void **state)
{
    struct fixture *f = *state;
    struct psw_model_dims dims;
    set(f, "model.family", "llama");
    psw_model_destroy(f->model);
    assert_int_equal(psw_stage_model_dims(&f->config, f->data->n_vocab, &dims, NULL), PSW_OK);
    assert_int_equal(psw_model_create(&dims, &f->model, NULL), PSW_OK);
    set(f, "policy.method", "ppo");
    set(f, "policy.critic", "shared");
    set(f, "policy.entropy_coef", "0.01");
    run_ends_with_the_bits_of_the_cpu(f);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(dpo_follows_no_pointer_to_a_buffer, stages_afresh),
        cmocka_unit_test_setup(ppo_follows_no_pointer_to_a_buffer, stages_afresh),
        cmocka_unit_test_setup(ppo_of_llama_with_a_shared_critic_follows_none, stages_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
