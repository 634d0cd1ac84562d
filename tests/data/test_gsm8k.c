/* Questions with verifiable answers: numbers, scorer, pitfalls and errors on small files made
 * here, and the real files of the sample data. */
#include <support/example_at.h>
#include <support/support.h>

#include <math.h>
#include <posweep/data/files.h>
#include <posweep/data/gsm8k.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW(question, answer) "{\"question\": \"" question "\", \"answer\": \"" answer "\"}\n"
static const char OTHER[] = ROW("other?", "It is\\n#### 1"); /* a valid held-out file */

struct folder {
    char path[256], train[300], heldout[300];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    assert_non_null(f);
    support_temp_dir(f->path);
    snprintf(f->train, sizeof f->train, "%s/train", f->path);
    snprintf(f->heldout, sizeof f->heldout, "%s/heldout", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;
    const psw_status rc = psw_file_remove_tree(f->path, NULL);
    free(f);
    return rc != PSW_OK;
}

static void write_file(const char *path, const char *text)
{
    const struct psw_file_part part = {text, strlen(text)};
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static struct psw_dataset *open_ok(struct psw_file_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (psw_files_open(PSW_SOURCE_GSM8K, &opts, &data, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return data;
}

/** Read these rows with OTHER held out. */
static struct psw_dataset *read_ok(const struct folder *f, const char *rows,
                                   struct psw_file_opts opts)
{
    write_file(f->train, rows);
    write_file(f->heldout, OTHER);
    opts.sft = f->train;
    opts.heldout = f->heldout;
    return open_ok(opts);
}

static void refuse(const struct folder *f, const char *rows, psw_status code, const char *word)
{
    const struct psw_file_opts opts = {.sft = f->train, .heldout = f->heldout};
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    write_file(f->train, rows);
    write_file(f->heldout, OTHER);
    const psw_status rc = psw_files_open(PSW_SOURCE_GSM8K, &opts, &data, &err);
    if (rc != code || !strstr(err.text, word))
        fail_msg("status %d, message: %s; expected: %s", (int)rc, err.text, word);
    assert_null(data);
}

/** Ids of a text, EOS for '|'. */
static int64_t ids(const char *text, int32_t *id)
{
    int64_t n = 0;
    for (; text[n]; n++) id[n] = text[n] == '|' ? PSW_BYTE_EOS : (unsigned char)text[n];
    return n;
}

static double score(const struct psw_dataset *data, const char *prompt, const char *response)
{
    int32_t p[256], r[256];
    const int64_t n_prompt = ids(prompt, p), n_response = ids(response, r);
    return psw_dataset_score(data, p, n_prompt, r, n_response);
}

static void numbers_are_compared_as_they_are_meant(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal;
    } row[] = {
        {"42", "42"},
        {" 42 \r\n", "42"},
        {"1,234,567", "1234567"},
        {"-5", "-5"},
        {"$-5", "-5"},
        {"-$5", "-5"},
        {"+7", "7"},
        {"007", "7"},
        {"0", "0"},
        {"-0.00", "0"},
        {"3.50", "3.5"},
        {".5", "0.5"},
        {"12.", "12"},
        {"$1,000.50", "1000.5"},
        {"", NULL},
        {"-", NULL},
        {"$", NULL},
        {".", NULL},
        {"4 2", NULL},
        {"42 apples", NULL},
        {"1,,2", NULL},
        {",1", NULL},
        {"1,", NULL},
        {"--1", NULL},
        {"1.2.3", NULL},
        {"$$1", NULL},
        {"1e3", NULL},
        {"5%", NULL},
        {"1234567890123456789012345678", "1234567890123456789012345678"},
        {"12345678901234567890123456789", NULL},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char out[PSW_GSM8K_NUMBER_BYTES];
        const int ok = psw_gsm8k_number(row[i].text, strlen(row[i].text), out);
        if (ok != (row[i].normal != NULL) || strcmp(out, ok ? row[i].normal : "") != 0)
            fail_msg("\"%s\" gives %d \"%s\"", row[i].text, ok, out);
    }
}

/* Models may have more ids than there are bytes: none of those says a digit. */
static void ids_beyond_the_bytes_are_no_digits(void **state)
{
    struct psw_dataset *d = read_ok(*state, ROW("q?", "#### 12"), (struct psw_file_opts){0});
    int32_t prompt[8], response[16];
    const int64_t n_prompt = ids("q?\n", prompt), n = ids("#### 12|", response);
    assert_true(psw_dataset_score(d, prompt, n_prompt, response, n) == 1);
    static const int32_t SHIFTS[] = {256, 512, -256, 1 << 30};
    for (int i = 0; i < 4; i++) {
        response[5] = '1' + SHIFTS[i];
        assert_true(psw_dataset_score(d, prompt, n_prompt, response, n) == 0);
    }
    psw_dataset_destroy(d);
}

static void scorer_reads_the_line_behind_the_last_mark(void **state)
{
    struct psw_dataset *d = read_ok(*state, ROW("q?", "so\\n#### 1,200") ROW("neg?", "#### -3"),
                                    (struct psw_file_opts){0});
    static const struct {
        const char *response;
        double score;
    } row[] = {
        {"so\n#### 1,200|", 1},
        {"#### 1200|", 1},
        {"####1200.0|", 1},
        {"#### $1,200|", 1},
        {"#### 7 #### 1200|", 1},
        {"#### 1200\nwell|", 1},
        {"##### 1200|", 1},
        {"#### 1200 #### 7|", 0},
        {"#### 1200", 0},
        {"#### 120|", 0},
        {"#### -1200|", 0},
        {"1200|", 0},
        {"### 1200|", 0},
        {"#### 1200 dollars|", 0},
        {"####|", 0},
        {"|", 0},
        {"#### \n1200|", 0},
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        if (score(d, "q?\n", row[i].response) != row[i].score)
            fail_msg("%s is not %g", row[i].response, row[i].score);
    assert_true(score(d, "neg?\n", "#### -3|") == 1);
    assert_true(score(d, "neg?\n", "#### 3|") == 0);
    assert_true(score(d, "other?\n", "#### 1|") == 1);
    assert_true(isnan(score(d, "unknown?\n", "#### 1|")));
    assert_true(d->scorer != NULL);
    psw_dataset_destroy(d);
}

static void rows_become_sft_items_and_heldout_prompts(void **state)
{
    struct psw_dataset *d = read_ok(*state, ROW("q?", "a\\n#### 2"), (struct psw_file_opts){0});
    char text[64];
    assert_int_equal(d->pairs.n + d->pairs_heldout.n, 0);
    assert_int_equal(d->sft.n, 1);
    assert_int_equal(d->prompts_heldout.n, 1);
    const struct psw_example *e = example_at(&d->sft, 0),
                             *h = example_at(&d->prompts_heldout, 0);
    assert_string_equal(psw_tokenizer_text(d->tokenizer, e->prompt, e->n_prompt, text, 64),
                        "q?\n");
    assert_string_equal(
        psw_tokenizer_text(d->tokenizer, e->response[0], e->n_response[0], text, 64),
        "a\n#### 2");
    assert_int_equal(e->response[0][e->n_response[0] - 1], d->tokenizer->eos);
    assert_string_equal(psw_tokenizer_text(d->tokenizer, h->prompt, h->n_prompt, text, 64),
                        "other?\n");
    assert_int_equal(h->n_seq, 0);
    assert_ptr_equal(psw_dataset_rollout_prompts(d), &d->sft);
    psw_dataset_destroy(d);
}

static void pitfalls_are_counted(void **state)
{
    struct psw_dataset *d = read_ok(
        *state,
        ROW("fine?", "#### 1") ROW("fine?", "again #### 1.0") ROW("fine?", "#### 2")
            ROW("none?", "1") ROW("word?", "#### one") ROW("a long question, it is?", "#### 3")
                ROW("long?", "a long answer, it is #### 4") ROW("her?", "#### 1"),
        (struct psw_file_opts){.length.max_prompt = 7, .length.max_response = 16});
    const struct psw_data_counts expected = {.n_row = 8,
                                             .n_kept = 4,
                                             .dropped.n_no_answer = 2,
                                             .dropped.n_conflict = 1,
                                             .length.n_too_long = 1,
                                             .length.n_prompt = 4,
                                             .length.n_cut_prompt = 1,
                                             .length.n_response = 4};
    char text[256];
    assert_string_equal(psw_data_counts_text(&d->counts[PSW_DATA_SFT], text, sizeof text),
                        "8 rows, 4 kept, 1 with the prompt cut, 1 dropped as too long, "
                        "2 dropped as without a final answer, 1 dropped as their prompt has "
                        "another answer");
    assert_memory_equal(&d->counts[PSW_DATA_SFT], &expected, sizeof expected);
    assert_true(score(d, "it is?\n", "#### 3|") == 1);
    psw_dataset_destroy(d);
}

static void heldout_prompts_are_new_and_distinct(void **state)
{
    struct folder *f = *state;
    write_file(f->train, ROW("a?", "#### 1") ROW("b?", "#### 2"));
    write_file(f->heldout, ROW("b?", "#### 2") ROW("c?", "#### 3") ROW("c?", "so #### 3"));
    struct psw_dataset *d =
        open_ok((struct psw_file_opts){.sft = f->train, .heldout = f->heldout});
    assert_int_equal(d->prompts_heldout.n, 1);
    assert_int_equal(d->counts[PSW_DATA_HELDOUT].dropped.n_overlap, 1);
    assert_int_equal(d->counts[PSW_DATA_HELDOUT].dropped.n_repeated, 1);
    psw_dataset_destroy(d);
}

static void another_answer_of_a_heldout_row_is_other_content(void **state)
{
    struct folder *f = *state;
    const struct psw_file_opts opts = {.sft = f->train, .heldout = f->heldout};
    write_file(f->train, ROW("a?", "#### 1"));
    write_file(f->heldout, ROW("b?", "#### 2"));
    struct psw_dataset *a = open_ok(opts), *again = open_ok(opts);
    write_file(f->heldout, ROW("b?", "#### 3"));
    struct psw_dataset *b = open_ok(opts);
    assert_true(a->content_hash == again->content_hash);
    assert_true(a->content_hash != b->content_hash);
    psw_dataset_destroy(a);
    psw_dataset_destroy(again);
    psw_dataset_destroy(b);
}

static void unusable_files_are_refused_with_the_reason(void **state)
{
    struct folder *f = *state;
    refuse(f, ROW("a?", "1") ROW("b?", "2"), PSW_EDATA, "no answer ends with \"#### \"");
    refuse(f, "{\"question\":\"a\"}\n", PSW_EDATA, "train:1: no key \"answer\"");
    refuse(f, ROW("other?", "#### 1") "{\"prompt\":\"a\"}\n", PSW_EDATA,
           "train:2: no key \"question\"");
    refuse(f, "{\"chosen\":\"a\",\"rejected\":\"b\"}\n", PSW_EDATA, "data.format: hh");
    refuse(f, "{\"question\":1,\"answer\":\"#### 1\"}\n", PSW_EDATA,
           "train:1: \"question\" is 1; expected a string");
    refuse(f, ROW("other?", "#### 1"), PSW_EDATA, "no held-out prompt is left");
    refuse(f, "", PSW_EDATA, "empty");
}

static void format_of_the_configuration_opens_such_files(void **state)
{
    struct folder *f = *state;
    struct psw_config config;
    struct psw_dataset *d = NULL;
    psw_config_default(&config);
    write_file(f->train, ROW("q?", "#### 2"));
    write_file(f->heldout, OTHER);
    psw_config_set_source(&config, PSW_SOURCE_GSM8K);
    snprintf(config.data.sft, sizeof config.data.sft, "%s", f->train);
    snprintf(config.data.heldout, sizeof config.data.heldout, "%s", f->heldout);
    assert_int_equal(psw_dataset_open(&config, &d, NULL), PSW_OK);
    assert_int_equal(d->sft.n, 1);
    psw_dataset_destroy(d);
}

/** What the naive twin found in the answers of a file. */
struct tally {
    int64_t n_row, n_comma, n_negative;
};

/** The naive twin: the final answer by strrchr and strtol, held against the scorer. */
static struct tally tally_of(const struct psw_dataset *d)
{
    struct tally tally = {.n_row = d->sft.n};
    for (int64_t i = 0; i < d->sft.n; i++) {
        const struct psw_example *e = example_at(&d->sft, i);
        char text[4096], prompt[4096], plain[64], wrong[64];
        long number = 0;
        psw_tokenizer_text(d->tokenizer, e->prompt, e->n_prompt, prompt, sizeof prompt);
        psw_tokenizer_text(d->tokenizer, e->response[0], e->n_response[0], text, sizeof text);
        const char *c = strrchr(text, '#') + 2;
        tally.n_negative += *c == '-';
        tally.n_comma += strchr(c, ',') != NULL;
        for (const char *k = c; *k; k++)
            if (*k >= '0' && *k <= '9') number = 10 * number + (*k - '0');
        if (*c == '-') number = -number;
        snprintf(plain, sizeof plain, "#### %ld|", number);
        snprintf(wrong, sizeof wrong, "#### %ld|", number + 1);
        int32_t id[64];
        const int64_t n = ids(plain, id);
        assert_true(psw_dataset_score(d, e->prompt, e->n_prompt, id, n) == 1);
        assert_true(psw_dataset_score(d, e->prompt, e->n_prompt, id, ids(wrong, id)) == 0);
        assert_true(psw_dataset_score(d, e->prompt, e->n_prompt, e->response[0],
                                      e->n_response[0]) == 1);
    }
    return tally;
}

static void real_files_parse_and_every_answer_scores(void **state)
{
    (void)state;
    char path[2][1024];
    static const char *const NAME[2] = {"gsm8k/train.jsonl.gz", "gsm8k/test.jsonl.gz"};
    for (int i = 0; i < 2; i++) {
        const char *found = support_data(NAME[i]);
        if (!found) support_skip("no sample data");
        snprintf(path[i], sizeof path[i], "%s", found);
    }
    struct psw_dataset *d = open_ok((struct psw_file_opts){.sft = path[0], .heldout = path[1]});
    struct psw_dataset *test =
        open_ok((struct psw_file_opts){.sft = path[1], .heldout = path[0]});
    const struct tally a = tally_of(d), b = tally_of(test);
    assert_int_equal(d->counts[PSW_DATA_SFT].n_row, 7473);
    assert_int_equal(d->counts[PSW_DATA_HELDOUT].n_row, 1319);
    assert_int_equal(a.n_row + b.n_row, 8792);
    assert_int_equal(a.n_comma + b.n_comma, 93);
    assert_int_equal(a.n_negative + b.n_negative, 5);
    assert_int_equal(d->prompts_heldout.n, 1319);
    psw_dataset_destroy(d);
    psw_dataset_destroy(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_as_they_are_meant),
        cmocka_unit_test_setup_teardown(ids_beyond_the_bytes_are_no_digits, setup, teardown),
        cmocka_unit_test_setup_teardown(scorer_reads_the_line_behind_the_last_mark, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(rows_become_sft_items_and_heldout_prompts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(pitfalls_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(heldout_prompts_are_new_and_distinct, setup, teardown),
        cmocka_unit_test_setup_teardown(another_answer_of_a_heldout_row_is_other_content, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(unusable_files_are_refused_with_the_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(format_of_the_configuration_opens_such_files, setup,
                                        teardown),
        cmocka_unit_test(real_files_parse_and_every_answer_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
