#include "show_files.h"
#include <support/support.h>

#include <posweep/analyze/show.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char folder[256];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    const psw_status rc = psw_file_remove_tree(p->folder, NULL);
    free(p);
    return rc != PSW_OK;
}

static char *shown(const struct place *p, struct tf_file file, struct psw_show_opts opts)
{
    static int n_file;
    char path[300], *text = NULL;
    size_t n_bytes = 0;
    struct psw_results *results = NULL;
    snprintf(path, sizeof path, "%s/%d.h5", p->folder, n_file++);
    tf_write(&file, path);
    assert_int_equal(psw_results_open(path, &results, NULL), PSW_OK);
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_show(out, results, &opts, NULL), PSW_OK);
    fclose(out);
    psw_results_close(results);
    return text;
}

/** The text holds, or lacks, each of the phrases (NULL ends). */
static void holds(const char *text, int expected, const char *const *phrase)
{
    for (; *phrase; phrase++)
        if ((strstr(text, *phrase) != NULL) != expected)
            fail_msg("%s: \"%s\" in\n%s", expected ? "missing" : "unwanted", *phrase, text);
}

#define HOLDS(text, ...) holds(text, 1, (const char *const[]){__VA_ARGS__, NULL})
#define LACKS(text, ...) holds(text, 0, (const char *const[]){__VA_ARGS__, NULL})

static void crossings_are_named_with_their_direction_and_share(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){0});
    HOLDS(text,
          "crossings: 2 of 3 seeds (pos leads, then neg) (95 % interval of the share: "
          "0.21..0.94)\n    between steps 20 and 60",
          "crossings: none in 2 of 2 seeds (95 % interval of the share: 0.00..0.66)",
          "pos - neg: pos leads at 0 % of the checkpoints, neg at 100 %, unclear at 0 %");
    HOLDS(text, "median      0.15 [0.08..0.16]"); /* pos of 0.01, 0.15, 0.17 */
    LACKS(text, "step 100");                      /* the last checkpoint */
    free(text);
}

static void runs_that_are_left_out_are_named_with_their_values(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){0});
    HOLDS(text, "dpo vanilla            3 of 4", "Left out of every mean",
          "dpo vanilla seed 4: over-optimised, KL to SFT 92 nat; score 1.90, win rate 0.60",
          "dpo flat seed 3: diverged: step 31: the loss is not a number");
    LACKS(text, "..300", "(4)");
    free(text);
    text = shown(*state, SHOW_FILE, (struct psw_show_opts){.all = 1});
    HOLDS(text, "(4)"); /* with --all a line of its own */
    free(text);
    text =
        shown(*state, SHOW_FILE, (struct psw_show_opts){.selection.max_kl = (double)INFINITY});
    HOLDS(text, "dpo vanilla            4 of 4", "..300");
    free(text);
}

static void numbers_come_with_seeds_that_differ_from_zero(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){.n_column = 2});
    HOLDS(text, "step 0                step 80", "+0.110 \xc2\xb1 0.050", /* pos at step 0 */
          "1.5 [0.1..1.7]", "2 of 3 above", "all unclear",
          "neg: above 0: 100 % of the checkpoints, unclear: 0 %, below: 0 %", "\xe2\x96\x88");
    free(text);
}

static void what_errors_leave_out_is_said(void **state)
{
    struct tf_file bare = SHOW_FILE;
    for (int k = 0; k < TF_CHECKPOINTS; k++) bare.se_final[k] = NAN;
    char *text = shown(*state, bare, (struct psw_show_opts){0});
    HOLDS(text, "the file has no G_se_final");
    free(text);
    text = shown(*state, SHOW_FILE, (struct psw_show_opts){0});
    LACKS(text, "the file has no");
    free(text);
}

static void direction_is_said(void **state)
{
    struct tf_file soft = SHOW_FILE;
    soft.soft = 0.5;
    soft.soft_se = 1; /* nothing differs from 0 along v soft */
    char *text = shown(*state, soft, (struct psw_show_opts){0});
    HOLDS(text, "v soft: at each prefix", "2 of 3 seeds, v soft", "none in 3 of 3 seeds");
    LACKS(text, "v sampled:");
    free(text);
    text = shown(*state, soft, (struct psw_show_opts){.selection.along = "sampled"});
    HOLDS(text, "v sampled:", "2 of 3 seeds (pos leads, then neg)");
    free(text);
}

static void findings_about_the_final_responses_say_why(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){0});
    HOLDS(text, "75 % of D' was cut at final.max_new (or the context's end) in 1 of 2 seeds: "
                "v is of beginnings");
    HOLDS(text, "\n  D' repeats itself in 1 of 2 seeds: G along it says little");
    LACKS(text, "collapsed");
    free(text);
}

static void standard_error_reads_zero_only_where_it_is(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){.ascii = 1});
    HOLDS(text, "length 395.20 +- 0.06", "length of SFT 8.00 +- 6e-08",
          "win rate 0.600 +- 0.000");
    free(text);
}

static void ascii_text_has_no_other_bytes(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){.ascii = 1, .all = 1});
    for (const char *at = text; *at; at++) assert_true((unsigned char)*at < 128);
    HOLDS(text, "G/|v|");
    free(text);
}

static void lines_fit_a_terminal(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){0});
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        int n = 0;
        for (const char *at = line; *at; at++) n += ((unsigned char)*at & 0xC0) != 0x80;
        if (n > 100) fail_msg("%d characters: %s", n, line);
    }
    free(text);
}

static void summary_alone_has_no_blocks(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){.summary_only = 1});
    HOLDS(text, "dpo flat", "G(total)");
    LACKS(text, "step 0");
    free(text);
}

static void wanted_variant_alone_is_shown(void **state)
{
    char *text = shown(*state, SHOW_FILE, (struct psw_show_opts){.selection.variant = "flat"});
    LACKS(text, "dpo vanilla");
    HOLDS(text, "dpo flat");
    free(text);
}

static void locale_decides_about_ascii(void **state)
{
    (void)state;
    setenv("LC_ALL", "C", 1);
    assert_true(psw_show_wants_ascii());
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    assert_false(psw_show_wants_ascii());
    unsetenv("LC_ALL");
}

#define TEST(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(crossings_are_named_with_their_direction_and_share),
        TEST(runs_that_are_left_out_are_named_with_their_values),
        TEST(numbers_come_with_seeds_that_differ_from_zero),
        TEST(what_errors_leave_out_is_said),
        TEST(direction_is_said),
        TEST(findings_about_the_final_responses_say_why),
        TEST(standard_error_reads_zero_only_where_it_is),
        TEST(ascii_text_has_no_other_bytes),
        TEST(lines_fit_a_terminal),
        TEST(summary_alone_has_no_blocks),
        TEST(wanted_variant_alone_is_shown),
        TEST(locale_decides_about_ascii),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
