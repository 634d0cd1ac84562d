/* A table of identities, each a function from the prepared state to an error. Scales: weights w
 * and derivatives kappa enter as sum |w kappa|, because G itself may be near zero. */
#include "buffers.h"
#include <posweep/model/selftest.h>

#include <math.h>
#include <posweep/kernels/backend.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/sample.h>
#include <posweep/util/minmax.h>
#include <posweep/util/rng.h>
#include <string.h>

enum { N_PAIR = 6, MAX_PROMPT = 11, MAX_RESPONSE = 9, N_DRAW = 12 };
enum { MIN_CONTEXT = 32, BLOCK = 1024 };

struct selftest {
    const struct psw_selftest_opts *opts;
    struct psw_model *model; /* owned */
    struct psw_arena *arena; /* owned; also the scratch */
    struct psw_exec exec;
    int64_t n_param;
    struct psw_example pair[N_PAIR];
    const struct psw_example *at[N_PAIR];
    int32_t text[N_PAIR][MAX_PROMPT + 2 * MAX_RESPONSE];
    struct psw_batch shared, apart; /* prompts once, prompts per response */
    struct psw_act *act;
    float *param, *other;               /* [n_param] */
    float *v, *noise, *grad, *part;     /* [n_param]: an NLL gradient, a random direction, .. */
    float *weight, *logp, *dot, *logp2; /* [n_row] */
    float *hidden;                      /* [n_row][width] */
    float *row;                         /* [n_row] in host memory */
};

static const struct psw_backend *backend_of(const struct selftest *t)
{
    return psw_exec_backend(&t->exec);
}

static void clear(struct selftest *t, float *x)
{
    backend_of(t)->buffer->fill(&t->exec, t->n_param, 0.0f, x);
}

enum quantity { LOGP, ENTROPY, VALUE };

/** One quantity of the rows. */
static struct psw_rows rows_of(enum quantity what, float *x)
{
    return (struct psw_rows){.logp = what == LOGP ? x : NULL,
                             .entropy = what == ENTROPY ? x : NULL,
                             .value = what == VALUE ? x : NULL};
}

static struct psw_row_weights weights_of(enum quantity what, const float *x)
{
    return (struct psw_row_weights){.logp = what == LOGP ? x : NULL,
                                    .entropy = what == ENTROPY ? x : NULL,
                                    .value = what == VALUE ? x : NULL};
}

static struct psw_pass pass_of(struct selftest *t, const float *param,
                               const struct psw_batch *batch)
{
    return (struct psw_pass){
        .model = t->model, .exec = &t->exec, .param = param, .batch = batch};
}

/** grad = gradient of sum_t weight_t (-quantity_t). */
static void gradient_of(struct selftest *t, enum quantity what, const struct psw_batch *batch,
                        const float *weight, float *grad)
{
    const struct psw_pass pass = pass_of(t, t->param, batch);
    clear(t, grad);
    psw_model_forward(&pass, t->act, rows_of(what, t->logp2));
    psw_model_backward(&pass, t->act, weights_of(what, weight), grad);
}

/** |sum w kappa - <v, grad L>| / sum |w kappa| along a direction. */
static double tangent_against_gradient(struct selftest *t, enum quantity what,
                                       const float *direction)
{
    const struct psw_pass pass = pass_of(t, t->param, &t->shared);
    const int64_t n_row = t->shared.n_row;
    psw_model_tangent(&pass, direction, rows_of(what, t->logp), rows_of(what, t->dot));
    gradient_of(t, what, &t->shared, t->weight, t->grad);
    const double g = -psw_buffers_inner(&t->exec, n_row, t->weight, t->dot);
    return fabs(g - psw_buffers_inner(&t->exec, t->n_param, direction, t->grad)) /
           psw_buffers_scale(&t->exec, n_row, t->weight, t->dot);
}

static double tangent_is_gradient(struct selftest *t)
{
    return tangent_against_gradient(t, LOGP, t->v);
}

static double tangent_is_adjoint(struct selftest *t)
{
    return tangent_against_gradient(t, LOGP, t->noise);
}

static double entropy_tangent_is_gradient(struct selftest *t)
{
    return tangent_against_gradient(t, ENTROPY, t->noise);
}

static double value_tangent_is_gradient(struct selftest *t)
{
    return tangent_against_gradient(t, VALUE, t->noise);
}

static double tangent_is_difference(struct selftest *t)
{
    const double step = 1e-2 / sqrt(psw_buffers_inner(&t->exec, t->n_param, t->v, t->v));
    const int64_t n_row = t->shared.n_row;
    const struct psw_pass here = pass_of(t, t->param, &t->shared);
    const struct psw_pass there = pass_of(t, t->other, &t->shared);
    float *const logp[2] = {t->logp, t->logp2};
    for (int side = 0; side < 2; side++) {
        psw_buffers_combine(&t->exec, t->n_param, t->param, (float)(side ? step : -step), t->v,
                            t->other);
        psw_model_forward(&there, t->act, rows_of(LOGP, logp[side]));
    }
    const double difference = psw_buffers_inner(&t->exec, n_row, t->weight, t->logp2) -
                              psw_buffers_inner(&t->exec, n_row, t->weight, t->logp);
    psw_model_tangent(&here, t->v, rows_of(LOGP, t->logp), rows_of(LOGP, t->dot));
    return fabs(difference / (2.0 * step) -
                psw_buffers_inner(&t->exec, n_row, t->weight, t->dot)) /
           psw_buffers_scale(&t->exec, n_row, t->weight, t->dot);
}

static double tangent_has_the_log_probabilities(struct selftest *t)
{
    const struct psw_pass pass = pass_of(t, t->param, &t->shared);
    psw_model_tangent(&pass, t->v, rows_of(LOGP, t->logp), rows_of(LOGP, t->dot));
    psw_model_forward(&pass, t->act, rows_of(LOGP, t->logp2));
    return psw_buffers_distance(&t->exec, t->shared.n_row, t->logp, t->logp2);
}

static double tangent_has_the_entropies_and_values(struct selftest *t)
{
    const struct psw_pass pass = pass_of(t, t->param, &t->shared);
    double worst = 0.0;
    for (enum quantity what = ENTROPY; what <= VALUE; what++) {
        psw_model_tangent(&pass, t->v, rows_of(what, t->logp), rows_of(what, t->dot));
        psw_model_forward(&pass, t->act, rows_of(what, t->logp2));
        worst = psw_worse(worst,
                          psw_buffers_distance(&t->exec, t->shared.n_row, t->logp, t->logp2));
    }
    return worst;
}

/** |part - grad| / |grad|. */
static double part_beside_grad(struct selftest *t)
{
    const double norm = psw_buffers_inner(&t->exec, t->n_param, t->grad, t->grad);
    psw_buffers_combine(&t->exec, t->n_param, t->part, -1.0f, t->grad, t->part);
    return sqrt(psw_buffers_inner(&t->exec, t->n_param, t->part, t->part) / norm);
}

/** Gradients of a forward pass and then a backward pass, and of both in one; and the
 * log-probabilities of both. */
static double one_sweep_is_forward_and_backward(struct selftest *t)
{
    const struct psw_pass pass = pass_of(t, t->param, &t->shared);
    gradient_of(t, LOGP, &t->shared, t->weight, t->grad); /* leaves logp2 */
    clear(t, t->part);
    psw_model_nll(&pass, t->act, t->weight, t->logp, t->part);
    const double of_rows = psw_buffers_distance(&t->exec, t->shared.n_row, t->logp, t->logp2);
    return psw_worse(of_rows, part_beside_grad(t));
}

/** Weight of a row, as of a preference pair. */
static float weight_at(const struct selftest *t, int64_t row)
{
    const struct psw_rng rng = {.seed = t->opts->seed, .use = PSW_RNG_TEST, .step = 2};
    const int32_t seq = t->shared.row.seq[row];
    const double size = 0.05 + 0.1 * psw_rng_uniform(rng, (uint64_t)seq, 1);
    return (float)(seq % 2 ? -size : size);
}

/** <v, grad total> against <v, grad pos> + <v, grad neg>, one backward pass each. */
static double parts_add_up(struct selftest *t)
{
    const int64_t n_row = t->shared.n_row;
    double g[3];
    for (int part = 0; part < 3; part++) { /* total, pos, neg */
        for (int64_t r = 0; r < n_row; r++)
            t->row[r] =
                part == 0 || (weight_at(t, r) > 0.0f) == (part == 1) ? weight_at(t, r) : 0.0f;
        backend_of(t)->buffer->write(&t->exec, n_row, t->row, t->dot);
        gradient_of(t, LOGP, &t->shared, t->dot, t->part);
        g[part] = psw_buffers_inner(&t->exec, t->n_param, t->v, t->part);
    }
    return fabs(g[0] - g[1] - g[2]) / (fabs(g[1]) + fabs(g[2]));
}

static double shared_prompts_change_no_logp(struct selftest *t)
{
    const struct psw_pass shared = pass_of(t, t->param, &t->shared);
    const struct psw_pass apart = pass_of(t, t->param, &t->apart);
    psw_model_forward(&shared, t->act, rows_of(LOGP, t->logp));
    psw_model_forward(&apart, t->act, rows_of(LOGP, t->logp2));
    return psw_buffers_distance(&t->exec, t->shared.n_row, t->logp, t->logp2);
}

static double shared_prompts_change_no_gradient(struct selftest *t)
{
    gradient_of(t, LOGP, &t->shared, t->weight, t->grad);
    gradient_of(t, LOGP, &t->apart, t->weight, t->part);
    return part_beside_grad(t);
}

static double a_repeated_pass_has_the_same_bits(struct selftest *t)
{
    gradient_of(t, LOGP, &t->shared, t->weight, t->grad);
    gradient_of(t, LOGP, &t->shared, t->weight, t->part);
    return psw_buffers_differ(&t->exec, t->n_param, t->grad, t->part);
}

/** Responses of one call of the sampler. */
struct draws {
    int32_t token[N_DRAW * MAX_RESPONSE], n_token[N_DRAW];
    float logp[N_DRAW * MAX_RESPONSE];
};

static psw_status draw(struct selftest *t, int64_t first, int64_t n_prompt, struct draws *out)
{
    const struct psw_sample_opts how = {.temperature = 1.0,
                                        .top_p = 1.0,
                                        .max_new = MAX_RESPONSE,
                                        .eos = -1,
                                        .first_item = (uint64_t)(first * (N_DRAW / N_PAIR)),
                                        .rng = {.seed = t->opts->seed, .use = PSW_RNG_TEST}};
    memset(out, 0, sizeof *out);
    const struct psw_sample_in in = {.prompt = t->at + first,
                                     .n_prompt = n_prompt,
                                     .n_sample = N_DRAW / N_PAIR,
                                     .opts = &how};
    const struct psw_sample_out to = {out->token, out->n_token, out->logp};
    return psw_model_sample(t->model, &t->exec, t->param, &in, &to, NULL);
}

static double sampling_is_forward(struct selftest *t)
{
    struct draws drawn;
    double worst = 0.0;
    if (draw(t, 0, N_PAIR, &drawn) != PSW_OK) return NAN;
    for (int64_t s = 0; s < N_DRAW; s++) {
        const struct psw_arena_mark mark = psw_arena_mark(t->arena);
        struct psw_example e = *t->at[s / (N_DRAW / N_PAIR)];
        const struct psw_example *at = &e;
        struct psw_batch batch;
        e.n_seq = 1;
        e.response[0] = drawn.token + s * MAX_RESPONSE;
        e.n_response[0] = drawn.n_token[s];
        psw_batch_pack(&at, 1, 1, t->arena, &batch);
        const struct psw_pass pass = pass_of(t, t->param, &batch);
        psw_model_forward(&pass, t->act, rows_of(LOGP, t->logp));
        backend_of(t)->buffer->write(&t->exec, batch.n_row, drawn.logp + s * MAX_RESPONSE,
                                     t->logp2);
        worst =
            psw_worse(worst, psw_buffers_distance(&t->exec, batch.n_row, t->logp2, t->logp));
        psw_arena_rewind(t->arena, mark);
    }
    return worst;
}

static double sampling_is_independent_of_the_batch(struct selftest *t)
{
    struct draws all, one;
    if (draw(t, 0, N_PAIR, &all) != PSW_OK) return NAN;
    for (int64_t p = 0; p < N_PAIR; p++) {
        const int64_t first = p * (N_DRAW / N_PAIR), n = N_DRAW / N_PAIR * MAX_RESPONSE;
        if (draw(t, p, 1, &one) != PSW_OK) return NAN;
        if (memcmp(one.token, all.token + first * MAX_RESPONSE, (size_t)n * sizeof(int32_t)) ||
            memcmp(one.logp, all.logp + first * MAX_RESPONSE, (size_t)n * sizeof(float)))
            return 1.0;
    }
    return 0.0;
}

/** The shared batch against another model's distribution, made by `from`; fills t->hidden. */
static struct psw_pass soft_pass(struct selftest *t, const float *from)
{
    const struct psw_pass source = pass_of(t, from, &t->shared);
    struct psw_pass pass = pass_of(t, t->param, &t->shared);
    psw_model_hidden(&source, t->act, t->hidden);
    pass.soft = (struct psw_soft_target){.x = t->hidden,
                                         .w = from + psw_model_layout(t->model)->head,
                                         .draw = {.temperature = 1.0, .top_p = 1.0}};
    return pass;
}

static double soft_tangent_is_gradient(struct selftest *t)
{
    const int64_t n_row = t->shared.n_row;
    psw_buffers_combine(&t->exec, t->n_param, t->param, 1.0f, t->noise, t->other);
    const struct psw_pass pass = soft_pass(t, t->other);
    const struct psw_rows at = {.logp = t->logp, .soft = t->logp2}, dot = {.soft = t->dot};
    psw_model_tangent(&pass, t->noise, at, dot);
    clear(t, t->grad);
    psw_model_soft_nll(&pass, t->act, t->weight, t->logp, t->grad);
    const double g = -psw_buffers_inner(&t->exec, n_row, t->weight, t->dot);
    return fabs(g - psw_buffers_inner(&t->exec, t->n_param, t->noise, t->grad)) /
           psw_buffers_scale(&t->exec, n_row, t->weight, t->dot);
}

static double nothing_pulls_a_model_to_itself(struct selftest *t)
{
    const struct psw_pass pass = soft_pass(t, t->param);
    clear(t, t->grad);
    psw_model_soft_nll(&pass, t->act, t->weight, t->logp, t->grad);
    return sqrt(psw_buffers_inner(&t->exec, t->n_param, t->grad, t->grad));
}

/** What is checked, in order. 1e-5: float sums of some thousand terms, folded in lanes. */
static const struct {
    const char *name;
    double tolerance;
    double (*error)(struct selftest *t);
} IDENTITIES[] = {
    {"tangent = explicit gradient, along a gradient", 1e-5, tangent_is_gradient},
    {"tangent = explicit gradient, along noise (adjoint)", 1e-5, tangent_is_adjoint},
    {"tangent = explicit gradient, of the entropy", 1e-5, entropy_tangent_is_gradient},
    {"tangent = explicit gradient, of the scalar head", 1e-5, value_tangent_is_gradient},
    {"tangent = explicit gradient, of soft targets", 1e-5, soft_tangent_is_gradient},
    {"soft targets: nothing pulls a model to itself", 0.0, nothing_pulls_a_model_to_itself},
    {"tangent = central difference", 1e-2, tangent_is_difference},
    {"tangent's log-probabilities = forward's", 1e-5, tangent_has_the_log_probabilities},
    {"tangent's entropies and values = forward's", 1e-5, tangent_has_the_entropies_and_values},
    {"loss in one sweep = forward, then backward", 1e-5, one_sweep_is_forward_and_backward},
    {"G(total) = G(pos) + G(neg)", 1e-5, parts_add_up},
    {"shared prompts: same log-probabilities", 1e-5, shared_prompts_change_no_logp},
    {"shared prompts: same gradient", 1e-5, shared_prompts_change_no_gradient},
    {"a repeated pass: same bits", 0.0, a_repeated_pass_has_the_same_bits},
    {"sampling's log-probabilities = forward's", 2e-5, sampling_is_forward},
    {"sampling alone or in a batch: same bits", 0.0, sampling_is_independent_of_the_batch},
};

struct psw_model_dims psw_selftest_dims(enum psw_family family)
{
    const struct psw_family_row *row = psw_family_row(family);
    return (struct psw_model_dims){.family = family,
                                   .n_layer = 3,
                                   .width = 60,
                                   .n_head = row->by_head ? 5 : 6,
                                   .n_kv_head = row->by_head ? 5 : 2,
                                   .head_width = row->has_window ? 14 : 0,
                                   .window = row->has_window ? 7 : 0,
                                   .hidden = 232,
                                   .n_vocab = 301,
                                   .context = 40,
                                   .rotary_dims = 6,
                                   .rotary_base = 10000.0,
                                   .norm_eps = 1e-5,
                                   .init_std = 0.1};
}

static void fill_pairs(struct selftest *t)
{
    const struct psw_rng rng = {.seed = t->opts->seed, .use = PSW_RNG_TEST, .step = 1};
    const uint64_t n_vocab = (uint64_t)t->opts->dims.n_vocab;
    for (uint64_t p = 0; p < N_PAIR; p++) {
        int32_t *text = t->text[p];
        for (uint32_t i = 0; i < MAX_PROMPT + 2 * MAX_RESPONSE; i++)
            text[i] = (int32_t)psw_rng_below(rng, p, i, n_vocab);
        struct psw_example *e = &t->pair[p];
        *e = (struct psw_example){.prompt = text, .n_seq = 2, .prompt_key = p};
        e->n_prompt = (int32_t)(1 + psw_rng_below(rng, p, 100, MAX_PROMPT));
        for (uint32_t s = 0; s < 2; s++) {
            e->response[s] = text + MAX_PROMPT + s * MAX_RESPONSE;
            e->n_response[s] = (int32_t)(1 + psw_rng_below(rng, p, 101 + s, MAX_RESPONSE));
        }
        t->at[p] = e;
    }
}

/** Take all memory from the arena, and touch none: measuring and real arenas alike. */
static void take(struct selftest *t)
{
    t->exec =
        (struct psw_exec){.n_thread = 1, .scratch = t->arena, .backend = t->opts->backend};
    t->n_param = psw_model_n_param(t->model);
    psw_batch_pack(t->at, N_PAIR, 1, t->arena, &t->shared);
    psw_batch_pack(t->at, N_PAIR, 0, t->arena, &t->apart);
    float **const params[] = {&t->param, &t->other, &t->v, &t->noise, &t->grad, &t->part};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++)
        *params[i] = psw_arena_f32(t->arena, t->n_param);
    float **const rows[] = {&t->weight, &t->logp, &t->dot, &t->logp2};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        *rows[i] = psw_arena_f32(t->arena, t->shared.n_row);
    t->row = psw_arena_alloc(t->arena, (size_t)t->shared.n_row * sizeof *t->row);
    t->hidden = psw_arena_f32(t->arena, t->shared.n_row * t->opts->dims.width);
    t->act = psw_act_create(t->model, &t->apart, t->arena, 1); /* the larger batch */
}

/** A random direction, and parameters that are a little off their first values. */
static void fill_param(struct selftest *t)
{
    const struct psw_rng rng = {.seed = t->opts->seed, .use = PSW_RNG_TEST, .step = 2};
    const struct psw_buffer_ops *buffer = backend_of(t)->buffer;
    float param[BLOCK], noise[BLOCK];
    psw_model_init(t->model, &t->exec, t->opts->seed, t->param);
    for (int64_t at = 0; at < t->n_param; at += BLOCK) {
        const int64_t n = psw_min(t->n_param - at, BLOCK);
        buffer->read(&t->exec, n, t->param + at, param);
        for (int64_t i = 0; i < n; i++) {
            noise[i] = (float)(0.05 * psw_rng_normal(rng, (uint64_t)(at + i), 0));
            if (param[i] != 0.0f || i % 2) param[i] += 0.5f * noise[i]; /* biases too */
        }
        buffer->write(&t->exec, n, param, t->param + at);
        buffer->write(&t->exec, n, noise, t->noise + at);
    }
}

/** Parameters, directions and weights. */
static void fill(struct selftest *t)
{
    const struct psw_buffer_ops *buffer = backend_of(t)->buffer;
    const int64_t n_row = t->shared.n_row;
    fill_param(t);
    buffer->fill(&t->exec, n_row, 1.0f / (float)n_row, t->weight);
    gradient_of(t, LOGP, &t->shared, t->weight, t->v);
    for (int64_t r = 0; r < n_row; r++) t->row[r] = weight_at(t, r);
    buffer->write(&t->exec, n_row, t->row, t->weight);
}

/** Everything below, walked dry by the code that will do it. */
static void walk(void *ctx, struct psw_arena *arena)
{
    struct selftest *t = ctx;
    t->arena = arena;
    take(t);
    const struct psw_pass pass = pass_of(t, NULL, &t->apart);
    float planned = 0.0f; /* stands for arrays */
    const struct psw_rows rows = {&planned, &planned, &planned, NULL};
    const struct psw_rows soft = {.logp = &planned, .soft = &planned};
    const struct psw_row_weights weights = {&planned, &planned, &planned};
    const struct psw_sample_shape shape = {N_DRAW, MAX_PROMPT, MAX_RESPONSE, t->exec.backend};
    psw_batch_reserve(&t->apart, arena); /* sampling_is_forward packs anew */
    psw_model_forward(&pass, t->act, rows);
    psw_model_backward(&pass, t->act, weights, NULL);
    psw_model_tangent(&pass, NULL, rows, rows);
    psw_model_hidden(&pass, t->act, NULL);
    psw_model_soft_nll(&pass, t->act, NULL, NULL, NULL);
    psw_model_tangent(&pass, NULL, soft, soft);
    psw_model_sample_layout(t->model, &shape, arena);
    t->arena = NULL;
}

static psw_status check_all(struct selftest *t, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_blas blas;
    psw_blas_find(&blas);
    for (size_t i = 0; i < sizeof IDENTITIES / sizeof *IDENTITIES; i++) {
        struct psw_selftest_row row = {.name = IDENTITIES[i].name,
                                       .tolerance = IDENTITIES[i].tolerance};
        row.error = IDENTITIES[i].error(t);
        row.is_ok = row.error <= row.tolerance;
        if (t->opts->report) t->opts->report(t->opts->ctx, &row);
        if (!row.is_ok && rc == PSW_OK)
            rc = psw_fail(err, PSW_EINTERNAL,
                          "self-test of %s: \"%s\" does not hold: error %.3g, tolerance "
                          "%.3g, seed %llu, %s",
                          psw_family_row(t->opts->dims.family)->name, row.name, row.error,
                          row.tolerance, (unsigned long long)t->opts->seed, blas.name);
    }
    return rc;
}

psw_status psw_selftest(const struct psw_selftest_opts *opts, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct selftest t = {.opts = opts};
    struct psw_model_dims dims = opts->dims;
    struct psw_arena_bytes n_bytes = {0};
    if (opts->dims.context < MIN_CONTEXT || opts->dims.n_vocab < 2)
        return psw_fail(err, PSW_EINVAL,
                        "self-test: a context of %d tokens and a vocabulary of 2 are needed",
                        MIN_CONTEXT);
    dims.value = 1;
    PSW_TRY(psw_model_create(&dims, &t.model, err));
    fill_pairs(&t);
    PSW_TRY(psw_arena_plan(walk, &t, &n_bytes, err));
    PSW_TRY(psw_arena_create_over("self-test", backend_of(&t)->buffer->memory, n_bytes,
                                  &t.arena, err));
    take(&t);
    fill(&t);
    PSW_TRY(check_all(&t, err));
fail:
    psw_arena_destroy(t.arena);
    psw_model_destroy(t.model);
    return rc;
}
