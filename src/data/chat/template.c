/* The built-in templates, and how turns are written by one. */
#include "chat/template.h"

#include "json_rows.h"
#include <stdlib.h>
#include <string.h>

static const char EOS[] = "{eos}", BOS[] = "{bos}";

/* Sources: hh, Bai et al. 2022 (arXiv 2204.05862), the form of the published files; zephyr and
 * chatml, the templates of the models of that name; llama2 and llama3, the prompt formats that
 * come with these models. */
static const struct psw_template TEMPLATES[] = {
    {.name = "hh",
     .turn = {[PSW_CHAT_USER] = {.prefix = "\n\nHuman: "},
              [PSW_CHAT_ASSISTANT] = {.prefix = "\n\nAssistant:", .lead = " "}},
     .keeps_texts = 1},
    {.name = "none",
     .turn = {[PSW_CHAT_SYSTEM] = {.suffix = "\n"},
              [PSW_CHAT_USER] = {.suffix = "\n"},
              [PSW_CHAT_ASSISTANT] = {.suffix = "{eos}\n"}},
     .keeps_texts = 1},
    {.name = "zephyr",
     .turn = {[PSW_CHAT_SYSTEM] = {.prefix = "<|system|>\n", .suffix = "{eos}\n"},
              [PSW_CHAT_USER] = {.prefix = "<|user|>\n", .suffix = "{eos}\n"},
              [PSW_CHAT_ASSISTANT] = {.prefix = "<|assistant|>\n", .suffix = "{eos}\n"}}},
    {.name = "chatml",
     .turn = {[PSW_CHAT_SYSTEM] = {.prefix = "<|im_start|>system\n", .suffix = "<|im_end|>\n"},
              [PSW_CHAT_USER] = {.prefix = "<|im_start|>user\n", .suffix = "<|im_end|>\n"},
              [PSW_CHAT_ASSISTANT] = {.prefix = "<|im_start|>assistant\n",
                                      .suffix = "<|im_end|>\n"}}},
    {.name = "llama2",
     .turn = {[PSW_CHAT_SYSTEM] = {.prefix = "{bos}[INST] <<SYS>>\n",
                                   .suffix = "\n<</SYS>>\n\n"},
              [PSW_CHAT_USER] = {.prefix = "{bos}[INST] ", .suffix = " [/INST]"},
              [PSW_CHAT_ASSISTANT] = {.lead = " ", .suffix = " {eos}"}},
     .behind_system = {.suffix = " [/INST]"}},
    {.name = "llama3",
     .turn = {[PSW_CHAT_SYSTEM] = {.prefix = "<|start_header_id|>system<|end_header_id|>\n\n",
                                   .suffix = "<|eot_id|>"},
              [PSW_CHAT_USER] = {.prefix = "<|start_header_id|>user<|end_header_id|>\n\n",
                                 .suffix = "<|eot_id|>"},
              [PSW_CHAT_ASSISTANT] = {.prefix =
                                          "<|start_header_id|>assistant<|end_header_id|>\n\n",
                                      .suffix = "<|eot_id|>"}}},
};

const struct psw_template *psw_template_find(const char *name)
{
    for (size_t i = 0; i < sizeof TEMPLATES / sizeof *TEMPLATES; i++)
        if (!strcmp(TEMPLATES[i].name, name)) return &TEMPLATES[i];
    return NULL;
}

/* ---- a file ---- */

static psw_status read_mark(const json_t *marks, const char *role, const char *key, char *out,
                            const char *path, struct psw_error *err)
{
    const json_t *value = json_object_get(marks, key);
    char found[PSW_VALUE_BYTES];
    if (!value) return PSW_OK;
    if (!json_is_string(value) || json_string_length(value) >= PSW_TURN_BYTES ||
        strlen(json_string_value(value)) != json_string_length(value))
        return psw_fail(err, PSW_EDATA, "%s: %s.%s is %s; expected a text below %d bytes", path,
                        role, key, psw_value_text(value, found), PSW_TURN_BYTES);
    memcpy(out, json_string_value(value), json_string_length(value) + 1);
    return PSW_OK;
}

static psw_status read_role(const json_t *root, const char *role, struct psw_turn_marks *out,
                            const char *path, struct psw_error *err)
{
    const json_t *marks = json_object_get(root, role);
    const char *key;
    json_t *value;
    psw_status rc = PSW_OK;
    if (!marks) return PSW_OK;
    const int leads = !strcmp(role, "assistant");
    if (!json_is_object(marks))
        return psw_fail(err, PSW_EDATA,
                        "%s: %s is no object; expected {\"prefix\": ..., \"suffix\": ...}",
                        path, role);
    json_object_foreach(
        (json_t *)marks, key,
        value) if (strcmp(key, "prefix") && strcmp(key, "suffix") &&
                   (!leads ||
                    strcmp(key, "lead"))) return psw_fail(err, PSW_EDATA,
                                                          "%s: %s has the key \"%.40s\"; known "
                                                          "are prefix, suffix%s",
                                                          path, role, key,
                                                          leads ? " and lead" : "");
    rc = read_mark(marks, role, "prefix", out->prefix, path, err);
    if (rc == PSW_OK) rc = read_mark(marks, role, "lead", out->lead, path, err);
    return rc == PSW_OK ? read_mark(marks, role, "suffix", out->suffix, path, err) : rc;
}

static psw_status read_roles(const json_t *root, struct psw_template *t, const char *path,
                             struct psw_error *err)
{
    const struct {
        const char *key;
        struct psw_turn_marks *marks;
        int is_needed;
    } rows[] = {{"system", &t->turn[PSW_CHAT_SYSTEM], 0},
                {"user", &t->turn[PSW_CHAT_USER], 1},
                {"assistant", &t->turn[PSW_CHAT_ASSISTANT], 1},
                {"user_behind_system", &t->behind_system, 0}};
    enum { N_ROW = sizeof rows / sizeof *rows };
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return psw_fail(err, PSW_EDATA,
                        "%s: expected an object with \"user\" and \"assistant\"", path);
    json_object_foreach((json_t *)root, key, value)
    {
        int i = 0;
        while (i < N_ROW && strcmp(rows[i].key, key)) i++;
        if (i == N_ROW)
            return psw_fail(err, PSW_EDATA,
                            "%s: unknown key \"%.40s\"; a template has user, assistant, system "
                            "and user_behind_system",
                            path, key);
    }
    for (int i = 0; i < N_ROW; i++) {
        if (rows[i].is_needed && !json_object_get(root, rows[i].key))
            return psw_fail(err, PSW_EDATA,
                            "%s: the template has no \"%s\"%s: expected {\"%s\": {\"prefix\": "
                            "..., \"suffix\": ...}}",
                            path, rows[i].key, i == 2 ? ", so no token would be trained" : "",
                            rows[i].key);
        const psw_status rc = read_role(root, rows[i].key, rows[i].marks, path, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

psw_status psw_template_read(const char *path, struct psw_template **out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_lines *lines = NULL;
    json_t *root = NULL;
    json_error_t fault;
    const char *text = NULL;
    size_t n = 0;
    struct psw_template *t = calloc(1, sizeof *t);
    if (!t) return psw_fail(err, PSW_ENOMEM, "%s: no memory", path);
    t->name = "of a file";
    PSW_TRY(psw_lines_open(path, NULL, &lines, err));
    PSW_TRY(psw_lines_rest(lines, &text, &n, err));
    root = json_loadb(text ? text : "", n, JSON_REJECT_DUPLICATES, &fault);
    if (!root)
        PSW_TRY(psw_fail(err, PSW_EDATA, "%s:%d:%d: %s; expected a chat template in JSON", path,
                         fault.line, fault.column, fault.text));
    PSW_TRY(read_roles(root, t, path, err));
    t->content = psw_lines_hash(lines, &t->n_bytes);
    *out = t;
    t = NULL;
fail:
    json_decref(root);
    psw_lines_close(lines);
    free(t);
    return rc;
}

/* ---- writing ---- */

static psw_status add(struct psw_rendered *out, struct psw_text text, enum psw_render_mark mark,
                      struct psw_error *err)
{
    const size_t from = out->mark.n;
    psw_status rc = psw_text_buffer_add(&out->text, text, err);
    if (rc == PSW_OK) rc = psw_text_buffer_add(&out->mark, text, err);
    if (rc == PSW_OK) memset(out->mark.at + from, (int)mark, out->mark.n - from);
    return rc;
}

/** Write markup, of which {eos} and {bos} become one byte each. */
static psw_status add_markup(struct psw_rendered *out, struct psw_text markup,
                             struct psw_error *err)
{
    static const struct psw_text PLACE = {"", 1};
    psw_status rc = PSW_OK;
    for (size_t at = 0; at < markup.n && rc == PSW_OK;) {
        const size_t eos = psw_text_find(markup, EOS, at), bos = psw_text_find(markup, BOS, at);
        const size_t end = eos < bos ? eos : bos;
        rc = add(out, (struct psw_text){markup.at + at, end - at}, PSW_RENDER_MARKUP, err);
        if (rc == PSW_OK && end < markup.n)
            rc = add(out, PLACE, eos < bos ? PSW_RENDER_EOS : PSW_RENDER_BOS, err);
        at = end + sizeof EOS - 1;
    }
    return rc;
}

static struct psw_text text_of(const char *text)
{
    return (struct psw_text){text, strlen(text)};
}

/** Around a turn, given the turn before it. */
static const struct psw_turn_marks *marks_of(const struct psw_template *t,
                                             const struct psw_chat *chat, int64_t turn)
{
    const struct psw_turn_marks *m = &t->behind_system;
    const int is_behind = turn > 0 && chat->turn[turn].role == PSW_CHAT_USER &&
                          chat->turn[turn - 1].role == PSW_CHAT_SYSTEM;
    return is_behind && (m->prefix[0] || m->suffix[0]) ? m : &t->turn[chat->turn[turn].role];
}

psw_status psw_template_prompt(const struct psw_template *t, const struct psw_chat *chat,
                               int64_t n_turn, struct psw_rendered *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    out->text.n = out->mark.n = 0;
    for (int64_t i = 0; i < n_turn; i++) {
        const struct psw_turn_marks *m = marks_of(t, chat, i);
        PSW_TRY(add_markup(out, text_of(m->prefix), err));
        PSW_TRY(add_markup(out, text_of(m->lead), err));
        PSW_TRY(add(out, chat->turn[i].content, PSW_RENDER_WRITTEN, err));
        PSW_TRY(add_markup(out, text_of(m->suffix), err));
    }
    return add_markup(out, text_of(t->turn[PSW_CHAT_ASSISTANT].prefix), err);
fail:
    return rc;
}

psw_status psw_template_reply(const struct psw_template *t, const struct psw_reply_end *end,
                              struct psw_text content, struct psw_rendered *out,
                              struct psw_error *err)
{
    const struct psw_turn_marks *m = &t->turn[PSW_CHAT_ASSISTANT];
    const struct psw_text before = {m->suffix, end->n_before};
    out->text.n = out->mark.n = 0;
    psw_status rc = add_markup(out, text_of(m->lead), err);
    if (rc == PSW_OK) rc = add(out, content, PSW_RENDER_WRITTEN, err);
    return rc == PSW_OK ? add_markup(out, before, err) : rc;
}

psw_status psw_template_end(const struct psw_template *t, const struct psw_tokenizer *tokenizer,
                            struct psw_reply_end *out, struct psw_error *err)
{
    const struct psw_text suffix = text_of(t->turn[PSW_CHAT_ASSISTANT].suffix);
    struct psw_token_list ids = {0};
    *out = (struct psw_reply_end){tokenizer->eos, psw_text_find(suffix, EOS, 0)};
    if (out->n_before < suffix.n) return PSW_OK;
    out->n_before = 0;
    const psw_status rc = psw_tokenizer_encode(tokenizer, suffix, &ids, err);
    for (int64_t i = 0; rc == PSW_OK && i < ids.n; i++) {
        if (!psw_tokenizer_is_special(tokenizer, ids.id[i])) continue;
        char name[PSW_TURN_BYTES];
        const struct psw_text of = psw_tokenizer_name(tokenizer, ids.id[i]);
        if (of.n >= sizeof name) continue;
        memcpy(name, of.at, of.n);
        name[of.n] = 0;
        const size_t at = psw_text_find(suffix, name, 0);
        if (at == suffix.n) continue;
        *out = (struct psw_reply_end){ids.id[i], at};
        break;
    }
    free(ids.id);
    return rc;
}

/* ---- ids ---- */

static psw_status push_ids(struct psw_token_list *out, struct psw_tokens tokens,
                           struct psw_error *err)
{
    int32_t *at = NULL;
    const psw_status rc = psw_token_list_grow(out, tokens.n, &at, err);
    if (rc == PSW_OK && tokens.n > 0) memcpy(at, tokens.id, (size_t)tokens.n * sizeof *at);
    return rc;
}

psw_status psw_rendered_encode(const struct psw_rendered *rendered,
                               const struct psw_tokenizer *tokenizer, enum psw_text_place place,
                               struct psw_token_list *out, struct psw_error *err)
{
    const unsigned char *mark = (const unsigned char *)rendered->mark.at;
    const size_t n = rendered->text.n;
    const struct psw_tokens eos = {&tokenizer->eos, 1};
    psw_status rc = PSW_OK;
    for (size_t at = 0; at < n && rc == PSW_OK;) {
        size_t end = at;
        while (end < n && mark[end] <= PSW_RENDER_MARKUP) end++;
        const struct psw_written_text piece = {
            .text = {rendered->text.at + at, end - at}, .markup = mark + at, .place = place};
        if (end > at) rc = psw_tokenizer_encode_written(tokenizer, &piece, out, err);
        if (rc != PSW_OK || end == n) break;
        if (mark[end] == PSW_RENDER_EOS) rc = push_ids(out, eos, err);
        /* one at the very beginning is there already */
        if (mark[end] == PSW_RENDER_BOS && (end > 0 || place != PSW_TEXT_BEGINS))
            rc = push_ids(out, tokenizer->before, err);
        place = end == 0 && mark[end] == PSW_RENDER_BOS ? place : PSW_TEXT_AFTER_TOKEN;
        at = end + 1;
    }
    return rc;
}

void psw_rendered_clear(struct psw_rendered *rendered)
{
    free(rendered->text.at);
    free(rendered->mark.at);
}
