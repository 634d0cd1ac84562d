/* One on-policy update on a tiny model, on 1, 2 and 4 ranks: forward, rewards, advantages,
 * weights, backward, clipping, AdamW; of ppo, its critic, both on one trunk, grpo, dapo and a
 * reward model. Against PyTorch's autograd of losses written from the papers (golden/ppo.py, in
 * double). Given are responses and what was known of them; ratios and values are clipped on
 * either side. */
#include <golden/ppo.h>
#include <golden/step.h>
#include <support/support.h>

#include <math.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/objective/onpolicy.h>
#include <posweep/objective/pairwise.h>
#include <posweep/optim/trainer.h>
#include <posweep/parallel/shards.h>
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
    struct psw_model *model[2]; /* without and with a scalar head */
    struct psw_arena *arena;
    struct psw_team team;
    struct psw_example prompt[PPO_N_PROMPT], pair[STEP_N_PAIR];
    const struct psw_example *prompts[PPO_N_PROMPT], *pairs[STEP_N_PAIR];
    int64_t seq_row[PPO_N_SEQ + 1];
    struct psw_rollout_rows rows;
};

/* What one case is about. */
struct update {
    struct fixture *f;
    const struct ppo_case *golden;
    struct psw_config config;
    struct psw_onpolicy_opts opts;
    unsigned want;
    int is_reward;
    const double *advantage, *ret;
    struct psw_trainer trainer;
};

/* -dL/d(quantity) of every row. */
struct weights {
    double logp[PPO_N_ROW], entropy[PPO_N_ROW], value[PPO_N_ROW];
};

static void examples_init(struct fixture *f)
{
    for (int q = 0; q < PPO_N_SEQ; q++) {
        struct psw_example *x = &f->prompt[q / PPO_N_SAMPLE];
        x->prompt = PPO_PROMPT[q / PPO_N_SAMPLE].token;
        x->n_prompt = PPO_PROMPT[q / PPO_N_SAMPLE].n;
        x->response[q % PPO_N_SAMPLE] = PPO_RESPONSE[q].token;
        x->n_response[q % PPO_N_SAMPLE] = PPO_RESPONSE[q].n;
        x->n_seq = PPO_N_SAMPLE;
        f->prompts[q / PPO_N_SAMPLE] = x;
        f->seq_row[q + 1] = f->seq_row[q] + PPO_RESPONSE[q].n;
    }
    for (int i = 0; i < STEP_N_PAIR; i++) {
        f->pair[i] =
            (struct psw_example){.prompt = STEP_PAIR[i].token[0],
                                 .n_prompt = STEP_PAIR[i].n[0],
                                 .n_seq = PSW_N_SIDE,
                                 .response = {STEP_PAIR[i].token[1], STEP_PAIR[i].token[2]},
                                 .n_response = {STEP_PAIR[i].n[1], STEP_PAIR[i].n[2]}};
        f->pairs[i] = &f->pair[i];
    }
    f->rows = (struct psw_rollout_rows){.n_prompt = PPO_N_PROMPT,
                                        .n_sample = PPO_N_SAMPLE,
                                        .n_seq = PPO_N_SEQ,
                                        .n_row = PPO_N_ROW,
                                        .seq_row = f->seq_row};
}

static int setup(void **state)
{
    static struct fixture f;
    struct psw_model_dims dims = {.n_layer = STEP_L,
                                  .width = STEP_C,
                                  .n_head = STEP_H,
                                  .hidden = STEP_F,
                                  .n_vocab = STEP_V,
                                  .context = STEP_CONTEXT,
                                  .rotary_dims = STEP_ROTARY,
                                  .rotary_base = STEP_BASE,
                                  .norm_eps = STEP_NORM_EPS,
                                  .init_std = 0.02};
    psw_blas_pin(1);
    for (dims.value = 0; dims.value < 2; dims.value++)
        if (psw_model_create(&dims, &f.model[dims.value], NULL) != PSW_OK) return -1;
    if (psw_arena_create("update", ARENA_BYTES, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team, NULL) != PSW_OK)
        return -1;
    examples_init(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model[0]);
    psw_model_destroy(f->model[1]);
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

static void fill(const struct psw_model *model, int seed, float *param)
{
    memset(param, 0, sizeof *param * (size_t)psw_model_n_param(model));
    for (int i = 0; i < STEP_N_TENSOR + 2; i++) {
        const struct psw_tensor *x = tensor_at(model, i);
        if (!x) continue;
        const int is_head = i >= STEP_N_TENSOR;
        support_fill(param + x->offset, size_of(x),
                     is_head ? PPO_HEAD[i - STEP_N_TENSOR].scale : STEP_TENSOR[i].scale,
                     (uint64_t)(seed + i));
        for (int64_t k = 0; !is_head && k < size_of(x); k++)
            param[x->offset + k] += STEP_TENSOR[i].mean;
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
static void assert_checksum(const struct update *u, const float *x, const float *y,
                            const struct ppo_checksum *want, double scale, double tolerance)
{
    const struct psw_model *model = u->trainer.model;
    for (int k = 0; k < PPO_N_DOT; k++)
        assert_close(dot(model, k, x, y) / scale, want->dot[k] / scale, tolerance);
    for (int k = 0; k < PPO_N_PLACE; k++) {
        const int head = k == PPO_N_PLACE - 1 && u->golden->has_head;
        const struct psw_tensor *t =
            psw_model_find(model, head ? PPO_HEAD[1].name : PPO_PLACE[k].tensor);
        const int64_t at = t->offset + (head ? 0 : PPO_PLACE[k].index);
        assert_close(((double)x[at] - (y ? (double)y[at] : 0.0)) / scale,
                     want->entry[k] / scale, tolerance);
    }
}

/* ---- passes ---- */

static struct psw_shards pass_of(struct fixture *f, struct psw_trainer *t, double temperature,
                                 unsigned want)
{
    return (struct psw_shards){
        .model = t->model,
        .team = &f->team,
        .exec = &t->exec,
        .arena = f->arena,
        .opts = {.share_prefix = 1, .temperature = temperature, .want = want}};
}

static void pack(const struct update *u, struct psw_shards *pass)
{
    pass->opts.last_only = u->is_reward;
    if (u->is_reward)
        psw_shards_pack(pass, u->f->pairs, STEP_N_PAIR);
    else
        psw_shards_pack(pass, u->f->prompts, PPO_N_PROMPT);
}

/* Bradley-Terry is dpo at beta 1 on scores, without a reference. */
static double weigh_pairs(struct psw_shards *pass, struct weights *w)
{
    static const double ZERO[N_SCORE] = {0};
    static const int64_t ONE[N_SCORE] = {1, 1, 1, 1, 1, 1};
    double score[N_SCORE], loss[STEP_N_PAIR], mean = 0.0;
    const struct psw_pair_opts opts = {.method = PSW_METHOD_DPO, .beta = 1.0};
    const struct psw_pair_in in = {
        .n_pair = STEP_N_PAIR, .logp = score, .ref = ZERO, .n_tok = ONE};
    const struct psw_pair_out out = {.loss = loss, .weight = w->value};
    psw_shards_gather(pass, PSW_ROW_VALUE, score);
    assert_int_equal(psw_objective_pairwise(&opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < STEP_N_PAIR; i++) mean += loss[i] / STEP_N_PAIR;
    for (int i = 0; i < N_SCORE; i++) w->value[i] /= STEP_N_PAIR;
    return mean;
}

static double weigh_rollouts(const struct update *u, struct psw_shards *pass, struct weights *w)
{
    double logp[PPO_N_ROW], kl[PPO_N_ROW], x[PPO_N_ROW], loss = 0.0;
    if (u->want & PSW_WANT_LOGP) {
        const struct psw_onpolicy_in in = {.rows = &u->f->rows,
                                           .logp = logp,
                                           .old = PPO_OLD,
                                           .ref = PPO_REF,
                                           .advantage = u->advantage};
        struct psw_onpolicy_out out = {.weight = w->logp, .kl = kl};
        psw_shards_gather(pass, PSW_ROW_LOGP, logp);
        assert_int_equal(psw_objective_onpolicy(&u->opts, &in, &out, NULL), PSW_OK);
        for (int t = 0; t < PPO_N_ROW; t++) w->logp[t] += kl[t];
        loss += out.loss;
    }
    if (u->want & PSW_WANT_ENTROPY) {
        psw_shards_gather(pass, PSW_ROW_ENTROPY, x);
        for (int t = 0; t < PPO_N_ROW; t++) {
            w->entropy[t] = u->opts.entropy_coef / PPO_N_ROW;
            loss -= w->entropy[t] * x[t];
        }
    }
    if (u->want & PSW_WANT_VALUE) {
        psw_shards_gather(pass, PSW_ROW_VALUE, x);
        loss += psw_value_loss(&u->opts, PPO_N_ROW, x, PPO_OLD_VALUE, u->ret, w->value);
    }
    return loss;
}

static double weigh(const struct update *u, struct psw_shards *pass, struct weights *w)
{
    return u->is_reward ? weigh_pairs(pass, w) : weigh_rollouts(u, pass, w);
}

static double loss_at(struct update *u)
{
    struct weights unused;
    const struct psw_arena_mark mark = psw_arena_mark(u->f->arena);
    struct psw_shards pass = pass_of(u->f, &u->trainer, u->config.policy.temperature, u->want);
    pack(u, &pass);
    psw_shards_evaluate(&pass, u->trainer.param);
    const double loss = weigh(u, &pass, &unused);
    psw_arena_rewind(u->f->arena, mark);
    return loss;
}

/* Push the gradient into the trainer's tree; returns the loss. */
static double push_gradient(struct update *u)
{
    struct weights w;
    const struct psw_arena_mark mark = psw_arena_mark(u->f->arena);
    struct psw_shards pass = pass_of(u->f, &u->trainer, u->config.policy.temperature, u->want);
    pack(u, &pass);
    psw_shards_forward(&pass, u->trainer.param);
    const double loss = weigh(u, &pass, &w);
    const struct psw_shards_weights weight = {
        .logp = u->want & PSW_WANT_LOGP ? w.logp : NULL,
        .entropy = u->want & PSW_WANT_ENTROPY ? w.entropy : NULL,
        .value = u->want & PSW_WANT_VALUE ? w.value : NULL};
    psw_shards_backward_rows(&pass, u->trainer.param, weight, u->trainer.tree);
    psw_arena_rewind(u->f->arena, mark);
    return loss;
}

/* ---- what the updates learn from ---- */

static void of_ppo(const struct fixture *f, const struct psw_config *c, double *advantage,
                   double *ret)
{
    double reward[PPO_N_ROW];
    psw_reward_tokens(&f->rows, c->policy.kl_kind, psw_config_kl_coef(c), PPO_SCORE, PPO_OLD,
                      PPO_REF, reward);
    psw_gae(&f->rows, c->policy.discount, c->policy.gae_lambda, reward, PPO_OLD_VALUE,
            advantage, ret);
    psw_whiten(PPO_N_ROW, advantage, advantage);
}

static void of_groups(const struct fixture *f, int64_t overlong, double *advantage)
{
    double score[PPO_N_SEQ], by_seq[PPO_N_SEQ];
    for (int q = 0; q < PPO_N_SEQ; q++)
        score[q] =
            PPO_SCORE[q] + psw_overlong_penalty(PPO_RESPONSE[q].n, PPO_MAX_TOK, overlong);
    psw_group_advantage(&f->rows, 1, score, by_seq);
    psw_rows_spread(&f->rows, by_seq, advantage);
}

static void config_of(const char *method, struct psw_config *out)
{
    psw_config_default(out);
    assert_int_equal(psw_config_set(out, "policy.method", method, NULL), PSW_OK);
    for (size_t i = 0; i < sizeof PPO_SETTING / sizeof *PPO_SETTING; i++)
        assert_int_equal(psw_config_set(out, PPO_SETTING[i].path, PPO_SETTING[i].text, NULL),
                         PSW_OK);
    out->policy.kl_coef = out->policy.method == PSW_METHOD_PPO    ? PPO_KL
                          : out->policy.method == PSW_METHOD_GRPO ? PPO_GRPO_KL
                                                                  : 0.0;
}

static void the_reference_equals_that_of_pytorch(void **state)
{
    struct fixture *f = *state;
    struct psw_config c;
    double ref[PPO_N_ROW];
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    config_of("ppo", &c);
    struct psw_trainer t;
    psw_trainer_init(&t, f->model[0], &c.policy.train, &f->team, f->arena);
    fill(t.model, PPO_SEED_REF, t.param);
    struct psw_shards pass = pass_of(f, &t, c.policy.temperature, PSW_WANT_LOGP);
    psw_shards_pack(&pass, f->prompts, PPO_N_PROMPT);
    psw_shards_evaluate(&pass, t.param);
    psw_shards_gather(&pass, PSW_ROW_LOGP, ref);
    for (int i = 0; i < PPO_N_ROW; i++) assert_close(ref[i], PPO_REF[i], ROW_TOLERANCE);
    psw_arena_rewind(f->arena, mark);
}

static void advantages_and_returns_equal_those_of_pytorch(void **state)
{
    const struct fixture *f = *state;
    struct psw_config c;
    double ppo[PPO_N_ROW], ret[PPO_N_ROW], grpo[PPO_N_ROW], dapo[PPO_N_ROW];
    config_of("ppo", &c);
    of_ppo(f, &c, ppo, ret);
    of_groups(f, 0, grpo);
    of_groups(f, PPO_OVERLONG, dapo);
    for (int t = 0; t < PPO_N_ROW; t++) {
        assert_close(ppo[t], PPO_ADVANTAGE_PPO[t], 1e-10);
        assert_close(ret[t], PPO_RET[t], 1e-10);
        assert_close(grpo[t], PPO_ADVANTAGE_GRPO[t], 1e-10);
        assert_close(dapo[t], PPO_ADVANTAGE_DAPO[t], 1e-10);
    }
}

/* ---- the updates ---- */

static void update_init(struct fixture *f, const struct ppo_case *golden, struct update *u)
{
    static const struct {
        const char *name, *method;
        unsigned want;
    } ROWS[PPO_N_CASE] = {
        {"ppo", "ppo", PSW_WANT_LOGP | PSW_WANT_ENTROPY},
        {"critic", "ppo", PSW_WANT_VALUE},
        {"shared", "ppo", PSW_WANT_LOGP | PSW_WANT_ENTROPY | PSW_WANT_VALUE},
        {"grpo", "grpo", PSW_WANT_LOGP | PSW_WANT_ENTROPY},
        {"dapo", "dapo", PSW_WANT_LOGP | PSW_WANT_ENTROPY},
        {"reward", "ppo", PSW_WANT_VALUE},
    };
    const int i = (int)(golden - PPO_CASE);
    assert_string_equal(ROWS[i].name, golden->name);
    *u = (struct update){.f = f,
                         .golden = golden,
                         .want = ROWS[i].want,
                         .is_reward = strcmp(golden->name, "reward") == 0,
                         .advantage = PPO_ADVANTAGE_PPO,
                         .ret = PPO_RET};
    config_of(ROWS[i].method, &u->config);
    u->opts = psw_onpolicy_opts_of(&u->config);
    if (u->opts.method == PSW_METHOD_GRPO) u->advantage = PPO_ADVANTAGE_GRPO;
    if (u->opts.method == PSW_METHOD_DAPO) u->advantage = PPO_ADVANTAGE_DAPO;
    psw_trainer_init(&u->trainer, f->model[golden->has_head], &u->config.policy.train, &f->team,
                     f->arena);
    fill(u->trainer.model, golden->seed, u->trainer.param);
}

static void assert_update(struct update *u)
{
    struct psw_trainer *t = &u->trainer;
    const struct ppo_case *golden = u->golden;
    struct psw_step_info info;
    float *before = psw_arena_f32(u->f->arena, t->n_param);
    memcpy(before, t->param, sizeof *before * (size_t)t->n_param);
    assert_close(push_gradient(u) / golden->loss, 1.0, GRAD_TOLERANCE);
    float *grad = psw_tree_reduce(u->f->team.comm, t->tree);
    psw_slices_gather(u->f->team.comm, grad, t->n_param);
    assert_checksum(u, grad, NULL, &golden->grad, golden->norm, GRAD_TOLERANCE);
    push_gradient(u);
    assert_int_equal(psw_trainer_update(t, &info, NULL), PSW_OK);
    assert_close(info.grad_norm / golden->norm, 1.0, GRAD_TOLERANCE);
    assert_true(info.lr == u->config.policy.train.lr);
    assert_checksum(u, t->param, before, &golden->moved, info.lr, MOVE_TOLERANCE);
    assert_close(loss_at(u), golden->loss_after, GRAD_TOLERANCE);
}

static void loss_gradient_and_update_of_every_method_equal_those_of_pytorch(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < PPO_N_CASE; i++) {
        struct update u;
        const struct psw_arena_mark mark = psw_arena_mark(f->arena);
        update_init(f, &PPO_CASE[i], &u);
        assert_update(&u);
        psw_arena_rewind(f->arena, mark);
    }
}

/* Old log-probabilities come from a pass that keeps nothing and wants more. */
static void a_fresh_ratio_is_exactly_1(void **state)
{
    struct fixture *f = *state;
    struct update u;
    double old[PPO_N_ROW], logp[PPO_N_ROW];
    const struct psw_arena_mark mark = psw_arena_mark(f->arena);
    update_init(f, &PPO_CASE[0], &u);
    for (int training = 0; training < 2; training++) {
        struct psw_shards pass =
            pass_of(f, &u.trainer, u.config.policy.temperature,
                    training ? PSW_WANT_LOGP : PSW_WANT_LOGP | PSW_WANT_ENTROPY);
        psw_shards_pack(&pass, f->prompts, PPO_N_PROMPT);
        (training ? psw_shards_forward : psw_shards_evaluate)(&pass, u.trainer.param);
        psw_shards_gather(&pass, PSW_ROW_LOGP, training ? logp : old);
    }
    for (int t = 0; t < PPO_N_ROW; t++) assert_true(logp[t] == old[t]);
    psw_arena_rewind(f->arena, mark);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_equals_that_of_pytorch),
        cmocka_unit_test(advantages_and_returns_equal_those_of_pytorch),
        cmocka_unit_test(loss_gradient_and_update_of_every_method_equal_those_of_pytorch),
        cmocka_unit_test(a_fresh_ratio_is_exactly_1),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
