/* The pair reader on the real sample files: its counts are those of their README. */
#include <support/example_at.h>
#include <support/support.h>

#include <posweep/data/files.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char TRAIN[] = "hh-rlhf/hh-rlhf-helpful-train.jsonl.gz";
static const char TEST[] = "hh-rlhf/hh-rlhf-helpful-test.jsonl.gz";

/** Read a pair of sample files, or skip the test where there are none. */
static struct psw_dataset *read_sample(struct psw_file_opts opts, int with_heldout)
{
    char path[2][1024];
    const char *const name[2] = {TRAIN, TEST};
    for (int i = 0; i < 2; i++) {
        const char *found = support_data(name[i]);
        if (!found) support_skip("no sample data");
        snprintf(path[i], sizeof path[i], "%s", found);
    }
    opts.pairs = path[0];
    opts.heldout = with_heldout ? path[1] : "";
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    if (psw_files_open(PSW_SOURCE_HH, &opts, &data, &err) != PSW_OK) fail_msg("%s", err.text);
    return data;
}

static void sample_files_have_the_counts_of_their_readme(void **state)
{
    (void)state;
    struct psw_dataset *d = read_sample((struct psw_file_opts){0}, 1);
    const struct psw_data_counts train = {.n_row = 4000,
                                          .n_kept = 3989,
                                          .prompt.n_differs = 11,
                                          .sides.n_equal = 20,
                                          .length.n_prompt = 3989,
                                          .length.n_response = 7978,
                                          .sides.n_empty = 4,
                                          .sides.n_unequal_marks = 8};
    const struct psw_data_counts test = {.n_row = 500,
                                         .n_kept = 500,
                                         .length.n_prompt = 500,
                                         .length.n_response = 1000,
                                         .sides.n_equal = 5,
                                         .sides.n_ends_human = 1,
                                         .sides.n_unequal_marks = 1};
    char text[256];
    assert_memory_equal(&d->counts[PSW_DATA_PAIRS], &train, sizeof train);
    assert_memory_equal(&d->counts[PSW_DATA_HELDOUT], &test, sizeof test);
    assert_string_equal(psw_data_counts_text(&d->counts[PSW_DATA_PAIRS], text, sizeof text),
                        "4000 rows, 3989 kept, 11 with different prompts, 20 with chosen = "
                        "rejected, 4 with an empty reply, 8 with unequal marks");
    assert_int_equal(d->pairs.n, 3989);
    assert_int_equal(d->sft.n, 3989);
    psw_dataset_destroy(d);
}

static void sample_rows_give_back_their_text(void **state)
{
    (void)state;
    struct psw_dataset *d = read_sample((struct psw_file_opts){.rows.limit = 50}, 1);
    static const char mark[] = "\n\nAssistant:";
    for (int64_t i = 0; i < d->pairs.n; i++) {
        const struct psw_example *e = example_at(&d->pairs, i);
        char text[16384];
        psw_tokenizer_text(d->tokenizer, e->prompt, e->n_prompt, text, sizeof text);
        assert_int_equal(strlen(text), e->n_prompt);
        assert_string_equal(text + strlen(text) - strlen(mark), mark);
        psw_tokenizer_text(d->tokenizer, e->response[0], e->n_response[0], text, sizeof text);
        assert_int_equal(strlen(text), e->n_response[0] - 1);
        assert_int_equal(text[0], ' ');
    }
    psw_dataset_destroy(d);
}

static void sample_split_keeps_openings_apart(void **state)
{
    (void)state;
    struct psw_dataset *d = read_sample((struct psw_file_opts){0}, 0);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].n_row + d->counts[PSW_DATA_HELDOUT].n_row, 4000);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].sides.n_equal +
                         d->counts[PSW_DATA_HELDOUT].sides.n_equal,
                     20);
    assert_in_range(d->pairs_heldout.n, 130, 270); /* 5 % */
    for (int64_t i = 0; i < d->prompts_heldout.n; i++)
        for (int64_t k = 0; k < d->pairs.n; k++)
            assert_true(psw_examples_at(&d->prompts_heldout, i).prompt_key !=
                        psw_examples_at(&d->pairs, k).prompt_key);
    psw_dataset_destroy(d);
}

static void sample_cut_to_length_fits_and_stays_utf8(void **state)
{
    (void)state;
    const struct psw_file_opts opts = {.length.max_prompt = 256, .length.max_response = 256};
    struct psw_dataset *d = read_sample(opts, 1);
    int64_t n_cut = 0;
    for (int64_t i = 0; i < d->pairs.n; i++) {
        const struct psw_example *e = example_at(&d->pairs, i);
        char text[1024];
        assert_in_range(e->n_prompt, 1, 256);
        psw_tokenizer_text(d->tokenizer, e->prompt, e->n_prompt, text, sizeof text);
        assert_null(strstr(text, "\xEF\xBF\xBD"));
        for (int s = 0; s < 2; s++) {
            const int32_t n = e->n_response[s];
            const int ends = e->response[s][n - 1] == PSW_BYTE_EOS;
            assert_in_range(n, ends ? 1 : 253, 256);
            psw_tokenizer_text(d->tokenizer, e->response[s], n, text, sizeof text);
            assert_null(strstr(text, "\xEF\xBF\xBD"));
            n_cut += !ends;
        }
    }
    assert_true(d->counts[PSW_DATA_PAIRS].length.n_cut_prompt > 2500);
    assert_int_equal(d->counts[PSW_DATA_PAIRS].length.n_cut_response, n_cut);
    assert_true(psw_dataset_cut(d, PSW_DATA_PAIRS).responses > 0.5);
    psw_dataset_destroy(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_files_have_the_counts_of_their_readme),
        cmocka_unit_test(sample_rows_give_back_their_text),
        cmocka_unit_test(sample_split_keeps_openings_apart),
        cmocka_unit_test(sample_cut_to_length_fits_and_stays_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
