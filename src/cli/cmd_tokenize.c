/* posweep tokenize: what a model's tokenizer makes of text, and the way back. */
#include "cli_internal.h"
#include <errno.h>
#include <jansson.h>
#include <posweep/data/tokenizer_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

struct tokenize_args {
    const char *path;
    int as_lines, is_decoding, is_bare;
    struct psw_tokenizer *tokenizer; /* in the child */
    struct psw_token_list ids;       /* of a text, used again */
    struct psw_text_buffer text;
};

static const struct argp_option OPTIONS[] = {
    {"jsonl", 'j', NULL, 0,
     "read a JSON object with \"text\" on each line, print one with \"ids\" for each", 0},
    {"decode", 'd', NULL, 0,
     "the way back: read numbers with blanks between (with --jsonl objects with \"ids\"), "
     "print "
     "text (objects with \"text\")",
     0},
    {"bare", 'b', NULL, 0,
     "only the text's own tokens: not those that the tokenizer puts before and after, such as "
     "BOS; with --decode, leave out special tokens",
     0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct tokenize_args *a = state->input;
    switch (key) {
    case 'j':
        a->as_lines = 1;
        return 0;
    case 'd':
        a->is_decoding = 1;
        return 0;
    case 'b':
        a->is_bare = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path) argp_error(state, "one tokenizer at a time: '%s' is too much", arg);
        a->path = psw_cli_path("DIR|FILE", arg, state);
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which tokenizer? Name its folder or tokenizer.json");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- both ways ---- */

static psw_status push_ids(struct tokenize_args *a, struct psw_tokens tokens,
                           struct psw_error *err)
{
    int32_t *at = NULL;
    const psw_status rc = psw_token_list_grow(&a->ids, tokens.n, &at, err);
    if (rc == PSW_OK && tokens.n > 0) memcpy(at, tokens.id, (size_t)tokens.n * sizeof *at);
    return rc;
}

static psw_status encode(struct tokenize_args *a, struct psw_text text, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    a->ids.n = 0;
    if (!a->is_bare) rc = push_ids(a, a->tokenizer->before, err);
    if (rc == PSW_OK) rc = psw_tokenizer_encode(a->tokenizer, text, &a->ids, err);
    if (rc == PSW_OK && !a->is_bare) rc = push_ids(a, a->tokenizer->after, err);
    return rc;
}

static psw_status decode(struct tokenize_args *a, struct psw_error *err)
{
    a->text.n = 0;
    return psw_tokenizer_decode(a->tokenizer, (struct psw_tokens){a->ids.id, a->ids.n},
                                !a->is_bare, &a->text, err);
}

/* ---- all of standard input ---- */

static psw_status read_input(struct psw_text_buffer *out, struct psw_error *err)
{
    char block[1 << 16];
    size_t n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0) {
        const psw_status rc = psw_text_buffer_add(out, (struct psw_text){block, n}, err);
        if (rc != PSW_OK) return rc;
    }
    if (ferror(stdin)) return psw_fail(err, PSW_EIO, "standard input: %s", strerror(errno));
    return PSW_OK;
}

/** A token's text in quotes; bytes that are no text of their own as \xNN. */
static void print_piece(struct psw_text piece)
{
    json_t *text = json_stringn(piece.at, piece.n);
    char *quoted = text ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
    if (quoted) {
        fputs(quoted, stdout);
    } else {
        putchar('"');
        for (size_t i = 0; i < piece.n; i++)
            printf(piece.at[i] >= ' ' && piece.at[i] <= '~' ? "%c" : "\\x%02x",
                   (unsigned char)piece.at[i]);
        putchar('"');
    }
    free(quoted);
    json_decref(text);
}

static psw_status show_text(struct tokenize_args *a, struct psw_error *err)
{
    struct psw_text_buffer in = {0};
    psw_status rc = read_input(&in, err);
    if (rc == PSW_OK) rc = encode(a, (struct psw_text){in.at, in.n}, err);
    for (int64_t i = 0; i < a->ids.n && rc == PSW_OK; i++) {
        const struct psw_text piece = psw_tokenizer_piece(a->tokenizer, a->ids.id[i]);
        printf("%8d  ", a->ids.id[i]);
        print_piece(piece.n > 0 ? piece : psw_tokenizer_name(a->tokenizer, a->ids.id[i]));
        putchar('\n');
    }
    if (rc == PSW_OK)
        fprintf(stderr, "%lld tokens of %zu bytes\n", (long long)a->ids.n, in.n);
    else
        psw_error_prefix(err, "standard input");
    free(in.at);
    return rc;
}

static psw_status decode_numbers(struct tokenize_args *a, struct psw_error *err)
{
    long long id;
    int n_read;
    psw_status rc = PSW_OK;
    while (rc == PSW_OK && (n_read = scanf("%lld", &id)) == 1) {
        const int32_t narrow = id >= 0 && id < INT32_MAX ? (int32_t)id : -1;
        rc = push_ids(a, (struct psw_tokens){&narrow, 1}, err);
    }
    if (rc == PSW_OK && n_read != EOF)
        return psw_fail(err, PSW_EDATA,
                        "standard input: number %lld is no number; expected token ids with "
                        "blanks between",
                        (long long)a->ids.n + 1);
    if (rc == PSW_OK) rc = decode(a, err);
    if (rc == PSW_OK && a->text.n > 0) fwrite(a->text.at, 1, a->text.n, stdout);
    return rc;
}

/* ---- line by line ---- */

static psw_status encode_object(struct tokenize_args *a, const json_t *in, json_t **out,
                                struct psw_error *err)
{
    const json_t *text = json_object_get(in, "text");
    if (!json_is_string(text))
        return psw_fail(err, PSW_EDATA, "expected {\"text\": \"...\"}, a string");
    const psw_status rc =
        encode(a, (struct psw_text){json_string_value(text), json_string_length(text)}, err);
    json_t *ids = rc == PSW_OK ? json_array() : NULL;
    for (int64_t i = 0; ids && i < a->ids.n; i++)
        json_array_append_new(ids, json_integer(a->ids.id[i]));
    *out = ids ? json_pack("{s: o}", "ids", ids) : NULL;
    return rc;
}

static psw_status decode_object(struct tokenize_args *a, const json_t *in, json_t **out,
                                struct psw_error *err)
{
    const json_t *ids = json_object_get(in, "ids");
    psw_status rc = PSW_OK;
    a->ids.n = 0;
    if (!json_is_array(ids))
        return psw_fail(err, PSW_EDATA, "expected {\"ids\": [...]}, a list of token ids");
    for (size_t i = 0; i < json_array_size(ids) && rc == PSW_OK; i++) {
        const json_t *value = json_array_get(ids, i);
        const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        const int32_t narrow = id >= 0 && id < INT32_MAX ? (int32_t)id : -1;
        rc = push_ids(a, (struct psw_tokens){&narrow, 1}, err);
    }
    if (rc == PSW_OK) rc = decode(a, err);
    if (rc == PSW_OK)
        *out =
            json_pack("{s: o}", "text", json_stringn(a->text.at ? a->text.at : "", a->text.n));
    return rc;
}

static psw_status do_line(struct tokenize_args *a, struct psw_text line, struct psw_error *err)
{
    json_error_t fault;
    json_t *out = NULL, *in = json_loadb(line.at, line.n, JSON_ALLOW_NUL, &fault);
    if (!in) return psw_fail(err, PSW_EDATA, "column %d: %s", fault.column, fault.text);
    const psw_status rc =
        a->is_decoding ? decode_object(a, in, &out, err) : encode_object(a, in, &out, err);
    char *text = out ? json_dumps(out, 0) : NULL;
    if (text) puts(text);
    free(text);
    json_decref(out);
    json_decref(in);
    return rc == PSW_OK && !text ? psw_fail(err, PSW_ENOMEM, "no memory for the answer") : rc;
}

static psw_status do_lines(struct tokenize_args *a, struct psw_error *err)
{
    char *line = NULL;
    size_t n_room = 0;
    ssize_t n;
    psw_status rc = PSW_OK;
    for (int64_t number = 1; rc == PSW_OK && (n = getline(&line, &n_room, stdin)) >= 0;
         number++) {
        const struct psw_text text = {line, (size_t)n};
        if (!psw_text_is_blank(text)) rc = do_line(a, text, err);
        if (rc != PSW_OK) psw_error_prefix(err, "standard input:%lld", (long long)number);
    }
    if (rc == PSW_OK && ferror(stdin))
        rc = psw_fail(err, PSW_EIO, "standard input: %s", strerror(errno));
    free(line);
    return rc;
}

/** In a child: the files may be anybody's. */
static int tokenize(void *ctx)
{
    struct tokenize_args *a = ctx;
    struct psw_error err = {0};
    psw_status rc = psw_tokenizer_create(a->path, &a->tokenizer, &err);
    if (rc == PSW_OK)
        rc = a->as_lines      ? do_lines(a, &err)
             : a->is_decoding ? decode_numbers(a, &err)
                              : show_text(a, &err);
    psw_tokenizer_destroy(a->tokenizer);
    free(a->ids.id);
    free(a->text.at);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_tokenize(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "DIR|FILE",
        .doc =
            "Print the tokens of the text on standard input, one a line: id and text. The "
            "tokenizer is that of a model's folder, or one of its files: tokenizer.json of "
            "Hugging Face (BPE, byte-level or with byte fallback), or vocab.json and "
            "merges.txt "
            "of GPT-2 (also called encoder.json and vocab.bpe). Ids are those of the Hugging "
            "Face library."
            "\v"
            "What does a prompt become?\n"
            "  printf 'Hello world' | posweep tokenize pythia-70m\n"
            "Ids of many texts, and the texts of many ids:\n"
            "  posweep tokenize pythia-70m --jsonl <texts.jsonl >ids.jsonl\n"
            "  posweep tokenize pythia-70m --jsonl --decode --bare <ids.jsonl\n"
            "A token may be a part of a character; it is shown as its bytes, \"\\xe2\\x82\".\n"
            "A folder with tokenizer.model only (SentencePiece) has to be converted first; the "
            "message says how."};
    struct tokenize_args a = {.path = NULL};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_guard_long(tokenize, &a, a.path);
}
