/* The tiny model of the golden step. */
#include <support/tiny.h>

#include <golden/step.h>
#include <posweep/objective/clustered_mean.h>
#include <posweep/objective/pairwise.h>
#include <string.h>
#include <support/golden_model.h>
#include <support/support.h>

_Static_assert((int)TINY_N_PAIR == (int)STEP_N_PAIR, "the golden step has changed");

enum { ARENA_BYTES = 4 << 20 };

static void pairs_pack(struct tiny *t, int share_prefix)
{
    const struct psw_example *example[TINY_N_PAIR];
    golden_pairs(t->example);
    for (int i = 0; i < TINY_N_PAIR; i++) {
        for (int side = 0; side < PSW_N_SIDE; side++)
            t->n_tok[PSW_N_SIDE * i + side] = t->example[i].n_response[side];
        example[i] = &t->example[i];
    }
    psw_batch_pack(example, TINY_N_PAIR, share_prefix, t->arena, &t->batch);
}

static void forward(struct tiny *t, const float *param, double *logp)
{
    const struct psw_pass pass = tiny_pass(t, param);
    psw_model_forward(&pass, t->act, (struct psw_rows){.logp = t->row});
    psw_sequence_sums(TINY_N_SEQ, t->batch.seq_row, t->row, logp);
}

void tiny_init(struct tiny *t, int share_prefix)
{
    t->model = golden_model();
    assert_int_equal(psw_arena_create("tiny", ARENA_BYTES, &t->arena, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("scratch", ARENA_BYTES, &t->scratch, NULL), PSW_OK);
    t->exec = (struct psw_exec){.n_thread = 1, .scratch = t->scratch};
    t->n_param = psw_model_n_param(t->model);
    t->param = psw_arena_f32(t->arena, t->n_param);
    t->ref = psw_arena_f32(t->arena, t->n_param);
    t->grad = psw_arena_f32(t->arena, t->n_param);
    pairs_pack(t, share_prefix);
    t->row = psw_arena_f32(t->arena, t->batch.n_row);
    t->weight = psw_arena_f32(t->arena, t->batch.n_row);
    t->act = psw_act_create(t->model, &t->batch, t->arena, 0);
    golden_fill(t->model, STEP_SEED, t->param);
    golden_fill(t->model, STEP_SEED_REF, t->ref);
    forward(t, t->ref, t->logp_ref);
}

void tiny_clear(struct tiny *t)
{
    psw_arena_destroy(t->scratch);
    psw_arena_destroy(t->arena);
    psw_model_destroy(t->model);
}

struct psw_pair_opts tiny_opts(const char *method)
{
    const struct psw_pair_opts opts = {.method = psw_method_find(method),
                                       .beta = STEP_BETA,
                                       .gamma = STEP_GAMMA,
                                       .epsilon = STEP_EPSILON,
                                       .lambda = STEP_LAMBDA,
                                       .alpha = STEP_ALPHA};
    assert_true(opts.method >= 0);
    return opts;
}

struct psw_pass tiny_pass(struct tiny *t, const float *param)
{
    return (struct psw_pass){
        .model = t->model, .exec = &t->exec, .param = param, .batch = &t->batch};
}

struct psw_pair_in tiny_pairs(const struct tiny *t)
{
    return (struct psw_pair_in){
        .n_pair = TINY_N_PAIR, .logp = t->logp, .ref = t->logp_ref, .n_tok = t->n_tok};
}

double tiny_loss(struct tiny *t, const struct psw_pair_opts *opts, const float *param)
{
    double loss[TINY_N_PAIR], mean = 0.0;
    forward(t, param, t->logp);
    const struct psw_pair_in in = tiny_pairs(t);
    const struct psw_pair_out out = {.loss = loss};
    assert_int_equal(psw_objective_pairwise(opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < TINY_N_PAIR; i++) mean += loss[i] / TINY_N_PAIR;
    return mean;
}

void tiny_backward(struct tiny *t, const double *coef)
{
    const struct psw_pass pass = tiny_pass(t, t->param);
    for (int64_t r = 0; r < t->batch.n_row; r++)
        t->weight[r] = (float)(coef[t->batch.row.seq[r]] / TINY_N_PAIR);
    memset(t->grad, 0, sizeof(float) * (size_t)t->n_param);
    psw_model_backward(&pass, t->act, (struct psw_row_weights){.logp = t->weight}, t->grad);
}

double tiny_step(struct tiny *t, const struct psw_pair_opts *opts)
{
    double weight[TINY_N_SEQ], nll[TINY_N_PAIR];
    const double loss = tiny_loss(t, opts, t->param);
    const struct psw_pair_in in = tiny_pairs(t);
    const struct psw_pair_out out = {.weight = weight, .nll = nll};
    assert_int_equal(psw_objective_pairwise(opts, &in, &out, NULL), PSW_OK);
    for (int i = 0; i < TINY_N_PAIR; i++) weight[PSW_N_SIDE * i + PSW_CHOSEN] += nll[i];
    tiny_backward(t, weight);
    return loss;
}

double tiny_dot(const struct tiny *t, const float *a, const float *b)
{
    double sum = 0.0;
    for (int64_t i = 0; i < t->n_param; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}
