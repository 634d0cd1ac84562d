/* A trace point on a step's own samples: what the tangent gives equals what explicit gradients
 * give, parts add up to total, tokens to G, and every number has the bits of one rank. */
#include <support/example_at.h>
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/data/dataset.h>
#include <posweep/kernels/blas.h>
#include <posweep/objective/clustered_mean.h>
#include <posweep/trace/point.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PROMPT = 6, N_SAMPLE = 3, N_SEQ = N_PROMPT * N_SAMPLE, N_FINAL = 8, N_SHARD = 8 };
enum { MAX_ROW = 1024 };

struct fixture {
    struct psw_dataset *data;
    struct psw_model *model; /* with a scalar head */
    struct psw_team team[2]; /* all ranks, this rank alone */
    float *param, *target;   /* target: that D' is taken to be drawn from */
    struct psw_example final[N_FINAL], probe[N_PROMPT];
    const struct psw_example *final_at[N_FINAL], *probe_at[N_PROMPT];
    int64_t seq_row[N_SEQ + 1], n_row;
    double advantage[MAX_ROW], raw[MAX_ROW], ref[MAX_ROW], ret[MAX_ROW];
};

/* Responses of very different quality: to the prompt itself, to others, and cut short. */
static void make_probe(struct fixture *f)
{
    int64_t q = 0;
    f->seq_row[0] = 0;
    for (int i = 0; i < N_PROMPT; i++) {
        struct psw_example *e = &f->probe[i];
        *e = psw_examples_at(&f->data->pairs, 2 * i);
        e->n_seq = N_SAMPLE;
        for (int s = 0; s < N_SAMPLE; s++, q++) {
            const struct psw_example *from = example_at(&f->data->pairs, (2 * i + 7 * s) % 32);
            e->response[s] = from->response[s % 2];
            e->n_response[s] = from->n_response[s % 2] - (s == 2);
            if (e->n_response[s] < 1) e->n_response[s] = 1;
            f->seq_row[q + 1] = f->seq_row[q] + e->n_response[s];
        }
        f->probe_at[i] = e;
    }
    f->n_row = f->seq_row[N_SEQ];
}

static void fill(double *out, int64_t n, double middle, double scale, uint64_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        float x;
        support_fill(&x, 1, 1.0f, seed + (uint64_t)i);
        out[i] = middle + scale * x;
    }
}

static int setup(void **state)
{
    static struct fixture f;
    struct psw_config config;
    psw_blas_pin(1);
    psw_config_default(&config);
    config.lists.sft = 64;
    config.lists.pairs = 64;
    if (psw_dataset_open(&config, &f.data, NULL) != PSW_OK) return -1;
    const struct psw_model_dims dims = {.n_layer = 2,
                                        .width = 96,
                                        .n_head = 4,
                                        .hidden = 384,
                                        .n_vocab = f.data->tokenizer->n_vocab,
                                        .context = 64,
                                        .rotary_dims = 8,
                                        .rotary_base = 10000,
                                        .norm_eps = 1e-5,
                                        .init_std = 0.05,
                                        .value = 1};
    if (psw_model_create(&dims, &f.model, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.team[0], NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_SELF, N_SHARD, &f.team[1], NULL) != PSW_OK)
        return -1;
    f.param = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 9, f.param);
    f.target = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 10, f.target);
    make_probe(&f);
    if (f.n_row > MAX_ROW) return -1;
    fill(f.advantage, f.n_row, 0, 1, 1000);
    fill(f.raw, f.n_row, 0.3, 2, 3000);
    fill(f.ref, f.n_row, -4.2, 0.5, 5000);
    fill(f.ret, f.n_row, 0.5, 1, 7000);
    for (int i = 0; i < N_FINAL; i++) {
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

/* With every term that the method can have. */
static struct psw_onpolicy_opts opts_of(const char *method, const char *critic)
{
    struct psw_config c;
    psw_config_default(&c);
    assert_int_equal(psw_config_set(&c, "policy.method", method, NULL), PSW_OK);
    assert_int_equal(psw_config_set(&c, "policy.critic", critic, NULL), PSW_OK);
    assert_int_equal(psw_config_set(&c, "policy.entropy_coef", "0.3", NULL), PSW_OK);
    if (strcmp(method, "grpo") == 0)
        assert_int_equal(psw_config_set(&c, "policy.kl_coef", "0.5", NULL), PSW_OK);
    return psw_onpolicy_opts_of(&c);
}

static struct psw_trace_rollouts rollouts_of(struct fixture *f, struct psw_onpolicy_opts opts)
{
    return (struct psw_trace_rollouts){.opts = opts,
                                       .rows = {.n_prompt = N_PROMPT,
                                                .n_sample = N_SAMPLE,
                                                .n_seq = N_SEQ,
                                                .n_row = f->n_row,
                                                .seq_row = f->seq_row},
                                       .advantage = f->advantage,
                                       .raw = f->raw,
                                       .ref = f->ref,
                                       .ret = f->ret};
}

static struct psw_tracer tracer_of(struct fixture *f, const struct psw_trace_rollouts *rollouts)
{
    return (struct psw_tracer){.model = f->model,
                               .rollouts = rollouts,
                               .how.temperature = 0.9,
                               .how.share_prefix = 1,
                               .probe = {f->probe_at, N_PROMPT},
                               .final = {f->final_at, N_FINAL},
                               .how.seed = 5,
                               .how.eta = 1e-3};
}

/* What is measured of a point, as bits. */
enum { COSINE = 1, DIRECTIONS = 2, ERROR_FINAL = 4 };

/* Measure with memory of just the size that the plan says; tokens when there is room for them.
 */
static void measure(struct fixture *f, int alone, struct psw_tracer t, int what,
                    struct psw_trace_point *out, struct psw_trace_tokens *tokens)
{
    struct psw_arena *arena[2] = {NULL, NULL};
    struct psw_trace_at at = {.param = f->param,
                              .checkpoint = 3,
                              .cosine = what & COSINE,
                              .error_final = (what & ERROR_FINAL) != 0,
                              .directions = (what & DIRECTIONS) != 0};
    assert_int_equal(psw_arena_create_measuring("plan", &arena[0], NULL), PSW_OK);
    t.team = &f->team[alone];
    for (int real = 0; real < 2; real++) {
        if (real)
            assert_int_equal(
                psw_arena_create("work", psw_arena_peak_bytes(arena[0]), &arena[1], NULL),
                PSW_OK);
        struct psw_exec exec = {.n_thread = 1, .scratch = arena[real]};
        t.exec = &exec;
        t.arena = arena[real];
        t.tree = psw_tree_create((struct psw_exec){.scratch = arena[real]},
                                 psw_model_n_param(f->model),
                                 t.team->shard_end - t.team->shard_begin);
        struct psw_trace_soft soft;
        psw_trace_soft_init(&t, f->target,
                            (struct psw_draw_opts){.temperature = 1.0, .top_p = 1.0}, &soft);
        t.soft = &soft;
        struct psw_trace_tokens room;
        psw_trace_tokens_init(&room, t.probe, arena[real]);
        at.tokens = &room;
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

static const struct {
    const char *method, *critic;
    uint32_t terms; /* beside those that every method has */
} CASES[] = {{"ppo", "shared", 1u << PSW_C_ENTROPY | 1u << PSW_C_VALUE},
             {"ppo", "separate", 1u << PSW_C_ENTROPY},
             {"grpo", "separate", 1u << PSW_C_KL | 1u << PSW_C_ENTROPY},
             {"dapo", "separate", 1u << PSW_C_ENTROPY}};
enum { N_CASE = sizeof CASES / sizeof *CASES };

/* Of |grad| |v|, the scale that float32 sums of both ways have. */
static const double TOLERANCE = 1e-6;

static void g_equals_explicit_gradients_for_every_component(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_CASE; i++) {
        const struct psw_trace_rollouts r =
            rollouts_of(f, opts_of(CASES[i].method, CASES[i].critic));
        struct psw_tracer t = tracer_of(f, &r);
        struct psw_trace_point p;
        t.how.per_token = i == 1;
        measure(f, 0, t, COSINE, &p, NULL);
        const uint32_t exists = psw_trace_components(&t);
        const uint32_t terms = 1u << PSW_C_KL | 1u << PSW_C_ENTROPY | 1u << PSW_C_VALUE;
        assert_int_equal(exists & terms, CASES[i].terms);
        assert_true(exists >> PSW_C_SHUFFLED & 1 && exists >> PSW_C_RAW & 1);
        for (int k = 0; k < PSW_N_COMPONENT; k++) {
            if (!(exists >> k & 1)) {
                assert_true(isnan(p.g.at[k]) && isnan(p.gradient.g[k]));
                continue;
            }
            const double scale = p.gradient.norm[k] * p.v.norm;
            assert_true(scale > 0);
            assert_true(fabs(p.g.at[k] - p.gradient.g[k]) <= TOLERANCE * scale);
            const double cosine = p.gradient.g[k] / (p.gradient.norm[k] * sqrt(p.v.halves));
            if (fabs(cosine) <= 1) assert_close(p.gradient.cosine[k], cosine, 1e-12);
        }
        assert_true(isfinite(p.entropy) && p.entropy > 0);
    }
}

static void total_is_the_sum_of_its_parts(void **state)
{
    struct fixture *f = *state;
    static const int PARTS[] = {PSW_C_POS, PSW_C_NEG, PSW_C_KL, PSW_C_ENTROPY, PSW_C_VALUE};
    for (int i = 0; i < N_CASE; i++) {
        const struct psw_trace_rollouts r =
            rollouts_of(f, opts_of(CASES[i].method, CASES[i].critic));
        const struct psw_tracer t = tracer_of(f, &r);
        struct psw_trace_point p;
        measure(f, 0, t, COSINE | DIRECTIONS, &p, NULL);
        const double *const what[] = {p.g.at, p.g_dir[PSW_DIR_FINAL_A],
                                      p.g_dir[PSW_DIR_FINAL_B]};
        for (int d = 0; d < 3; d++) {
            double sum = 0, size = 0;
            for (int k = 0; k < 5; k++)
                if (psw_trace_components(&t) >> PARTS[k] & 1) {
                    sum += what[d][PARTS[k]];
                    size += fabs(what[d][PARTS[k]]);
                }
            assert_true(fabs(sum - what[d][PSW_C_TOTAL]) <= 1e-12 * size);
        }
        const double halves = p.g_dir[PSW_DIR_FINAL_A][PSW_C_TOTAL] / 2 +
                              p.g_dir[PSW_DIR_FINAL_B][PSW_C_TOTAL] / 2;
        assert_true(fabs(halves - p.g.at[PSW_C_TOTAL]) <=
                    TOLERANCE * p.gradient.norm[PSW_C_TOTAL] * p.v.norm);
        assert_true(fabs(p.g.at[PSW_C_SHUFFLED] - p.g.at[PSW_C_POS] - p.g.at[PSW_C_NEG]) > 0);
    }
}

/* The trace must follow what training does, so the weights come from the objective itself. */
static void tokens_add_up_to_g_with_the_weights_of_the_objective(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_CASE; i++) {
        const struct psw_trace_rollouts r =
            rollouts_of(f, opts_of(CASES[i].method, CASES[i].critic));
        const struct psw_tracer t = tracer_of(f, &r);
        float room[3][MAX_ROW];
        struct psw_trace_tokens tokens = {.logp = room[0], .kappa = room[1], .weight = room[2]};
        struct psw_trace_point p;
        measure(f, 0, t, 0, &p, &tokens);
        assert_int_equal(tokens.n_row, f->n_row);
        double logp[MAX_ROW], weight[MAX_ROW], kl[MAX_ROW];
        for (int64_t k = 0; k < f->n_row; k++) logp[k] = tokens.logp[k];
        const struct psw_onpolicy_in in = {.rows = &r.rows,
                                           .logp = logp,
                                           .old = logp,
                                           .ref = f->ref,
                                           .advantage = r.advantage};
        struct psw_onpolicy_out out = {.weight = weight, .kl = kl};
        assert_int_equal(psw_objective_onpolicy(&r.opts, &in, &out, NULL), PSW_OK);
        double g = 0, size = 0;
        int64_t n_negative = 0, n_falling = 0;
        for (int64_t k = 0; k < f->n_row; k++) {
            assert_close(tokens.weight[k] / (weight[k] + kl[k]), 1, 1e-4); /* logp is float */
            g += tokens.weight[k] * tokens.kappa[k];
            size += fabs(tokens.weight[k] * tokens.kappa[k]);
            n_negative += r.advantage[k] < 0;
            n_falling += r.advantage[k] < 0 && tokens.kappa[k] > 0;
        }
        for (int k = PSW_C_ENTROPY; k <= PSW_C_VALUE; k++) /* what acts on no token's log pi */
            if (isfinite(p.g.at[k])) g += p.g.at[k];
        assert_true(fabs(g - p.g.at[PSW_C_TOTAL]) <= 1e-6 * size);
        assert_close(p.kappa.neg_positive, (double)n_falling / (double)n_negative, 1e-15);
    }
}

static void a_point_has_the_bits_of_one_rank(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < N_CASE; i++) {
        const struct psw_trace_rollouts r =
            rollouts_of(f, opts_of(CASES[i].method, CASES[i].critic));
        struct psw_trace_point together, alone;
        memset(&together, 0, sizeof together);
        memset(&alone, 0, sizeof alone);
        measure(f, 0, tracer_of(f, &r), COSINE | DIRECTIONS, &together, NULL);
        measure(f, 1, tracer_of(f, &r), COSINE | DIRECTIONS, &alone, NULL);
        assert_memory_equal(&together, &alone, sizeof alone);
    }
}

/* G of every response of D' alone: their mean is G, their spread its error. */
static void the_error_through_d_prime_is_the_spread_over_its_responses(void **state)
{
    struct fixture *f = *state;
    const struct psw_trace_rollouts r = rollouts_of(f, opts_of("ppo", "shared"));
    struct psw_tracer t = tracer_of(f, &r);
    struct psw_trace_point p, one;
    struct psw_arena *scratch = NULL;
    double x[2][N_FINAL];
    uint64_t cluster[N_FINAL];
    measure(f, 0, t, ERROR_FINAL, &p, NULL);
    for (int i = 0; i < N_FINAL; i++) {
        t.final = (struct psw_trace_set){f->final_at + i, 1};
        measure(f, 0, t, 0, &one, NULL);
        x[0][i] = one.g.at[PSW_C_TOTAL];
        x[1][i] = one.soft.at[PSW_C_TOTAL];
        cluster[i] = f->final_at[i]->prompt_key;
    }
    assert_int_equal(psw_arena_create("order", 1 << 12, &scratch, NULL), PSW_OK);
    const struct psw_mean hard = psw_cluster_mean(N_FINAL, x[0], cluster, scratch);
    const struct psw_mean soft = psw_cluster_mean(N_FINAL, x[1], cluster, scratch);
    psw_arena_destroy(scratch);
    assert_close(p.g.se_final[PSW_C_TOTAL], hard.se, 1e-4 * hard.se);
    assert_close(p.soft.se_final[PSW_C_TOTAL], soft.se, 1e-4 * soft.se);
    assert_close(p.soft.at[PSW_C_TOTAL], soft.mean, 1e-4 * soft.se);
    assert_true(isnan(p.gradient.cosine[PSW_C_TOTAL]) && isnan(p.g.se_final[PSW_C_RAW]));
}

static void a_small_step_does_to_d_prime_what_g_predicts(void **state)
{
    struct fixture *f = *state;
    static const int PARTS[] = {PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG, PSW_C_ENTROPY, PSW_C_VALUE};
    const struct psw_trace_rollouts r = rollouts_of(f, opts_of("ppo", "shared"));
    struct psw_tracer t = tracer_of(f, &r);
    t.how.eta = 1e-4;
    struct psw_trace_point p;
    measure(f, 0, t, COSINE, &p, NULL);
    double sum = p.step.realised[PSW_C_TOTAL];
    for (int i = 0; i < 5; i++) { /* curvature is a few per cent; rounding of the mean 1e-5 */
        assert_true(fabs(p.step.realised[PARTS[i]] - p.step.predicted[PARTS[i]]) <=
                    0.05 * fabs(p.step.predicted[PARTS[i]]) + 1e-5 * fabs(p.v.final_logp));
        if (i > 0) sum -= p.step.realised[PARTS[i]];
    }
    assert_close(p.step.interaction, sum, 1e-12);
    assert_true(p.g.se_final[PSW_C_TOTAL] > 0 && p.g.se[PSW_C_TOTAL] > 0);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(g_equals_explicit_gradients_for_every_component),
        cmocka_unit_test(total_is_the_sum_of_its_parts),
        cmocka_unit_test(tokens_add_up_to_g_with_the_weights_of_the_objective),
        cmocka_unit_test(a_point_has_the_bits_of_one_rank),
        cmocka_unit_test(the_error_through_d_prime_is_the_spread_over_its_responses),
        cmocka_unit_test(a_small_step_does_to_d_prime_what_g_predicts),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
