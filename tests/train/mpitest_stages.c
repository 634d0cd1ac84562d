/* The three stages of a run on 1, 2 and 4 ranks: interrupted and resumed they end with the bits
 * of one rank that was left alone; they use the memory that was planned; NaN is divergence. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/model.h>
#include <posweep/store/schema.h>
#include <posweep/train/stage.h>
#include <posweep/train/state.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PIECE = 16 };

/* What the hooks saw. */
struct seen {
    int n_asked, stop_at; /* asked to stop so often; say yes at this time (0: never) */
    int n_progress, n_piece;
    struct psw_record *piece[MAX_PIECE]; /* owned */
    size_t planned_bytes, used_bytes;
};

struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
    char dir[2][300]; /* of all ranks together, of rank 0 alone */
    char top[256];
    struct seen seen;
};

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static void on_progress(void *ctx, double done, double total)
{
    struct seen *s = ctx;
    assert_true(done > 0 && done <= total);
    s->n_progress++;
}

static int on_should_stop(void *ctx)
{
    struct seen *s = ctx;
    return ++s->n_asked == s->stop_at;
}

static void on_emit(void *ctx, struct psw_record *piece)
{
    struct seen *s = ctx;
    const void *bytes = NULL;
    size_t n = 0;
    assert_true(s->n_piece < MAX_PIECE);
    assert_int_equal(psw_record_pack(piece, &bytes, &n, NULL), PSW_OK);
    assert_int_equal(psw_record_unpack(bytes, n, &s->piece[s->n_piece++], NULL), PSW_OK);
}

static void on_memory(void *ctx, size_t planned_bytes, size_t used_bytes)
{
    struct seen *s = ctx;
    s->planned_bytes = planned_bytes;
    s->used_bytes = used_bytes;
}

static void seen_clear(struct seen *s)
{
    for (int i = 0; i < s->n_piece; i++) psw_record_destroy(s->piece[i]);
    *s = (struct seen){0};
}

static int setup(void **state)
{
    static struct fixture f;
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "64"},        {"lists.pairs", "80"},      {"model.layers", "2"},
        {"model.width", "96"},      {"sft.steps", "6"},         {"sft.batch", "8"},
        {"policy.steps", "6"},      {"policy.batch", "8"},      {"policy.lr", "1e-3"},
        {"final.prompts", "8"},     {"final.max_new", "16"},    {"trace.every", "3"},
        {"trace.probe", "8"},       {"trace.tokens", "true"},   {"trace.cosine_every", "3"},
        {"trace.directions", "on"}, {"log.every", "2"},         {"policy.clip", "0.1"},
        {"policy.warmup", "3"},     {"sft.weight_decay", "0.1"}};
    struct psw_model_dims dims;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (psw_config_set(&f.config, SETTINGS[i][0], SETTINGS[i][1], NULL) != PSW_OK)
            return -1;
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK ||
        psw_stage_model_dims(&f.config, f.data->n_vocab, &dims, NULL) != PSW_OK ||
        psw_model_create(&dims, &f.model, NULL) != PSW_OK)
        return -1;
    if (rank() == 0) support_temp_dir(f.top);
    PSW_MPI(MPI_Bcast(f.top, sizeof f.top, MPI_BYTE, 0, MPI_COMM_WORLD));
    for (int alone = 0; alone < 2; alone++) {
        snprintf(f.dir[alone], sizeof f.dir[alone], "%s/%s", f.top, alone ? "alone" : "all");
        if (rank() == 0 && psw_file_make_dir(f.dir[alone], NULL) != PSW_OK) return -1;
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    seen_clear(&f->seen);
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    return rank() == 0 && psw_file_remove_tree(f->top, NULL) != PSW_OK;
}

static struct psw_stage stage_of(struct fixture *f, int alone, struct seen *seen)
{
    return (struct psw_stage){.config = &f->config,
                              .data = f->data,
                              .model = f->model,
                              .comm = alone ? MPI_COMM_SELF : MPI_COMM_WORLD,
                              .work_dir = f->dir[alone],
                              .attempt = 1,
                              .hooks = {.ctx = seen,
                                        .progress = on_progress,
                                        .should_stop = on_should_stop,
                                        .emit = on_emit,
                                        .memory = on_memory}};
}

static psw_status perform(enum psw_stage_kind kind, const struct psw_stage *stage,
                          struct psw_error *err)
{
    static psw_status (*const STAGE[PSW_N_STAGE])(
        const struct psw_stage *, struct psw_error *) = {psw_stage_sft, psw_stage_ref,
                                                         psw_stage_policy};
    return STAGE[kind](stage, err);
}

/* On all ranks, stopped again and again, each time a little later; the last time to the end. */
static void perform_in_pieces(struct fixture *f, enum psw_stage_kind kind, int n_stop)
{
    struct psw_error err = {0};
    for (int i = 1; i <= n_stop; i++) {
        seen_clear(&f->seen);
        f->seen.stop_at = i;
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(perform(kind, &stage, &err), PSW_ESTOP);
        assert_non_null(strstr(err.text, "stopped in"));
        assert_int_equal(f->seen.n_piece, 0);
    }
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(perform(kind, &stage, &err), PSW_OK);
}

/* By rank 0 alone, in one go. */
static void perform_alone(struct fixture *f, enum psw_stage_kind kind, struct seen *seen)
{
    *seen = (struct seen){0};
    const struct psw_stage stage = stage_of(f, 1, seen);
    if (rank() == 0) assert_int_equal(perform(kind, &stage, NULL), PSW_OK);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void assert_same_result(struct fixture *f, enum psw_stage_kind kind)
{
    char path[PSW_PATH_BYTES], *bytes[2] = {NULL, NULL};
    size_t n[2];
    for (int alone = 0; alone < 2; alone++) {
        const struct psw_stage stage = stage_of(f, alone, NULL);
        assert_int_equal(psw_stage_path(&stage, kind, path, NULL), PSW_OK);
        assert_int_equal(psw_file_read(path, &bytes[alone], &n[alone], NULL), PSW_OK);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(bytes[0], bytes[1], n[0]);
    free(bytes[0]);
    free(bytes[1]);
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
    assert_int_equal(psw_state_read(&self, path, &sft, NULL), PSW_OK);
    const struct psw_examples *const list[2] = {&f->data->pairs, &f->data->pairs_heldout};
    for (int l = 0; l < 2; l++) {
        const struct psw_example *last = &list[l]->item[list[l]->n - 1];
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

static void assert_same_record(const struct psw_record *a, const struct psw_record *b)
{
    assert_int_equal(psw_record_n_field(a), psw_record_n_field(b));
    for (int64_t i = 0; i < psw_record_n_field(a); i++) {
        const struct psw_field *x = psw_record_field(a, i), *y = psw_record_field(b, i);
        assert_string_equal(x->name, y->name);
        const struct psw_schema_row *row = psw_schema_row_find(x->name);
        if (row && (row->flags & PSW_S_VOLATILE)) continue; /* a time */
        assert_int_equal(psw_shape_count(x->shape), psw_shape_count(y->shape));
        const size_t n = (size_t)psw_shape_count(x->shape) * psw_type_bytes(x->type);
        if (n) assert_memory_equal(x->data, y->data, n);
    }
}

static void an_interrupted_policy_stage_emits_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    struct seen alone;
    /* 1 + 2 + 3 = all 6 steps, the third time at the very end; then each time in the trace */
    perform_in_pieces(f, PSW_STAGE_POLICY, 2);
    perform_alone(f, PSW_STAGE_POLICY, &alone);
    if (rank() == 0) {
        assert_int_equal(f->seen.n_piece, 5); /* three checkpoints, the log, the end */
        assert_int_equal(alone.n_piece, 5);
        for (int i = 0; i < 5; i++) assert_same_record(f->seen.piece[i], alone.piece[i]);
        assert_int_equal(strlen(psw_record_text(alone.piece[4], "final_hash")), 16);
        assert_true(isfinite(psw_record_f64(alone.piece[2], "G", 0)));
    } else {
        assert_int_equal(f->seen.n_piece, 0);
    }
    seen_clear(&alone);
}

static void a_stage_that_is_done_is_not_done_again(void **state)
{
    struct fixture *f = *state;
    for (int kind = PSW_STAGE_SFT; kind <= PSW_STAGE_REF; kind++) {
        seen_clear(&f->seen);
        const struct psw_stage stage = stage_of(f, 0, &f->seen);
        assert_int_equal(perform((enum psw_stage_kind)kind, &stage, NULL), PSW_OK);
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
        assert_int_equal(perform((enum psw_stage_kind)kind, &stage, NULL), PSW_OK);
        assert_int_equal(psw_stage_predict((enum psw_stage_kind)kind, &stage,
                                           psw_comm_size(MPI_COMM_WORLD), &cost, NULL),
                         PSW_OK);
        assert_true(f->seen.used_bytes <= f->seen.planned_bytes);
        if (rank() == 0) {
            assert_int_equal(cost.peak_bytes, f->seen.planned_bytes);
            assert_true((double)f->seen.used_bytes >= 0.9 * (double)cost.peak_bytes);
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
    f->config.policy.train.steps = 20;
    seen_clear(&f->seen);
    const struct psw_stage stage = stage_of(f, 0, &f->seen);
    assert_int_equal(perform(PSW_STAGE_POLICY, &stage, &err), PSW_EDIVERGED);
    assert_non_null(strstr(err.text, "gradient norm at step"));
    f->config = kept;
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_sft_stage_ends_with_the_bits_of_one_rank),
        cmocka_unit_test(the_reference_has_the_log_probabilities_of_the_sft_model),
        cmocka_unit_test(an_interrupted_policy_stage_emits_the_bits_of_one_rank),
        cmocka_unit_test(a_stage_that_is_done_is_not_done_again),
        cmocka_unit_test(forgetting_a_run_keeps_what_others_share),
        cmocka_unit_test(every_stage_takes_the_memory_that_was_planned),
        cmocka_unit_test(parameters_that_run_away_are_divergence_on_all_ranks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
