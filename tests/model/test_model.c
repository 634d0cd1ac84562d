/* The parameter table and the initial values. */
#include <support/support.h>

#include <math.h>
#include <posweep/model/model.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct psw_model_dims DIMS = {.n_layer = 3,
                                           .width = 24,
                                           .n_head = 2,
                                           .hidden = 96,
                                           .n_vocab = 37,
                                           .context = 16,
                                           .rotary_dims = 4,
                                           .rotary_base = 10000,
                                           .norm_eps = 1e-5,
                                           .init_std = 0.02};

static const struct psw_model_dims LLAMA = {.family = PSW_FAMILY_LLAMA,
                                            .n_layer = 2,
                                            .width = 24,
                                            .n_head = 4,
                                            .n_kv_head = 2,
                                            .hidden = 40,
                                            .n_vocab = 37,
                                            .context = 16,
                                            .rotary_base = 10000,
                                            .norm_eps = 1e-5,
                                            .init_std = 0.02};

static struct psw_model *create(int tied)
{
    struct psw_model_dims dims = DIMS;
    dims.tied = tied;
    struct psw_model *model = NULL;
    assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
    return model;
}

static void tensors_are_aligned_in_order_and_do_not_overlap(void **state)
{
    (void)state;
    struct psw_model *model = create(0);
    int64_t n = 0, end = 0, n_weight = 0;
    const struct psw_tensor *t = psw_model_table(model, &n);
    assert_int_equal(n, 1 + 3 * 12 + 3);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(t[i].offset % 16, 0);
        assert_true(t[i].offset >= end);
        end = t[i].offset + t[i].n_row * (t[i].n_col ? t[i].n_col : 1);
        n_weight += end - t[i].offset;
    }
    assert_true(psw_model_n_param(model) >= end);
    assert_int_equal(psw_model_n_weight(model), n_weight);
    psw_model_destroy(model);
}

static void a_tied_model_has_one_vocabulary_matrix(void **state)
{
    (void)state;
    struct psw_model *tied = create(1), *untied = create(0);
    assert_null(psw_model_find(tied, "embed_out.weight"));
    assert_non_null(psw_model_find(untied, "embed_out.weight"));
    assert_int_equal(psw_model_layout(tied)->head, psw_model_layout(tied)->embed);
    assert_int_equal(psw_model_n_weight(untied) - psw_model_n_weight(tied), 37 * 24);
    psw_model_destroy(tied);
    psw_model_destroy(untied);
}

static void a_model_without_a_scalar_head_is_the_beginning_of_one_with_it(void **state)
{
    (void)state;
    struct psw_model_dims dims = DIMS;
    struct psw_model *plain = create(0), *scored = NULL;
    dims.value = 1;
    assert_int_equal(psw_model_create(&dims, &scored, NULL), PSW_OK);
    const int64_t n = psw_model_n_param(plain);
    int64_t n_tensor = 0, n_more = 0;
    const struct psw_tensor *t = psw_model_table(plain, &n_tensor);
    const struct psw_tensor *more = psw_model_table(scored, &n_more);
    assert_int_equal(n_more, n_tensor + 2);
    for (int64_t i = 0; i < n_tensor; i++) assert_int_equal(t[i].offset, more[i].offset);
    assert_string_equal(more[n_tensor].name, "score.weight");
    assert_string_equal(more[n_tensor + 1].name, "score.bias");
    assert_int_equal(psw_model_layout(scored)->value_w, n);
    assert_int_equal(psw_model_layout(scored)->value_b, n + 32);
    assert_int_equal(psw_model_n_weight(scored), psw_model_n_weight(plain) + 24 + 1);
    float *a = calloc((size_t)n, sizeof *a);
    float *b = calloc((size_t)psw_model_n_param(scored), sizeof *b);
    psw_model_init(plain, &(struct psw_exec){0}, 7, a);
    psw_model_init(scored, &(struct psw_exec){0}, 7, b);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
    double square = 0.0;
    for (int i = 0; i < 24; i++) square += (double)b[n + i] * b[n + i] / 24.0;
    /* standard deviation of the estimate: 1 / sqrt(48) = 14 %; four of them */
    assert_close(sqrt(square * 25.0), 1.0, 0.6);
    assert_true(b[n + 32] == 0.0f);
    free(a);
    free(b);
    psw_model_destroy(plain);
    psw_model_destroy(scored);
}

static void the_table_has_every_tensor_of_every_layer_under_its_name(void **state)
{
    (void)state;
    struct psw_model *model = create(0);
    const struct psw_tensor *t =
        psw_model_find(model, "gpt_neox.layers.1.attention.query_key_value.weight");
    assert_non_null(t);
    assert_int_equal(t->n_row, 72);
    assert_int_equal(t->n_col, 24);
    assert_non_null(psw_model_find(model, "gpt_neox.final_layer_norm.bias"));
    assert_null(psw_model_find(model, "gpt_neox.layers.3.input_layernorm.weight"));
    psw_model_destroy(model);
}

/* Of a tensor of the last layer. */
static int64_t offset_of(const struct psw_model *model, const char *name)
{
    char full[PSW_TENSOR_NAME_BYTES];
    snprintf(full, sizeof full, "gpt_neox.layers.2.%s", name);
    return psw_model_find(model, full)->offset;
}

static void initial_values_have_the_stated_spread_and_depend_on_the_seed(void **state)
{
    (void)state;
    struct psw_model *model = create(0);
    const int64_t n = psw_model_n_param(model);
    float *a = calloc((size_t)n, sizeof *a), *b = calloc((size_t)n, sizeof *b);
    psw_model_init(model, &(struct psw_exec){0}, 1, a);
    psw_model_init(model, &(struct psw_exec){0}, 1, b);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
    psw_model_init(model, &(struct psw_exec){0}, 2, b);
    assert_memory_not_equal(a, b, (size_t)n * sizeof *a);
    const float *down = a + offset_of(model, "mlp.dense_4h_to_h.weight");
    const int64_t n_down = 24 * 96;
    double square = 0.0;
    for (int64_t i = 0; i < n_down; i++) square += (double)down[i] * down[i];
    /* standard deviation of the estimate: 1 / sqrt(2 n) = 1.5 %; four of them */
    assert_close(sqrt(square / (double)n_down) / (0.02 / sqrt(6.0)), 1.0, 0.06);
    assert_true(a[offset_of(model, "input_layernorm.weight")] == 1.0f &&
                a[offset_of(model, "input_layernorm.bias")] == 0.0f &&
                a[offset_of(model, "mlp.dense_h_to_4h.bias") + 95] == 0.0f);
    free(a);
    free(b);
    psw_model_destroy(model);
}

/* One product computes them, so there is nothing between them; names, rows and initial values
 * are each tensor's own. */
static void stacked_tensors_stand_right_behind_each_other_under_their_own_names(void **state)
{
    (void)state;
    struct psw_model *model = NULL;
    assert_int_equal(psw_model_create(&LLAMA, &model, NULL), PSW_OK);
    const struct psw_tensor *q =
        psw_model_find(model, "model.layers.1.self_attn.q_proj.weight");
    const struct psw_tensor *k = q + 1, *v = q + 2, *o = q + 3;
    assert_string_equal(k->name, "model.layers.1.self_attn.k_proj.weight");
    assert_string_equal(v->name, "model.layers.1.self_attn.v_proj.weight");
    assert_true(q->n_row == 24 && k->n_row == 12 && v->n_row == 12 && k->n_col == 24);
    assert_int_equal(k->offset, q->offset + 24 * 24);
    assert_int_equal(v->offset, k->offset + 12 * 24);
    assert_true(!q->continues && k->continues && v->continues && !o->continues);
    assert_int_equal(o->offset % 16, 0);
    const int64_t n = psw_model_n_param(model);
    float *param = calloc((size_t)n, sizeof *param);
    psw_model_init(model, &(struct psw_exec){0}, 3, param);
    assert_memory_not_equal(param + k->offset, param + v->offset, 12 * 24 * sizeof *param);
    free(param);
    psw_model_destroy(model);
}

/* Per token: the maps, attention to what it sees, and for rows the head. */
static void products_are_those_of_the_block_and_flops_their_sum(void **state)
{
    (void)state;
    struct psw_model *model = NULL;
    assert_int_equal(psw_model_create(&LLAMA, &model, NULL), PSW_OK);
    int64_t n = 0;
    const struct psw_product *p = psw_model_products(model, &n);
    assert_int_equal(n, 2 * 5 + 1);
    assert_true(p[5].n_in == 24 && p[5].n_out == 48);
    assert_int_equal(p[5].weight,
                     psw_model_find(model, "model.layers.1.self_attn.q_proj.weight")->offset);
    assert_true(p[6].is_attention && p[6].qkv.n_kv_head == 2);
    assert_int_equal(p[10].weight, psw_model_layout(model)->head);
    const double map = 24 * 48 + 24 * 24 + 24 * 80 + 40 * 24;
    const double flops =
        psw_model_flops(model, (struct psw_load){.n_tok = 10, .n_row = 3, .n_seen = 55});
    assert_true(flops == 2 * (2 * 10 * map + 4 * 24 * 55) + 2 * 3 * 24 * 37);
    assert_int_equal(psw_model_n_read(model), psw_model_n_weight(model) - 37 * 24);
    psw_model_destroy(model);
}

static void a_window_bounds_the_flops_of_attention(void **state)
{
    (void)state;
    const int64_t windows[] = {0, 3, 12, 100};
    const double n_seen[] = {55, 3 * 10, 55, 55};
    double flops[4];
    for (int i = 0; i < 4; i++) {
        struct psw_model_dims dims = LLAMA;
        struct psw_model *model = NULL;
        dims.family = PSW_FAMILY_MISTRAL;
        dims.window = windows[i];
        assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
        flops[i] =
            psw_model_flops(model, (struct psw_load){.n_tok = 10, .n_row = 3, .n_seen = 55});
        assert_true(flops[0] - flops[i] == 2.0 * 4 * 24 * (55 - n_seen[i]));
        psw_model_destroy(model);
    }
}

/* The counts that the makers of the models publish. */
static const struct {
    const char *name;
    enum psw_family family;
    int64_t n_layer, width, hidden, n_head, n_kv_head, head_width, n_vocab;
    int tied;
    int64_t n_weight;
} PUBLISHED[] = {
    {"pythia-70m", PSW_FAMILY_GPT_NEOX, 6, 512, 2048, 8, 8, 64, 50304, 0, 70426624},
    {"pythia-160m", PSW_FAMILY_GPT_NEOX, 12, 768, 3072, 12, 12, 64, 50304, 0, 162322944},
    {"pythia-410m", PSW_FAMILY_GPT_NEOX, 24, 1024, 4096, 16, 16, 64, 50304, 0, 405334016},
    {"pythia-1b", PSW_FAMILY_GPT_NEOX, 16, 2048, 8192, 8, 8, 256, 50304, 0, 1011781632},
    {"pythia-1.4b", PSW_FAMILY_GPT_NEOX, 24, 2048, 8192, 16, 16, 128, 50304, 0, 1414647808},
    {"pythia-2.8b", PSW_FAMILY_GPT_NEOX, 32, 2560, 10240, 32, 32, 80, 50304, 0, 2775208960},
    {"pythia-6.9b", PSW_FAMILY_GPT_NEOX, 32, 4096, 16384, 32, 32, 128, 50432, 0, 6857302016},
    {"pythia-12b", PSW_FAMILY_GPT_NEOX, 36, 5120, 20480, 40, 40, 128, 50688, 0, 11846072320},
    {"tinyllama-1.1b", PSW_FAMILY_LLAMA, 22, 2048, 5632, 32, 4, 64, 32000, 0, 1100048384},
    {"llama-2-7b", PSW_FAMILY_LLAMA, 32, 4096, 11008, 32, 32, 128, 32000, 0, 6738415616},
    {"llama-3-8b", PSW_FAMILY_LLAMA, 32, 4096, 14336, 32, 8, 128, 128256, 0, 8030261248},
    {"llama-3.2-1b", PSW_FAMILY_LLAMA, 16, 2048, 8192, 32, 8, 64, 128256, 1, 1235814400},
    {"mistral-7b-v0.1", PSW_FAMILY_MISTRAL, 32, 4096, 14336, 32, 8, 128, 32000, 0, 7241732096},
    {"mistral-7b-v0.3", PSW_FAMILY_MISTRAL, 32, 4096, 14336, 32, 8, 128, 32768, 0, 7248023552},
    {"qwen2.5-0.5b", PSW_FAMILY_QWEN2, 24, 896, 4864, 14, 2, 64, 151936, 1, 494032768},
    {"qwen2.5-1.5b", PSW_FAMILY_QWEN2, 28, 1536, 8960, 12, 2, 128, 151936, 1, 1543714304},
    {"qwen2.5-7b", PSW_FAMILY_QWEN2, 28, 3584, 18944, 28, 4, 128, 152064, 0, 7615616512},
    {"qwen3-0.6b", PSW_FAMILY_QWEN3, 28, 1024, 3072, 16, 8, 128, 151936, 1, 596049920},
    {"qwen3-1.7b", PSW_FAMILY_QWEN3, 28, 2048, 6144, 16, 8, 128, 151936, 1, 1720574976},
};

static void models_that_are_published_have_their_number_of_parameters(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++) {
        const struct psw_model_dims dims = {.family = PUBLISHED[i].family,
                                            .n_layer = PUBLISHED[i].n_layer,
                                            .width = PUBLISHED[i].width,
                                            .n_head = PUBLISHED[i].n_head,
                                            .n_kv_head = PUBLISHED[i].n_kv_head,
                                            .head_width = PUBLISHED[i].head_width,
                                            .hidden = PUBLISHED[i].hidden,
                                            .n_vocab = PUBLISHED[i].n_vocab,
                                            .context = 16,
                                            .rotary_dims = 16,
                                            .rotary_base = 10000,
                                            .norm_eps = 1e-5,
                                            .tied = PUBLISHED[i].tied};
        struct psw_model *model = NULL;
        assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
        if (psw_model_n_weight(model) != PUBLISHED[i].n_weight)
            fail_msg("%s", PUBLISHED[i].name);
        psw_model_destroy(model);
    }
}

static void impossible_sizes_are_refused_by_name(void **state)
{
    (void)state;
    struct psw_model *model = NULL;
    struct psw_error err;
    struct psw_model_dims dims = DIMS;
    dims.n_head = 5;
    assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "heads 5"));
    dims = DIMS;
    dims.rotary_dims = 3;
    assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "rotary"));
    dims = DIMS;
    dims.n_vocab = 0;
    assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "vocabulary"));
    dims = DIMS;
    dims.n_kv_head = 1;
    assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "kv_heads 1: family gpt_neox has as many as heads, 2"));
    dims = LLAMA;
    dims.n_kv_head = 3;
    assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
    assert_non_null(strstr(err.text, "heads 4 is not a multiple of kv_heads 3"));
    assert_null(model);
}

static void what_a_family_cannot_have_is_refused_by_name_and_value(void **state)
{
    (void)state;
    const struct psw_rope_scaling llama3 = {PSW_ROPE_LLAMA3, 8.0, 1.0, 4.0, 0};
    const struct {
        struct psw_model_dims dims;
        const char *says;
    } cases[] = {
        {{.window = -5}, "window -5 is not possible in family gpt_neox"},
        {{.window = 5}, "window 5 is not possible in family gpt_neox"},
        {{.family = PSW_FAMILY_LLAMA, .sequential = 1},
         "sequential 1 is not a choice in family llama"},
        {{.scaling = {.kind = PSW_ROPE_LINEAR, .factor = 0.5}}, "scaling.factor 0.5"},
        {{.scaling = {PSW_ROPE_LLAMA3, 8.0, 4.0, 4.0, 64}}, "scaling.low_freq_factor 4"},
        {{.scaling = llama3}, "scaling.original_context 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct psw_error err = {0};
        struct psw_model *model = NULL;
        struct psw_model_dims dims = cases[i].dims.family == PSW_FAMILY_LLAMA ? LLAMA : DIMS;
        dims.window = cases[i].dims.window;
        dims.sequential = cases[i].dims.sequential;
        dims.scaling = cases[i].dims.scaling;
        assert_int_equal(psw_model_create(&dims, &model, &err), PSW_EINVAL);
        if (!strstr(err.text, cases[i].says)) fail_msg("%s", err.text);
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_aligned_in_order_and_do_not_overlap),
        cmocka_unit_test(a_tied_model_has_one_vocabulary_matrix),
        cmocka_unit_test(a_model_without_a_scalar_head_is_the_beginning_of_one_with_it),
        cmocka_unit_test(the_table_has_every_tensor_of_every_layer_under_its_name),
        cmocka_unit_test(initial_values_have_the_stated_spread_and_depend_on_the_seed),
        cmocka_unit_test(stacked_tensors_stand_right_behind_each_other_under_their_own_names),
        cmocka_unit_test(products_are_those_of_the_block_and_flops_their_sum),
        cmocka_unit_test(a_window_bounds_the_flops_of_attention),
        cmocka_unit_test(models_that_are_published_have_their_number_of_parameters),
        cmocka_unit_test(impossible_sizes_are_refused_by_name),
        cmocka_unit_test(what_a_family_cannot_have_is_refused_by_name_and_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
