/* The range of the time left: how long pieces of work take on some slots, and what durations
 * that were measured make of it; the status as JSON, and of a sweep that jobs share. */
#include <support/support.h>

#include <math.h>
#include <posweep/analyze/progress.h>
#include <posweep/store/record_file.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>
#include <posweep/util/rng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { N_RUN = 6, MOST = 50 };

static const uint64_t HASHES[N_RUN] = {1, 2, 3, 4, 5, 6};
static const char LABELS[] = "dpo flat seed 1\ndpo flat seed 2\ndpo flat seed 3\n"
                             "dpo vanilla seed 1\ndpo vanilla seed 2\ndpo vanilla seed 3";

/** As psw_progress_makespan, by looking at every slot for every piece. */
static double naive_makespan(const double *left_s, int64_t n, int64_t n_slot)
{
    double free_s[MOST] = {0}, end_s = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t k = 0;
        for (int64_t j = 1; j < n_slot; j++)
            if (free_s[j] < free_s[k]) k = j;
        free_s[k] += left_s[i];
        end_s = fmax(end_s, free_s[k]);
    }
    return end_s;
}

static void a_makespan_is_that_of_a_naive_schedule(void **state)
{
    (void)state;
    const struct psw_rng rng = {.seed = 3, .use = PSW_RNG_TEST};
    double left_s[MOST] = {0}, free_s[MOST], got = -1;
    for (int64_t n = 0; n < MOST; n++)
        for (int64_t n_slot = 1; n_slot < MOST; n_slot += 4) {
            for (int64_t i = 0; i < n; i++)
                left_s[i] = psw_rng_uniform(rng, (uint64_t)n, (uint32_t)i);
            assert_int_equal(psw_progress_makespan(left_s, n, free_s, n_slot, &got), 1);
            assert_close(got, naive_makespan(left_s, n, n_slot), 0);
        }
    assert_int_equal(psw_progress_makespan(left_s, 3, free_s, 0, &got), 0);
}

static struct psw_journal *begin(const char *path, int first, int n)
{
    struct psw_journal *j = NULL;
    const char *label = LABELS;
    for (int i = 0; i < first; i++) label = strchr(label, '\n') + 1;
    const struct psw_journal_opts opts = {.sweep_name = "times",
                                          .spec_text = "",
                                          .n_run = n,
                                          .run = HASHES + first,
                                          .label = label,
                                          .lock_wait_s = -1};
    assert_int_equal(psw_journal_open(path, &opts, &j, NULL), PSW_OK);
    return j;
}

static void put(struct psw_journal *j, enum psw_journal_type type, uint64_t run, double time_s)
{
    const struct psw_journal_entry e = {
        .type = type, .run = run, .attempt = 1, .time_s = time_s, .n_bytes = 2};
    assert_int_equal(psw_journal_append(j, e, "n1", NULL), PSW_OK);
}

static void put_done(struct psw_journal *j, uint64_t run, double took_s)
{
    put(j, PSW_J_STARTED, run, 1e9);
    put(j, PSW_J_DONE, run, 1e9 + took_s);
}

/** Two runs of a kind took 10 s and 20 s, two of another 100 s; one of each is left. */
static void the_range_is_that_of_durations_of_the_same_kind(void **state)
{
    (void)state;
    char folder[256], path[300];
    struct psw_progress p;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5.journal", folder);
    struct psw_journal *j = begin(path, 0, N_RUN);
    put_done(j, 1, 10);
    put_done(j, 2, 20);
    put_done(j, 4, 100);
    put_done(j, 5, 100);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    assert_int_equal(psw_progress_read(path, &p, NULL), PSW_OK);
    assert_close(p.left_low_s, 110, 1e-9); /* one after the other */
    assert_close(p.left_high_s, 120, 1e-9);
    const double now_s = psw_clock_unix_s();
    put(j, PSW_J_STARTED, 3, now_s);
    put(j, PSW_J_STARTED, 6, now_s);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    assert_int_equal(psw_progress_read(path, &p, NULL), PSW_OK);
    assert_close(p.left_low_s, 100, 1e-9); /* side by side */
    assert_close(p.left_high_s, 100, 1e-9);
    psw_journal_close(j);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

static void of_a_kind_that_nobody_has_seen_any_duration_serves(void **state)
{
    (void)state;
    char folder[256], path[300];
    struct psw_progress p;
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5.journal", folder);
    struct psw_journal *j = begin(path, 0, N_RUN);
    put_done(j, 1, 10); /* and 2 and 3 of its kind, 4, 5, 6 of another */
    put_done(j, 2, 10);
    assert_int_equal(psw_journal_sync(j, NULL), PSW_OK);
    assert_int_equal(psw_progress_read(path, &p, NULL), PSW_OK);
    assert_close(p.left_low_s, 40, 1e-9);
    assert_close(p.left_high_s, 40, 1e-9);
    psw_journal_close(j);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
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

/** Three parts: one done, one at work, one that nobody has begun. */
static void a_shared_sweep_is_shown_with_its_parts(void **state)
{
    (void)state;
    char folder[256], path[300], part[340];
    struct psw_record *plan = NULL;
    const int32_t of[N_RUN] = {0, 0, 1, 1, 2, 2};
    support_temp_dir(folder);
    snprintf(path, sizeof path, "%s/x.h5", folder);
    snprintf(part, sizeof part, "%s.parts", path);
    assert_int_equal(mkdir(part, 0777), 0);
    assert_int_equal(psw_record_create(&plan, NULL), PSW_OK);
    psw_record_put_i64(plan, "n_part", 3);
    psw_record_put(plan, "run", PSW_I64, psw_shape_1d(N_RUN), HASHES);
    psw_record_put(plan, "part", PSW_I32, psw_shape_1d(N_RUN), of);
    snprintf(part, sizeof part, "%s.parts/plan", path);
    assert_int_equal(psw_record_write(plan, part, NULL), PSW_OK);
    psw_record_destroy(plan);
    snprintf(part, sizeof part, "%s.parts/1.h5.journal", path);
    struct psw_journal *first = begin(part, 0, 2);
    put_done(first, 1, 10);
    put_done(first, 2, 10);
    assert_int_equal(psw_journal_sync(first, NULL), PSW_OK);
    psw_journal_close(first);
    snprintf(part, sizeof part, "%s.parts/2.h5.journal", path);
    struct psw_journal *second = begin(part, 2, 2);
    put_done(second, 3, 10);
    put(second, PSW_J_STARTED, 4, psw_clock_unix_s());
    assert_int_equal(psw_journal_sync(second, NULL), PSW_OK);
    char *text = text_of(psw_progress_show, path);
    assert_non_null(strstr(text, "times: 2 queued, 1 running, 3 done of 6 runs"));
    assert_non_null(strstr(text, "shared in 3 parts: 1 done, 1 at work, 1 waiting"));
    assert_non_null(strstr(text, "  part 2: 1 running, 1 done; at work: pid "));
    assert_non_null(strstr(text, "dpo vanilla seed 1  0%  on n1  for "));
    free(text);
    text = text_of(psw_progress_json, path);
    assert_non_null(strstr(text, "\"n_run\": 6"));
    assert_non_null(strstr(text, "\"n_queued\": 2, \"n_running\": 1, \"n_done\": 3"));
    assert_non_null(
        strstr(text, "\"label\": \"dpo vanilla seed 1\", \"outcome\": \"running\""));
    assert_non_null(
        strstr(text, "{\"part\": 1, \"n_run\": 2, \"n_ended\": 2, \"holder\": \"\"}"));
    free(text);
    struct psw_progress p; /* the run at work and the two of the part that nobody has begun */
    assert_int_equal(psw_progress_read(path, &p, NULL), PSW_OK);
    assert_close(p.left_s, 30, 1e-9);
    psw_journal_close(second);
    assert_int_equal(psw_file_remove_tree(folder, NULL), PSW_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_makespan_is_that_of_a_naive_schedule),
        cmocka_unit_test(the_range_is_that_of_durations_of_the_same_kind),
        cmocka_unit_test(of_a_kind_that_nobody_has_seen_any_duration_serves),
        cmocka_unit_test(a_shared_sweep_is_shown_with_its_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
