/* Weights of others: a real small model says what its reference says; what does not fit is
 * named; what is written comes back bit for bit; sizes of well-known models give their
 * published number of parameters. */
#include "support/support.h"

#include <jansson.h>
#include <math.h>
#include <posweep/config/leaf.h>
#include <posweep/config/model_dir.h>
#include <posweep/data/safetensors.h>
#include <posweep/model/sample.h>
#include <posweep/stage/stage.h>
#include <posweep/stage/weights.h>
#include <posweep/util/file.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARENA_BYTES = 64 << 20, N_LOGIT_ROW = 2 };

/* Of float passes through five layers against the reference in double. */
static const double TOLERANCE = 1e-4;

/* A model and its parameters. */
struct loaded {
    struct psw_model *model;
    struct psw_arena *arena, *scratch;
    struct psw_exec exec;
    float *param;
};

static void load_dims(const char *dir, struct psw_model_dims *out)
{
    struct psw_config config;
    struct psw_error err = {0};
    psw_config_default(&config);
    if (psw_model_dir_read(dir, &config.model, &err) != PSW_OK ||
        psw_stage_model_dims(&config, 2, out, &err) != PSW_OK)
        fail_msg("%s", err.text);
}

static struct loaded make(const struct psw_model_dims *dims)
{
    struct loaded l = {0};
    assert_int_equal(psw_model_create(dims, &l.model, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("model", ARENA_BYTES, &l.arena, NULL), PSW_OK);
    assert_int_equal(psw_arena_create("scratch", ARENA_BYTES, &l.scratch, NULL), PSW_OK);
    l.exec = (struct psw_exec){.n_thread = 1, .scratch = l.scratch};
    l.param = psw_arena_f32(l.arena, psw_model_n_param(l.model));
    return l;
}

static void unload(struct loaded *l)
{
    psw_arena_destroy(l->scratch);
    psw_arena_destroy(l->arena);
    psw_model_destroy(l->model);
}

static struct loaded load_stories(void)
{
    char path[PSW_CFG_PATH];
    struct psw_error err = {0};
    struct psw_model_dims dims;
    const char *dir = support_data("model-stories260K");
    if (!dir) support_skip("no sample data");
    load_dims(dir, &dims);
    struct loaded l = make(&dims);
    if (psw_model_dir_tensors(dir, path, &err) != PSW_OK ||
        psw_weights_read(path, l.model, &l.exec, l.param, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return l;
}

static json_t *reference(void)
{
    json_t *root = json_load_file(support_data("model-stories260K/reference.json"), 0, NULL);
    assert_non_null(root);
    return root;
}

static void stories_are_told_as_the_reference_tells_them(void **state)
{
    (void)state;
    struct loaded l = load_stories();
    json_t *root = reference();
    const json_t *greedy = json_object_get(root, "greedy_from_bos");
    const json_t *ids = json_object_get(greedy, "ids");
    const json_t *logps = json_object_get(greedy, "logprob_of_each_generated_id");
    const int32_t n = (int32_t)json_array_size(logps), bos = 1;
    const struct psw_example prompt = {.prompt = &bos, .n_prompt = 1}, *const at = &prompt;
    const struct psw_sample_opts opts = {.top_p = 1, .max_new = n, .eos = -1};
    const struct psw_sample_in in = {
        .prompt = &at, .n_prompt = 1, .n_sample = 1, .opts = &opts};
    int32_t *token = calloc((size_t)n, sizeof *token), n_token = 0;
    float *logp = calloc((size_t)n, sizeof *logp);
    const struct psw_sample_out out = {token, &n_token, logp};
    assert_int_equal(psw_model_sample(l.model, &l.exec, l.param, &in, &out, NULL), PSW_OK);
    assert_int_equal(n_token, n);
    for (int32_t i = 0; i < n; i++) {
        assert_int_equal(token[i], json_integer_value(json_array_get(ids, (size_t)i + 1)));
        assert_close(logp[i], json_number_value(json_array_get(logps, (size_t)i)), TOLERANCE);
    }
    free(token);
    free(logp);
    json_decref(root);
    unload(&l);
}

/* hidden . embedding, in double: the head is tied. */
static double logit(const struct loaded *l, const float *hidden, int64_t row, int64_t id)
{
    const struct psw_model_layout *layout = psw_model_layout(l->model);
    const float *e = l->param + layout->head + id * layout->d.C;
    double sum = 0;
    for (int64_t c = 0; c < layout->d.C; c++)
        sum += (double)hidden[row * layout->d.C + c] * (double)e[c];
    return sum;
}

static void logits_of_the_stories_are_those_of_the_reference(void **state)
{
    (void)state;
    struct loaded l = load_stories();
    json_t *root = reference();
    const json_t *wanted =
        json_object_get(root, "logits_at_positions_0_and_1_of_that_sequence");
    const int32_t bos = 1, next[N_LOGIT_ROW] = {403, 407};
    const struct psw_example e = {.prompt = &bos,
                                  .n_prompt = 1,
                                  .n_seq = 1,
                                  .response = {next},
                                  .n_response = {N_LOGIT_ROW}},
                             *const at = &e;
    struct psw_batch batch;
    psw_batch_pack(&at, 1, 1, l.arena, &batch);
    struct psw_act *act = psw_act_create(l.model, &batch, l.arena, 0);
    const struct psw_pass pass = {
        .model = l.model, .exec = &l.exec, .param = l.param, .batch = &batch};
    float *hidden = psw_arena_f32(l.arena, N_LOGIT_ROW * psw_model_layout(l.model)->d.C);
    float *logp = psw_arena_f32(l.arena, N_LOGIT_ROW);
    psw_model_forward(&pass, act, (struct psw_rows){.logp = logp});
    psw_model_hidden(&pass, act, hidden);
    for (int64_t row = 0; row < N_LOGIT_ROW; row++) {
        const json_t *line = json_array_get(wanted, (size_t)row);
        assert_int_equal(json_array_size(line), psw_model_layout(l.model)->d.V);
        for (size_t id = 0; id < json_array_size(line); id++)
            assert_close(logit(&l, hidden, row, (int64_t)id),
                         json_number_value(json_array_get(line, id)), TOLERANCE);
    }
    json_decref(root);
    unload(&l);
}

/* ---- small checkpoints ---- */

static const struct psw_model_dims SMALL = {.family = PSW_FAMILY_LLAMA,
                                            .n_layer = 1,
                                            .width = 8,
                                            .n_head = 2,
                                            .n_kv_head = 1,
                                            .head_width = 4,
                                            .hidden = 12,
                                            .n_vocab = 10,
                                            .context = 16,
                                            .rotary_base = 1e4,
                                            .norm_eps = 1e-5,
                                            .init_std = 0.5,
                                            .tied = 1};

/* What is changed in a checkpoint of the model: a tensor that is left out, one that is there
 * too, and the type of that one. */
struct change {
    const char *without, *with, *shape, *dtype;
    int64_t n_bytes;
};

/* A file of zeros by the definition of the form, not by the writer under test. */
static void write_zeros(const char *path, const struct psw_model *model, struct change c)
{
    int64_t n_tensor, at = 0;
    const struct psw_tensor *t = psw_model_table(model, &n_tensor);
    char header[8192] = "{", *end = header + 1;
    for (int64_t i = 0; i < n_tensor; i++) {
        const int64_t n = 4 * psw_tensor_n_elem(&t[i]);
        if (c.without && !strcmp(t[i].name, c.without)) continue;
        end += sprintf(end, "\"%s\":{\"dtype\":\"F32\",\"shape\":[%lld", t[i].name,
                       (long long)t[i].n_row);
        if (t[i].n_col) end += sprintf(end, ",%lld", (long long)t[i].n_col);
        end += sprintf(end, "],\"data_offsets\":[%lld,%lld]},", (long long)at,
                       (long long)(at + n));
        at += n;
    }
    if (c.with)
        end += sprintf(end,
                       "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%lld,%lld]},",
                       c.with, c.dtype, c.shape, (long long)at, (long long)(at + c.n_bytes));
    at += c.n_bytes;
    end[-1] = '}';
    const uint64_t n_header = strlen(header);
    char *zeros = calloc(1, (size_t)at);
    const struct psw_file_part part[] = {
        {&n_header, sizeof n_header}, {header, n_header}, {zeros, (size_t)at}};
    assert_int_equal(psw_file_write(path, part, 3, NULL), PSW_OK);
    free(zeros);
}

static void what_is_missing_surplus_or_other_is_named(void **state)
{
    (void)state;
    static const struct {
        struct change change;
        const char *says; /* NULL: it is fine */
    } ROWS[] = {
        {{0}, NULL},
        {{.with = "model.layers.0.self_attn.rotary_emb.inv_freq",
          .shape = "2",
          .dtype = "F32",
          .n_bytes = 8},
         NULL},
        {{.with = "gpt_neox.layers.0.attention.bias",
          .shape = "1,1,2,2",
          .dtype = "BOOL",
          .n_bytes = 4},
         NULL},
        {{.with = "lm_head.weight", .shape = "10,8", .dtype = "F32", .n_bytes = 320}, NULL},
        {{.without = "model.norm.weight"},
         "tensor model.norm.weight is missing: expected F32, F16 or BF16 [8]"},
        {{.with = "model.layers.1.input_layernorm.weight",
          .shape = "8",
          .dtype = "F32",
          .n_bytes = 32},
         "tensor model.layers.1.input_layernorm.weight (F32 [8]) is none of this model: family "
         "llama with 1 layers and a tied head"},
        {{.without = "model.norm.weight",
          .with = "model.norm.weight",
          .shape = "7",
          .dtype = "F32",
          .n_bytes = 28},
         "tensor model.norm.weight: expected F32, F16 or BF16 [8] (by config.json), found F32 "
         "[7]"},
        {{.without = "model.norm.weight",
          .with = "model.norm.weight",
          .shape = "8",
          .dtype = "I32",
          .n_bytes = 32},
         "found I32 [8]"},
        {{.without = "model.norm.weight",
          .with = "model.norm.weight",
          .shape = "8,1",
          .dtype = "F32",
          .n_bytes = 32},
         "found F32 [8][1]"},
    };
    char folder[256], path[300];
    struct loaded l = make(&SMALL);
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct psw_error err = {0};
        write_zeros(path, l.model, ROWS[i].change);
        const psw_status rc = psw_weights_read(path, l.model, &l.exec, l.param, &err);
        assert_int_equal(rc, ROWS[i].says ? PSW_EDATA : PSW_OK);
        if (ROWS[i].says && !strstr(err.text, ROWS[i].says))
            fail_msg("\"%s\" lacks \"%s\"", err.text, ROWS[i].says);
    }
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    unload(&l);
}

static void a_head_of_its_own_is_asked_for(void **state)
{
    (void)state;
    char folder[256], path[300];
    struct psw_error err = {0};
    struct psw_model_dims untied = SMALL;
    untied.tied = 0;
    struct loaded tied = make(&SMALL), l = make(&untied);
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    write_zeros(path, tied.model, (struct change){0});
    assert_int_equal(psw_weights_read(path, l.model, &l.exec, l.param, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "tensor lm_head.weight is missing"));
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    unload(&tied);
    unload(&l);
}

/* The parameters of the policy, of a model with a scalar head, come back without it. */
static void written_weights_come_back_bit_for_bit(void **state)
{
    (void)state;
    char folder[256], dir[300], path[PSW_CFG_PATH];
    struct psw_config config;
    struct psw_model_dims with_value = SMALL;
    with_value.value = 1;
    struct loaded from = make(&with_value), to = make(&SMALL);
    psw_config_default(&config);
    config.model.family = PSW_FAMILY_LLAMA;
    psw_model_init(from.model, &from.exec, 5, from.param);
    support_temp_dir(folder);
    snprintf(dir, sizeof dir, "%s/out", folder);
    const struct psw_weights weights = {
        .model = from.model, .exec = &from.exec, .param = from.param};
    for (int again = 0; again < 2; again++) /* and once more over what is there */
        assert_int_equal(psw_weights_write(dir, &config, &weights, 2, "", NULL), PSW_OK);
    assert_int_equal(psw_model_dir_tensors(dir, path, NULL), PSW_OK);
    support_fill(to.param, psw_model_n_param(to.model), 1, 3); /* all of it is set */
    assert_int_equal(psw_weights_read(path, to.model, &to.exec, to.param, NULL), PSW_OK);
    assert_memory_equal(to.param, from.param,
                        sizeof(float) * (size_t)psw_model_n_param(to.model));
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    unload(&from);
    unload(&to);
}

static void weights_that_changed_since_the_plan_are_refused(void **state)
{
    (void)state;
    char folder[256], path[300];
    uint64_t hash = 0;
    struct psw_config config;
    struct psw_error err = {0};
    struct loaded l = make(&SMALL);
    psw_config_default(&config);
    support_temp_dir(folder);
    snprintf(config.model.from, sizeof config.model.from, "%s", folder);
    snprintf(path, sizeof path, "%s/config.json", folder);
    const struct psw_file_part part = {"{}", 2};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    write_zeros(path, l.model, (struct change){0});
    assert_int_equal(psw_model_dir_hash(folder, &hash, NULL), PSW_OK);
    config.model.weights = (int64_t)hash;
    assert_int_equal(psw_weights_check(&config, &err), PSW_OK);
    assert_int_equal(psw_weights_fit(&config, l.model, &err), PSW_OK);
    write_zeros(path, l.model, (struct change){.without = "model.norm.weight"});
    assert_int_equal(psw_weights_check(&config, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "changed while the sweep was running"));
    assert_int_equal(psw_weights_fit(&config, l.model, &err), PSW_EDATA);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    unload(&l);
}

/* Every other tensor of a checkpoint into another file. */
static void write_shard(const struct psw_safetensors *st, const char *folder, int shard)
{
    char path[300];
    int64_t n, n_row = 0;
    struct psw_tensor_row row[64];
    struct psw_safetensors_writer *w = NULL;
    const struct psw_stored_tensor *t = psw_safetensors_table(st, &n);
    snprintf(path, sizeof path, "%s/shard-%d.safetensors", folder, shard);
    assert_true(n <= 64);
    for (int64_t i = shard; i < n; i += 2)
        row[n_row++] = (struct psw_tensor_row){t[i].name, t[i].shape[0],
                                               t[i].n_dim == 2 ? t[i].shape[1] : 0};
    assert_int_equal(psw_safetensors_begin(path, PSW_STORED_F32, row, n_row, &w, NULL), PSW_OK);
    for (int64_t i = shard; i < n; i += 2) {
        float *value = malloc(sizeof *value * (size_t)t[i].n_elem);
        assert_int_equal(psw_stored_tensor_read(&t[i], 0, t[i].n_elem, value, NULL), PSW_OK);
        assert_int_equal(psw_safetensors_put(w, t[i].n_elem, value, NULL), PSW_OK);
        free(value);
    }
    assert_int_equal(psw_safetensors_end(w, PSW_OK, NULL), PSW_OK);
}

static void shards_give_the_parameters_of_one_file(void **state)
{
    (void)state;
    char folder[256], path[PSW_CFG_PATH];
    struct psw_safetensors *st = NULL;
    struct loaded l = load_stories();
    const size_t n_bytes = sizeof(float) * (size_t)psw_model_n_param(l.model);
    float *one = malloc(n_bytes);
    memcpy(one, l.param, n_bytes);
    assert_int_equal(psw_model_dir_tensors(support_data("model-stories260K"), path, NULL),
                     PSW_OK);
    assert_int_equal(psw_safetensors_open(path, &st, NULL), PSW_OK);
    support_temp_dir(folder);
    for (int shard = 0; shard < 2; shard++) write_shard(st, folder, shard);
    json_t *map = json_object();
    int64_t n;
    const struct psw_stored_tensor *t = psw_safetensors_table(st, &n);
    for (int64_t i = 0; i < n; i++)
        json_object_set_new(map, t[i].name,
                            json_string(i % 2 ? "shard-1.safetensors" : "shard-0.safetensors"));
    json_t *index = json_pack("{s:o}", "weight_map", map);
    snprintf(path, sizeof path, "%s/model.safetensors.index.json", folder);
    assert_int_equal(json_dump_file(index, path, 0), 0);
    assert_int_equal(psw_weights_read(path, l.model, &l.exec, l.param, NULL), PSW_OK);
    assert_memory_equal(one, l.param, n_bytes);
    json_decref(index);
    psw_safetensors_close(st);
    free(one);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
    unload(&l);
}

static void well_known_models_have_their_published_number_of_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t n_weight;
    } MODELS[] = {
        {"pythia-70m", 70426624},        {"pythia-160m", 162322944},
        {"pythia-410m", 405334016},      {"pythia-1b", 1011781632},
        {"pythia-1.4b", 1414647808},     {"pythia-2.8b", 2775208960},
        {"pythia-6.9b", 6857302016},     {"pythia-12b", 11846072320},
        {"tinyllama-1.1b", 1100048384},  {"llama-2-7b", 6738415616},
        {"llama-3-8b", 8030261248},      {"llama-3.2-1b", 1235814400},
        {"mistral-7b-v0.1", 7241732096}, {"mistral-7b-v0.3", 7248023552},
        {"qwen2.5-0.5b", 494032768},     {"qwen2.5-1.5b", 1543714304},
        {"qwen2.5-7b", 7615616512},      {"qwen3-0.6b", 596049920},
        {"qwen3-1.7b", 1720574976},
    };
    const char *folder = support_data("model-configs");
    char top[256], dir[300], from[600], to[400];
    if (!folder) support_skip("no sample data");
    snprintf(from, sizeof from, "%s", folder);
    support_temp_dir(top);
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        struct psw_model_dims dims;
        struct psw_model *model = NULL;
        snprintf(dir, sizeof dir, "%s/%s", top, MODELS[i].name);
        snprintf(to, sizeof to, "%s/config.json", dir);
        assert_int_equal(psw_file_make_dir(dir, NULL), PSW_OK);
        char source[700];
        snprintf(source, sizeof source, "%s/%s.config.json", from, MODELS[i].name);
        assert_int_equal(symlink(source, to), 0);
        load_dims(dir, &dims);
        dims.context = 64; /* has no parameters, but tables */
        assert_int_equal(psw_model_create(&dims, &model, NULL), PSW_OK);
        if (psw_model_n_weight(model) != MODELS[i].n_weight)
            fail_msg("%s: %lld parameters, published %lld", MODELS[i].name,
                     (long long)psw_model_n_weight(model), (long long)MODELS[i].n_weight);
        psw_model_destroy(model);
    }
    assert_int_equal(psw_file_remove_tree(top, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories_are_told_as_the_reference_tells_them),
        cmocka_unit_test(logits_of_the_stories_are_those_of_the_reference),
        cmocka_unit_test(shards_give_the_parameters_of_one_file),
        cmocka_unit_test(what_is_missing_surplus_or_other_is_named),
        cmocka_unit_test(a_head_of_its_own_is_asked_for),
        cmocka_unit_test(written_weights_come_back_bit_for_bit),
        cmocka_unit_test(weights_that_changed_since_the_plan_are_refused),
        cmocka_unit_test(well_known_models_have_their_published_number_of_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
