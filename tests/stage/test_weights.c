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
        cmocka_unit_test(well_known_models_have_their_published_number_of_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
