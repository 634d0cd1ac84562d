/* A point of a trace: what the tangent gives equals what explicit gradients give, directions
 * are consistent with v, tokens add up, and every number has the bits of one rank. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/data/dataset.h>
#include <posweep/kernels/blas.h>
#include <posweep/objective/clustered_mean.h>
#include <posweep/objective/pairwise.h>
#include <posweep/trace/point.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PROBE = 10, N_FINAL = 8, N_SHARD = 8 };

struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
    struct psw_team team[2]; /* all ranks, this rank alone */
    float *param, *target;   /* target: that D' is taken to be drawn from */
    struct psw_example probe[N_PROBE], final[N_FINAL];
    const struct psw_example *probe_at[N_PROBE], *final_at[N_FINAL];
    double ref[2 * N_PROBE];
};

static int setup(void **state)
{
    static struct fixture f;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    f.config.lists.sft = 64;
    f.config.lists.pairs = 64;
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK) return -1;
    const struct psw_model_dims dims = {.n_layer = 2,
                                        .width = 96,
                                        .n_head = 4,
                                        .hidden = 384,
                                        .n_vocab = f.data->tokenizer->n_vocab,
                                        .context = 64,
                                        .rotary_dims = 8,
                                        .rotary_base = 10000,
                                        .norm_eps = 1e-5,
                                        .init_std = 0.05};
    if (psw_model_create(&dims, &f.model, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team[0], NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_SELF, N_SHARD, &f.team[1], NULL) != PSW_OK)
        return -1;
    f.param = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 9, f.param);
    f.target = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 10, f.target);
    for (int i = 0; i < N_PROBE; i++) {
        f.probe[i] = psw_examples_at(&f.data->pairs, 3 * i);
        f.probe_at[i] = &f.probe[i];
        for (int s = 0; s < 2; s++) /* near the log-probabilities, with margins of both signs */
            f.ref[2 * i + s] = -4.2 * f.probe_at[i]->n_response[s] + 3.0 * ((i + s) % 3) - 3.0;
    }
    for (int i = 0; i < N_FINAL; i++) { /* D': chosen responses to held-out prompts */
        f.final[i] = psw_examples_at(&f.data->pairs_heldout, i);
        f.final[i].n_seq = 1;
        f.final_at[i] = &f.final[i];
    }
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
    free(f->param);
    free(f->target);
    return 0;
}

static struct psw_tracer tracer_of(struct fixture *f, const char *method)
{
    f->config.policy.method = psw_method_find(method);
    return (struct psw_tracer){.model = f->model,
                               .pairs.opts = psw_pair_opts_of(&f->config),
                               .how.temperature = 1.0,
                               .how.share_prefix = 1,
                               .probe = {f->probe_at, N_PROBE},
                               .pairs.ref = f->ref,
                               .final = {f->final_at, N_FINAL},
                               .chosen = {f->probe_at, N_PROBE},
                               .pairs.heldout = {f->probe_at, N_PROBE / 2},
                               .pairs.heldout_ref = f->ref,
                               .how.seed = 5,
                               .how.eta = 1e-3};
}

static const struct psw_draw_opts DRAW = {.temperature = 1.0, .top_p = 1.0};

/* Measure with memory of just the size that the plan says. tokens: filled, or NULL. */
static void measure(struct fixture *f, int alone, struct psw_tracer t, struct psw_trace_at at,
                    struct psw_trace_point *out, struct psw_trace_tokens *tokens)
{
    struct psw_arena *arena[2] = {NULL, NULL};
    assert_int_equal(psw_arena_create_measuring("plan", &arena[0], NULL), PSW_OK);
    t.team = &f->team[alone];
    const int n_local = t.team->shard_end - t.team->shard_begin;
    for (int real = 0; real < 2; real++) {
        if (real)
            assert_int_equal(
                psw_arena_create("work", psw_arena_peak_bytes(arena[0]), &arena[1], NULL),
                PSW_OK);
        struct psw_exec exec = {.n_thread = 1, .scratch = arena[real]};
        t.exec = &exec;
        t.arena = arena[real];
        t.tree = psw_tree_create((struct psw_exec){.scratch = arena[real]},
                                 psw_model_n_param(f->model), n_local);
        struct psw_trace_soft soft;
        psw_trace_soft_init(&t, f->target, DRAW, &soft);
        t.soft = &soft;
        struct psw_trace_tokens room;
        psw_trace_tokens_init(&room, t.probe, arena[real]);
        at.tokens = tokens ? &room : NULL;
        assert_int_equal(psw_trace_measure(&t, &at, out, NULL), PSW_OK);
        if (!real || !tokens) continue;
        tokens->n_row = room.n_row;
        memcpy(tokens->logp, room.logp, sizeof(float) * (size_t)room.n_row);
        memcpy(tokens->kappa, room.kappa, sizeof(float) * (size_t)room.n_row);
        memcpy(tokens->weight, room.weight, sizeof(float) * (size_t)room.n_row);
    }
    assert_int_equal(psw_arena_peak_bytes(arena[0]), psw_arena_peak_bytes(arena[1]));
    psw_arena_destroy(arena[0]);
    psw_arena_destroy(arena[1]);
}

static struct psw_trace_at everything(const struct fixture *f)
{
    return (struct psw_trace_at){.param = f->param, .cosine = 1, .directions = 1};
}

/* Of |grad| |v|, the scale that float32 sums of both ways have. */
static const double TOLERANCE = 1e-6;

static void g_equals_explicit_gradients_for_every_component(void **state)
{
    struct fixture *f = *state;
    static const char *const METHODS[] = {"dpo", "simpo", "dpop", "orpo"};
    for (size_t m = 0; m < sizeof METHODS / sizeof *METHODS; m++) {
        struct psw_tracer t = tracer_of(f, METHODS[m]);
        t.how.temperature = m % 2 ? 0.7 : 1.0;
        t.how.per_token = m == 2;
        struct psw_trace_point p;
        const struct psw_trace_at at = {.param = f->param, .cosine = 1};
        measure(f, 0, t, at, &p, NULL);
        for (int k = 0; k < PSW_N_COMPONENT; k++) {
            if (!(psw_components_of(t.pairs.opts.method) & (1u << k))) {
                assert_true(isnan(p.g.at[k]) && isnan(p.gradient.g[k]));
                continue;
            }
            const double scale = p.gradient.norm[k] * p.v.norm;
            assert_true(scale > 0 || k == PSW_C_NLL);
            assert_true(fabs(p.g.at[k] - p.gradient.g[k]) <= TOLERANCE * scale);
            assert_true(p.v.halves > 0);
            const double cosine = p.gradient.g[k] / (p.gradient.norm[k] * sqrt(p.v.halves));
            if (fabs(cosine) > 1)
                assert_true(isnan(p.gradient.cosine[k]));
            else
                assert_close(p.gradient.cosine[k], cosine, 1e-12);
        }
    }
}

static void g_of_the_likelihood_of_d_prime_is_the_square_of_v(void **state)
{
    struct fixture *f = *state;
    struct psw_tracer t = tracer_of(f, "dpo");
    struct psw_example chosen[N_PROBE];
    const struct psw_example *chosen_at[N_PROBE];
    for (int i = 0; i < N_PROBE; i++) {
        chosen[i] = *f->probe_at[i];
        chosen[i].n_seq = 1;
        chosen_at[i] = &chosen[i];
    }
    t.final = (struct psw_trace_set){chosen_at, N_PROBE};
    struct psw_trace_point p;
    measure(f, 0, t, everything(f), &p, NULL);
    const double square = p.v.norm * p.v.norm;
    assert_close(p.g.at[PSW_C_SFT_CHOSEN] / square, 1.0, TOLERANCE);
    for (int k = 0; k < PSW_N_COMPONENT; k++) /* D' and the chosen responses are the same set */
        if (isfinite(p.g.at[k]))
            assert_true(fabs(p.g_dir[PSW_DIR_CHOSEN][k] - p.g.at[k]) <=
                        TOLERANCE * p.gradient.norm[k] * p.v.norm);
}

static void g_along_the_halves_of_d_prime_averages_to_g(void **state)
{
    struct fixture *f = *state;
    const struct psw_tracer t = tracer_of(f, "ipo");
    float *ones = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f->model));
    for (int64_t i = 0; i < psw_model_n_param(f->model); i++) ones[i] = 2.0f;
    struct psw_trace_at at = everything(f);
    struct psw_trace_point p;
    at.preconditioner = ones;
    measure(f, 0, t, at, &p, NULL);
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        if (!(psw_components_of(t.pairs.opts.method) & (1u << k))) continue;
        const double mean = 0.5 * (p.g_dir[PSW_DIR_FINAL_A][k] + p.g_dir[PSW_DIR_FINAL_B][k]);
        const double allowed = TOLERANCE * p.gradient.norm[k] * p.v.norm;
        assert_true(fabs(mean - p.g.at[k]) <= allowed);
        assert_true(fabs(p.g_dir[PSW_DIR_ADAM][k] - 2 * p.g.at[k]) <= 2 * allowed);
    }
    free(ones);
}

static void a_small_step_does_to_d_prime_what_g_predicts(void **state)
{
    struct fixture *f = *state;
    struct psw_tracer t = tracer_of(f, "dpo");
    t.how.eta = 1e-4;
    struct psw_trace_point p;
    measure(f, 0, t, everything(f), &p, NULL);
    static const int PARTS[] = {PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG};
    for (int i = 0; i < 3; i++) /* curvature is a few per cent; rounding of the mean 1e-5 */
        assert_true(fabs(p.step.realised[PARTS[i]] - p.step.predicted[PARTS[i]]) <=
                    0.05 * fabs(p.step.predicted[PARTS[i]]) + 1e-5 * fabs(p.v.final_logp));
    assert_true(p.g.se_final[PSW_C_TOTAL] > 0 && p.g.se[PSW_C_TOTAL] > 0);
}

/* -sum over responses of D' of the mean log-probability that the target expects, by two
 * explicit gradients: <v_soft, grad of a component>. */
static double explicit_g_soft(struct fixture *f, struct psw_tracer t, int component)
{
    const int64_t n_param = psw_model_n_param(f->model);
    struct psw_arena *arena = NULL;
    struct psw_trace_soft soft;
    double coef[PSW_N_COMPONENT * 2 * N_PROBE], logp[2 * N_PROBE], weight[2 * N_PROBE], g;
    int64_t n_tok[2 * N_PROBE];
    assert_int_equal(psw_arena_create("work", 200 << 20, &arena, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    t.team = &f->team[1];
    t.exec = &exec;
    t.arena = arena;
    psw_trace_soft_init(&t, f->target, DRAW, &soft);
    struct psw_tree *tree =
        psw_tree_create((struct psw_exec){.scratch = arena}, n_param, N_SHARD);
    float *v = psw_arena_f32(arena, n_param);
    struct psw_shards pass = {.model = f->model,
                              .team = t.team,
                              .exec = &exec,
                              .arena = arena,
                              .opts = {.share_prefix = 1,
                                       .temperature = 1.0,
                                       .want = PSW_WANT_LOGP | PSW_WANT_SOFT,
                                       .soft = {soft.hidden, soft.head, DRAW}}};
    struct psw_shards probe = pass;
    psw_shards_pack(&pass, f->final_at, N_FINAL);
    for (int i = 0; i < N_FINAL; i++) weight[i] = 1.0 / N_FINAL;
    psw_shards_soft_nll(&pass, f->param, weight, tree);
    memcpy(v, psw_tree_reduce(MPI_COMM_SELF, tree), sizeof *v * (size_t)n_param);
    probe.opts = (struct psw_shards_opts){.share_prefix = 1, .temperature = t.how.temperature};
    psw_shards_pack(&probe, f->probe_at, N_PROBE);
    psw_shards_forward(&probe, f->param);
    psw_shards_sum_logp(&probe, logp);
    for (int q = 0; q < 2 * N_PROBE; q++) n_tok[q] = f->probe_at[q / 2]->n_response[q % 2];
    const struct psw_pair_in in = {
        .n_pair = N_PROBE, .logp = logp, .ref = f->ref, .n_tok = n_tok};
    const struct psw_components_key key = {5, 0};
    assert_int_equal(psw_components_pairwise(&t.pairs.opts, &in, key, arena, coef, NULL),
                     PSW_OK);
    for (int q = 0; q < 2 * N_PROBE; q++)
        weight[q] = coef[component * 2 * N_PROBE + q] / N_PROBE;
    psw_shards_backward(&probe, f->param, weight, tree);
    g = psw_slices_dot(MPI_COMM_SELF, &(struct psw_exec){0},
                       psw_tree_reduce(MPI_COMM_SELF, tree), v, n_param);
    psw_arena_destroy(arena);
    return g;
}

static void g_soft_equals_explicit_gradients(void **state)
{
    struct fixture *f = *state;
    static const int COMPONENTS[] = {PSW_C_TOTAL,         PSW_C_POS, PSW_C_NEG,
                                     PSW_C_POS_MINUS_NEG, PSW_C_TOP, PSW_C_NLL};
    const struct psw_tracer t = tracer_of(f, "rpo");
    struct psw_trace_point p;
    measure(f, 0, t, (struct psw_trace_at){.param = f->param, .cosine = 1}, &p, NULL);
    for (size_t i = 0; i < sizeof COMPONENTS / sizeof *COMPONENTS; i++) {
        const int k = COMPONENTS[i];
        const double scale = p.gradient.norm[k] * p.v.soft_norm;
        assert_true(scale > 0 && p.soft.se[k] > 0);
        assert_true(fabs(p.soft.at[k] - explicit_g_soft(f, t, k)) <= TOLERANCE * scale);
    }
}

/* Both responses of every pair are the same: pos and neg cancel, and what is left has no
 * direction; at equal weights there is no top third, and nothing is measured of it. */
static void a_gradient_of_rounding_has_no_cosine(void **state)
{
    struct fixture *f = *state;
    struct psw_tracer t = tracer_of(f, "hinge");
    struct psw_example same[N_PROBE];
    const struct psw_example *same_at[N_PROBE];
    double ref[2 * N_PROBE];
    struct psw_trace_point p;
    for (int i = 0; i < N_PROBE; i++) {
        same[i] = *f->probe_at[i];
        same[i].response[1] = same[i].response[0];
        same[i].n_response[1] = same[i].n_response[0];
        same_at[i] = &same[i];
        ref[2 * i] = ref[2 * i + 1] = f->ref[2 * i];
    }
    t.probe.example = same_at;
    t.pairs.ref = ref;
    t.pairs.heldout.n = 0;
    measure(f, 0, t, everything(f), &p, NULL);
    assert_true(p.gradient.norm[PSW_C_POS] > 0 && isnan(p.gradient.cosine[PSW_C_TOTAL]));
    assert_true(p.gradient.norm[PSW_C_TOTAL] <= 1e-5 * p.gradient.norm[PSW_C_POS]);
    assert_true(isfinite(p.gradient.cosine[PSW_C_POS]) &&
                isfinite(p.gradient.cosine[PSW_C_POS_MINUS_NEG]));
    assert_true(isnan(p.g.at[PSW_C_TOP]) && isnan(p.soft.at[PSW_C_TOP]));
    assert_true(isnan(p.gradient.norm[PSW_C_TOP]) && isfinite(p.g.at[PSW_C_RAND1]));
}

static void where_d_prime_was_drawn_g_soft_is_zero(void **state)
{
    struct fixture *f = *state;
    float *const kept = f->target;
    struct psw_trace_point p;
    f->target = f->param;
    measure(f, 0, tracer_of(f, "dpo"), everything(f), &p, NULL);
    f->target = kept;
    assert_true(p.v.soft_norm == 0 && p.v.norm > 0);
    assert_true(p.soft.se_final[PSW_C_POS] == 0 && p.g.se_final[PSW_C_POS] > 0);
    for (int k = 0; k < PSW_N_COMPONENT; k++) {
        if (isnan(p.g.at[k]))
            assert_true(isnan(p.soft.at[k]));
        else
            assert_true(p.soft.at[k] == 0 && p.soft.se[k] == 0 && p.g.se[k] > 0);
    }
}

/* G of every response of D' alone: G is their mean, and the error through D' that of the mean;
 * each half of D' has a v of its own. */
static void the_error_through_d_prime_is_the_spread_over_its_responses(void **state)
{
    struct fixture *f = *state;
    static const int COMPONENTS[] = {PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG, PSW_C_POS_MINUS_NEG};
    static const char *const METHODS[] = {"dpo", "rpo"}; /* total from its parts; of its own */
    struct psw_arena *scratch = NULL;
    uint64_t cluster[N_FINAL];
    assert_int_equal(psw_arena_create("order", 1 << 12, &scratch, NULL), PSW_OK);
    for (int i = 0; i < N_FINAL; i++) cluster[i] = f->final_at[i]->prompt_key;
    for (int own = 0; own < 2; own++) {
        struct psw_tracer t = tracer_of(f, METHODS[own]);
        struct psw_trace_at at = {.param = f->param, .error_final = 1};
        struct psw_trace_point p, one[N_FINAL], half[2];
        t.how.per_token = own;
        measure(f, 0, t, at, &p, NULL);
        assert_true(isnan(p.gradient.cosine[PSW_C_TOTAL]) && isnan(p.g.se_final[PSW_C_TOP]));
        for (int i = 0; i < N_FINAL; i++) {
            t.final = (struct psw_trace_set){f->final_at + i, 1};
            measure(f, 0, t, (struct psw_trace_at){.param = f->param}, &one[i], NULL);
            assert_true(isnan(one[i].v.halves) && isnan(one[i].g.se_final[PSW_C_TOTAL]));
        }
        for (int h = 0; h < 2; h++) {
            t.final = (struct psw_trace_set){f->final_at + h * N_FINAL / 2, N_FINAL / 2};
            measure(f, 0, t, (struct psw_trace_at){.param = f->param}, &half[h], NULL);
        }
        const double a = half[0].v.norm, b = half[1].v.norm, v = p.v.norm;
        assert_close(p.v.halves, (4 * v * v - a * a - b * b) / 2, 1e-5 * a * b);
        for (int c = 0; c < 4; c++)
            for (int soft = 0; soft < 2; soft++) {
                const int k = COMPONENTS[c];
                double x[N_FINAL];
                for (int i = 0; i < N_FINAL; i++)
                    x[i] = soft ? one[i].soft.at[k] : one[i].g.at[k];
                const struct psw_mean m = psw_cluster_mean(N_FINAL, x, cluster, scratch);
                const double got = soft ? p.soft.se_final[k] : p.g.se_final[k];
                assert_close(got, m.se, 1e-4 * m.se);
                assert_close(soft ? p.soft.at[k] : p.g.at[k], m.mean, 1e-4 * m.se);
            }
    }
    psw_arena_destroy(scratch);
}

/* Three responses to three prompts, and five to four: every response of D' counts alike, in v,
 * in G along it, soft or not, and in the inner product of the halves. */
static void halves_of_d_prime_may_differ_in_prompts_and_responses(void **state)
{
    enum { N_A = 3, N_B = 4 };
    struct fixture *f = *state;
    struct psw_example twice = psw_examples_at(&f->data->pairs_heldout, N_A + N_B - 1);
    const struct psw_example *at[N_A + N_B];
    const double w_a = 3.0 / 8, w_b = 5.0 / 8; /* shares of the responses */
    assert_int_equal(twice.n_seq, 2);
    for (int i = 0; i < N_A + N_B - 1; i++) at[i] = f->final_at[i];
    at[N_A + N_B - 1] = &twice;
    const struct psw_trace_set sets[] = {{at, N_A + N_B}, {at, N_A}, {at + N_A, N_B}};
    struct psw_trace_point p[3];
    for (int i = 0; i < 3; i++) {
        struct psw_tracer t = tracer_of(f, "dpo");
        t.final = sets[i];
        measure(f, 0, t, (struct psw_trace_at){.param = f->param}, &p[i], NULL);
    }
    const double v = p[0].v.norm, a = w_a * p[1].v.norm, b = w_b * p[2].v.norm;
    assert_close(p[0].v.halves, (v * v - a * a - b * b) / (2 * w_a * w_b), 1e-5 * v * v);
    assert_close(p[0].v.final_logp, w_a * p[1].v.final_logp + w_b * p[2].v.final_logp,
                 1e-5 * fabs(p[0].v.final_logp));
    for (int k = PSW_C_TOTAL; k <= PSW_C_NEG; k++) {
        const double bound = 1e-4 * p[0].g.se[k];
        assert_close(p[0].g.at[k], w_a * p[1].g.at[k] + w_b * p[2].g.at[k], bound);
        assert_close(p[0].soft.at[k], w_a * p[1].soft.at[k] + w_b * p[2].soft.at[k], bound);
    }
}

static void tokens_add_up_to_g_and_to_the_log_probabilities(void **state)
{
    struct fixture *f = *state;
    const struct psw_tracer t = tracer_of(f, "cpo");
    float room[3][4096];
    struct psw_trace_tokens tokens = {.logp = room[0], .kappa = room[1], .weight = room[2]};
    struct psw_trace_point p;
    measure(f, 0, t, everything(f), &p, &tokens);
    double g = 0, size = 0, kappa[2] = {0, 0};
    int64_t row = 0, n_positive = 0, n_rejected = 0;
    for (int i = 0; i < N_PROBE; i++)
        for (int s = 0; s < 2; s++)
            for (int k = 0; k < f->probe_at[i]->n_response[s]; k++, row++) {
                const double x = tokens.kappa[row];
                kappa[s] += x / N_PROBE;
                g += tokens.weight[row] * x;
                size += fabs(tokens.weight[row] * x);
                assert_true(tokens.logp[row] < 0);
                n_positive += s == PSW_REJECTED && x > 0;
                n_rejected += s == PSW_REJECTED;
            }
    assert_int_equal(row, tokens.n_row);
    assert_true(fabs(g - p.g.at[PSW_C_TOTAL]) <= 1e-6 * size);
    assert_close(kappa[PSW_CHOSEN], p.kappa.chosen, 1e-6);
    assert_close(kappa[PSW_REJECTED], p.kappa.rejected, 1e-6);
    assert_close(p.kappa.rejected_positive, (double)n_positive / (double)n_rejected, 1e-15);
}

static void a_point_has_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    struct psw_trace_point together, alone;
    memset(&together, 0, sizeof together);
    memset(&alone, 0, sizeof alone);
    const struct psw_tracer t = tracer_of(f, "rpo");
    measure(f, 0, t, everything(f), &together, NULL);
    measure(f, 1, t, everything(f), &alone, NULL);
    assert_memory_equal(&together, &alone, sizeof alone);
}

static void parameters_that_are_not_finite_are_divergence(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    struct psw_arena *arena = NULL;
    assert_int_equal(psw_arena_create("work", 200 << 20, &arena, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    struct psw_tracer t = tracer_of(f, "dpo");
    t.team = &f->team[0];
    t.exec = &exec;
    t.arena = arena;
    t.tree = psw_tree_create((struct psw_exec){.scratch = arena}, psw_model_n_param(f->model),
                             t.team->shard_end - t.team->shard_begin);
    const struct psw_trace_at at = {.param = f->param, .checkpoint = 7};
    struct psw_trace_point p;
    const float kept = f->param[0];
    for (int64_t i = 0; i < 4096; i++) f->param[i] += INFINITY;
    assert_int_equal(psw_trace_measure(&t, &at, &p, &err), PSW_EDIVERGED);
    assert_non_null(strstr(err.text, "checkpoint 7"));
    psw_model_init(f->model, &(struct psw_exec){0}, 9, f->param);
    assert_close(f->param[0], kept, 0.0);
    psw_arena_destroy(arena);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(g_equals_explicit_gradients_for_every_component),
        cmocka_unit_test(g_of_the_likelihood_of_d_prime_is_the_square_of_v),
        cmocka_unit_test(g_along_the_halves_of_d_prime_averages_to_g),
        cmocka_unit_test(a_small_step_does_to_d_prime_what_g_predicts),
        cmocka_unit_test(g_soft_equals_explicit_gradients),
        cmocka_unit_test(a_gradient_of_rounding_has_no_cosine),
        cmocka_unit_test(where_d_prime_was_drawn_g_soft_is_zero),
        cmocka_unit_test(the_error_through_d_prime_is_the_spread_over_its_responses),
        cmocka_unit_test(halves_of_d_prime_may_differ_in_prompts_and_responses),
        cmocka_unit_test(tokens_add_up_to_g_and_to_the_log_probabilities),
        cmocka_unit_test(a_point_has_the_bits_of_one_rank),
        cmocka_unit_test(parameters_that_are_not_finite_are_divergence),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
