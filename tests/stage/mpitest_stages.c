/* The three stages of a pairwise run on 2 and 4 ranks: interrupted and resumed they end with
 * the bits of one rank that was left alone; they use the memory that was planned; NaN is
 * divergence. */
#include "stages.h"
#include <support/example_at.h>

#include <posweep/comm/agree.h>
#include <posweep/optim/state.h>

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "64"},        {"lists.pairs", "80"},       {"model.layers", "2"},
        {"model.width", "96"},      {"sft.steps", "6"},          {"sft.batch", "8"},
        {"policy.steps", "6"},      {"policy.batch", "8"},       {"policy.lr", "1e-3"},
        {"final.prompts", "8"},     {"final.max_new", "16"},     {"trace.every", "3"},
        {"eval.prompts", "4"},      {"eval.pairs", "100"},       {"trace.probe", "8"},
        {"trace.tokens", "true"},   {"trace.cosine_every", "3"}, {"trace.directions", "on"},
        {"log.every", "2"},         {"policy.clip", "0.1"},      {"policy.warmup", "3"},
        {"sft.weight_decay", "0.1"}};
    return stages_setup(state, SETTINGS, sizeof SETTINGS / sizeof *SETTINGS);
}

static void an_interrupted_sft_stage_ends_with_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    perform_in_pieces(f, PSW_STAGE_SFT, 2);
    perform_alone(f, PSW_STAGE_SFT, &alone);
    assert_same_result(f, PSW_STAGE_SFT);
}

static void the_reference_has_the_log_probabilities_of_the_sft_model(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    perform_in_pieces(f, PSW_STAGE_REF, 1);
    perform_alone(f, PSW_STAGE_REF, &alone);
    assert_same_result(f, PSW_STAGE_REF);
    struct psw_stage stage = stage_of(f, 0, NULL);
    char path[PSW_PATH_BYTES], *bytes = NULL;
    size_t n = 0;
    struct psw_record *record = NULL;
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_REF, path, NULL), PSW_OK);
    assert_int_equal(psw_file_read(path, &bytes, &n, NULL), PSW_OK);
    assert_int_equal(psw_record_unpack(bytes, n, &record, NULL), PSW_OK);
    free(bytes);

    /* The last pair of both lists, computed on its own. */
    struct psw_team self;
    struct psw_arena *arena = NULL;
    assert_int_equal(psw_team_init(MPI_COMM_SELF, 1, &self, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("one pair", 64 << 20, &arena, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    struct psw_state sft = {.key =
                                psw_stage_key(PSW_STAGE_SFT, &f->config, f->data->content_hash),
                            .n_param = psw_model_n_param(f->model),
                            .param = psw_arena_f32(arena, psw_model_n_param(f->model))};
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_SFT, path, NULL), PSW_OK);
    assert_int_equal(psw_state_read(&self, &(struct psw_exec){0}, path, &sft, NULL), PSW_OK);
    const struct psw_examples *const list[2] = {&f->data->pairs, &f->data->pairs_heldout};
    for (int l = 0; l < 2; l++) {
        const struct psw_example *last = example_at(list[l], list[l]->n - 1);
        double logp[2];
        struct psw_shards pass = {.model = f->model,
                                  .team = &self,
                                  .exec = &exec,
                                  .arena = arena,
                                  .opts = {.temperature = 1.0}};
        psw_shards_pack(&pass, &last, 1);
        psw_shards_evaluate(&pass, sft.param);
        psw_shards_sum_logp(&pass, logp);
        for (int s = 0; s < 2; s++)
            assert_close(
                psw_record_f64(record, l ? "heldout" : "train", 2 * (list[l]->n - 1) + s),
                logp[s], 1e-5);
    }
    psw_arena_destroy(arena);
    psw_record_destroy(record);
}

static void an_interrupted_policy_stage_emits_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    /* 1 + 2 + 3 = all 6 steps, the third time in the trace, behind its first point */
    perform_in_pieces(f, PSW_STAGE_POLICY, 3);
    assert_int_equal(f->seen.measured, 1);
    perform_alone(f, PSW_STAGE_POLICY, &alone);
    if (rank() == 0) {
        assert_int_equal(f->seen.n_piece, 6); /* three checkpoints, samples, the log, the end */
        assert_int_equal(alone.n_piece, 6);
        for (int i = 0; i < 6; i++) assert_same_record(f->seen.piece[i], alone.piece[i]);
        const struct psw_record *end = seen_piece(&alone, "final_hash");
        assert_int_equal(strlen(psw_record_text(end, "final_hash")), 16);
        assert_int_equal(psw_record_i64(end, "final_prompts", 0, -1), 8);
        assert_int_equal(psw_record_i64(end, "eval_prompts", 0, -1), 4);
        assert_int_equal(psw_record_i64(end, "heldout_pairs", 0, -1), 100);
        assert_true(isfinite(psw_record_f64(seen_piece(&alone, "G"), "G", 0)));
        const struct psw_field *said =
            psw_record_get(seen_piece(&alone, "sample_response"), "sample_score");
        assert_int_equal(psw_shape_count(said->shape), 4); /* all evaluation prompts */
    } else {
        assert_int_equal(f->seen.n_piece, 0);
    }
    seen_clear(&alone);
}

/* What stops have kept of responses. */
static void assert_responses_are_kept(struct fixture *f)
{
    char path[PSW_PATH_BYTES];
    glob_t found;
    const struct psw_stage stage = stage_of(f, 0, NULL);
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_POLICY, path, NULL), PSW_OK);
    assert_true(strlen(path) + sizeof "/*.responses" <= sizeof path);
    strcat(path, "/*.responses");
    if (rank() > 0) return;
    assert_int_equal(glob(path, 0, NULL, &found), 0);
    globfree(&found);
}

static void a_stop_in_the_middle_of_final_responses_changes_no_bit(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    stages_set(f, "seed=3 final.max_new=0 final.prompts=16 eval.prompts=16");
    perform_in_pieces(f, PSW_STAGE_SFT, 0);
    perform_alone(f, PSW_STAGE_SFT, &alone);
    perform_in_pieces(f, PSW_STAGE_REF, 0);
    perform_alone(f, PSW_STAGE_REF, &alone);
    assert_true(perform_to_the_end(f, PSW_STAGE_POLICY, "in the sampling of") > 1);
    assert_responses_are_kept(f);
    perform_alone(f, PSW_STAGE_POLICY, &alone);
    if (rank() == 0) {
        assert_int_equal(f->seen.n_piece, alone.n_piece);
        for (int i = 0; i < alone.n_piece; i++)
            assert_same_record(f->seen.piece[i], alone.piece[i]);
    }
    seen_clear(&alone);
}

/* Rank 0 flips a bit in the middle of a file. */
static void damage(const char *path)
{
    char *bytes = NULL;
    size_t n = 0;
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (rank() == 0) {
        assert_int_equal(psw_file_read(path, &bytes, &n, NULL), PSW_OK);
        bytes[n / 2] ^= 4;
        const struct psw_file_part part = {bytes, n};
        assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
        free(bytes);
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void perform_again(struct fixture *f, enum psw_stage_kind kind, psw_status want,
                          const char *text)
{
    struct psw_error err = {0};
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_perform(kind, &stage, &err), want);
    if (text && rank() == 0) assert_non_null(strstr(err.text, text));
}

/* After a whole policy stage. */
static void a_damaged_file_is_set_aside_and_computed_again(void **state)
{
    static const struct {
        enum psw_stage_kind kind; /* that leaves it */
        const char *name;         /* in the run's folder; NULL: the stage's own file */
    } FILES[] = {{PSW_STAGE_REF, NULL},
                 {PSW_STAGE_POLICY, "resume.state"},
                 {PSW_STAGE_POLICY, "ckpt-000006.state"}};
    struct fixture *f = *state;
    struct seen alone;
    char path[PSW_PATH_BYTES], away[PSW_PATH_BYTES + 16];
    perform_alone(f, PSW_STAGE_POLICY, &alone);
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        const struct psw_stage stage = stage_of(f, 0, NULL);
        assert_int_equal(psw_stage_path(&stage, FILES[i].kind, path, NULL), PSW_OK);
        if (FILES[i].name)
            snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", FILES[i].name);
        snprintf(away, sizeof away, "%s.damaged-1", path);
        damage(path);
        perform_again(f, PSW_STAGE_POLICY, PSW_EDATA, away);
        perform_again(f, FILES[i].kind, PSW_OK, NULL);
        perform_again(f, PSW_STAGE_POLICY, PSW_OK, NULL);
        if (rank() > 0) continue;
        assert_true(psw_file_exists(path));
        assert_true(psw_file_exists(away));
        for (int k = 0; k < 6; k++) assert_same_record(f->seen.piece[k], alone.piece[k]);
    }
    seen_clear(&alone);
}

/* At the first step the policy is the reference. The passes of a small batch and of the
 * reference's blocks differ in the last bits, which must not make dpop's penalty. */
static void the_first_step_of_dpop_is_that_of_dpo(void **state)
{
    struct fixture *f = *state;
    double norm[2];
    const struct psw_config kept = f->config;
    f->config.policy.train.steps = 1;
    f->config.trace.cosine_every = f->config.trace.every = f->config.log.every = 1;
    for (int i = 0; i < 2; i++) {
        struct seen alone;
        f->config.policy.method = i ? PSW_METHOD_DPOP : PSW_METHOD_DPO;
        f->config.policy.lambda = 50;
        perform_alone(f, PSW_STAGE_POLICY, &alone);
        if (rank() == 0)
            norm[i] = psw_record_f64(seen_piece(&alone, "grad_norm"), "grad_norm", 0);
        seen_clear(&alone);
    }
    if (rank() == 0) assert_close(norm[1], norm[0], 1e-5 * norm[0]);
    f->config = kept;
}

static void a_stage_that_is_done_is_not_done_again(void **state)
{
    struct fixture *f = *state;
    for (int kind = PSW_STAGE_SFT; kind <= PSW_STAGE_REF; kind++) {
        seen_clear(&f->seen);
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(psw_stage_perform((enum psw_stage_kind)kind, &stage, NULL), PSW_OK);
        assert_int_equal(f->seen.n_progress, 0);
    }
}

static void forgetting_a_run_keeps_what_others_share(void **state)
{
    struct fixture *f = *state;
    char path[PSW_PATH_BYTES];
    const struct psw_stage stage = stage_of(f, 0, NULL);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (rank() != 0) return;
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_POLICY, path, NULL), PSW_OK);
    assert_true(psw_file_exists(path));
    assert_int_equal(psw_stage_forget(f->dir[0], &f->config, f->data->content_hash, NULL),
                     PSW_OK);
    assert_false(psw_file_exists(path));
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_SFT, path, NULL), PSW_OK);
    assert_true(psw_file_exists(path));
}

/* Everything again, in a fresh folder, to see what it takes. */
static void every_stage_takes_the_memory_that_was_planned(void **state)
{
    struct fixture *f = *state;
    const int64_t seed = f->config.seed;
    f->config.seed = 2; /* other keys: nothing is there yet */
    for (int kind = 0; kind <= PSW_STAGE_POLICY; kind++) {
        struct psw_stage_cost cost;
        seen_clear(&f->seen);
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(psw_stage_perform((enum psw_stage_kind)kind, &stage, NULL), PSW_OK);
        assert_int_equal(psw_stage_predict((enum psw_stage_kind)kind, &stage,
                                           psw_comm_size(MPI_COMM_WORLD), &cost, NULL),
                         PSW_OK);
        assert_true(f->seen.used_bytes <= f->seen.planned_bytes);
        /* the steps, 3 rows of 12 metrics */
        const size_t log_bytes = kind == PSW_STAGE_POLICY ? sizeof(double) * (1 + 3 * 12) : 0;
        if (rank() == 0) {
            assert_int_equal(cost.peak_bytes,
                             f->seen.planned_bytes + psw_dataset_bytes(f->data) + log_bytes);
            assert_true((double)f->seen.used_bytes >= 0.9 * (double)f->seen.planned_bytes);
        }
    }
    f->config.seed = seed;
}

static void parameters_that_run_away_are_divergence_on_all_ranks(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    const struct psw_config kept = f->config;
    f->config.policy.train.lr = 1000;
    f->config.policy.train.weight_decay = 100;
    f->config.policy.train.warmup = 0;
    f->config.policy.train.steps = 20;
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_perform(PSW_STAGE_POLICY, &stage, &err), PSW_EDIVERGED);
    assert_non_null(strstr(err.text, "at step 0: the norm of the parameters is"));
    if (rank() == 0) { /* the log, the fatal step included */
        assert_int_equal(f->seen.n_piece, 1);
        const struct psw_record *log = f->seen.piece[0];
        assert_int_equal(psw_record_i64(log, "train_step", 0, -1), 0);
        assert_true(psw_record_f64(log, "param_norm", 0) > 1e5);
        assert_close(psw_record_f64(log, "train_loss", 0), 0.693147, 1e-3);
    }
    f->config = kept;
}

/* The second time in pieces of two steps: growth is measured from the SFT model all the same.
 */
static void parameters_that_grow_slowly_diverge_when_interrupted_as_when_not(void **state)
{
    struct fixture *f = *state;
    struct psw_error err[2] = {{0}, {0}};
    const struct psw_config kept = f->config;
    f->config.policy.train.lr = 0.4;
    f->config.policy.train.steps = 30;
    for (int i = 0; i < 2; i++) {
        psw_status rc = PSW_ESTOP;
        const struct psw_stage clean = stage_of(f, 0, NULL);
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        if (rank() == 0)
            assert_int_equal(
                psw_stage_forget(clean.work_dir, &f->config, f->data->content_hash, NULL),
                PSW_OK);
        PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
        while (rc == PSW_ESTOP) {
            seen_clear(&f->seen);
            f->seen.stop_at = i ? 2 : 0;
            const struct psw_stage stage = stage_of(f, 0, &f->seen);
            rc = psw_stage_perform(PSW_STAGE_POLICY, &stage, &err[i]);
        }
        assert_int_equal(rc, PSW_EDIVERGED);
    }
    assert_string_equal(err[0].text, err[1].text);
    assert_non_null(strstr(err[0].text, "the norm of the parameters is"));
    assert_null(strstr(err[0].text, "at step 0:"));
    f->config = kept;
}

static void a_start_model_that_is_worse_than_guessing_is_divergence(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    const struct psw_config kept = f->config;
    f->config.sft.lr = 1000;
    f->config.sft.weight_decay = 0;
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(psw_stage_perform(PSW_STAGE_SFT, &stage, &err), PSW_EDIVERGED);
    assert_non_null(strstr(err.text, "the loss per token is"));
    f->config = kept;
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_sft_stage_ends_with_the_bits_of_one_rank),
        cmocka_unit_test(the_reference_has_the_log_probabilities_of_the_sft_model),
        cmocka_unit_test(an_interrupted_policy_stage_emits_the_bits_of_one_rank),
        cmocka_unit_test(a_damaged_file_is_set_aside_and_computed_again),
        cmocka_unit_test(the_first_step_of_dpop_is_that_of_dpo),
        cmocka_unit_test(a_stage_that_is_done_is_not_done_again),
        cmocka_unit_test(forgetting_a_run_keeps_what_others_share),
        cmocka_unit_test(every_stage_takes_the_memory_that_was_planned),
        cmocka_unit_test(parameters_that_run_away_are_divergence_on_all_ranks),
        cmocka_unit_test(parameters_that_grow_slowly_diverge_when_interrupted_as_when_not),
        cmocka_unit_test(a_start_model_that_is_worse_than_guessing_is_divergence),
        cmocka_unit_test_setup(a_stop_in_the_middle_of_final_responses_changes_no_bit,
                               stages_afresh),
    };
    return cmocka_run_group_tests(tests, setup, stages_teardown);
}
