/* Rollouts of a step, on 1 and 2 ranks: groups of all sizes that a sweep may ask for, and the
 * books of dynamic sampling: whatever was drawn again, prompts, tokens and scores belong
 * together, and the same step draws the same. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/rollout/rollout_metrics.h>
#include <posweep/stage/stage.h>

#include <math.h>
#include <string.h>

enum { ARENA_BYTES = 16 << 20, N_SHARD = 4 };

/* A model without any training: it rarely ends a response, so many groups have equal scores. */
struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
    struct psw_arena *arena;
    struct psw_team team;
    struct psw_exec exec;
    struct psw_reward_function reward;
    float *param;
};

static void set(struct psw_config *c, const char *path, const char *text)
{
    assert_int_equal(psw_config_set(c, path, text, NULL), PSW_OK);
}

static int setup(void **state)
{
    static struct fixture f;
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "8"},          {"lists.pairs", "40"},    {"model.layers", "1"},
        {"model.width", "16"},       {"model.heads", "2"},     {"policy.method", "dapo"},
        {"reward.source", "scorer"}, {"policy.batch", "32"},   {"rollout.samples", "4"},
        {"rollout.max_new", "8"},    {"rollout.redraws", "3"}, {"policy.steps", "20"},
        {"trace.probe", "8"}};
    struct psw_model_dims dims;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        set(&f.config, SETTINGS[i][0], SETTINGS[i][1]);
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK ||
        psw_stage_model_dims(&f.config, f.data->tokenizer->n_vocab, &dims, NULL) != PSW_OK ||
        psw_model_create(&dims, &f.model, NULL) != PSW_OK ||
        psw_arena_create("rollout", ARENA_BYTES, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team, NULL) != PSW_OK)
        return -1;
    f.param = psw_arena_f32(f.arena, psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 1, f.param);
    f.exec = (struct psw_exec){.n_thread = 1, .scratch = f.arena};
    if (psw_reward_function_init(&f.config, f.data, NULL, &f.reward, NULL) != PSW_OK) return -1;
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model);
    psw_dataset_destroy(f->data);
    return 0;
}

static void sample(struct fixture *f, int64_t step, struct psw_rollout *r)
{
    const struct psw_rollout_with with = {
        .config = &f->config,
        .data = f->data,
        .sampler = {.team = &f->team, .model = f->model, .exec = &f->exec, .param = f->param},
        .reward = &f->reward,
        .step = step};
    assert_int_equal(psw_rollout_sample(r, &with, NULL), PSW_OK);
}

/* Prompt, tokens and score of every response, found again from the place of its prompt. */
static void assert_books(const struct fixture *f, const struct psw_rollout *r)
{
    const struct psw_examples *list = psw_dataset_rollout_prompts(f->data);
    const struct psw_responses *s = &r->responses;
    for (int64_t q = 0; q < r->rows.n_seq; q++) {
        const int64_t i = q / r->rows.n_sample;
        const struct psw_example *e = s->pointer[i];
        const int32_t *token = s->token + q * s->stride, n = s->n_token[q];
        assert_ptr_equal(e->prompt, psw_examples_at(list, r->index[i]).prompt);
        assert_int_equal(e->n_prompt, psw_examples_at(list, r->index[i]).n_prompt);
        assert_ptr_equal(e->response[q % r->rows.n_sample], token);
        assert_int_equal(e->n_response[q % r->rows.n_sample], n);
        assert_int_equal(r->seq_row[q + 1] - r->seq_row[q], n);
        double score = psw_dataset_score(f->data, e->prompt, e->n_prompt, token, n);
        if (token[n - 1] != f->data->tokenizer->eos && score > f->config.reward.missing_eos)
            score = f->config.reward.missing_eos;
        assert_true(r->score[q] == score);
    }
}

static void books_are_in_order_whatever_was_drawn_again(void **state)
{
    struct fixture *f = *state;
    struct psw_rollout once, r;
    int64_t n_once = 0, n_again = 0;
    assert_int_equal(psw_rollout_init(&f->config, f->data, &once, NULL), PSW_OK);
    assert_int_equal(psw_rollout_init(&f->config, f->data, &r, NULL), PSW_OK);
    for (int step = 0; step < 20; step++) {
        f->config.rollout.redraws = 0;
        sample(f, step, &once);
        f->config.rollout.redraws = 3;
        sample(f, step, &r);
        assert_books(f, &r);
        n_again += psw_group_mixed(&r.rows, r.score, NULL);
        n_once += psw_group_mixed(&once.rows, once.score, once.is_mixed);
        for (int64_t i = 0; i < r.rows.n_prompt; i++) /* what teaches something stays */
            if (once.is_mixed[i]) assert_int_equal(once.index[i], r.index[i]);
    }
    assert_true(n_once > 0 && n_again > n_once);
    psw_rollout_clear(&once);
    psw_rollout_clear(&r);
}

static void a_step_draws_the_same_again(void **state)
{
    struct fixture *f = *state;
    struct psw_rollout a, b;
    assert_int_equal(psw_rollout_init(&f->config, f->data, &a, NULL), PSW_OK);
    assert_int_equal(psw_rollout_init(&f->config, f->data, &b, NULL), PSW_OK);
    sample(f, 5, &b);
    sample(f, 4, &b);
    sample(f, 4, &a);
    const struct psw_responses *x = &a.responses, *y = &b.responses;
    assert_memory_equal(a.index, b.index, sizeof *a.index * (size_t)x->n_prompt);
    assert_memory_equal(x->n_token, y->n_token, sizeof *x->n_token * (size_t)x->n_seq);
    for (int64_t q = 0; q < x->n_seq; q++)
        assert_memory_equal(x->token + q * x->stride, y->token + q * y->stride,
                            sizeof *x->token * (size_t)x->n_token[q]);
    psw_rollout_clear(&a);
    psw_rollout_clear(&b);
}

static void groups_may_be_as_large_as_a_sweep_may_ask_for(void **state)
{
    struct fixture *f = *state;
    struct psw_rollout r;
    f->config.rollout.samples = PSW_CFG_MAX_SAMPLES;
    assert_int_equal(psw_config_validate(&f->config, NULL), PSW_OK);
    assert_int_equal(psw_rollout_init(&f->config, f->data, &r, NULL), PSW_OK);
    sample(f, 0, &r);
    assert_int_equal(r.rows.n_sample, PSW_CFG_MAX_SAMPLES);
    assert_books(f, &r);
    psw_rollout_clear(&r);
    f->config.rollout.samples = 4;
}

/* Of grpo and dapo: scores less the means of their groups, over tokens; not scaled. */
static void logged_advantages_are_no_scores(void **state)
{
    struct fixture *f = *state;
    struct psw_rollout r;
    const struct psw_rollout_sums sums = {.n_update = 1};
    double metric[PSW_ROLLOUT_N_METRIC], sum = 0, square = 0;
    assert_int_equal(psw_rollout_init(&f->config, f->data, &r, NULL), PSW_OK);
    sample(f, 0, &r);
    psw_rollout_advantages(&r, &f->config, 0);
    psw_rollout_metrics(&r, &sums, f->data->tokenizer->eos, metric);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t q = 0; q < r.rows.n_seq; q++) {
            const double *group = r.score + q / 4 * 4;
            const double n = r.responses.n_token[q];
            const double a = r.score[q] - (group[0] + group[1] + group[2] + group[3]) / 4;
            const double off = a - sum / (double)r.rows.n_row;
            if (pass == 0)
                sum += n * a;
            else
                square += n * off * off;
            assert_true(r.row.raw[r.seq_row[q]] == r.score[q]); /* the control stays */
        }
    const double deviation = sqrt(square / (double)(r.rows.n_row - 1));
    assert_close(metric[PSW_ROLLOUT_ADVANTAGE_MEAN], sum / (double)r.rows.n_row, 1e-12);
    assert_close(metric[PSW_ROLLOUT_ADVANTAGE_DEVIATION], deviation, 1e-12);
    assert_true(deviation > 0);
    psw_rollout_clear(&r);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(books_are_in_order_whatever_was_drawn_again),
        cmocka_unit_test(a_step_draws_the_same_again),
        cmocka_unit_test(logged_advantages_are_no_scores),
        cmocka_unit_test(groups_may_be_as_large_as_a_sweep_may_ask_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
