/* Responses sampled by a team: the same tokens on every rank and on any number of them, with
 * shards that have no prompt, in the scratch that was planned. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/parallel/responses.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_PROMPT = 11, N_SAMPLE = 3, N_SHARD = 8, V = 40, CONTEXT = 32, LONGEST = 12, EOS = 3 };

static const struct psw_model_dims DIMS = {.n_layer = 2,
                                           .width = 64,
                                           .n_head = 2,
                                           .hidden = 128,
                                           .n_vocab = V,
                                           .context = CONTEXT,
                                           .rotary_dims = 16,
                                           .rotary_base = 10000,
                                           .norm_eps = 1e-5,
                                           .init_std = 0.2};

struct fixture {
    struct psw_model *model;
    struct psw_team world, self;
    float *param;
    int32_t token[N_PROMPT][LONGEST];
    struct psw_example item[N_PROMPT];
    const struct psw_example *pointer[N_PROMPT];
};

static int setup(void **state)
{
    static struct fixture f;
    float x[N_PROMPT * LONGEST];
    if (psw_model_create(&DIMS, &f.model, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_WORLD, N_SHARD, &f.world, NULL) != PSW_OK ||
        psw_team_init(MPI_COMM_SELF, N_SHARD, &f.self, NULL) != PSW_OK)
        return -1;
    psw_blas_pin(1);
    f.param = aligned_alloc(64, sizeof(float) * (size_t)psw_model_n_param(f.model));
    psw_model_init(f.model, &(struct psw_exec){0}, 3, f.param);
    support_fill(x, N_PROMPT * LONGEST, 0.5f, 5);
    for (int i = 0; i < N_PROMPT; i++) { /* of 1 to 12 tokens, two of the longest */
        for (int k = 0; k < LONGEST; k++)
            f.token[i][k] = (int32_t)((x[i * LONGEST + k] + 0.5f) * V);
        f.item[i] = (struct psw_example){.prompt = f.token[i],
                                         .n_prompt = 1 + (i * 7 + 4) % LONGEST,
                                         .n_seq = 2, /* of another life: must be forgotten */
                                         .prompt_key = (uint64_t)(100 + i)};
        f.pointer[i] = &f.item[i];
    }
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_model_destroy(f->model);
    free(f->param);
    return 0;
}

/* Aim at the first n prompts and sample, in scratch of just the size that is planned. */
static psw_status sample_beside(struct fixture *f, const struct psw_team *team,
                                const float *param, struct psw_shard_keeper keeper, int64_t n,
                                struct psw_responses *out, struct psw_error *err)
{
    struct psw_arena *arena = NULL, *plan = NULL;
    const int64_t stride = psw_responses_limit(f->pointer, n, CONTEXT, 0);
    assert_int_equal(psw_responses_init(n, N_SAMPLE, stride, out, NULL), PSW_OK);
    psw_responses_set_prompts(out, f->pointer);
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1};
    const struct psw_sampler with = {
        .team = team, .model = f->model, .exec = &exec, .param = param, .keeper = keeper};
    psw_responses_layout(&with, out, plan);
    const size_t n_bytes = psw_arena_peak_bytes(plan);
    psw_arena_destroy(plan);
    assert_int_equal(psw_arena_create("scratch", n_bytes, &arena, NULL), PSW_OK);
    exec.scratch = arena;
    const struct psw_sample_opts opts = {.temperature = 1,
                                         .top_p = 1,
                                         .eos = EOS,
                                         .rng = {.seed = 9, .use = PSW_RNG_TEST, .step = 2},
                                         .first_item = 1000};
    const psw_status rc = psw_responses_sample(&with, &opts, out, err);
    assert_true(psw_arena_peak_bytes(arena) <= n_bytes);
    assert_true(team->size > 1 || rc != PSW_OK || psw_arena_peak_bytes(arena) == n_bytes);
    psw_arena_destroy(arena);
    return rc;
}

static psw_status sample(struct fixture *f, const struct psw_team *team, const float *param,
                         int64_t n, struct psw_responses *out, struct psw_error *err)
{
    return sample_beside(f, team, param, (struct psw_shard_keeper){0}, n, out, err);
}

static void assert_same(const struct psw_responses *a, const struct psw_responses *b)
{
    assert_int_equal(a->n_seq, b->n_seq);
    for (int64_t q = 0; q < a->n_seq; q++) {
        assert_int_equal(a->n_token[q], b->n_token[q]);
        assert_memory_equal(a->token + q * a->stride, b->token + q * b->stride,
                            sizeof(int32_t) * (size_t)a->n_token[q]);
    }
}

static void tokens_are_those_of_one_rank(void **state)
{
    struct fixture *f = *state;
    static const int64_t N[] = {1, 3, N_PROMPT}; /* also shards, and ranks, without a prompt */
    for (int i = 0; i < 3; i++) {
        struct psw_responses together, alone;
        assert_int_equal(sample(f, &f->world, f->param, N[i], &together, NULL), PSW_OK);
        assert_int_equal(sample(f, &f->self, f->param, N[i], &alone, NULL), PSW_OK);
        assert_same(&together, &alone);
        psw_responses_clear(&together);
        psw_responses_clear(&alone);
    }
}

/* Every response has random numbers of its own: which shard it stands in does not matter. */
static void shards_draw_what_one_shard_draws(void **state)
{
    struct fixture *f = *state;
    struct psw_responses many, one;
    struct psw_team whole;
    assert_int_equal(psw_team_init(MPI_COMM_SELF, 1, &whole, NULL), PSW_OK);
    assert_int_equal(sample(f, &f->world, f->param, N_PROMPT, &many, NULL), PSW_OK);
    assert_int_equal(sample(f, &whole, f->param, N_PROMPT, &one, NULL), PSW_OK);
    assert_same(&many, &one);
    psw_responses_clear(&many);
    psw_responses_clear(&one);
}

/* A keeper that has every third shard. */
struct keeper {
    const struct psw_responses *whole;
    struct psw_responses *r;
    int last, n_done;
};

static int has(void *ctx, int shard)
{
    const struct keeper *k = ctx;
    const int64_t stride = k->whole->stride;
    assert_true(shard > k->last);
    if (shard % 3 > 0) return 0;
    const int64_t begin = (int64_t)N_PROMPT * shard / N_SHARD * N_SAMPLE;
    const int64_t n = (int64_t)N_PROMPT * (shard + 1) / N_SHARD * N_SAMPLE - begin;
    memcpy(k->r->n_token + begin, k->whole->n_token + begin, sizeof(int32_t) * (size_t)n);
    memcpy(k->r->token + begin * stride, k->whole->token + begin * stride,
           sizeof(int32_t) * (size_t)(n * stride));
    /* not what would be sampled: so it shows */
    for (int64_t q = begin; q < begin + n; q++) k->r->token[q * stride] = V - 1;
    return 1;
}

static void done(void *ctx, int shard)
{
    struct keeper *k = ctx;
    assert_true(shard % 3 > 0 && shard > k->last);
    k->last = shard;
    k->n_done++;
}

static void shards_that_are_kept_are_not_sampled(void **state)
{
    struct fixture *f = *state;
    struct psw_responses whole, r;
    struct keeper k = {.whole = &whole, .r = &r, .last = -1};
    int n_done = 0;
    assert_int_equal(sample(f, &f->world, f->param, N_PROMPT, &whole, NULL), PSW_OK);
    const struct psw_shard_keeper keeper = {.ctx = &k, .has = has, .done = done};
    assert_int_equal(sample_beside(f, &f->world, f->param, keeper, N_PROMPT, &r, NULL), PSW_OK);
    for (int s = 0; s < N_SHARD; s++) {
        const int64_t end = (int64_t)N_PROMPT * (s + 1) / N_SHARD * N_SAMPLE;
        for (int64_t q = (int64_t)N_PROMPT * s / N_SHARD * N_SAMPLE; q < end && s % 3 == 0; q++)
            whole.token[q * whole.stride] = V - 1;
        n_done += s % 3 > 0 && s >= f->world.shard_begin && s < f->world.shard_end;
    }
    assert_same(&r, &whole);
    assert_int_equal(k.n_done, n_done);
    psw_responses_clear(&whole);
    psw_responses_clear(&r);
}

static void responses_end_with_eos_or_with_their_room(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r;
    int64_t n_eos = 0, n_full = 0;
    assert_int_equal(sample(f, &f->world, f->param, N_PROMPT, &r, NULL), PSW_OK);
    for (int64_t q = 0; q < r.n_seq; q++) {
        const int32_t *token = r.token + q * r.stride, n = r.n_token[q];
        assert_true(n >= 1 && n <= r.stride);
        for (int32_t k = 0; k < n; k++) assert_true(token[k] >= 0 && token[k] < V);
        for (int32_t k = 0; k < n - 1; k++) assert_int_not_equal(token[k], EOS);
        assert_true(token[n - 1] == EOS || n == r.stride);
        n_eos += token[n - 1] == EOS;
        n_full += n == r.stride;
    }
    assert_true(n_eos > 0 && n_full > 0); /* or the test would show nothing */
    psw_responses_clear(&r);
}

static void examples_hold_their_prompt_and_their_own_responses(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r;
    assert_int_equal(sample(f, &f->world, f->param, N_PROMPT, &r, NULL), PSW_OK);
    for (int i = 0; i < N_PROMPT; i++) {
        const struct psw_example *e = &r.example[i];
        assert_ptr_equal(r.pointer[i], e);
        assert_int_equal(e->n_prompt, f->item[i].n_prompt);
        assert_ptr_equal(e->prompt, f->item[i].prompt);
        assert_int_equal((int64_t)e->prompt_key, 100 + i);
        assert_int_equal(e->n_seq, N_SAMPLE);
        for (int k = 0; k < N_SAMPLE; k++) {
            assert_ptr_equal(e->response[k], r.token + (i * N_SAMPLE + k) * r.stride);
            assert_int_equal(e->n_response[k], r.n_token[i * N_SAMPLE + k]);
        }
    }
    assert_int_equal(f->item[0].n_seq, 2); /* the prompts' owner is left alone */
    psw_responses_set_prompts(&r, f->pointer);
    for (int i = 0; i < N_PROMPT; i++) assert_int_equal(r.example[i].n_seq, 0);
    psw_responses_bound(&r);
    assert_int_equal(psw_shards_n_row(r.pointer, N_PROMPT), r.n_seq * r.stride);
    psw_responses_clear(&r);
}

static void room_is_what_the_longest_prompt_leaves(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, CONTEXT, 0), CONTEXT - LONGEST);
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, CONTEXT, 7), 7);
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, CONTEXT, 31), CONTEXT - LONGEST);
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, LONGEST + 1, 7), 1);
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, LONGEST, 7), 0);
    assert_int_equal(psw_responses_limit(f->pointer, N_PROMPT, LONGEST - 3, 7), 0);
}

/* The plan is made once, for whatever comes: no prompts of that length take more. */
static void scratch_covers_every_shard(void **state)
{
    struct fixture *f = *state;
    struct psw_responses r;
    struct psw_arena *plan = NULL;
    assert_int_equal(psw_responses_init(N_PROMPT, N_SAMPLE, CONTEXT - LONGEST, &r, NULL),
                     PSW_OK);
    psw_responses_set_prompts(&r, f->pointer);
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    const struct psw_team team = {.n_shard = N_SHARD};
    psw_responses_layout(
        &(struct psw_sampler){.team = &team, .model = f->model, .exec = &(struct psw_exec){0}},
        &r, plan);
    const size_t planned = psw_arena_peak_bytes(plan);
    psw_arena_destroy(plan);
    for (int64_t n = 1; n <= (N_PROMPT + N_SHARD - 1) / N_SHARD; n++)
        for (int64_t longest = 1; longest <= LONGEST; longest += LONGEST - 1) {
            const struct psw_sample_shape shape = {
                .n_seq = n * N_SAMPLE, .max_prompt = longest, .max_new = r.stride};
            size_t n_bytes = 0;
            assert_int_equal(psw_model_sample_bytes(f->model, &shape, &n_bytes, NULL), PSW_OK);
            assert_true(n_bytes <= planned);
        }
    psw_responses_clear(&r);
}

static void logits_that_are_not_finite_are_divergence_on_all_ranks(void **state)
{
    struct fixture *f = *state;
    const size_t n_bytes = sizeof(float) * (size_t)psw_model_n_param(f->model);
    float *broken = aligned_alloc(64, (n_bytes + 63) / 64 * 64);
    memcpy(broken, f->param, n_bytes);
    /* only the token of one prompt: all other shards are well */
    const struct psw_tensor *table = psw_model_table(f->model, &(int64_t){0});
    broken[table->offset + f->token[0][0] * DIMS.width] = NAN;
    int32_t kept[N_PROMPT][LONGEST];
    memcpy(kept, f->token, sizeof kept);
    for (int i = 1; i < N_PROMPT; i++)
        for (int k = 0; k < LONGEST; k++)
            if (f->token[i][k] == f->token[0][0]) f->token[i][k] = (f->token[0][0] + 1) % V;
    struct psw_responses r;
    struct psw_error err = {0};
    assert_int_equal(sample(f, &f->world, broken, N_PROMPT, &r, &err), PSW_EDIVERGED);
    assert_non_null(strstr(err.text, "not finite"));
    memcpy(f->token, kept, sizeof kept);
    psw_responses_clear(&r);
    free(broken);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_are_those_of_one_rank),
        cmocka_unit_test(shards_draw_what_one_shard_draws),
        cmocka_unit_test(shards_that_are_kept_are_not_sampled),
        cmocka_unit_test(responses_end_with_eos_or_with_their_room),
        cmocka_unit_test(examples_hold_their_prompt_and_their_own_responses),
        cmocka_unit_test(room_is_what_the_longest_prompt_leaves),
        cmocka_unit_test(scratch_covers_every_shard),
        cmocka_unit_test(logits_that_are_not_finite_are_divergence_on_all_ranks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
