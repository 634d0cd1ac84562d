/* posweep data: what is in a data file, as a model would see it. */
#include "cli_internal.h"
#include <math.h>
#include <posweep/data/files.h>
#include <posweep/data/tokenizer_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct data_args {
    const char *path, *form, *as, *tokenizer, *chat_template;
    int64_t n_show, limit;
    int all_turns;
};

enum { KEY_ALL_TURNS = 1000 };

static const struct argp_option OPTIONS[] = {
    {"format", 'f', "FORM", 0,
     "how the rows are laid out: hh, trl, ultrafeedback, sharegpt, alpaca, dahoas, messages, "
     "ultrachat, completion, text, prompts or gsm8k (default: told by the keys of the first "
     "row)",
     0},
    {"as", 'a', "USE", 0,
     "read it as pairs, sft or prompts (default: the first of these that it can be)", 0},
    {"tokenizer", 't', "DIR", 0, "a model's folder or tokenizer.json (default: bytes)", 0},
    {"template", 'm', "NAME|FILE", 0,
     "chat template: hh, none, zephyr, chatml, llama2, llama3, or one of your own in JSON "
     "(default hh)",
     0},
    {"all-turns", KEY_ALL_TURNS, NULL, 0,
     "of SFT conversations every turn of an assistant is an item, not the last one only", 0},
    {"show", 'n', "N", 0, "records to print (default 1)", 0},
    {"limit", 'l', "N", 0, "rows to read (default all)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct data_args *a = state->input;
    char *end = NULL;
    switch (key) {
    case 'f':
        a->form = arg;
        return 0;
    case 'a':
        if (strcmp(arg, "pairs") && strcmp(arg, "sft") && strcmp(arg, "prompts"))
            argp_error(state, "--as: '%s' is none of pairs, sft, prompts", arg);
        a->as = arg;
        return 0;
    case 't':
        a->tokenizer = psw_cli_path("--tokenizer", arg, state);
        return 0;
    case 'm':
        a->chat_template = psw_cli_path("--template", arg, state);
        return 0;
    case KEY_ALL_TURNS:
        a->all_turns = 1;
        return 0;
    case 'n':
        a->n_show = strtoll(arg, &end, 10);
        if (*end || end == arg || a->n_show < 0)
            argp_error(state, "--show: '%s' is no number of records", arg);
        return 0;
    case 'l':
        a->limit = psw_cli_count("--limit", arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->path) argp_error(state, "one file at a time: '%s' is too much", arg);
        a->path = psw_cli_path("FILE", arg, state);
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which file?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- lengths ---- */

/** Which part of an example: its prompt, or response number part. */
enum { PART_PROMPT = -1 };

static int32_t length_of(const struct psw_example *e, int part)
{
    return part == PART_PROMPT ? e->n_prompt : e->n_response[part];
}

static int by_length(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void print_lengths(const struct psw_examples *list, const char *name, int part)
{
    static const double AT[] = {0, 0.05, 0.5, 0.95, 1};
    int32_t *n = malloc((size_t)list->n * sizeof *n);
    if (!n) return;
    for (int64_t i = 0; i < list->n; i++) {
        const struct psw_example e = psw_examples_at(list, i);
        n[i] = length_of(&e, part);
    }
    qsort(n, (size_t)list->n, sizeof *n, by_length);
    printf("  %-10s", name);
    for (size_t q = 0; q < sizeof AT / sizeof *AT; q++) { /* the nearest rank */
        const int64_t rank = (int64_t)ceil(AT[q] * (double)list->n - 1e-9);
        printf("%8d", n[rank > 0 ? rank - 1 : 0]);
    }
    putchar('\n');
    free(n);
}

/* ---- records ---- */

/** How trained and special tokens are told from others. */
struct marks {
    const char *trained, *end_trained, *special, *end_special;
};
static const struct marks PLAIN = {"[", "]", "\xC2\xAB", "\xC2\xBB"};
static const struct marks COLOUR = {"\033[32m", "\033[39m", "\033[7m", "\033[27m"};

static const struct marks *marks_to_use(void)
{
    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") ? &COLOUR : &PLAIN;
}

/** Print text, with control characters that could steer a terminal as "?". */
static void print_text(struct psw_text text)
{
    for (size_t i = 0; i < text.n; i++) {
        const unsigned char c = (unsigned char)text.at[i];
        putchar((c < ' ' && c != '\n' && c != '\t') || c == 0x7F ? '?' : c);
        if (c == '\n') fputs("    ", stdout);
    }
}

static psw_status print_tokens(const struct psw_tokenizer *t, struct psw_tokens tokens,
                               const struct marks *m, struct psw_error *err)
{
    struct psw_text_buffer text = {0};
    struct psw_detokenizer d = {.tokenizer = t, .has_begun = 1};
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < tokens.n && rc == PSW_OK; i++) {
        const int is_special = psw_tokenizer_is_special(t, tokens.id[i]);
        const struct psw_text name = psw_tokenizer_name(t, tokens.id[i]);
        text.n = 0;
        rc = is_special ? psw_detokenizer_end(&d, &text, err)
                        : psw_detokenizer_push(&d, tokens.id[i], &text, err);
        if (text.n > 0) print_text((struct psw_text){text.at, text.n});
        if (!is_special) continue;
        fputs(m->special, stdout);
        print_text(name.n > 0 ? name : (struct psw_text){"EOS", 3});
        fputs(m->end_special, stdout);
    }
    text.n = 0;
    if (rc == PSW_OK) rc = psw_detokenizer_end(&d, &text, err);
    if (text.n > 0) print_text((struct psw_text){text.at, text.n});
    free(text.at);
    return rc;
}

static psw_status print_record(const struct psw_dataset *data, const struct psw_example *e,
                               int64_t number, struct psw_error *err)
{
    static const char *const NAME[2][2] = {{"response", ""}, {"chosen", "rejected"}};
    const struct marks *m = marks_to_use();
    printf("\nrecord %lld\n  prompt, %d tokens\n    ", (long long)number, e->n_prompt);
    psw_status rc =
        print_tokens(data->tokenizer, (struct psw_tokens){e->prompt, e->n_prompt}, m, err);
    for (int s = 0; s < e->n_seq && rc == PSW_OK; s++) {
        printf("\n  %s, %d tokens, trained\n    %s", NAME[e->n_seq == 2][s], e->n_response[s],
               m->trained);
        rc = print_tokens(data->tokenizer,
                          (struct psw_tokens){e->response[s], e->n_response[s]}, m, err);
        fputs(m->end_trained, stdout);
    }
    putchar('\n');
    return rc;
}

/* ---- the whole ---- */

static void print_words(const struct data_args *a, const struct psw_dataset *data)
{
    const struct psw_tokenizer *t = data->tokenizer;
    printf("tokens    %s: %d ids", *a->tokenizer ? a->tokenizer : "bytes", t->n_vocab);
    for (int64_t i = 0; i < t->before.n; i++) {
        const struct psw_text name = psw_tokenizer_name(t, t->before.id[i]);
        printf(", %.*s before every text", (int)name.n, name.at);
    }
    const struct psw_text end = psw_tokenizer_name(t, t->eos);
    printf("; a reply ends with %.*s\ntemplate  %s\n", end.n > 0 ? (int)end.n : 3,
           end.n > 0 ? end.at : "EOS", *a->chat_template ? a->chat_template : "hh");
}

static psw_status print_data(const struct data_args *a, const struct psw_dataset *data,
                             struct psw_error *err)
{
    const struct {
        const char *name, *responses[2];
        const struct psw_examples *list;
        const struct psw_data_counts *counts;
    } lists[] = {
        {"pairs", {"chosen", "rejected"}, &data->pairs, &data->counts[PSW_DATA_PAIRS]},
        {"sft", {"response", NULL}, &data->sft, &data->counts[PSW_DATA_SFT]},
        {"prompts", {NULL, NULL}, &data->prompts_heldout, &data->counts[PSW_DATA_HELDOUT]}};
    char text[512];
    psw_status rc = PSW_OK;
    printf("file      %s\n",
           psw_data_origin_text(&data->files.origins.item[0], text, sizeof text));
    for (int r = 0; r < PSW_N_ROLE; r++)
        if (data->files.form[r].name)
            printf("form      %s: %s\n", data->files.form[r].name, data->files.form[r].layout);
    print_words(a, data);
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        const struct psw_examples *list = lists[l].list;
        if (lists[l].counts->n_row == 0) continue;
        printf("%-10s%s\n", lists[l].name,
               psw_data_counts_text(lists[l].counts, text, sizeof text));
        if (list->n == 0) continue;
        printf("  tokens         0 %%     5 %%    50 %%    95 %%   100 %%\n");
        print_lengths(list, "prompt", PART_PROMPT);
        for (int s = 0; s < psw_examples_at(list, 0).n_seq; s++)
            print_lengths(list, lists[l].responses[s], s);
        for (int64_t i = 0; i < list->n && i < a->n_show && rc == PSW_OK; i++) {
            const struct psw_example e = psw_examples_at(list, i);
            rc = print_record(data, &e, i + 1, err);
        }
    }
    return rc;
}

/** In a child: the files may be anybody's. */
static int look(void *ctx)
{
    const struct data_args *a = ctx;
    struct psw_error err = {0};
    struct psw_dataset *data = NULL;
    const struct psw_file_opts opts = {.rows.form = a->form,
                                       .look.as = a->as,
                                       .rows.limit = a->limit,
                                       .rows.all_turns = a->all_turns};
    psw_status rc = psw_files_look(a->path, a->tokenizer, a->chat_template, &opts, &data, &err);
    if (rc == PSW_OK) rc = print_data(a, data, &err);
    psw_dataset_destroy(data);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}

int psw_cmd_data(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE",
        .doc =
            "Say what is in a file of preference pairs, SFT items or prompts (JSON lines, also "
            "gzipped, or one JSON array): its form, how many rows are kept and why others are "
            "not, how long prompts and responses are in tokens, and records as a model sees "
            "them. What is trained stands in [brackets], or in colour at a terminal; special "
            "tokens such as EOS stand in \xC2\xAB\xC2\xBB."
            "\v"
            "Which form is it, and how long must the limits be?\n"
            "  posweep data pairs.jsonl --tokenizer pythia-70m\n"
            "What does a chat template make of the first three records?\n"
            "  posweep data train_prefs.jsonl -t zephyr-7b --template zephyr --show 3\n"
            "What prompts would D' have from this file?\n"
            "  posweep data helpful-base/test.jsonl.gz --as prompts --template zephyr\n"
            "In a sweep the same is said by data.format, data.tokenizer and data.template; "
            "data.max_prompt and data.max_response bound the lengths. posweep help data has "
            "the "
            "forms."};
    struct data_args a = {.tokenizer = "", .chat_template = "", .n_show = 1};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_guard_long(look, &a, a.path);
}
