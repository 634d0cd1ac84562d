/* The table of sources, and what is found through it. */
#include "json_rows.h"
#include "source/generator.h"
#include "store/index.h"
#include "store/store.h"
#include "words.h"
#include <posweep/config/leaves.h>
#include <posweep/data/files.h>
#include <posweep/data/tokenizer_file.h>

#include <stdio.h>
#include <string.h>

static const struct psw_data_source *const SOURCES[PSW_N_SOURCE] = {
#define GENERATED(ID, ...) [PSW_SOURCE_##ID] = &PSW_##ID##_SOURCE,
#define FILES GENERATED
#include <posweep/config/sources.def>
};

const struct psw_data_source *psw_data_source_of(enum psw_source source)
{
    return SOURCES[source];
}

psw_status psw_generated_create(enum psw_source source, const struct psw_generated_opts *opts,
                                struct psw_dataset **out, struct psw_error *err)
{
    PSW_ASSERT(SOURCES[source]->generator);
    return psw_generated_make(SOURCES[source], psw_source_row(source)->name, opts, out, err);
}

psw_status psw_files_open(enum psw_source source, const struct psw_file_opts *opts,
                          struct psw_dataset **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_dataset *data = NULL;
    const char *setting = psw_source_row(source)->trains_on;
    const char *path = strcmp(setting, "data.sft") ? opts->pairs : opts->sft;
    struct psw_file_opts all = *opts;
    struct psw_index index;
    PSW_ASSERT(SOURCES[source]->read);
    if (!all.rows.form && source != PSW_SOURCE_AUTO)
        all.rows.form = psw_source_row(source)->name;
    if (!path || !*path) return psw_fail(err, PSW_EINVAL, "%s: no file is named", setting);
    if (opts->rows.limit < 0 || opts->length.max_prompt < 0 || opts->length.max_response < 0)
        return psw_fail(err, PSW_EINVAL, "data: a limit is negative");
    PSW_TRY(psw_dataset_create(
        SOURCES[source], opts->text.tokenizer ? opts->text.tokenizer : &PSW_BYTE_TOKENIZER,
        &data, err));
    psw_index_init(&index, source, &all, data->tokenizer);
    if (psw_index_load(&index, data)) {
        *out = data;
        return PSW_OK;
    }
    if (index.is_large) PSW_TRY(psw_index_begin(&index, data, err));
    PSW_TRY(SOURCES[source]->read(&all, data, err));
    PSW_TRY(psw_index_put_answers(&index, data, err));
    if (opts->text.tokenizer && opts->text.tokenizer->content)
        psw_dataset_tokenized_by(data, opts->text.tokenizer_path);
    if (opts->text.chat_template && opts->text.chat_template->content)
        psw_dataset_rendered_by(data, opts->text.template_path, opts->text.chat_template);
    PSW_TRY(psw_dataset_finish(data, err));
    psw_dataset_count_cuts(data);
    PSW_TRY(psw_dataset_seal(data, err));
    psw_index_keep(&index, data);
    *out = data;
    return PSW_OK;
fail:
    psw_dataset_destroy(data);
    return rc;
}

/** The name of a form that a choice stands for; NULL for auto. */
static const char *form_of(int64_t prompt_form)
{
    return prompt_form == PSW_PROMPTS_AUTO
               ? NULL
               : psw_leaf_find("data.prompts_format")->names[prompt_form];
}

static psw_status open_files(const struct psw_config *config, struct psw_dataset **out,
                             struct psw_error *err)
{
    const struct psw_config_data *data = &config->data;
    const int64_t n_max = INT32_MAX - 1;
    struct psw_file_opts opts = {
        .pairs = data->pairs,
        .heldout = data->heldout,
        .sft = data->sft,
        .rows.limit = data->limit,
        .length.max_prompt = (int32_t)data->max_prompt,
        .length.max_response = (int32_t)data->max_response,
        .length.drop_long = data->too_long == PSW_LONG_DROP,
        .rows.drop_equal = data->drop_equal,
        .rows.all_turns = data->sft_turns == PSW_SFT_TURNS_ALL,
        .prompts = {data->prompts, form_of(data->prompts_format), data->prompts_limit},
        .final_prompts = {data->final_prompts, form_of(data->final_prompts_format),
                          data->final_prompts_limit},
        .rows.keep_prompt_mismatch = !data->drop_prompt_mismatch,
        .index.folder = config->limits.index,
        .limits = psw_data_limits_of(psw_data_memory_bytes(config))};
    if (data->max_prompt > n_max || data->max_response > n_max)
        return psw_fail(err, PSW_EINVAL, "data.max_prompt, data.max_response: at most %lld",
                        (long long)n_max);
    struct psw_words words = {.tokenizer = NULL};
    const char *written = data->template_written;
    psw_status rc = psw_words_open(data->tokenizer,
                                   data->template[0] ? data->template : written, &words, err);
    if (rc != PSW_OK) return rc;
    psw_words_use(&words, &opts);
    opts.text.tokenizer_path = data->tokenizer;
    opts.text.template_path = data->template;
    rc = psw_files_open(psw_config_source(config), &opts, out, err);
    if (rc == PSW_OK && words.tokenizer) {
        psw_dataset_own_tokenizer(*out, words.tokenizer);
        words.tokenizer = NULL;
    }
    if (rc == PSW_OK) psw_dataset_name_origins(*out, data);
    psw_words_close(&words);
    return rc;
}

psw_status psw_dataset_open(const struct psw_config *config, struct psw_dataset **out,
                            struct psw_error *err)
{
    const enum psw_source which = psw_config_source(config);
    if (!psw_config_is_generated(config)) return open_files(config, out, err);
    const struct psw_generated_opts opts = SOURCES[which]->generator->opts(config);
    return psw_generated_create(which, &opts, out, err);
}

static double item_bytes(const struct psw_generator *g, int64_t n_item, int n_response)
{
    const int n_tok = g->max_prompt + n_response * g->max_response;
    return (double)n_item *
           (double)(sizeof(struct psw_stored_example) + (size_t)n_tok * sizeof(int32_t));
}

double psw_dataset_generated_bytes(const struct psw_config *config, char *setting,
                                   size_t n_setting)
{
    const enum psw_source which = psw_config_source(config);
    const struct psw_generator *g = SOURCES[which]->generator;
    snprintf(setting, n_setting, "%s", "");
    if (!g) return 0;
    const struct psw_generated_opts opts = g->opts(config);
    const double sft = item_bytes(g, opts.n_sft, 1), pairs = item_bytes(g, opts.n_pairs, 2);
    const int by_sft = sft >= pairs;
    snprintf(setting, n_setting, "%s.%s %lld", psw_source_row(which)->name,
             by_sft ? "sft" : "pairs", (long long)(by_sft ? opts.n_sft : opts.n_pairs));
    return sft + pairs + item_bytes(g, PSW_GENERATED_PAIRS_HELDOUT, 2) +
           item_bytes(g, PSW_GENERATED_PROMPTS_HELDOUT, 0);
}

/** Identity of the generator of a task, by its name. */
static psw_status generator_hash(const char *task, uint64_t *out, struct psw_error *err)
{
    for (int i = 0; i < PSW_N_GENERATED; i++)
        if (!strcmp(psw_source_row((enum psw_source)i)->name, task))
            return psw_generated_hash(SOURCES[i], out, err);
    return psw_fail(err, PSW_EINVAL, "there is no generated task \"%s\"", task);
}

psw_status psw_data_origin_check(const struct psw_data_origin *origin, struct psw_error *err)
{
    struct psw_data_origin now = *origin;
    const psw_status rc = origin->role == PSW_ROLE_TASK
                              ? generator_hash(origin->name, &now.hash, err)
                          : origin->role == PSW_ROLE_TOKENIZER
                              ? psw_tokenizer_hash_files(origin->path, &now.hash, err)
                              : psw_json_rows_hash_file(&now, err);
    if (rc != PSW_OK || (now.hash == origin->hash && now.n_bytes == origin->n_bytes)) return rc;
    char here[PSW_CFG_STR + 128], there[PSW_CFG_STR + 128];
    return psw_fail(err, PSW_EDATA,
                    "%s: the content is %s, not %s; every node must see the same",
                    origin->path[0] ? origin->path : origin->name,
                    psw_data_origin_text(&now, here, sizeof here),
                    psw_data_origin_text(origin, there, sizeof there));
}
