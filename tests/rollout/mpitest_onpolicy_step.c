/* One on-policy update on a tiny model, on 1, 2 and 4 ranks, by the step that trains: forward,
 * rewards, advantages, weights, backward, clipping, AdamW; of ppo, its critic, both on one
 * trunk, grpo, dapo and a reward model. Against PyTorch's autograd of losses written from the
 * papers (golden/ppo.py, in double). Given are responses and what was known of them; ratios and
 * values are clipped on either side. */
#include <golden/ppo.h>
#include <golden/step.h>
#include <support/example_list.h>
#include <support/golden_model.h>
#include <support/support.h>

#include <math.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/objective/pairwise.h>
#include <posweep/rollout/onpolicy_step.h>
#include <posweep/rollout/reward_model.h>
#include <string.h>

enum { N_SHARD = 4, ARENA_BYTES = 8 << 20, N_SCORE = 2 * STEP_N_PAIR };

/* Of what the passes compute in float32, on terms of order 1, some tens of operations deep.
 * Measured: 2e-7; other BLAS add in other orders. */
static const double ROW_TOLERANCE = 2e-6;

/* Of the gradient's norm; the losses relative. Measured: 3e-7. */
static const double GRAD_TOLERANCE = 4e-6;

/* Of the learning rate. AdamW's first step is g / (|g| + eps): an error of g counts 1 / eps
 * fold where g is small (and the golden eps is 1e-3 for that reason); a parameter near 1 takes
 * the step up to 6e-8, 6e-6 of the learning rate. Measured: 2e-6 of an entry, 1e-5 of an inner
 * product with some 2000 terms. */
static const double MOVE_TOLERANCE = 1e-4;

struct fixture {
    struct psw_model *base, *value; /* without and with a scalar head */
    struct psw_arena *arena;
    struct psw_team team;
    struct psw_example prompt[PPO_N_PROMPT], pair[STEP_N_PAIR];
    const struct psw_example *pairs[STEP_N_PAIR];
    struct psw_dataset data; /* the prompts */
};

static void examples_init(struct fixture *f)
{
    for (int i = 0; i < PPO_N_PROMPT; i++)
        f->prompt[i] = (struct psw_example){
            .prompt = PPO_PROMPT[i].token, .n_prompt = PPO_PROMPT[i].n, .n_seq = 1};
    golden_pairs(f->pair);
    for (int i = 0; i < STEP_N_PAIR; i++) f->pairs[i] = &f->pair[i];
    static const struct psw_tokenizer tokenizer = {.n_vocab = STEP_V};
    f->data = (struct psw_dataset){.tokenizer = &tokenizer,
                                   .sft = example_list(f->prompt, PPO_N_PROMPT)};
}

static int setup(void **state)
{
    static struct fixture f;
    psw_blas_pin(1);
    f.base = golden_model();
    if (psw_value_model(f.base, &f.value, NULL) != PSW_OK ||
        psw_arena_create("update", ARENA_BYTES, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team, NULL) != PSW_OK)
        return -1;
    examples_init(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    example_list_clear(&f->data.sft);
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->base);
    psw_model_destroy(f->value);
    return 0;
}

/* ---- parameters ---- */

/* Tensor i of the golden tables in a model; NULL: the model ends before. */
static const struct psw_tensor *tensor_at(const struct psw_model *model, int i)
{
    return psw_model_find(model, i < STEP_N_TENSOR ? STEP_TENSOR[i].name
                                                   : PPO_HEAD[i - STEP_N_TENSOR].name);
}

static int64_t size_of(const struct psw_tensor *x)
{
    return x->n_row * (x->n_col ? x->n_col : 1);
}

/* A head has seeds of its own behind those of the tensors. */
static void fill(const struct psw_model *model, int seed, float *param)
{
    golden_fill(model, (uint64_t)seed, param);
    for (int i = 0; i < 2 && psw_model_dims(model)->value; i++) {
        const struct psw_tensor *x = tensor_at(model, STEP_N_TENSOR + i);
        support_fill(param + x->offset, size_of(x), PPO_HEAD[i].scale,
                     (uint64_t)(seed + STEP_N_TENSOR + i));
    }
}

/* Inner product of x - y with golden direction number k; y may be NULL. */
static double dot(const struct psw_model *model, int k, const float *x, const float *y)
{
    float direction[512];
    double sum = 0.0;
    for (int i = 0; i < STEP_N_TENSOR + 2; i++) {
        const struct psw_tensor *t = tensor_at(model, i);
        if (!t) continue;
        assert_true(size_of(t) <= 512);
        support_fill(direction, size_of(t), 1.0f, (uint64_t)(PPO_SEED_DIRECTION + 50 * k + i));
        for (int64_t j = 0; j < size_of(t); j++)
            sum += (double)direction[j] *
                   ((double)x[t->offset + j] - (y ? (double)y[t->offset + j] : 0.0));
    }
    return sum;
}

/* x - y against golden numbers, in units of scale. */
static void assert_checksum(const struct psw_model *model, const float *x, const float *y,
                            const struct ppo_checksum *want, double scale, double tolerance)
{
    const int has_head = psw_model_dims(model)->value;
    for (int k = 0; k < PPO_N_DOT; k++)
        assert_close(dot(model, k, x, y) / scale, want->dot[k] / scale, tolerance);
    for (int k = 0; k < PPO_N_PLACE; k++) {
        const int head = k == PPO_N_PLACE - 1 && has_head;
        const struct psw_tensor *t =
            psw_model_find(model, head ? PPO_HEAD[1].name : PPO_PLACE[k].tensor);
        const int64_t at = t->offset + (head ? 0 : PPO_PLACE[k].index);
        assert_close(((double)x[at] - (y ? (double)y[at] : 0.0)) / scale,
                     want->entry[k] / scale, tolerance);
    }
}

/* ---- a step with given responses ---- */

/* What one case is about. */
struct update {
    struct fixture *f;
    const struct ppo_case *golden;
    struct psw_config config;
    struct psw_onpolicy_step step;
    struct psw_trainer policy;
    struct psw_trainer *trained; /* the one that the golden numbers are about */
    float *before;               /* its parameters */
};

static void config_of(const char *method, const char *critic, struct psw_config *out)
{
    const char *const own[][2] = {{"policy.method", method},   {"policy.critic", critic},
                                  {"rollout.samples", "3"},    {"rollout.max_new", "6"},
                                  {"policy.batch", "9"},       {"policy.epochs", "1"},
                                  {"policy.minibatches", "1"}, {"rollout.overlong", "3"}};
    psw_config_default(out);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        assert_int_equal(psw_config_set(out, own[i][0], own[i][1], NULL), PSW_OK);
    for (size_t i = 0; i < sizeof PPO_SETTING / sizeof *PPO_SETTING; i++)
        assert_int_equal(psw_config_set(out, PPO_SETTING[i].path, PPO_SETTING[i].text, NULL),
                         PSW_OK);
    out->model.context = STEP_CONTEXT;
    out->policy.kl_coef = out->policy.method == PSW_METHOD_PPO    ? PPO_KL
                          : out->policy.method == PSW_METHOD_GRPO ? PPO_GRPO_KL
                                                                  : 0.0;
}

/* The responses and their scores, as if they had been sampled. */
static void set_responses(struct update *u)
{
    struct psw_rollout *r = &u->step.rollout;
    for (int i = 0; i < PPO_N_PROMPT; i++) r->pick.at[i] = &u->f->prompt[i];
    psw_responses_set_prompts(&r->responses, r->pick.at);
    assert_int_equal(r->responses.n_seq, PPO_N_SEQ);
    assert_int_equal(r->responses.stride, PPO_MAX_TOK);
    for (int q = 0; q < PPO_N_SEQ; q++) {
        r->responses.n_token[q] = PPO_RESPONSE[q].n;
        memcpy(r->responses.token + q * PPO_MAX_TOK, PPO_RESPONSE[q].token,
               sizeof(int32_t) * (size_t)PPO_RESPONSE[q].n);
        r->score[q] = PPO_SCORE[q];
        if (u->config.policy.method == PSW_METHOD_DAPO)
            r->score[q] += psw_overlong_penalty(PPO_RESPONSE[q].n, PPO_MAX_TOK, PPO_OVERLONG);
    }
    psw_responses_attach(&r->responses);
    psw_rollout_count_rows(r);
    assert_int_equal(r->rows.n_row, PPO_N_ROW);
}

/* What was known of them: not what the models say now. Then advantages, as a step finds them.
 */
static void set_known(struct update *u)
{
    struct psw_rollout *r = &u->step.rollout;
    memcpy(r->row.old, PPO_OLD, sizeof PPO_OLD);
    memcpy(r->row.ref, PPO_REF, sizeof PPO_REF);
    memcpy(r->row.value, PPO_OLD_VALUE, sizeof PPO_OLD_VALUE);
    psw_rollout_advantages(r, &u->config, psw_config_kl_coef(&u->config));
    memcpy(r->row.learnt, r->row.advantage, sizeof PPO_OLD);
}

static void update_init(struct fixture *f, int k, struct update *u)
{
    static const struct {
        const char *name, *method, *critic;
    } ROWS[] = {{"ppo", "ppo", "separate"},
                {"critic", "ppo", "separate"},
                {"shared", "ppo", "shared"},
                {"grpo", "grpo", "separate"},
                {"dapo", "dapo", "separate"}};
    assert_string_equal(ROWS[k].name, PPO_CASE[k].name);
    *u = (struct update){.f = f, .golden = &PPO_CASE[k]};
    config_of(ROWS[k].method, ROWS[k].critic, &u->config);
    struct psw_onpolicy_step *s = &u->step;
    assert_int_equal(psw_onpolicy_step_init(&u->config, &f->data, f->base, s, NULL), PSW_OK);
    psw_trainer_init(&u->policy, psw_onpolicy_model(s), &s->train, &f->team,
                     (struct psw_exec){.n_thread = 1, .scratch = f->arena});
    s->trainer = &u->policy;
    psw_onpolicy_layout(s, f->arena);
    fill(f->base, PPO_SEED_REF, s->reference.param);
    fill(u->policy.model, PPO_CASE[0].seed, u->policy.param);
    if (psw_critic_is_separate(&s->critic))
        fill(s->critic.model, PPO_CASE[1].seed, s->critic.trainer.param);
    u->trained = k == 1 ? &s->critic.trainer : &u->policy;
    u->before = psw_arena_f32(f->arena, u->trained->n_param);
    memcpy(u->before, u->trained->param, sizeof(float) * (size_t)u->trained->n_param);
    set_responses(u);
}

/* Push the gradients of what is trained; returns the loss with all of its terms. */
static double push_gradient(struct update *u)
{
    struct psw_onpolicy_step *s = &u->step;
    struct psw_rollout_sums sums = {0};
    double entropy = 0;
    int64_t n_tok = 0;
    psw_onpolicy_evaluate(s, 1, 0, u->f->arena);
    for (int t = 0; t < PPO_N_ROW; t++) entropy += s->rollout.row.entropy[t] / PPO_N_ROW;
    set_known(u);
    psw_minibatch_order(&s->minibatch, &u->config, 0, 0);
    psw_minibatch_choose(&s->minibatch, &s->rollout, 0);
    if (u->trained != &u->policy) {
        psw_onpolicy_critic_gradient(s, u->f->arena, &sums, &n_tok);
        return sums.value_loss;
    }
    assert_int_equal(psw_onpolicy_gradient(s, 0, u->f->arena, &sums, &n_tok, NULL), PSW_OK);
    return sums.loss + sums.value_loss - s->opts.entropy_coef * entropy;
}

static void assert_gradient(const struct update *u)
{
    float *grad = psw_tree_reduce(u->f->team.comm, u->trained->tree);
    psw_slices_gather(u->f->team.comm, &(struct psw_exec){0}, grad, u->trained->n_param);
    assert_checksum(u->trained->model, grad, NULL, &u->golden->grad, u->golden->norm,
                    GRAD_TOLERANCE);
}

static void assert_update(struct update *u)
{
    double metric[PSW_ROLLOUT_N_METRIC];
    int64_t n_tok = 0;
    const struct ppo_case *golden = u->golden;
    assert_close(push_gradient(u) / golden->loss, 1.0, GRAD_TOLERANCE);
    assert_gradient(u);
    assert_int_equal(psw_onpolicy_learn(&u->step, 0, metric, &n_tok, NULL), PSW_OK);
    if (u->trained == &u->policy)
        assert_close(metric[PSW_ROLLOUT_GRAD_NORM] / golden->norm, 1.0, GRAD_TOLERANCE);
    assert_true(metric[PSW_ROLLOUT_LR] == u->config.policy.train.lr);
    assert_checksum(u->trained->model, u->trained->param, u->before, &golden->moved,
                    metric[PSW_ROLLOUT_LR], MOVE_TOLERANCE);
    assert_close(push_gradient(u), golden->loss_after, GRAD_TOLERANCE);
}

static void loss_gradient_and_update_of_every_method_equal_those_of_pytorch(void **state)
{
    struct fixture *f = *state;
    for (int k = 0; k < PPO_N_CASE - 1; k++) {
        struct update u;
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        update_init(f, k, &u);
        assert_update(&u);
        psw_onpolicy_step_clear(&u.step);
        psw_arena_rewind(f->arena, mark);
    }
}

static void reference_advantages_and_returns_equal_those_of_pytorch(void **state)
{
    static const struct {
        int k;
        const double *advantage;
    } ROWS[] = {{0, PPO_ADVANTAGE_PPO}, {3, PPO_ADVANTAGE_GRPO}, {4, PPO_ADVANTAGE_DAPO}};
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct update u;
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        update_init(f, ROWS[i].k, &u);
        const struct psw_rollout_values *row = &u.step.rollout.row;
        psw_onpolicy_evaluate(&u.step, 0, 0, f->arena);
        for (int t = 0; t < PPO_N_ROW; t++)
            assert_close(row->ref[t], PPO_REF[t], ROW_TOLERANCE);
        set_known(&u);
        for (int t = 0; t < PPO_N_ROW; t++) {
            assert_close(row->advantage[t], ROWS[i].advantage[t], 1e-10);
            if (i == 0) assert_close(row->ret[t], PPO_RET[t], 1e-10);
        }
        psw_onpolicy_step_clear(&u.step);
        psw_arena_rewind(f->arena, mark);
    }
}

/* Old log-probabilities come from a pass that keeps nothing and wants more. */
static void a_fresh_ratio_is_exactly_1(void **state)
{
    struct fixture *f = *state;
    struct update u;
    struct psw_rollout_sums sums = {0};
    int64_t n_tok = 0;
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    update_init(f, 0, &u);
    struct psw_onpolicy_step *s = &u.step;
    set_known(&u);
    psw_onpolicy_evaluate(s, 1, 0, f->arena);
    psw_minibatch_order(&s->minibatch, &u.config, 0, 0);
    psw_minibatch_choose(&s->minibatch, &s->rollout, 0);
    assert_int_equal(psw_onpolicy_gradient(s, 0, f->arena, &sums, &n_tok, NULL), PSW_OK);
    for (int t = 0; t < PPO_N_ROW; t++)
        assert_true(s->minibatch.now.logp[t] == s->rollout.row.old[t]);
    assert_true(sums.approx_kl == 0 && sums.clip_fraction == 0);
    psw_onpolicy_step_clear(s);
    psw_arena_rewind(f->arena, mark);
}

/* ---- the reward model ---- */

static double push_pairs(struct fixture *f, struct psw_trainer *t)
{
    double score[N_SCORE], weight[N_SCORE], loss = 0;
    const struct psw_reward_pass with = {.model = t->model,
                                         .team = &f->team,
                                         .exec = &t->exec,
                                         .arena = f->arena,
                                         .param = t->param};
    const struct psw_reward_batch batch = {
        .pair = f->pairs, .n = STEP_N_PAIR, .score = score, .weight = weight};
    psw_reward_gradient(&with, &batch, t->tree);
    for (int i = 0; i < STEP_N_PAIR; i++)
        loss -= psw_log_sigmoid(score[2 * i] - score[2 * i + 1]) / STEP_N_PAIR;
    return loss;
}

static void a_step_of_the_reward_model_equals_that_of_pytorch(void **state)
{
    struct fixture *f = *state;
    const struct ppo_case *golden = &PPO_CASE[PPO_N_CASE - 1];
    struct psw_config config;
    struct psw_trainer t;
    struct psw_step_info info;
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    assert_string_equal(golden->name, "reward");
    config_of("ppo", "separate", &config);
    psw_trainer_init(&t, f->value, &config.policy.train, &f->team,
                     (struct psw_exec){.n_thread = 1, .scratch = f->arena});
    fill(t.model, golden->seed, t.param);
    float *before = psw_arena_f32(f->arena, t.n_param);
    memcpy(before, t.param, sizeof *before * (size_t)t.n_param);
    assert_close(push_pairs(f, &t) / golden->loss, 1.0, GRAD_TOLERANCE);
    float *grad = psw_tree_reduce(f->team.comm, t.tree);
    psw_slices_gather(f->team.comm, &(struct psw_exec){0}, grad, t.n_param);
    assert_checksum(t.model, grad, NULL, &golden->grad, golden->norm, GRAD_TOLERANCE);
    push_pairs(f, &t);
    assert_int_equal(psw_trainer_update(&t, &info, NULL), PSW_OK);
    assert_close(info.grad_norm / golden->norm, 1.0, GRAD_TOLERANCE);
    assert_checksum(t.model, t.param, before, &golden->moved, info.lr, MOVE_TOLERANCE);
    assert_close(push_pairs(f, &t), golden->loss_after, GRAD_TOLERANCE);
    psw_arena_rewind(f->arena, mark);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_advantages_and_returns_equal_those_of_pytorch),
        cmocka_unit_test(loss_gradient_and_update_of_every_method_equal_those_of_pytorch),
        cmocka_unit_test(a_fresh_ratio_is_exactly_1),
        cmocka_unit_test(a_step_of_the_reward_model_equals_that_of_pytorch),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
