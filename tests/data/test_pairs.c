/* The pair reader on small files made here: every form, every pitfall. */
#include "pair_files.h"
#include <support/example_at.h>

static void assert_ids(const int32_t *id, int32_t n, const char *text, int with_eos)
{
    assert_int_equal(n, (int32_t)strlen(text) + with_eos);
    for (int32_t i = 0; i < n - with_eos; i++) assert_int_equal(id[i], (unsigned char)text[i]);
    if (with_eos) assert_int_equal(id[n - 1], PSW_BYTE_EOS);
}

static void assert_example(const struct psw_example *e, const char *prompt, const char *good,
                           const char *bad)
{
    assert_ids(e->prompt, e->n_prompt, prompt, 0);
    assert_ids(e->response[0], e->n_response[0], good, 1);
    if (!bad) {
        assert_int_equal(e->n_seq, 1);
        return;
    }
    assert_int_equal(e->n_seq, 2);
    assert_ids(e->response[1], e->n_response[1], bad, 1);
}

static void dialogue_is_cut_at_the_last_assistant_mark(void **state)
{
    struct psw_dataset *d =
        read_ok(*state, PAIR(HA("a") " b" HA("c"), " good", " bad"), opts_of(*state));
    const char *prompt = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:";
    assert_int_equal(d->tokenizer->n_vocab, 257);
    assert_int_equal(d->pairs.n, 1);
    assert_example(example_at(&d->pairs, 0), prompt, " good", " bad");
    assert_example(example_at(&d->sft, 0), prompt, " good", NULL);
    assert_int_equal(d->prompts_heldout.n, 1);
    assert_int_equal(psw_examples_at(&d->prompts_heldout, 0).n_seq, 0);
    psw_dataset_destroy(d);
}

static void prompt_key_and_escapes_and_unknown_keys_are_read(void **state)
{
    struct psw_dataset *d =
        read_ok(*state,
                "{\"x\": [1, null], \"prompt\": \"p\\/\\u00e9\", "
                "\"rejected\": \" \\ud83d\\ude00\", \"chosen\": \" \xc3\xa9\"}\n"
                "\n{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
                "{\"prompt\":null,\"chosen\":\"\\n\\nAssistant: a\","
                "\"rejected\":\"\\n\\nAssistant: b\"}",
                opts_of(*state));
    assert_int_equal(d->pairs.n, 3);
    assert_example(example_at(&d->pairs, 0), "p/\xc3\xa9", " \xc3\xa9", " \xf0\x9f\x98\x80");
    assert_example(example_at(&d->pairs, 1), "q", "a", "b");
    assert_example(example_at(&d->pairs, 2), "\n\nAssistant:", " a", " b");
    psw_dataset_destroy(d);
}

/* A whole file that repeats its prompts does so; one reply that begins like its prompt is just
 * polite. */
static void repeated_prompts_are_taken_off_by_file(void **state)
{
#define HELLO "{\"prompt\":\"Hello\",\"chosen\":\"Hello! Hm?\",\"rejected\":\"Hello.\"}\n"
    static const char *const AMONG[] = {
        "", "{\"prompt\":\"q\",\"chosen\":\"qa\",\"rejected\":\"qb\"}\n",
        PAIR(HA("k"), " 1", " 2"), "{\"prompt\":\"q\",\"chosen\":\"qa\",\"rejected\":\"b\"}\n"};
    for (int i = 0; i < 4; i++)
        for (int first = 0; first < 2; first++) {
            char text[512];
            snprintf(text, sizeof text, "%s%s", first ? HELLO : AMONG[i],
                     first ? AMONG[i] : HELLO);
            struct psw_dataset *d = read_ok(*state, text, opts_of(*state));
            const int64_t at = first || i == 0 ? 0 : 1;
            assert_example(example_at(&d->pairs, at), "Hello", i < 3 ? "! Hm?" : "Hello! Hm?",
                           i < 3 ? "." : "Hello.");
            static const int N_REPEATED[] = {1, 2, 1, 0};
            assert_int_equal(d->counts[PSW_DATA_PAIRS].prompt.n_taken, N_REPEATED[i]);
            if (i == 3) assert_example(example_at(&d->pairs, 1 - at), "q", "qa", "b");
            psw_dataset_destroy(d);
        }
#undef HELLO
}

static void array_file_reads_like_lines(void **state)
{
    struct psw_dataset *d =
        read_ok(*state,
                " [{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"},\n"
                "{\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"d\"}]\n",
                opts_of(*state));
    assert_int_equal(d->pairs.n, 2);
    assert_example(example_at(&d->pairs, 1), "q", "c", "d");
    psw_dataset_destroy(d);
}

static void different_prompts_are_dropped_or_cut_to_what_they_share(void **state)
{
    const char *text = PAIR(HA("k"), " 1", " 2") "{\"chosen\": \"" HA("a") " b" HA(
        "c") " d\", \"rejected\": \"" HA("a") " b" HA("x") " y\"}\n{\"chosen\": "
                                                           "\"" HA("m") " n\", "
                                                                        "\"rejecte"
                                                                        "d\": "
                                                                        "\"" HA("o") " p\"}\n";
    struct psw_file_opts opts = opts_of(*state);
    struct psw_dataset *d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_row, 3);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_kept, 1);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].prompt.n_differs, 2);
    psw_dataset_destroy(d);
    opts.rows.keep_prompt_mismatch = 1;
    d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_kept, 2);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].prompt.n_common, 1);
    assert_example(example_at(&d->pairs, 1),
                   "\n\nHuman: a\n\nAssistant:", " b\n\nHuman: c\n\nAssistant: d",
                   " b\n\nHuman: x\n\nAssistant: y");
    psw_dataset_destroy(d);
}

static void oddities_are_counted_and_kept(void **state)
{
    const char *text = PAIR(HA("a"), " same", " same") PAIR(HA("b"), " x", "")
        PAIR(HA("c"), " x", " ") PAIR(HA("d"), " x", " y\\n\\nHuman: more")
            PAIR("\\n\\nHuman: e" HA("f"), " x", " y");
    struct psw_file_opts opts = opts_of(*state);
    struct psw_dataset *d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_kept, 5);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_equal, 1);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_empty, 2);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_ends_human, 1);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_unequal_marks, 1);
    assert_int_equal(psw_examples_at(&d->pairs, 1).n_response[1], 1); /* EOS alone */
    psw_dataset_destroy(d);
    opts.rows.drop_equal = 1;
    d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_kept, 4);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_equal, 1);
    psw_dataset_destroy(d);
}

static void long_rows_are_cut_at_characters(void **state)
{
    const char *text = "{\"prompt\":\"ab\xc3\xa9"
                       "cd\",\"chosen\":\"xy\xc3\xa9z\",\"rejected\":\"n\"}\n";
    struct psw_file_opts opts = opts_of(*state);
    opts.length.max_prompt = 3;   /* would begin inside the two-byte letter */
    opts.length.max_response = 3; /* would end inside it */
    struct psw_dataset *d = read_ok(*state, text, opts);
    const struct psw_example *e = example_at(&d->pairs, 0);
    assert_ids(e->prompt, e->n_prompt, "cd", 0);
    assert_ids(e->response[0], e->n_response[0], "xy", 0);
    assert_ids(e->response[1], e->n_response[1], "n", 1);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_cut_prompt, 1);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_cut_response, 1);
    psw_dataset_destroy(d);
    opts.length.max_prompt = 6;
    opts.length.max_response = 6;
    d = read_ok(*state, text, opts); /* exactly fits */
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_cut_prompt +
                         d->counts[PSW_DATA_PAIRS].length.n_cut_response,
                     0);
    psw_dataset_destroy(d);
}

/* What is cut goes on: an EOS would teach that it ends there. In every list alike. */
static void cut_responses_have_no_end_token(void **state)
{
    const char *text = PAIR(HA("a"), " 123456789", " 2") PAIR(HA("b"), " 1", " 123456789")
        PAIR(HA("c"), " 123456789", " 123456789") PAIR(HA("d"), " 1234567", " 12345678");
    struct psw_file_opts opts = opts_of(*state);
    opts.length.max_response =
        9; /* " 1234567" and EOS; " 12345678" fits, but not with its EOS */
    struct psw_dataset *d = read_ok(*state, text, opts);
    static const int ENDS[4][2] = {{0, 1}, {1, 0}, {0, 0}, {1, 0}};
    for (int i = 0; i < 4; i++)
        for (int s = 0; s < 2; s++) {
            const struct psw_example *e = example_at(&d->pairs, i);
            const int32_t n = e->n_response[s];
            assert_int_equal(e->response[s][n - 1] == PSW_BYTE_EOS, ENDS[i][s]);
            if (!ENDS[i][s]) assert_ids(e->response[s], n, " 12345678", 0);
            if (s == 0) assert_int_equal(psw_examples_at(&d->sft, i).n_response[0], n);
        }
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_response, 8);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_cut_response, 5);
    assert_true(psw_dataset_cut(d, PSW_DATA_PAIRS).responses == 5.0 / 8);
    assert_true(psw_dataset_cut(d, PSW_DATA_SFT).responses == 2.0 / 4);
    assert_true(psw_dataset_cut(d, PSW_DATA_HELDOUT).responses == 0);
    assert_true(psw_dataset_cut(d, PSW_DATA_PAIRS).prompts == 0);
    psw_dataset_destroy(d);
}

static void row_of_which_a_cut_would_leave_nothing_is_dropped(void **state)
{
    const char *text = PAIR(HA("a"), "\xe2\x80\x9cx", "y") PAIR(HA("b"), "xyz", "\xe2\x80\x9c");
    struct psw_file_opts opts = opts_of(*state);
    opts.length.max_response = 2;
    struct psw_dataset *d = NULL;
    struct psw_error err = {0};
    assert_int_equal(read_text(*state, text, &opts, &d, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "2 dropped as too long"));
    opts.length.max_response = 3;
    d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_too_long, 0);
    assert_int_equal(psw_examples_at(&d->pairs, 0).n_response[0], 3);
    psw_dataset_destroy(d);
}

static void only_much_cutting_is_worth_a_word(void **state)
{
    char text[4096] = "", said[512];
    struct psw_config config;
    struct psw_file_opts opts = opts_of(*state);
    psw_config_default(&config);
    opts.length.max_response = (int32_t)(config.data.max_response = 8);
    for (int i = 0; i < 10; i++) /* 20 responses, one of them long: 5 % */
        strcat(text, i ? PAIR(HA("q"), " 1", " 2") : PAIR(HA("q"), " 1", " 123456789"));
    struct psw_dataset *d = read_ok(*state, text, opts);
    assert_string_equal(psw_dataset_cut_text(d, &config, said, sizeof said), "");
    psw_dataset_destroy(d);
    strcat(text, PAIR(HA("q"), " 1", " 123456789"));
    d = read_ok(*state, text, opts);
    psw_dataset_cut_text(d, &config, said, sizeof said);
    assert_non_null(strstr(said, "2 of 22 responses of pairs (9 %) are cut"));
    assert_non_null(strstr(said, "data.max_response 8"));
    assert_null(strstr(said, "sft"));
    psw_dataset_destroy(d);
}

static void long_rows_are_dropped_on_request(void **state)
{
    const char *text = PAIR(HA("a"), " 1", " 2") PAIR(HA("b"), " 12345678901234567890", " 2");
    struct psw_file_opts opts = opts_of(*state);
    opts.length.max_response = 10;
    opts.length.drop_long = 1;
    struct psw_dataset *d = read_ok(*state, text, opts);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_too_long, 1);
    assert_int_equal(d->pairs.n, 1);
    psw_dataset_destroy(d);
}

static void empty_prompt_becomes_one_eos(void **state)
{
    struct psw_dataset *d = read_ok(
        *state, "{\"prompt\":\"\",\"chosen\":\"a\",\"rejected\":\"b\"}\n", opts_of(*state));
    assert_int_equal(psw_examples_at(&d->pairs, 0).n_prompt, 1);
    assert_int_equal(psw_examples_at(&d->pairs, 0).prompt[0], PSW_BYTE_EOS);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].prompt.n_empty, 1);
    psw_dataset_destroy(d);
}

static void heldout_rows_that_open_like_training_rows_are_dropped(void **state)
{
    struct folder *f = *state;
    const char *held = PAIR(HA("a") " long" HA("b"), " 1", " 2") PAIR(HA("new"), " 1", " 2");
    write_file(f->train, PAIR(HA("a"), " 1", " 2"), strlen(PAIR(HA("a"), " 1", " 2")));
    write_file(f->heldout, held, strlen(held));
    const struct psw_file_opts opts = opts_of(f);
    struct psw_dataset *d = NULL;
    assert_int_equal(psw_files_open(PSW_SOURCE_HH, &opts, &d, NULL), PSW_OK);
    assert_int_equal(d->counts[PSW_DATA_HELDOUT].dropped.n_overlap, 1);
    assert_int_equal(d->pairs_heldout.n, 1);
    psw_dataset_destroy(d);
}

static void limit_reads_the_first_rows_only(void **state)
{
    struct psw_file_opts opts = opts_of(*state);
    opts.rows.limit = 1;
    struct psw_dataset *d =
        read_ok(*state, PAIR(HA("a"), " 1", " 2") "this is not JSON\n", opts);
    assert_int_equal(d->pairs.n, 1);
    psw_dataset_destroy(d);
}

static void sft_file_gives_its_own_items(void **state)
{
    const struct folder *f = *state;
    char path[300];
    snprintf(path, sizeof path, "%s/sft", f->path);
    const char *sft = "{\"prompt\":\"p\",\"completion\":\" c\"}\n"
                      "{\"prompt\":\"q\",\"response\":\" r\"}\n" PAIR(HA("s"), " t", " u");
    write_file(path, sft, strlen(sft));
    struct psw_file_opts opts = opts_of(f);
    opts.sft = path;
    struct psw_dataset *d = read_ok(f, PAIR(HA("a"), " 1", " 2"), opts);
    assert_int_equal(d->sft.n, 3);
    assert_example(example_at(&d->sft, 0), "p", " c", NULL);
    assert_example(example_at(&d->sft, 1), "q", " r", NULL);
    assert_example(example_at(&d->sft, 2), "\n\nHuman: s\n\nAssistant:", " t", NULL);
    psw_dataset_destroy(d);
}

#define PAIRS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIRS_TEST(dialogue_is_cut_at_the_last_assistant_mark),
        PAIRS_TEST(repeated_prompts_are_taken_off_by_file),
        PAIRS_TEST(prompt_key_and_escapes_and_unknown_keys_are_read),
        PAIRS_TEST(array_file_reads_like_lines),
        PAIRS_TEST(different_prompts_are_dropped_or_cut_to_what_they_share),
        PAIRS_TEST(oddities_are_counted_and_kept),
        PAIRS_TEST(long_rows_are_cut_at_characters),
        PAIRS_TEST(cut_responses_have_no_end_token),
        PAIRS_TEST(row_of_which_a_cut_would_leave_nothing_is_dropped),
        PAIRS_TEST(only_much_cutting_is_worth_a_word),
        PAIRS_TEST(long_rows_are_dropped_on_request),
        PAIRS_TEST(empty_prompt_becomes_one_eos),
        PAIRS_TEST(heldout_rows_that_open_like_training_rows_are_dropped),
        PAIRS_TEST(limit_reads_the_first_rows_only),
        PAIRS_TEST(sft_file_gives_its_own_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
