/* Identities of data: what was read is remembered and shown. */
#include <posweep/data/origin.h>

#include "chat/template.h"
#include "data_internal.h"
#include "json_rows.h"
#include <posweep/util/hash.h>
#include <stdio.h>
#include <string.h>

const char *psw_data_role_name(enum psw_data_role role)
{
    static const char *const NAMES[PSW_N_ROLE] = {[PSW_ROLE_PAIRS] = "pairs",
                                                  [PSW_ROLE_HELDOUT] = "heldout",
                                                  [PSW_ROLE_SFT] = "sft",
                                                  [PSW_ROLE_TASK] = "task",
                                                  [PSW_ROLE_TOKENIZER] = "tokenizer",
                                                  [PSW_ROLE_PROMPTS] = "prompts",
                                                  [PSW_ROLE_FINAL_PROMPTS] = "final_prompts",
                                                  [PSW_ROLE_TEMPLATE] = "template"};
    return (unsigned)role < PSW_N_ROLE ? NAMES[role] : "unknown";
}

static struct psw_data_origin *next_origin(struct psw_dataset *data, enum psw_data_role role)
{
    PSW_ASSERT(data->files.origins.n < PSW_MAX_ORIGINS);
    struct psw_data_origin *o = &data->files.origins.item[data->files.origins.n++];
    o->role = role;
    return o;
}

void psw_dataset_read_from(struct psw_dataset *data, enum psw_data_role role, const char *path,
                           int64_t limit, const struct psw_json_rows *rows)
{
    struct psw_data_origin *o = next_origin(data, role);
    snprintf(o->name, sizeof o->name, "%.*s", (int)sizeof o->name - 1, path);
    snprintf(o->path, sizeof o->path, "%s", path);
    o->limit = limit;
    o->hash = psw_json_rows_hash(rows, &o->n_bytes);
}

void psw_dataset_tokenized_by(struct psw_dataset *data, const char *path)
{
    struct psw_data_origin *o = next_origin(data, PSW_ROLE_TOKENIZER);
    snprintf(o->name, sizeof o->name, "%.*s", (int)sizeof o->name - 1, path);
    snprintf(o->path, sizeof o->path, "%s", path);
    o->hash = data->tokenizer->content;
}

void psw_dataset_rendered_by(struct psw_dataset *data, const char *path,
                             const struct psw_template *chat_template)
{
    struct psw_data_origin *o = next_origin(data, PSW_ROLE_TEMPLATE);
    snprintf(o->name, sizeof o->name, "%.*s", (int)sizeof o->name - 1, path);
    snprintf(o->path, sizeof o->path, "%s", path);
    o->hash = chat_template->content;
    o->n_bytes = chat_template->n_bytes;
}

void psw_dataset_made_by(struct psw_dataset *data, const char *task, uint64_t hash)
{
    struct psw_data_origin *o = next_origin(data, PSW_ROLE_TASK);
    snprintf(o->name, sizeof o->name, "%s", task);
    o->hash = hash;
}

void psw_dataset_name_origins(struct psw_dataset *data, const struct psw_config_data *config)
{
    const char *const written[PSW_N_ROLE] = {[PSW_ROLE_PAIRS] = config->pairs_written,
                                             [PSW_ROLE_HELDOUT] = config->heldout_written,
                                             [PSW_ROLE_SFT] = config->sft_written,
                                             [PSW_ROLE_TASK] = "",
                                             [PSW_ROLE_TOKENIZER] = config->tokenizer_written,
                                             [PSW_ROLE_PROMPTS] = config->prompts_written,
                                             [PSW_ROLE_FINAL_PROMPTS] =
                                                 config->final_prompts_written,
                                             [PSW_ROLE_TEMPLATE] = config->template_written};
    for (int64_t i = 0; i < data->files.origins.n; i++) {
        struct psw_data_origin *o = &data->files.origins.item[i];
        const char *name = written[o->role];
        if (!name[0]) continue;
        memset(o->name, 0, sizeof o->name);
        snprintf(o->name, sizeof o->name, "%s", name);
    }
}

uint64_t psw_data_origins_hash(const struct psw_data_origins *origins)
{
    uint64_t hash = 0;
    for (int64_t i = 0; i < origins->n; i++) {
        const struct psw_data_origin *o = &origins->item[i];
        const uint64_t part[3] = {(uint64_t)o->role, (uint64_t)o->n_bytes, o->hash};
        hash = psw_hash_bytes(part, sizeof part, hash);
    }
    return hash;
}

char *psw_data_origin_text(const struct psw_data_origin *origin, char *out, size_t n_bytes)
{
    char hash[PSW_HASH_TEXT_BYTES], rows[48] = "";
    psw_hash_text(origin->hash, hash);
    if (origin->limit > 0)
        snprintf(rows, sizeof rows, " in the first %lld rows", (long long)origin->limit);
    if (origin->role == PSW_ROLE_TASK)
        snprintf(out, n_bytes, "%s: generated, xxh3 %s", origin->name, hash);
    else if (origin->role == PSW_ROLE_TOKENIZER)
        snprintf(out, n_bytes, "%s: xxh3 %s", origin->name, hash);
    else
        snprintf(out, n_bytes, "%s: %lld bytes%s, xxh3 %s", origin->name,
                 (long long)origin->n_bytes, rows, hash);
    return out;
}
