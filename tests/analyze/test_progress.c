#include <support/support.h>

#include <store/fixture.h>

#include <math.h>
#include <posweep/analyze/progress.h>
#include <posweep/util/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct place {
    char folder[256], path[300], journal[320];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    support_temp_dir(p->folder);
    snprintf(p->path, sizeof p->path, "%s/x.h5", p->folder);
    snprintf(p->journal, sizeof p->journal, "%s.journal", p->path);
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

/** A journal under way: run 0 done, run 1 a quarter through, run 5 diverged, at given times. */
static struct psw_journal *under_way(const struct place *p)
{
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_open(p->journal, fixture_opts(), &j, NULL), PSW_OK);
    const double quarter[2] = {25, 100};
    const double tenth[2] = {1, 10};
    fixture_run(j, 0, PSW_J_DONE);
    fixture_run(j, 5, PSW_J_DIVERGED);
    struct psw_journal_entry e = {.type = PSW_J_STARTED, .run = fixture_opts()->run[1]};
    e.attempt = 1;
    e.n_bytes = 5;
    assert_int_equal(psw_journal_append(j, e, "node3", NULL), PSW_OK);
    e.type = PSW_J_PROGRESS;
    e.n_bytes = sizeof quarter;
    assert_int_equal(psw_journal_append(j, e, tenth, NULL), PSW_OK); /* the last one counts */
    assert_int_equal(psw_journal_append(j, e, quarter, NULL), PSW_OK);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    return j;
}

static char *text_of(psw_status (*show)(FILE *, const char *, struct psw_error *),
                     const char *path)
{
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(show(out, path, NULL), PSW_OK);
    fclose(out);
    return text;
}

static void running_sweep_is_counted_while_it_is_written(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = under_way(p);
    struct psw_progress at;
    assert_int_equal(psw_progress_read(p->path, &at, NULL), PSW_OK);
    assert_int_equal(at.n_run, FIXTURE_RUNS);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_DONE], 1);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_RUNNING], 1);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_DIVERGED], 1);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_QUEUED], 3);
    assert_true(at.holder.text[0] && isnan(at.left_s) && at.n_active == 0);
    char *text = text_of(psw_progress_show, p->path);
    assert_non_null(strstr(text, "3 queued, 1 running, 1 done, 1 diverged of 6 runs"));
    assert_non_null(strstr(text, "dpo vanilla beta=0.1 seed=2  25%  on node3"));
    assert_non_null(strstr(text, "the loss is not a number"));
    assert_non_null(strstr(text, "at work: pid "));
    assert_non_null(strstr(text, "33 % of the runs"));
    assert_non_null(strstr(text, "time left not known yet"));
    free(text);
    psw_journal_close(j);
}

static void append_forecast(struct psw_journal *j, struct psw_forecast f, double age_s)
{
    const struct psw_journal_entry e = {
        .type = PSW_J_FORECAST, .time_s = psw_clock_unix_s() - age_s, .n_bytes = sizeof f};
    assert_int_equal(psw_journal_append(j, e, &f, NULL), PSW_OK);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
}

/** 14 h were said of a sweep of 45 s: the pace of runs said nothing of it. */
static void time_left_is_what_the_sweep_itself_forecast(void **state)
{
    const struct place *p = *state;
    struct psw_journal *j = under_way(p);
    struct psw_progress at;
    append_forecast(j, (struct psw_forecast){0.1, 500, 2, 2}, 60);
    append_forecast(j, (struct psw_forecast){0.25, 33, 2, 2}, 3);
    assert_int_equal(psw_progress_read(p->path, &at, NULL), PSW_OK);
    assert_in_range((int)at.left_s, 15, 30); /* the record has aged */
    assert_true(at.part_done == 0.25 && at.n_active == 2 && at.n_rank == 2);
    char *text = text_of(psw_progress_show, p->path);
    assert_non_null(strstr(text, "[#######.......................]  25 % of the work; "));
    assert_non_null(strstr(text, " in 1 session, about "));
    assert_non_null(strstr(text, "; 2 running on 2 ranks; last record "));
    free(text);
    psw_journal_close(j);
    text = text_of(psw_progress_show, p->path); /* time stands still while nobody works */
    assert_non_null(strstr(text, "about 33 s left once 2 ranks work again"));
    free(text);
    assert_int_equal(psw_journal_open(p->journal, fixture_opts(), &j, NULL), PSW_OK);
    assert_int_equal(psw_progress_read(p->path, &at, NULL), PSW_OK);
    assert_true(isnan(at.left_s)); /* this start has not told yet */
    psw_journal_close(j);
}

static void forecast_that_makes_no_sense_is_borne(void **state)
{
    static const double ABSURD[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300};
    const struct place *p = *state;
    struct psw_journal *j = under_way(p);
    for (size_t i = 0; i < sizeof ABSURD / sizeof *ABSURD; i++) {
        const double x = ABSURD[i];
        append_forecast(j, (struct psw_forecast){x, x, x, x}, 0);
        free(text_of(psw_progress_show, p->path));
    }
    psw_journal_close(j);
    free(text_of(psw_progress_show, p->path));
}

static void time_left_is_said_humanely(void **state)
{
    char text[PSW_LEFT_TEXT_BYTES];
    (void)state;
    assert_string_equal(psw_progress_left_text(0, text), "less than a second left");
    assert_string_equal(psw_progress_left_text(185, text), "about 3 min 05 s left");
    assert_string_equal(psw_progress_left_text(NAN, text), "time left not known yet");
}

static void dead_sweep_has_interrupted_runs(void **state)
{
    const struct place *p = *state;
    psw_journal_close(under_way(p));
    struct psw_progress at;
    assert_int_equal(psw_progress_read(p->journal, &at, NULL), PSW_OK); /* either name */
    assert_int_equal(at.n_outcome[PSW_OUTCOME_RUNNING], 0);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_INTERRUPTED], 1);
    assert_string_equal(at.holder.text, "");
    char *text = text_of(psw_progress_show, p->path);
    assert_non_null(strstr(text, "run the same command again to continue"));
    free(text);
}

static void torn_tail_does_not_disturb_the_status(void **state)
{
    const struct place *p = *state;
    psw_journal_close(under_way(p));
    FILE *f = fopen(p->journal, "ab");
    fputs("PSWJRNL\1half a record", f);
    fclose(f);
    struct psw_progress at;
    assert_int_equal(psw_progress_read(p->path, &at, NULL), PSW_OK);
    assert_true(at.torn_bytes > 0);
    assert_int_equal(at.n_outcome[PSW_OUTCOME_DONE], 1);
}

static void missing_journal_is_said_in_plain_words(void **state)
{
    const struct place *p = *state;
    struct psw_progress at;
    struct psw_error err = {0};
    assert_int_equal(psw_progress_read(p->path, &at, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "no sweep was run with this output"));
}

static void why_tells_the_life_of_a_run(void **state)
{
    uint64_t found = 0;
    const struct place *p = *state;
    psw_journal_close(under_way(p));
    char *text = NULL;
    size_t n_bytes = 0;
    struct psw_error err = {0};
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_progress_why(out, p->path, "flat beta=0.05 seed=3", &found, &err),
                     PSW_OK);
    assert_int_equal(psw_progress_why(out, p->path, "00000000000000a1", &found, &err), PSW_OK);
    assert_true(found == 0xa1);
    assert_int_equal(psw_progress_why(out, p->path, "0000", &found, &err), PSW_ENOENT);
    assert_non_null(strstr(err.text, "fits 5 runs"));
    fclose(out);
    assert_non_null(strstr(text, "diverged after 1 attempt"));
    assert_non_null(strstr(text, "started on node1,node2"));
    assert_non_null(strstr(text, "diverged: step 31"));
    assert_non_null(strstr(text, "00000000000000a1  dpo vanilla beta=0.1 seed=1: done"));
    free(text);
}

static void why_takes_a_label_that_begins_another(void **state)
{
    uint64_t found = 0;
    static const uint64_t HASHES[] = {0xa1, 0xa2};
    const struct place *p = *state;
    char path[PSW_PATH_BYTES], *text = NULL;
    size_t n_bytes = 0;
    struct psw_journal *journal = NULL;
    struct psw_journal_opts opts = *fixture_opts();
    opts.n_run = 2;
    opts.run = HASHES;
    opts.label = "dpo vanilla seed 10\ndpo vanilla seed 1";
    snprintf(path, sizeof path, "%s/two.h5.journal", p->folder);
    assert_int_equal(psw_journal_open(path, &opts, &journal, NULL), PSW_OK);
    psw_journal_close(journal);
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_progress_why(out, path, "dpo vanilla seed 1", &found, NULL), PSW_OK);
    assert_int_equal(psw_progress_why(out, path, "dpo vanilla seed", &found, NULL), PSW_ENOENT);
    fclose(out);
    assert_non_null(strstr(text, "00000000000000a2  dpo vanilla seed 1: queued"));
    free(text);
}

static void why_and_status_bear_absurd_times(void **state)
{
    uint64_t found = 0;
    static const double ABSURD[] = {1e300, -1e300, 1e18, NAN, INFINITY};
    const struct place *p = *state;
    struct psw_journal *j = under_way(p);
    for (size_t i = 0; i < sizeof ABSURD / sizeof *ABSURD; i++) {
        const struct psw_journal_entry e = {.type = PSW_J_INTERRUPTED,
                                            .run = fixture_opts()->run[1],
                                            .attempt = 1,
                                            .time_s = ABSURD[i],
                                            .n_bytes = 4};
        assert_int_equal(psw_journal_append(j, e, "stop", NULL), PSW_OK);
    }
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *out = open_memstream(&text, &n_bytes);
    assert_int_equal(psw_progress_why(out, p->path, "vanilla beta=0.1 seed=2", &found, NULL),
                     PSW_OK);
    fclose(out);
    assert_non_null(strstr(text, "an unknown time  attempt 1  interrupted: stop"));
    free(text);
    free(text_of(psw_progress_show, p->path));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(running_sweep_is_counted_while_it_is_written),
        TEST(dead_sweep_has_interrupted_runs),
        TEST(time_left_is_what_the_sweep_itself_forecast),
        TEST(forecast_that_makes_no_sense_is_borne),
        TEST(time_left_is_said_humanely),
        TEST(torn_tail_does_not_disturb_the_status),
        TEST(missing_journal_is_said_in_plain_words),
        TEST(why_tells_the_life_of_a_run),
        TEST(why_takes_a_label_that_begins_another),
        TEST(why_and_status_bear_absurd_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
