/* A whole step on preference pairs on a tiny model, on 1, 2 and 4 ranks, by the step that
 * trains: forward, weights, backward, clipping, update. Against PyTorch's autograd of losses
 * written from the papers (golden/step.py, in double), and against central differences of its
 * own loss. */
#include <golden/step.h>
#include <support/golden_model.h>
#include <support/support.h>

#include <math.h>
#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/stage/pair_step.h>
#include <string.h>

enum { N_SHARD = 4, ARENA_BYTES = 8 << 20 };

/* A forward pass in float32 is some tens of operations deep, on terms of order 1; sums have up
 * to five tokens. Measured: 1e-7 relative; other BLAS add in other orders. */
static const double LOGP_TOLERANCE = 2e-6;

/* Of the gradient's norm. The weights' errors follow from those of the log-probabilities,
 * backward's own are of the same order. */
static const double GRAD_TOLERANCE = 4e-6;

struct fixture {
    struct psw_config config;
    struct psw_model *model;
    struct psw_arena *arena;
    struct psw_example pair[GOLDEN_N_PAIR];
    struct psw_team team;
    struct psw_trainer trainer;
    struct psw_pair_step step;
    double ref[GOLDEN_N_SEQ]; /* as the step finds them with the reference's parameters */
};

static void choose_method(struct fixture *f, const char *method)
{
    assert_int_equal(psw_config_set(&f->config, "policy.method", method, NULL), PSW_OK);
    f->step.opts = psw_pair_opts_of(&f->config);
}

/* The gradient of the mean loss goes into the tree; returns the loss. */
static double push_gradient(struct fixture *f)
{
    double loss = 0;
    assert_int_equal(psw_pair_step_gradient(&f->step, 0, f->arena, NULL, NULL), PSW_OK);
    for (int i = 0; i < GOLDEN_N_PAIR; i++) loss += f->step.out.loss[i] / GOLDEN_N_PAIR;
    return loss;
}

/* Valid until the next push. */
static const float *take_gradient(struct fixture *f)
{
    float *grad = psw_tree_reduce(f->team.comm, f->trainer.tree);
    psw_slices_gather(f->team.comm, &(struct psw_exec){0}, grad, f->trainer.n_param);
    return grad;
}

static double loss_of(struct fixture *f)
{
    const double loss = push_gradient(f);
    take_gradient(f);
    return loss;
}

static double norm_of(const struct fixture *f, const float *grad)
{
    double sum = 0;
    for (int64_t i = 0; i < f->trainer.n_param; i++) sum += (double)grad[i] * (double)grad[i];
    return sqrt(sum);
}

static int set_up(void **state, int share_prefix)
{
    static struct fixture f;
    f = (struct fixture){.model = golden_model()};
    struct psw_config_policy *c = &f.config.policy;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    c->beta = STEP_BETA;
    c->gamma = STEP_GAMMA;
    c->epsilon = STEP_EPSILON;
    c->lambda = STEP_LAMBDA;
    c->alpha = STEP_ALPHA;
    c->share_prefix = share_prefix;
    c->train.batch = GOLDEN_N_PAIR;
    c->train.optimizer = PSW_OPTIMIZER_SGD;
    c->train.lr = STEP_LR;
    c->train.clip = STEP_CLIP;
    c->train.weight_decay = 0;
    if (psw_arena_create("step", ARENA_BYTES, &f.arena, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team, NULL) != PSW_OK ||
        psw_pair_step_init(&f.config, &f.trainer, &f.step, NULL) != PSW_OK)
        return -1;
    psw_trainer_init(&f.trainer, f.model, &c->train, &f.team,
                     (struct psw_exec){.n_thread = 1, .scratch = f.arena});
    golden_pairs(f.pair);
    for (int i = 0; i < GOLDEN_N_PAIR; i++) {
        f.step.picked.at[i] = &f.pair[i];
        for (int s = 0; s < 2; s++) f.step.n_tok[2 * i + s] = f.pair[i].n_response[s];
    }
    choose_method(&f, "dpo");
    golden_fill(f.model, STEP_SEED_REF, f.trainer.param);
    loss_of(&f);
    memcpy(f.ref, f.step.logp, sizeof f.ref);
    memcpy(f.step.ref, f.ref, sizeof f.ref);
    golden_fill(f.model, STEP_SEED, f.trainer.param);
    *state = &f;
    return 0;
}

static int setup(void **state)
{
    return set_up(state, 1);
}

static int setup_without_sharing(void **state)
{
    return set_up(state, 0);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_pair_step_clear(&f->step);
    psw_arena_destroy(f->arena);
    psw_model_destroy(f->model);
    return 0;
}

static void log_probabilities_equal_those_of_pytorch(void **state)
{
    struct fixture *f = *state;
    loss_of(f);
    for (int s = 0; s < GOLDEN_N_SEQ; s++) {
        assert_close(f->step.logp[s], STEP_LOGP[s / 2][s % 2], LOGP_TOLERANCE);
        assert_close(f->ref[s], STEP_LOGP_REF[s / 2][s % 2], LOGP_TOLERANCE);
    }
}

static void loss_and_gradient_of_every_method_equal_autograd(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < STEP_N_METHOD; m++) {
        const double norm = STEP_GOLDEN[m].norm;
        choose_method(f, STEP_GOLDEN[m].method);
        assert_close(push_gradient(f), STEP_GOLDEN[m].loss, GRAD_TOLERANCE);
        const float *grad = take_gradient(f);
        assert_close(norm_of(f, grad) / norm, 1.0, GRAD_TOLERANCE);
        for (int k = 0; k < STEP_N_PLACE; k++) {
            const int64_t at =
                psw_model_find(f->model, STEP_PLACE[k].tensor)->offset + STEP_PLACE[k].index;
            assert_close((double)grad[at] / norm, STEP_GOLDEN[m].grad[k] / norm,
                         GRAD_TOLERANCE);
        }
    }
}

static void a_clipped_sgd_step_of_every_method_lands_where_pytorch_lands(void **state)
{
    struct fixture *f = *state;
    for (int m = 0; m < STEP_N_METHOD; m++) {
        struct psw_step_info info;
        choose_method(f, STEP_GOLDEN[m].method);
        push_gradient(f);
        assert_int_equal(psw_trainer_update(&f->trainer, &info, NULL), PSW_OK);
        assert_close(info.grad_norm / STEP_GOLDEN[m].norm, 1.0, GRAD_TOLERANCE);
        assert_close(loss_of(f), STEP_GOLDEN[m].loss_after, GRAD_TOLERANCE);
        golden_fill(f->model, STEP_SEED, f->trainer.param);
    }
}

/* Central difference of fourth order of the mean loss along one parameter. */
static double difference(struct fixture *f, int64_t at, float step)
{
    float *x = &f->trainer.param[at];
    const float start = *x;
    double loss[4], offset[4] = {-2.0, -1.0, 1.0, 2.0};
    for (int k = 0; k < 4; k++) {
        *x = start + (float)offset[k] * step;
        offset[k] = (double)*x;
        loss[k] = loss_of(f);
    }
    *x = start;
    const double near = (loss[2] - loss[1]) / (offset[2] - offset[1]);
    const double far = (loss[3] - loss[0]) / (offset[3] - offset[0]);
    return (4.0 * near - far) / 3.0;
}

static void the_gradient_of_a_dpo_step_equals_central_differences(void **state)
{
    struct fixture *f = *state;
    /* The loss errs by about 1e-6 (LOGP_TOLERANCE, beta 1/2, a mean of three), which the step
     * divides; truncation is step^4. Both against a norm of 3.3. */
    const float step = 1e-2f;
    const double tolerance = 4e-5;
    float place[20];
    int64_t n_tensor;
    support_fill(place, 20, 0.5f, 77);
    choose_method(f, "dpo");
    push_gradient(f);
    float *grad = psw_arena_f32(f->arena, f->trainer.n_param);
    memcpy(grad, take_gradient(f), sizeof *grad * (size_t)f->trainer.n_param);
    const double norm = norm_of(f, grad);
    const struct psw_tensor *table = psw_model_table(f->model, &n_tensor);
    for (int k = 0; k < 20; k++) {
        const struct psw_tensor *x = &table[k * 7 % n_tensor];
        const int64_t n = x->n_row * (x->n_col ? x->n_col : 1);
        const int64_t at = x->offset + (int64_t)(((double)place[k] + 0.5) * (double)n);
        assert_close(difference(f, at, step) / norm, (double)grad[at] / norm, tolerance);
    }
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest shared[] = {
        cmocka_unit_test(log_probabilities_equal_those_of_pytorch),
        cmocka_unit_test(loss_and_gradient_of_every_method_equal_autograd),
        cmocka_unit_test(a_clipped_sgd_step_of_every_method_lands_where_pytorch_lands),
        cmocka_unit_test(the_gradient_of_a_dpo_step_equals_central_differences),
    };
    const struct CMUnitTest apart[] = {
        cmocka_unit_test(log_probabilities_equal_those_of_pytorch),
        cmocka_unit_test(loss_and_gradient_of_every_method_equal_autograd),
    };
    const int n_failed = cmocka_run_group_tests(shared, setup, teardown);
    return n_failed + cmocka_run_group_tests(apart, setup_without_sharing, teardown);
}
