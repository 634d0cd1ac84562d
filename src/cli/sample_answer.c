/* Prompts in, responses out: the talking part of posweep sample. Prompts are answered in
 * blocks, so that weights are read once for many; what a response says does not depend on that.
 */
#include "cli_internal.h"
#include "sample_internal.h"

#include <posweep/data/tokenizer_file.h>
#include <posweep/util/minmax.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 32 };

/** Prompts that are answered together, and their answers. */
struct block {
    struct psw_sample_talk *talk;
    struct psw_sample_opts opts;
    char *text[BLOCK];                        /* owned [n] */
    int32_t *ids[BLOCK];                      /* owned [n] */
    struct psw_example example[BLOCK];        /* [n] */
    const struct psw_example *pointer[BLOCK]; /* [n] */
    int32_t n;
    int32_t *token, *n_token;      /* owned: of psw_sample_out */
    float *logp;                   /* owned */
    struct psw_text_buffer said;   /* owned: the text of a response */
    struct psw_detokenizer reader; /* of the response that is being heard */
};

static void clear(struct block *b)
{
    for (int32_t i = 0; i < b->n; i++) {
        free(b->text[i]);
        free(b->ids[i]);
    }
    free(b->token);
    free(b->n_token);
    free(b->logp);
    free(b->said.at);
    *b = (struct block){.talk = b->talk};
}

/* ---- prompts ---- */

/** Take a text, which the block then owns. */
static psw_status take(struct block *b, char *text, struct psw_error *err)
{
    const int64_t number = b->talk->n_prompt + b->n + 1;
    const int64_t context = psw_responder_context(b->talk->model);
    struct psw_tokens tokens = {0};
    int64_t n_lost = 0;
    const int32_t i = b->n++;
    b->text[i] = text;
    psw_status rc = psw_prompt_maker_tokens(
        b->talk->maker, (struct psw_text){text, strlen(text)}, &tokens, &n_lost, err);
    if (rc == PSW_OK && tokens.n >= context)
        rc = psw_fail(err, PSW_EDATA,
                      "%lld tokens leave no room for a response: the model's context is %lld",
                      (long long)tokens.n, (long long)context);
    if (rc == PSW_OK && !(b->ids[i] = malloc((size_t)tokens.n * sizeof *b->ids[i])))
        rc = psw_fail(err, PSW_ENOMEM, "%lld tokens", (long long)tokens.n);
    if (rc != PSW_OK) {
        psw_error_prefix(err, "prompt %lld", (long long)number);
        return rc;
    }
    memcpy(b->ids[i], tokens.id, (size_t)tokens.n * sizeof *b->ids[i]);
    b->example[i] = (struct psw_example){.prompt = b->ids[i], .n_prompt = (int32_t)tokens.n};
    b->pointer[i] = &b->example[i];
    if (n_lost > 0)
        fprintf(stderr,
                "posweep: prompt %lld lost its first %lld tokens: data.max_prompt is %lld\n",
                (long long)number, (long long)n_lost,
                (long long)b->talk->config->data.max_prompt);
    return PSW_OK;
}

/** The prompt of a line that is an object. */
static psw_status prompt_of_object(const char *line, char **out, struct psw_error *err)
{
    json_error_t fault;
    json_t *object = json_loads(line, 0, &fault);
    if (!object) return psw_fail(err, PSW_EDATA, "column %d: %s", fault.column, fault.text);
    const char *prompt = json_string_value(json_object_get(object, "prompt"));
    psw_status rc = PSW_OK;
    if (!prompt)
        rc = psw_fail(err, PSW_EDATA, "expected {\"prompt\": \"...\"}, a string");
    else if (!(*out = strdup(prompt)))
        rc = psw_fail(err, PSW_ENOMEM, "%zu bytes", strlen(prompt));
    json_decref(object);
    return rc;
}

/** The next prompt of a stream; *out is NULL at its end. */
static psw_status next_prompt(FILE *in, int is_terminal, int64_t *n_line, char **out,
                              struct psw_error *err)
{
    char *line = NULL;
    size_t n_room = 0;
    ssize_t n;
    psw_status rc = PSW_OK;
    *out = NULL;
    for (;;) {
        if (is_terminal) fputs("> ", stdout), fflush(stdout);
        n = getline(&line, &n_room, in);
        ++*n_line;
        if (n < 0 || !psw_text_is_blank((struct psw_text){line, (size_t)n})) break;
    }
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
    if (n < 0 && ferror(in))
        rc = psw_fail(err, PSW_EIO, "%s", strerror(errno));
    else if (n >= 0 && strlen(line) != (size_t)n)
        rc = psw_fail(err, PSW_EDATA, "a NUL byte; expected text");
    else if (n >= 0 && line[0] == '{' && !is_terminal)
        rc = prompt_of_object(line, out, err);
    else if (n >= 0) {
        *out = line;
        line = NULL;
    }
    free(line);
    return rc;
}

/* ---- responses ---- */

void psw_sample_print_text(const char *at, size_t n)
{
    const int is_terminal = isatty(STDOUT_FILENO);
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)at[i];
        const int steers = (c < ' ' && c != '\n' && c != '\t') || c == 0x7F;
        putchar(is_terminal && steers ? '?' : c);
    }
}

/** Append what a token says; models may have more rows than the tokenizer has tokens. */
static psw_status read_token(struct block *b, int32_t id, struct psw_error *err)
{
    const struct psw_tokenizer *t = b->reader.tokenizer;
    if (t->kind->piece(t, id).at) return psw_detokenizer_push(&b->reader, id, &b->said, err);
    const psw_status rc = psw_detokenizer_end(&b->reader, &b->said, err);
    return rc == PSW_OK ? psw_text_buffer_add(&b->said, psw_tokenizer_piece(t, id), err) : rc;
}

static void begin_reading(struct block *b)
{
    b->said.n = 0;
    b->reader =
        (struct psw_detokenizer){.tokenizer = psw_prompt_maker_tokenizer(b->talk->maker)};
}

/** Say a token as it is drawn. */
static void hear(void *ctx, int64_t seq, int32_t token)
{
    struct block *b = ctx;
    (void)seq;
    b->said.n = 0;
    if (read_token(b, token, NULL) != PSW_OK || b->said.n == 0) return;
    psw_sample_print_text(b->said.at, b->said.n);
    fflush(stdout);
}

static psw_status read_response(struct block *b, int64_t seq, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    begin_reading(b);
    for (int32_t t = 0; t < b->n_token[seq] && rc == PSW_OK; t++)
        rc = read_token(b, b->token[seq * b->opts.max_new + t], err);
    return rc == PSW_OK ? psw_detokenizer_end(&b->reader, &b->said, err) : rc;
}

static psw_status print_object(const struct block *b, int64_t seq, struct psw_error *err)
{
    const int32_t n = b->n_token[seq];
    const int32_t *token = b->token + seq * b->opts.max_new;
    json_t *ids = json_array(), *logp = json_array();
    for (int32_t t = 0; t < n; t++) {
        json_array_append_new(ids, json_integer(token[t]));
        json_array_append_new(logp, json_real(b->logp[seq * b->opts.max_new + t]));
    }
    json_t *object =
        json_pack("{s: s, s: s%, s: o, s: o, s: b}", "prompt", b->text[seq / b->talk->n_sample],
                  "response", b->said.n ? b->said.at : "", b->said.n, "tokens", ids, "logp",
                  logp, "ended", n > 0 && token[n - 1] == b->opts.eos);
    char *line = object ? json_dumps(object, JSON_REAL_PRECISION(9)) : NULL;
    if (line) puts(line);
    const psw_status rc =
        line ? PSW_OK
             : psw_fail(err, PSW_EDATA, "prompt %lld is not UTF-8, which --json needs",
                        (long long)(b->talk->n_prompt + 1 + seq / b->talk->n_sample));
    free(line);
    json_decref(object);
    return rc;
}

static psw_status print_answers(struct block *b, struct psw_error *err)
{
    const int32_t n_sample = b->talk->n_sample;
    psw_status rc = PSW_OK;
    for (int64_t seq = 0; seq < (int64_t)b->n * n_sample && rc == PSW_OK; seq++) {
        rc = read_response(b, seq, err);
        if (rc == PSW_OK && b->talk->as_json) rc = print_object(b, seq, err);
        if (rc != PSW_OK || b->talk->as_json) continue;
        if (!b->talk->is_bare && seq % n_sample == 0) {
            fputs(seq + b->talk->n_prompt > 0 ? "\n> " : "> ", stdout);
            psw_sample_print_text(b->text[seq / n_sample], strlen(b->text[seq / n_sample]));
            putchar('\n');
        }
        psw_sample_print_text(b->said.at, b->said.n);
        putchar('\n');
    }
    return rc;
}

static psw_status make_room(struct block *b, struct psw_error *err)
{
    const size_t n_seq = (size_t)b->n * (size_t)b->talk->n_sample;
    const size_t n = n_seq * (size_t)b->opts.max_new;
    b->token = malloc(n * sizeof *b->token);
    b->logp = malloc(n * sizeof *b->logp);
    b->n_token = malloc(n_seq * sizeof *b->n_token);
    return b->token && b->logp && b->n_token
               ? PSW_OK
               : psw_fail(err, PSW_ENOMEM, "%zu tokens of responses", n);
}

/** How a run draws its evaluation responses, prompt by prompt. */
static struct psw_sample_opts opts_of(const struct psw_sample_talk *talk)
{
    const struct psw_config *c = talk->config;
    const int64_t context = psw_responder_context(talk->model), asked = c->final.max_new;
    return (struct psw_sample_opts){
        .temperature = c->final.temperature,
        .top_p = c->final.top_p,
        .top_k = (int32_t)c->final.top_k,
        .max_new = (int32_t)(asked > 0 ? psw_min(asked, context) : context),
        .eos = psw_prompt_maker_tokenizer(talk->maker)->eos,
        .rng = {.seed = (uint64_t)c->seed, .use = PSW_RNG_EVAL},
        .first_item = (uint64_t)(talk->n_prompt * talk->n_sample)};
}

/** Answer what was taken, and forget it. */
static psw_status answer(struct block *b, struct psw_error *err)
{
    struct psw_sample_talk *talk = b->talk;
    if (b->n == 0) return PSW_OK;
    const int streams =
        b->n * talk->n_sample == 1 && talk->is_bare && !talk->as_json && isatty(STDOUT_FILENO);
    b->opts = opts_of(talk);
    psw_status rc = make_room(b, err);
    begin_reading(b);
    const struct psw_sample_in in = {.prompt = b->pointer,
                                     .n_prompt = b->n,
                                     .n_sample = talk->n_sample,
                                     .opts = &b->opts,
                                     .listener = {streams ? hear : NULL, b}};
    const struct psw_sample_out out = {b->token, b->n_token, b->logp};
    if (rc == PSW_OK) rc = psw_responder_draw(talk->model, &in, &out, err);
    if (rc == PSW_OK && !streams) rc = print_answers(b, err);
    if (rc == PSW_OK && streams) putchar('\n');
    talk->n_prompt += b->n;
    fflush(stdout);
    clear(b);
    return rc;
}

psw_status psw_sample_answer_one(struct psw_sample_talk *talk, const char *prompt,
                                 struct psw_error *err)
{
    struct block b = {.talk = talk};
    char *text = strdup(prompt);
    if (!text) return psw_fail(err, PSW_ENOMEM, "%zu bytes", strlen(prompt));
    psw_status rc = take(&b, text, err);
    if (rc == PSW_OK) rc = answer(&b, err);
    clear(&b);
    return rc;
}

psw_status psw_sample_answer_all(struct psw_sample_talk *talk, FILE *in, const char *name,
                                 struct psw_error *err)
{
    const int is_terminal = isatty(fileno(in));
    struct block b = {.talk = talk};
    char *text = NULL;
    int64_t n_line = 0;
    psw_status rc = PSW_OK;
    do {
        rc = next_prompt(in, is_terminal, &n_line, &text, err);
        if (rc == PSW_OK && text) rc = take(&b, text, err);
        if (rc != PSW_OK) psw_error_prefix(err, "%s:%lld", name, (long long)n_line);
        if (rc == PSW_OK && (!text || is_terminal || b.n == BLOCK)) rc = answer(&b, err);
        if (rc == PSW_OK || !is_terminal || !text) continue;
        (void)psw_cli_fail(err); /* whoever types may type again */
        *err = (struct psw_error){0};
        clear(&b);
        rc = PSW_OK;
    } while (rc == PSW_OK && text);
    if (is_terminal) putchar('\n');
    clear(&b);
    return rc;
}
