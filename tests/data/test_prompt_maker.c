/* What somebody types becomes the prompt that a model has met in training. Expected texts are
 * written by hand from the templates. */
#include <support/example_at.h>
#include <support/support.h>

#include <posweep/data/dataset.h>
#include <posweep/data/prompt_maker.h>
#include <string.h>

/** Settings: pairs of key and value, NULL at the end. */
static struct psw_prompt_maker *maker_of(const char *const *setting)
{
    struct psw_config c;
    struct psw_prompt_maker *m = NULL;
    psw_config_default(&c);
    for (; *setting; setting += 2)
        assert_int_equal(psw_config_set(&c, setting[0], setting[1], NULL), PSW_OK);
    assert_int_equal(psw_prompt_maker_create(&c, &m, NULL), PSW_OK);
    return m;
}

/** The prompt of a text, bytes again, EOS as "|"; returns the tokens that it lost. */
static int64_t prompt_of(struct psw_prompt_maker *m, const char *text, char out[256])
{
    struct psw_tokens t;
    int64_t n_lost = -1;
    assert_int_equal(
        psw_prompt_maker_tokens(m, (struct psw_text){text, strlen(text)}, &t, &n_lost, NULL),
        PSW_OK);
    assert_true(t.n < 256);
    for (int64_t i = 0; i < t.n; i++) out[i] = t.id[i] == PSW_BYTE_EOS ? '|' : (char)t.id[i];
    out[t.n] = 0;
    return n_lost;
}

static void a_prompt_stands_as_its_source_and_template_have_it(void **state)
{
    static const char DIALOGUE[] = "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:";
    static const struct {
        const char *setting[7], *text, *prompt;
    } row[] = {
        {{"task", "none", NULL}, "Hi", "Hi"},
        {{"task", "none", NULL}, DIALOGUE, DIALOGUE},
        {{"task", "none", NULL}, "", "|"},
        {{"task", "none", "data.template", "zephyr", NULL},
         "Hi",
         "<|user|>\nHi|\n<|assistant|>\n"},
        {{"task", "none", "data.template", "zephyr", NULL},
         DIALOGUE,
         "<|user|>\na|\n<|assistant|>\nb|\n<|user|>\nc|\n<|assistant|>\n"},
        {{"task", "none", "data.format", "gsm8k", NULL}, "2+2?", "2+2?\n"},
        {{"task", "none", "data.format", "gsm8k", "data.template", "chatml", NULL},
         "2+2?",
         "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char prompt[256];
        struct psw_prompt_maker *m = maker_of(row[i].setting);
        assert_int_equal(prompt_of(m, row[i].text, prompt), 0);
        assert_string_equal(prompt, row[i].prompt);
        psw_prompt_maker_destroy(m);
    }
}

static void a_long_prompt_loses_its_beginning(void **state)
{
    char prompt[256];
    (void)state;
    struct psw_prompt_maker *m =
        maker_of((const char *const[]){"task", "none", "data.max_prompt", "5", NULL});
    assert_int_equal(prompt_of(m, "abcdefgh", prompt), 3);
    assert_string_equal(prompt, "defgh");
    assert_int_equal(prompt_of(m, "abcde", prompt), 0);
    psw_prompt_maker_destroy(m);
}

static void words_of_a_task_are_its_data_sets_tokens(void **state)
{
    static const char *const TASK[] = {"lists", "sums"};
    (void)state;
    for (int k = 0; k < 2; k++) {
        struct psw_config c;
        struct psw_dataset *data = NULL;
        struct psw_prompt_maker *m = maker_of((const char *const[]){"task", TASK[k], NULL});
        psw_config_default(&c);
        assert_int_equal(psw_config_set(&c, "task", TASK[k], NULL), PSW_OK);
        assert_int_equal(psw_dataset_open(&c, &data, NULL), PSW_OK);
        assert_int_equal(psw_prompt_maker_tokenizer(m)->eos, data->tokenizer->eos);
        for (int64_t i = 0; i < 20; i++) {
            const struct psw_example *e = example_at(&data->prompts_heldout, i);
            char text[512];
            struct psw_tokens t;
            int64_t n_lost;
            psw_tokenizer_text(data->tokenizer, e->prompt, e->n_prompt, text, sizeof text);
            assert_int_equal(psw_prompt_maker_tokens(m, (struct psw_text){text, strlen(text)},
                                                     &t, &n_lost, NULL),
                             PSW_OK);
            assert_int_equal(t.n, e->n_prompt);
            assert_memory_equal(t.id, e->prompt, (size_t)t.n * sizeof *t.id);
        }
        psw_dataset_destroy(data);
        psw_prompt_maker_destroy(m);
    }
}

static void another_word_is_refused(void **state)
{
    struct psw_tokens t;
    int64_t n_lost;
    struct psw_error err = {0};
    (void)state;
    struct psw_prompt_maker *m = maker_of((const char *const[]){NULL});
    assert_int_equal(
        psw_prompt_maker_tokens(m, (struct psw_text){"give cars", 9}, &t, &n_lost, &err),
        PSW_EDATA);
    assert_non_null(strstr(err.text, "\"cars\" is none of the task's"));
    psw_prompt_maker_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prompt_stands_as_its_source_and_template_have_it),
        cmocka_unit_test(a_long_prompt_loses_its_beginning),
        cmocka_unit_test(words_of_a_task_are_its_data_sets_tokens),
        cmocka_unit_test(another_word_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
