/* Files of prompts beside files of pairs: for rollouts, and for final responses and evaluation;
 * what is asked in training is no final prompt. */
#include "pair_files.h"

#define CHAT(question, good, bad)                                                              \
    "{\"prompt\":\"" question "\",\"chosen\":[{\"role\":\"assistant\",\"content\":\"" good     \
    "\"}],\"rejected\":[{\"role\":\"assistant\",\"content\":\"" bad "\"}]}\n"

static const char PAIRS[] = CHAT("one", "1", "2") CHAT("two", "2", "3");
static const char HELDOUT[] = CHAT("three", "3", "4");

static void write_text(const struct folder *f, const char *name, const char *text,
                       char path[512])
{
    snprintf(path, 512, "%s/%s", f->path, name);
    write_file(path, text, strlen(text));
}

static struct psw_dataset *open_ok(const struct folder *f, struct psw_file_opts opts)
{
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    write_file(f->train, PAIRS, sizeof PAIRS - 1);
    write_file(f->heldout, HELDOUT, sizeof HELDOUT - 1);
    if (psw_files_open(PSW_SOURCE_AUTO, &opts, &data, &err) != PSW_OK) fail_msg("%s", err.text);
    return data;
}

static void prompts_are(const struct psw_examples *list, const char *const *text)
{
    int64_t n = 0;
    while (text[n]) n++;
    assert_int_equal(list->n, n);
    for (int64_t i = 0; i < n; i++) {
        char found[200];
        assert_int_equal(psw_examples_at(list, i).n_seq, 0);
        psw_tokenizer_text(&PSW_BYTE_TOKENIZER, psw_examples_at(list, i).prompt,
                           psw_examples_at(list, i).n_prompt, found, sizeof found);
        assert_string_equal(found, text[i]);
    }
}

static void rollouts_take_the_prompts_that_are_named_for_them(void **state)
{
    const struct folder *f = *state;
    char path[512];
    struct psw_file_opts opts = opts_of(f);
    write_text(f, "prompts",
               "{\"prompt\":\"four\"}\n{\"prompt\":\"five\"}\n{\"prompt\":\"six\"}\n", path);
    opts.prompts = (struct psw_prompt_file){.path = path, .limit = 2};
    struct psw_dataset *with = open_ok(f, opts), *without = open_ok(f, opts_of(f));
    prompts_are(&with->prompts, (const char *[]){"four", "five", NULL});
    assert_ptr_equal(psw_dataset_rollout_prompts(with), &with->prompts);
    assert_ptr_equal(psw_dataset_rollout_prompts(without), &without->pairs);
    assert_true(with->content_hash != without->content_hash);
    prompts_are(&with->prompts_heldout,
                (const char *[]){"\n\nHuman: three\n\nAssistant:", NULL});
    assert_string_equal(with->files.form[PSW_ROLE_PROMPTS].name, "prompts");
    psw_dataset_destroy(with);
    psw_dataset_destroy(without);
}

static void final_prompts_are_other_ones_than_training_asks(void **state)
{
    /* "two" is asked in training, in another form; "seven" comes twice */
    static const char ROWS[] = PAIR(HA("two"), " x", " y") PAIR(HA("seven"), " x", " y")
        PAIR(HA("seven"), " a", " b") PAIR(HA("eight"), " x", " y");
    const struct folder *f = *state;
    char path[512];
    struct psw_file_opts opts = opts_of(f);
    write_text(f, "final", ROWS, path);
    opts.final_prompts = (struct psw_prompt_file){.path = path};
    struct psw_dataset *data = open_ok(f, opts);
    prompts_are(&data->prompts_heldout,
                (const char *[]){
                    "\n\nHuman: seven\n\nAssistant:", "\n\nHuman: eight\n\nAssistant:", NULL});
    const struct psw_data_counts *c = &data->counts[PSW_DATA_FINAL_PROMPTS];
    assert_int_equal(c->n_row, 4);
    assert_int_equal(c->n_kept, 2);
    assert_int_equal(c->dropped.n_overlap, 1);
    assert_int_equal(c->dropped.n_repeated, 1);
    assert_int_equal(data->pairs_heldout.n, 1);
    assert_string_equal(data->files.form[PSW_ROLE_FINAL_PROMPTS].name, "hh");
    psw_dataset_destroy(data);
}

static void one_file_for_both_is_split(void **state)
{
    enum { N = 200 };
    const struct folder *f = *state;
    char path[512], text[N * 48] = "";
    struct psw_file_opts opts = opts_of(f);
    for (int i = 0; i < N; i++)
        snprintf(text + strlen(text), 48, "{\"prompt\":\"question %d\"}\n", i);
    write_text(f, "both", text, path);
    opts.prompts = opts.final_prompts = (struct psw_prompt_file){.path = path};
    opts.heldout_share = 0.2;
    struct psw_dataset *data = open_ok(f, opts);
    assert_int_equal(data->prompts.n + data->prompts_heldout.n, N);
    assert_in_range(data->prompts_heldout.n, N / 10, 3 * N / 10);
    for (int64_t i = 0; i < data->prompts.n; i++)
        for (int64_t k = 0; k < data->prompts_heldout.n; k++)
            assert_true(psw_examples_at(&data->prompts, i).prompt_key !=
                        psw_examples_at(&data->prompts_heldout, k).prompt_key);
    psw_dataset_destroy(data);
}

static void a_file_without_a_final_prompt_is_refused(void **state)
{
    const struct folder *f = *state;
    char path[512];
    struct psw_dataset *data = NULL;
    struct psw_error err = {0};
    struct psw_file_opts opts = opts_of(f);
    write_text(f, "final", "{\"prompt\":\"two\"}\n", path);
    write_file(f->train, PAIRS, sizeof PAIRS - 1);
    write_file(f->heldout, HELDOUT, sizeof HELDOUT - 1);
    opts.final_prompts = (struct psw_prompt_file){.path = path};
    assert_int_equal(psw_files_open(PSW_SOURCE_AUTO, &opts, &data, &err), PSW_EDATA);
    assert_non_null(
        strstr(err.text, "final: no final prompt is left (1 rows, 0 kept, 1 dropped"));
    opts.final_prompts.form = "sharegpt";
    assert_int_equal(psw_files_open(PSW_SOURCE_AUTO, &opts, &data, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "final:1: no form of prompts has these keys: prompt"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rollouts_take_the_prompts_that_are_named_for_them),
        cmocka_unit_test(final_prompts_are_other_ones_than_training_asks),
        cmocka_unit_test(one_file_for_both_is_split),
        cmocka_unit_test(a_file_without_a_final_prompt_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
