/* Sampling against the forward pass, and its promise that a response is its own affair. */
#include "support/support.h"

#include <math.h>
#include <posweep/model/sample.h>
#include <stdlib.h>
#include <string.h>

enum { V = 29, CONTEXT = 160, MAX_SEQ = 64, MAX_NEW = 24, N_LENGTH = 5 };

/* Both passes sum the same products in float, in different order, through two layers; with
 * logits of a few units differences stay below 1e-5. */
static const double TOLERANCE = 2e-5;

static const struct psw_model_dims DIMS = {.n_layer = 2,
                                           .width = 24,
                                           .n_head = 3,
                                           .hidden = 44,
                                           .n_vocab = V,
                                           .context = CONTEXT,
                                           .rotary_dims = 4,
                                           .rotary_base = 10000.0,
                                           .norm_eps = 1e-5,
                                           .init_std = 0.3};
static const struct psw_sample_opts PLAIN = {.temperature = 1.0,
                                             .top_p = 1.0,
                                             .max_new = MAX_NEW,
                                             .eos = 0,
                                             .rng = {.seed = 5, .use = PSW_RNG_SAMPLE}};

struct drawn {
    int32_t token[MAX_SEQ * MAX_NEW], n_token[MAX_SEQ];
    float logp[MAX_SEQ * MAX_NEW];
};

static struct psw_model *model;
static float *param;
static struct psw_arena *arena;
static int32_t text[MAX_SEQ * CONTEXT];
static struct psw_example prompts[MAX_SEQ];
static const struct psw_example *prompt_at[MAX_SEQ];

static int setup(void **state)
{
    (void)state;
    assert_int_equal(psw_model_create(&DIMS, &model, NULL), PSW_OK);
    param = malloc((size_t)psw_model_n_param(model) * sizeof *param);
    assert_non_null(param);
    psw_model_init(model, &(struct psw_exec){0}, 3, param);
    float noise;
    for (int64_t i = 0; i < psw_model_n_param(model); i++) { /* gains and biases too */
        support_fill(&noise, 1, 0.1f, (uint64_t)i + 1);
        param[i] += noise;
    }
    assert_int_equal(psw_arena_create("test", 64 << 20, &arena, NULL), PSW_OK);
    static const int32_t lengths[N_LENGTH] = {7, 1, 19, 12, 3};
    const struct psw_rng rng = {.seed = 9, .use = PSW_RNG_TEST};
    for (int64_t i = 0; i < MAX_SEQ * CONTEXT; i++)
        text[i] = (int32_t)(1 + psw_rng_below(rng, (uint64_t)i, 0, V - 1));
    for (int p = 0; p < MAX_SEQ; p++) {
        prompts[p] = (struct psw_example){.prompt = text + p * CONTEXT,
                                          .n_prompt = lengths[p % N_LENGTH]};
        prompt_at[p] = &prompts[p];
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    psw_arena_destroy(arena);
    free(param);
    psw_model_destroy(model);
    return 0;
}

/** Tokens of the last call as they were heard. */
static struct drawn heard;

static void hear(void *ctx, int64_t seq, int32_t token)
{
    struct drawn *to = ctx;
    to->token[seq * MAX_NEW + to->n_token[seq]++] = token;
}

static psw_status try_sample(const struct psw_example *const *at, int64_t n_prompt,
                             int32_t n_sample, const struct psw_sample_opts *opts,
                             struct drawn *out)
{
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    const struct psw_sample_in in = {at, n_prompt, n_sample, opts, {hear, &heard}, {0}};
    heard = (struct drawn){0};
    const struct psw_sample_out to = {out->token, out->n_token, out->logp};
    return psw_model_sample(model, &exec, param, &in, &to, NULL);
}

static struct drawn *sample(const struct psw_example *const *at, int64_t n_prompt,
                            int32_t n_sample, const struct psw_sample_opts *opts)
{
    struct drawn *out = calloc(1, sizeof *out); /* unset tokens stay zero */
    assert_non_null(out);
    assert_int_equal(try_sample(at, n_prompt, n_sample, opts, out), PSW_OK);
    return out;
}

/** Log-probabilities of one response's tokens by the forward pass. */
static void forward_logp(const struct psw_example *prompt, const int32_t *response, int32_t n,
                         double temperature, float *logp)
{
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    struct psw_example e = *prompt;
    const struct psw_example *at = &e;
    struct psw_batch batch;
    e.n_seq = 1;
    e.response[0] = response;
    e.n_response[0] = n;
    psw_batch_pack(&at, 1, 1, arena, &batch);
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    struct psw_act *act = psw_act_create(model, &batch, arena, 0);
    const struct psw_pass pass = {.model = model,
                                  .exec = &exec,
                                  .param = param,
                                  .batch = &batch,
                                  .temperature = temperature};
    psw_model_forward(&pass, act, (struct psw_rows){.logp = logp});
    psw_arena_rewind(arena, mark);
}

/** Log-probability of every token after a prompt and the first n tokens of a response. */
static void next_logp(const struct psw_example *prompt, const int32_t *response, int32_t n,
                      float *logp)
{
    int32_t path[CONTEXT];
    memcpy(path, prompt->prompt, (size_t)prompt->n_prompt * sizeof *path);
    memcpy(path + prompt->n_prompt, response, (size_t)n * sizeof *path);
    const struct psw_example whole = {.prompt = path, .n_prompt = prompt->n_prompt + n};
    for (int32_t v = 0; v < V; v++) forward_logp(&whole, &v, 1, 1.0, logp + v);
}

static void greedy_tokens_are_the_argmax_of_the_forward_pass(void **state)
{
    (void)state;
    struct psw_sample_opts opts = PLAIN;
    opts.temperature = 0.0;
    opts.max_new = 8;
    struct drawn *d = sample(prompt_at, N_LENGTH, 1, &opts);
    for (int p = 0; p < N_LENGTH; p++)
        for (int32_t t = 0; t < d->n_token[p]; t++) {
            float logp[V], best = -INFINITY;
            next_logp(&prompts[p], d->token + p * 8, t, logp);
            for (int v = 0; v < V; v++) best = fmaxf(best, logp[v]);
            assert_true(logp[d->token[p * 8 + t]] >= best - (float)TOLERANCE);
            assert_close(d->logp[p * 8 + t], best, TOLERANCE);
        }
    free(d);
}

static void logp_of_drawn_tokens_is_that_of_the_forward_pass(void **state)
{
    (void)state;
    struct psw_sample_opts opts = PLAIN;
    opts.temperature = 0.7;
    opts.top_p = 0.9; /* logp is that before truncation */
    struct drawn *d = sample(prompt_at, 40, 1, &opts);
    for (int p = 0; p < 40; p++) {
        float logp[MAX_NEW];
        const int32_t *token = d->token + p * MAX_NEW;
        forward_logp(&prompts[p], token, d->n_token[p], 0.7, logp);
        for (int32_t t = 0; t < d->n_token[p]; t++)
            assert_close(d->logp[p * MAX_NEW + t], logp[t], TOLERANCE);
    }
    free(d);
}

static void prompts_longer_than_a_step_are_fed_in_pieces(void **state)
{
    (void)state;
    struct psw_example longs[3];
    const struct psw_example *at[6];
    for (int p = 0; p < 6; p++) at[p] = p < 3 ? &longs[p] : prompt_at[p];
    for (int p = 0; p < 3; p++) {
        longs[p] = prompts[p];
        longs[p].n_prompt = 90 + 20 * p;
    }
    struct drawn *d = sample(at, 6, 2, &PLAIN);
    for (int s = 0; s < 12; s++) {
        float logp[MAX_NEW];
        forward_logp(at[s / 2], d->token + s * MAX_NEW, d->n_token[s], 1.0, logp);
        for (int32_t t = 0; t < d->n_token[s]; t++)
            assert_close(d->logp[s * MAX_NEW + t], logp[t], TOLERANCE);
    }
    free(d);
}

static void a_response_has_the_same_bits_alone_and_in_any_batch(void **state)
{
    (void)state;
    struct drawn *all = sample(prompt_at, MAX_SEQ, 1, &PLAIN);
    for (int p = 0; p < MAX_SEQ; p++) {
        struct psw_sample_opts opts = PLAIN;
        opts.first_item = (uint64_t)p;
        struct drawn *one = sample(prompt_at + p, 1, 1, &opts);
        assert_int_equal(one->n_token[0], all->n_token[p]);
        assert_memory_equal(one->token, all->token + p * MAX_NEW, MAX_NEW * sizeof *one->token);
        assert_memory_equal(one->logp, all->logp + p * MAX_NEW, MAX_NEW * sizeof *one->logp);
        free(one);
    }
    free(all);
}

static void several_samples_equal_repeated_prompts(void **state)
{
    (void)state;
    static const int32_t n_samples[] = {2, 7, 12, 60};
    for (size_t i = 0; i < sizeof n_samples / sizeof *n_samples; i++) {
        const int64_t n_prompt = MAX_SEQ / n_samples[i], n_seq = n_prompt * n_samples[i];
        const struct psw_example *repeated[MAX_SEQ];
        for (int64_t s = 0; s < n_seq; s++) repeated[s] = prompt_at[s / n_samples[i]];
        struct drawn *a = sample(prompt_at, n_prompt, n_samples[i], &PLAIN);
        struct drawn *b = sample(repeated, n_seq, 1, &PLAIN);
        assert_memory_equal(a, b, sizeof *a);
        free(a);
        free(b);
    }
}

static void responses_end_with_eos_at_the_limit_or_with_the_context(void **state)
{
    (void)state;
    struct psw_example near = prompts[0], full = prompts[1];
    near.n_prompt = CONTEXT - 4;
    full.n_prompt = CONTEXT;
    const struct psw_example *at[] = {&full, prompt_at[2], &near, &full};
    int n_eos = 0;
    struct drawn *d = sample(prompt_at, MAX_SEQ, 1, &PLAIN);
    for (int s = 0; s < MAX_SEQ; s++) {
        const int32_t *token = d->token + s * MAX_NEW, n = d->n_token[s];
        for (int32_t t = 0; t + 1 < n; t++) assert_int_not_equal(token[t], PLAIN.eos);
        assert_true(n == MAX_NEW || token[n - 1] == PLAIN.eos);
        n_eos += n < MAX_NEW;
    }
    assert_true(n_eos > 0 && n_eos < MAX_SEQ); /* both ends occur */
    free(d);
    struct psw_sample_opts endless = PLAIN;
    endless.eos = -1;
    d = sample(at, 4, 1, &endless);
    assert_int_equal(d->n_token[0], 0);
    assert_int_equal(d->n_token[1], MAX_NEW);
    assert_int_equal(d->n_token[2], 4);
    assert_int_equal(d->n_token[3], 0);
    free(d);
}

static void one_most_probable_token_is_greedy(void **state)
{
    (void)state;
    struct psw_sample_opts one = PLAIN, greedy = PLAIN;
    one.top_k = 1;
    greedy.temperature = 0.0;
    struct drawn *a = sample(prompt_at, 10, 1, &one), *b = sample(prompt_at, 10, 1, &greedy);
    assert_memory_equal(a, b, sizeof *a);
    free(a);
    free(b);
}

static void first_tokens_follow_the_probabilities_of_the_forward_pass(void **state)
{
    (void)state;
    enum { N = 3000 };
    struct psw_exec exec = {.n_thread = 1, .scratch = arena};
    struct psw_sample_opts opts = PLAIN;
    opts.max_new = 1;
    static int32_t token[N], n_token[N];
    const struct psw_sample_in in = {prompt_at, 1, N, &opts, {0}, {0}};
    const struct psw_sample_out out = {.token = token, .n_token = n_token};
    assert_int_equal(psw_model_sample(model, &exec, param, &in, &out, NULL), PSW_OK);
    float logp[V];
    int32_t n[V] = {0};
    double chi2 = 0.0, rest = 0.0, n_rest = 0.0;
    int n_bin = 0;
    next_logp(&prompts[0], text, 0, logp);
    for (int i = 0; i < N; i++) n[token[i]]++;
    for (int v = 0; v < V; v++) {
        const double expected = N * exp((double)logp[v]);
        if (expected < 8.0) {
            rest += expected;
            n_rest += n[v];
            continue;
        }
        chi2 += (n[v] - expected) * (n[v] - expected) / expected;
        n_bin++;
    }
    if (rest >= 8.0) {
        chi2 += (n_rest - rest) * (n_rest - rest) / rest;
        n_bin++;
    }
    /* Mean k, variance 2k for k degrees of freedom; 4 deviations; the seed is fixed. */
    const double k = n_bin - 1;
    assert_true(n_bin > 4);
    assert_true(chi2 < k + 4.0 * sqrt(2.0 * k));
}

static void memory_is_what_the_plan_says(void **state)
{
    (void)state;
    struct psw_arena *counting = NULL;
    size_t n_bytes = 0;
    const struct psw_sample_shape shape = {.n_seq = 40, .max_prompt = 19, .max_new = MAX_NEW};
    assert_int_equal(psw_model_sample_bytes(model, &shape, &n_bytes, NULL), PSW_OK);
    assert_int_equal(psw_arena_create_measuring("count", &counting, NULL), PSW_OK);
    struct psw_exec exec = {.n_thread = 1, .scratch = counting};
    const struct psw_sample_in in = {prompt_at, 20, 2, &PLAIN, {0}, {0}};
    const struct psw_sample_out out = {0};
    assert_int_equal(psw_model_sample(model, &exec, NULL, &in, &out, NULL), PSW_OK);
    assert_int_equal(psw_arena_peak_bytes(counting), n_bytes);
    assert_int_equal(psw_arena_used_bytes(counting), 0);
    psw_arena_destroy(counting);
}

static void impossible_options_and_prompts_are_refused(void **state)
{
    (void)state;
    struct psw_sample_opts bad[6];
    for (int i = 0; i < 6; i++) bad[i] = PLAIN;
    bad[0].temperature = -1.0;
    bad[1].temperature = NAN;
    bad[2].top_p = 0.0;
    bad[3].top_p = 1.5;
    bad[4].top_k = -1;
    bad[5].max_new = 0;
    struct drawn *d = calloc(1, sizeof *d);
    for (int i = 0; i < 6; i++)
        assert_int_equal(try_sample(prompt_at, 1, 1, &bad[i], d), PSW_EINVAL);
    const int32_t outside = V;
    struct psw_example wrong[3] = {prompts[0], prompts[0], prompts[0]};
    wrong[0].n_prompt = 0;
    wrong[1].n_prompt = CONTEXT + 1;
    wrong[2].prompt = &outside;
    wrong[2].n_prompt = 1;
    for (int i = 0; i < 3; i++) {
        const struct psw_example *at = &wrong[i];
        assert_int_equal(try_sample(&at, 1, 1, &PLAIN, d), PSW_EINVAL);
    }
    free(d);
}

static void parameters_that_are_not_numbers_are_reported(void **state)
{
    (void)state;
    const int64_t at = psw_model_find(model, "gpt_neox.final_layer_norm.bias")->offset;
    const float kept = param[at];
    struct drawn *d = calloc(1, sizeof *d);
    param[at] = NAN;
    assert_int_equal(try_sample(prompt_at, 3, 1, &PLAIN, d), PSW_EDIVERGED);
    param[at] = kept;
    free(d);
}

static void every_token_is_heard_as_it_is_drawn(void **state)
{
    (void)state;
    struct drawn *out = sample(prompt_at, 20, 2, &PLAIN);
    assert_memory_equal(heard.n_token, out->n_token, sizeof heard.n_token);
    for (int s = 0; s < 40; s++)
        assert_memory_equal(heard.token + s * MAX_NEW, out->token + s * MAX_NEW,
                            (size_t)out->n_token[s] * sizeof *out->token);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_token_is_heard_as_it_is_drawn),
        cmocka_unit_test(greedy_tokens_are_the_argmax_of_the_forward_pass),
        cmocka_unit_test(logp_of_drawn_tokens_is_that_of_the_forward_pass),
        cmocka_unit_test(prompts_longer_than_a_step_are_fed_in_pieces),
        cmocka_unit_test(a_response_has_the_same_bits_alone_and_in_any_batch),
        cmocka_unit_test(several_samples_equal_repeated_prompts),
        cmocka_unit_test(responses_end_with_eos_at_the_limit_or_with_the_context),
        cmocka_unit_test(one_most_probable_token_is_greedy),
        cmocka_unit_test(first_tokens_follow_the_probabilities_of_the_forward_pass),
        cmocka_unit_test(memory_is_what_the_plan_says),
        cmocka_unit_test(impossible_options_and_prompts_are_refused),
        cmocka_unit_test(parameters_that_are_not_numbers_are_reported),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
