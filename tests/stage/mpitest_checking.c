/* Nothing above the kernels follows a pointer to a buffer: whole runs of dpo and of ppo, every
 * stage of them, over a backend whose buffers cannot be touched. They end with the cpu's bits.
 */
#include "stages.h"
#include <support/checking.h>

#include <posweep/config/leaves.h>
#include <posweep/config/model_dir.h>
#include <posweep/util/hash.h>
#include <stdio.h>
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

/* What a run has kept is a model that another one begins with. */
static void a_given_model_follows_no_pointer_to_a_buffer(void **state)
{
    struct fixture *f = *state;
    char run[PSW_HASH_TEXT_BYTES], from[PSW_CFG_PATH];
    uint64_t hash = 0;
    set(f, "policy.method", "dpo");
    set(f, "limits.keep", "checkpoints");
    run_ends_with_the_bits_of_the_cpu(f);
    psw_hash_text(psw_config_hash(&f->config, PSW_CFG_IN_RUN), run);
    snprintf(from, sizeof from, "%s/kept/%s/sft", f->dir[0], run);
    assert_int_equal(psw_model_dir_read(from, &f->config.model, NULL), PSW_OK);
    assert_int_equal(psw_model_dir_hash(from, &hash, NULL), PSW_OK);
    set(f, "model.from", from);
    f->config.model.weights = (int64_t)hash;
    set(f, "sft.steps", "0");
    run_ends_with_the_bits_of_the_cpu(f);
}

/* A critic of its own, which begins as the reward model. */
static void ppo_follows_no_pointer_to_a_buffer(void **state)
{
    struct fixture *f = *state;
    set(f, "policy.method", "ppo");
    set(f, "reward.source", "model");
    set(f, "limits.keep", "final");
    run_ends_with_the_bits_of_the_cpu(f);
}

/* The critic shares the trunk, entropy has a bonus, and llama's operations are others. */
static void ppo_of_llama_with_a_shared_critic_follows_none(void **state)
{
    struct fixture *f = *state;
    struct psw_model_dims dims;
    set(f, "model.family", "llama");
    psw_model_destroy(f->model);
    assert_int_equal(psw_stage_model_dims(&f->config, f->data->tokenizer->n_vocab, &dims, NULL),
                     PSW_OK);
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
        cmocka_unit_test_setup(a_given_model_follows_no_pointer_to_a_buffer, stages_afresh),
        cmocka_unit_test_setup(ppo_follows_no_pointer_to_a_buffer, stages_afresh),
        cmocka_unit_test_setup(ppo_of_llama_with_a_shared_critic_follows_none, stages_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
