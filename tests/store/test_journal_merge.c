/* Journals of several sweeps as one: which source speaks for a run, what is kept, what is
 * refused.
 */
#include "made_journal.h"

#include <posweep/store/journal_merge.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SOURCE = 2 };

/** Two journals beside the one that comes out. */
struct sources {
    char path[N_SOURCE][340];
};

static const struct psw_results_axes NO_AXES = {0};

static struct psw_journal *begin(const struct place *p, struct sources *s, int i)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    snprintf(s->path[i], sizeof s->path[i], "%s/%c.journal", p->folder, 'a' + i);
    if (psw_journal_open(s->path[i], &JOURNAL_OPTS, &j, &err) != PSW_OK)
        fail_msg("%s", err.text);
    return j;
}

static void put_score(struct psw_journal *j, enum psw_journal_type type, uint64_t run,
                      double score, double wall_s)
{
    struct psw_record *r = NULL;
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put_f64(r, "final_length", score);
    psw_record_put_f64(r, "wall_s", wall_s);
    assert_int_equal(psw_journal_append_record(j, type, run, 1, r, NULL), PSW_OK);
    psw_record_destroy(r);
}

static void end(struct psw_journal *j)
{
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    psw_journal_close(j);
}

static psw_status merge(const struct place *p, const struct sources *s, int n,
                        struct psw_journal_merge_counts *counts, struct psw_error *err)
{
    struct psw_journal_merge *m = NULL;
    struct psw_journal_opts opts = JOURNAL_OPTS;
    opts.provenance = NULL;
    assert_int_equal(psw_journal_merge_begin(p->journal, -1, &m, err), PSW_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(psw_journal_merge_add(m, s->path[i], s->path[i], err), PSW_OK);
    const psw_status rc = psw_journal_merge_write(m, &opts, &NO_AXES, counts, err);
    psw_journal_merge_end(m);
    return rc;
}

/* The log of `n` steps that a run which was stopped early, or has gone on, left behind. */
static void put_log(struct psw_journal *j, uint64_t run, int64_t n, double last)
{
    double loss[8] = {3, 2, 1, 0.5};
    struct psw_record *r = NULL;
    loss[n - 1] = last;
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put_f64(r, "wall_s", (double)n);
    psw_record_put(r, "train_loss", PSW_F64, psw_shape_1d(n), loss);
    assert_int_equal(psw_journal_append_record(j, PSW_J_PIECE, run, 1, r, NULL), PSW_OK);
    psw_record_destroy(r);
}

/* The same run: done in b after 4 steps, stopped early in a after 2, with this loss at last. */
static psw_status merge_stopped(const struct place *p, double last,
                                struct psw_journal_merge_counts *counts, struct psw_error *err)
{
    struct sources s;
    struct psw_journal *a = begin(p, &s, 0);
    put_log(a, 0x11, 2, last);
    journal_put(a, PSW_J_CENSORED, 0x11, "stopped by asha");
    end(a);
    struct psw_journal *b = begin(p, &s, 1);
    put_log(b, 0x11, 4, 0.5);
    put_score(b, PSW_J_DONE, 0x11, 3, 1);
    end(b);
    return merge(p, &s, 2, counts, err);
}

static struct psw_journal *merged(const struct place *p)
{
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    if (psw_journal_read(p->journal, &j, &err) != PSW_OK) fail_msg("%s", err.text);
    return j;
}

static void of_every_run_the_source_that_got_furthest_counts(void **state)
{
    const struct place *p = *state;
    struct sources s;
    struct psw_journal_merge_counts counts;
    int32_t attempts = 0;
    struct psw_journal *a = begin(p, &s, 0);
    journal_put(a, PSW_J_STARTED, 0x11, "node1");
    put_score(a, PSW_J_DONE, 0x11, 3, 1);
    journal_put(a, PSW_J_STARTED, 0x22, "node1");
    journal_put(a, PSW_J_FAILED, 0x22, "no");
    journal_put(a, PSW_J_STARTED, 0x33, "node1");
    journal_put(a, PSW_J_STAGE, 0x77, "");
    end(a);
    struct psw_journal *b = begin(p, &s, 1);
    journal_put(b, PSW_J_STARTED, 0x11, "node2");
    journal_put(b, PSW_J_STARTED, 0x22, "node2");
    journal_put(b, PSW_J_STARTED, 0x22, "node2");
    put_score(b, PSW_J_DONE, 0x22, 4, 1);
    journal_put(b, PSW_J_STARTED, 0x33, "node2");
    put_score(b, PSW_J_PIECE, 0x33, 5, 1);
    journal_put(b, PSW_J_STARTED, 0x77, "node2");
    journal_put(b, PSW_J_STAGE, 0x77, "");
    end(b);
    assert_int_equal(merge(p, &s, 2, &counts, NULL), PSW_OK);
    assert_int_equal(counts.n_run, 2);
    assert_int_equal(counts.n_twice, 0);
    struct psw_journal *j = merged(p);
    assert_int_equal(psw_journal_outcome(j, 0x11, &attempts), PSW_OUTCOME_DONE);
    assert_int_equal(attempts, 1);
    assert_int_equal(psw_journal_outcome(j, 0x22, &attempts), PSW_OUTCOME_DONE);
    assert_int_equal(attempts, 2);
    assert_int_equal(psw_journal_outcome(j, 0x33, &attempts), PSW_OUTCOME_RUNNING);
    assert_int_equal(journal_count(j, PSW_J_FAILED), 0);
    assert_int_equal(journal_count(j, PSW_J_PIECE), 1); /* of b, which has more of 0x33 */
    assert_int_equal(journal_count(j, PSW_J_STAGE), 1);
    assert_true(psw_journal_has_stage(j, 0x77));
    assert_int_equal(journal_count(j, PSW_J_SESSION), 2);
    psw_journal_close(j);
}

static void equal_runs_count_once_and_their_times_may_differ(void **state)
{
    const struct place *p = *state;
    struct sources s;
    struct psw_journal_merge_counts counts;
    for (int i = 0; i < 2; i++) {
        struct psw_journal *j = begin(p, &s, i);
        put_score(j, PSW_J_PIECE, 0x11, 1, 7); /* overwritten by what follows */
        put_score(j, PSW_J_DONE, 0x11, 3, i);
        end(j);
    }
    assert_int_equal(merge(p, &s, 2, &counts, NULL), PSW_OK);
    assert_int_equal(counts.n_twice, 1);
    struct psw_journal *j = merged(p);
    assert_int_equal(journal_count(j, PSW_J_DONE), 1);
    psw_journal_close(j);
}

static void runs_that_differ_are_refused_with_both_places_and_nothing_changes(void **state)
{
    const struct place *p = *state;
    struct sources s;
    struct psw_error err = {0};
    struct psw_journal_merge_counts counts;
    for (int i = 0; i < 2; i++) {
        struct psw_journal *j = begin(p, &s, i);
        put_score(j, PSW_J_DONE, 0x11, 2, 1);
        put_score(j, PSW_J_DONE, 0x22, 3 + i, 1);
        end(j);
    }
    assert_int_equal(merge(p, &s, 1, &counts, NULL), PSW_OK);
    const int64_t n_before = journal_size(p->journal);
    assert_int_equal(merge(p, &s, 2, &counts, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "run 0000000000000022 is done in "));
    assert_non_null(strstr(err.text, s.path[0]));
    assert_non_null(strstr(err.text, s.path[1]));
    assert_non_null(strstr(err.text, "\"final_length\" differs"));
    assert_int_equal(journal_size(p->journal), n_before);
    assert_int_equal(journal_size(p->lock), -1);
}

static void what_was_merged_before_is_merged_again_without_a_change(void **state)
{
    const struct place *p = *state;
    struct sources s;
    struct psw_journal_merge_counts counts;
    for (int i = 0; i < 2; i++) {
        struct psw_journal *j = begin(p, &s, i);
        journal_put(j, PSW_J_DATA, 0x99, "the same data");
        journal_put(j, PSW_J_REMARK, 0, i ? "of b" : "of a");
        journal_put(j, PSW_J_STARTED, JOURNAL_RUNS[i], "node1");
        put_score(j, PSW_J_DONE, JOURNAL_RUNS[i], i, 1);
        end(j);
    }
    assert_int_equal(merge(p, &s, 2, &counts, NULL), PSW_OK);
    struct psw_journal *first = merged(p);
    assert_int_equal(journal_count(first, PSW_J_DATA), 1);
    assert_int_equal(journal_count(first, PSW_J_REMARK), 2);
    assert_int_equal(rename(p->journal, s.path[1]), 0); /* as a source, beside a */
    assert_int_equal(merge(p, &s, 2, &counts, NULL), PSW_OK);
    assert_int_equal(counts.n_twice, 1);
    struct psw_journal *again = merged(p);
    for (int t = 1; t < PSW_J_N_TYPE; t++)
        assert_int_equal(journal_count(first, (enum psw_journal_type)t),
                         journal_count(again, (enum psw_journal_type)t));
    psw_journal_close(first);
    psw_journal_close(again);
}

static void what_is_done_counts_before_what_was_stopped_early(void **state)
{
    const struct place *p = *state;
    struct psw_journal_merge_counts counts;
    assert_int_equal(merge_stopped(p, 2, &counts, NULL), PSW_OK);
    assert_int_equal(counts.n_run, 1);
    assert_int_equal(counts.n_twice, 0);
    assert_int_equal(counts.n_completed, 1);
    struct psw_journal *j = merged(p);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_DONE);
    assert_int_equal(journal_count(j, PSW_J_CENSORED), 0);
    psw_journal_close(j);
}

static void a_run_that_went_another_way_until_it_was_stopped_is_refused(void **state)
{
    const struct place *p = *state;
    struct psw_error err = {0};
    struct psw_journal_merge_counts counts;
    assert_int_equal(merge_stopped(p, 2.0000001, &counts, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "run 0000000000000011 is done in "));
    assert_non_null(strstr(err.text, "and stopped early in "));
    assert_non_null(strstr(err.text, "\"train_loss\" differs"));
    assert_int_equal(journal_size(p->journal), -1);
}

static void of_two_that_were_stopped_the_one_that_came_further_counts(void **state)
{
    const struct place *p = *state;
    struct sources s;
    struct psw_journal_merge_counts counts;
    for (int i = 0; i < 2; i++) {
        struct psw_journal *j = begin(p, &s, i);
        for (int rung = 0; rung <= i; rung++) journal_put(j, PSW_J_RUNG, 0x11, "a rung");
        journal_put(j, PSW_J_CENSORED, 0x11, i ? "further" : "early");
        end(j);
    }
    assert_int_equal(merge(p, &s, 2, &counts, NULL), PSW_OK);
    assert_int_equal(counts.n_completed, 0);
    struct psw_journal *j = merged(p);
    assert_int_equal(psw_journal_outcome(j, 0x11, NULL), PSW_OUTCOME_CENSORED);
    assert_int_equal(journal_count(j, PSW_J_CENSORED), 1);
    assert_int_equal(journal_count(j, PSW_J_RUNG), 2);
    psw_journal_close(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_every_run_the_source_that_got_furthest_counts),
        TEST(equal_runs_count_once_and_their_times_may_differ),
        TEST(runs_that_differ_are_refused_with_both_places_and_nothing_changes),
        TEST(what_was_merged_before_is_merged_again_without_a_change),
        TEST(what_is_done_counts_before_what_was_stopped_early),
        TEST(a_run_that_went_another_way_until_it_was_stopped_is_refused),
        TEST(of_two_that_were_stopped_the_one_that_came_further_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
