#include <support/support.h>

#include "results_place.h"

#include <glob.h>
#include <hdf5.h>
#include <math.h>
#include <posweep/store/schema.h>
#include <posweep/util/log.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct psw_results *open_it(const char *path)
{
    struct psw_results *r = NULL;
    struct psw_error err = {0};
    if (psw_results_open(path, &r, &err) != PSW_OK) fail_msg("%s", err.text);
    return r;
}

static void written_file_passes_the_check(void **state)
{
    const struct place *p = *state;
    char text[4096] = "";
    fixture_write(p->path, NULL);
    const int64_t n = check_results(p->path, text);
    if (n != 0) fail_msg("%s", text);
}

/** A layout need not know the settings. */
static void file_without_settings_is_as_good_as_one_with_them(void **state)
{
    const struct place *p = *state;
    char journal_path[PSW_PATH_BYTES], text[4096] = "";
    struct psw_results_layout layout = *fixture_layout();
    struct psw_journal *journal = NULL;
    fixture_write(p->path, NULL);
    layout.configs.text = NULL;
    assert_int_equal(psw_journal_path(p->path, journal_path, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal_path, &journal, NULL), PSW_OK);
    assert_int_equal(psw_results_write(p->other, &layout, journal, NULL), PSW_OK);
    psw_journal_close(journal);
    struct psw_results *with = open_it(p->path), *without = open_it(p->other);
    for (int64_t r = 0; r < FIXTURE_RUNS; r++)
        assert_string_equal(psw_results_text(with, "config", r),
                            fixture_layout()->configs.text(NULL, r));
    assert_string_equal(psw_results_text(with, "config", FIXTURE_RUNS), "");
    assert_false(psw_results_has(without, "config"));
    assert_string_equal(psw_results_text(without, "config", 0), "");
    assert_string_equal(psw_results_text(without, "variant", 0), "vanilla");
    psw_results_close(with);
    psw_results_close(without);
    if (check_results(p->other, text) != 0) fail_msg("%s", text);
}

static const char *long_settings(void *ctx, int64_t run)
{
    static char text[4001];
    (void)ctx;
    memset(text, 'x', sizeof text - 1);
    snprintf(text, 40, "{\"policy.lr\": %lld", (long long)run);
    text[strlen(text)] = ',';
    return text;
}

/** Blocks of rows are written and read: any order gives what was written. */
static void long_settings_of_many_runs_are_packed_and_read_by_rows(void **state)
{
    enum { N_RUN = 1000 };
    const struct place *p = *state;
    char journal_path[PSW_PATH_BYTES], text[4096] = "";
    static struct psw_results_run run[N_RUN];
    struct psw_results_layout layout = *fixture_layout();
    struct psw_journal *journal = NULL;
    struct stat info;
    fixture_write(p->path, NULL);
    for (int i = 0; i < N_RUN; i++) {
        run[i] = layout.run[i % FIXTURE_RUNS];
        if (i >= FIXTURE_RUNS) run[i].hash = 0xc00 + (uint64_t)i;
    }
    layout.run = run;
    layout.n_run = N_RUN;
    layout.n_leaf = 0; /* of six runs */
    layout.configs.text = long_settings;
    assert_int_equal(psw_journal_path(p->path, journal_path, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal_path, &journal, NULL), PSW_OK);
    assert_int_equal(psw_results_write(p->other, &layout, journal, NULL), PSW_OK);
    psw_journal_close(journal);
    assert_int_equal(stat(p->other, &info), 0);
    assert_true(info.st_size < 1 << 20); /* of 4 MB */
    if (check_results(p->other, text) != 0) fail_msg("%s", text);
    struct psw_results *r = open_it(p->other);
    for (int64_t i = 0; i < N_RUN; i += 7) {
        const int64_t at = i % 2 ? N_RUN - 1 - i : i;
        assert_string_equal(psw_results_text(r, "config", at), long_settings(NULL, at));
    }
    assert_int_equal(psw_results_fault(r, NULL), PSW_OK);
    psw_results_close(r);
}

static void values_stand_where_their_labels_say(void **state)
{
    const struct place *p = *state;
    fixture_write(p->path, NULL);
    struct psw_results *r = open_it(p->path);
    assert_int_equal(psw_results_dim(r, "run"), FIXTURE_RUNS);
    assert_int_equal(psw_results_dim(r, "checkpoint"), FIXTURE_CHECKPOINTS);
    assert_int_equal(psw_results_dim(r, "component"), FIXTURE_COMPONENTS);
    assert_int_equal(psw_results_dim(r, "log_step"), FIXTURE_LOGS);
    assert_int_equal(psw_results_component(r, "total"), 0); /* canonical order, not recorded */
    assert_int_equal(psw_results_component(r, "nll"), 3);
    assert_int_equal(psw_results_component(r, "kl"), -1);
    const double *g = psw_results_f64(r, "G");
    assert_close(g[0], 0.40, 1e-12);
    assert_close(g[1], 0.29, 1e-12);
    assert_close(g[2], 0.11, 1e-12);
    assert_true(isnan(g[3]));
    assert_true(isnan(g[(1 * FIXTURE_CHECKPOINTS + 4) * FIXTURE_COMPONENTS])); /* run 1: four */
    const int64_t *step = psw_results_i64(r, "step");
    assert_int_equal(step[2], 40);
    assert_int_equal(step[1 * FIXTURE_CHECKPOINTS + 4], -1);
    const int64_t *train_step = psw_results_i64(r, "train_step");
    assert_int_equal(train_step[FIXTURE_LOGS - 1], 70); /* two parts joined */
    assert_string_equal(psw_results_text(r, "variant", 3), "flat");
    assert_string_equal(psw_results_text(r, "run", 2), "f0000000000000a3");
    assert_string_equal(psw_results_text(r, "message", 5), "step 31: the loss is not a number");
    assert_int_equal(psw_results_i64(r, "status")[5], PSW_OUTCOME_DIVERGED);
    assert_string_equal(psw_results_text(r, "hosts", 0), "node1,node2");
    assert_close(psw_results_f64(r, "score")[4], 1.9, 1e-12);
    assert_true(isnan(psw_results_f64(r, "score")[5]));
    assert_int_equal(psw_results_n_leaf(r), 3);
    assert_close(psw_results_f64(r, "policy_beta")[5], 0.05, 0);
    assert_string_equal(psw_results_text(r, "policy_reweight", 0), "on");
    assert_string_equal(psw_results_attr(r, "/", "title"), "fixture");
    assert_string_equal(psw_results_attr(r, "provenance", "commit"), "0123abc");
    assert_string_equal(psw_results_attr(r, "G", "units"), "1");
    assert_string_equal(psw_results_attr(r, "policy_batch", "units"), "1");
    assert_string_equal(psw_results_attr(r, "policy_batch", "long_name"), "batch, in pair");
    assert_false(psw_results_has(r, "cosine")); /* nobody measured one */
    assert_null(psw_results_f64(r, "cosine"));
    psw_results_close(r);
}

static void settings_are_told_in_the_words_of_the_sweep_file(void **state)
{
    const struct place *p = *state;
    static const double BETA[FIXTURE_RUNS] = {0.1, 0.1, 0.1, 0.1, 0.1, 5e-05};
    static const int64_t SOFT[FIXTURE_RUNS] = {1, 1, 1, 1, 1, 0}, EVERY[FIXTURE_RUNS] = {20};
    static const struct psw_results_leaf LEAVES[] = {
        {.path = "policy.beta", .type = PSW_F64, .f64 = BETA},
        {.path = "trace.every", .type = PSW_I64, .i64 = EVERY},
        {.path = "trace.soft", .type = PSW_I64, .i64 = SOFT}};
    char journal[PSW_PATH_BYTES], text[PSW_SETTING_BYTES];
    struct psw_journal *j = NULL;
    fixture_write(p->path, NULL);
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal, &j, NULL), PSW_OK);
    struct psw_results_layout layout = *fixture_layout();
    layout.leaf = LEAVES;
    layout.n_leaf = 3;
    assert_int_equal(psw_results_write(p->other, &layout, j, NULL), PSW_OK);
    psw_journal_close(j);
    struct psw_results *r = open_it(p->other);
    assert_string_equal(psw_results_leaf_text(r, 0, 5, text), "5e-05");
    assert_string_equal(psw_results_leaf_text(r, 1, 0, text), "20");
    assert_string_equal(psw_results_leaf_text(r, 2, 0, text), "true");
    assert_string_equal(psw_results_leaf_text(r, 2, 5, text), "false");
    psw_results_close(r);
}

static void directions_and_tokens_stand_in_sweep_order(void **state)
{
    const struct place *p = *state;
    const int order[] = {4, 1, 5, 3, 0, 2};
    fixture_write(p->path, order);
    struct psw_results *r = open_it(p->path);
    assert_string_equal(psw_results_text(r, "direction", 0), "chosen");
    const int64_t at = ((0 * FIXTURE_CHECKPOINTS + 2) * 2 + 0) * FIXTURE_COMPONENTS;
    assert_close(psw_results_f64(r, "G_dir")[at + 1], -(0.3 - 0.2 - 0.01), 1e-12);
    const int64_t *run = psw_results_i64(r, "sequence_run");
    const int64_t *checkpoint = psw_results_i64(r, "sequence_checkpoint");
    const int64_t *row_size = psw_results_i64(r, "row_size");
    const double *kappa = psw_results_f64(r, "token_kappa");
    int64_t token = 0;
    for (int64_t s = 0; s < psw_results_dim(r, "sequence"); s++) {
        if (s > 0)
            assert_true(run[s] > run[s - 1] ||
                        (run[s] == run[s - 1] && checkpoint[s] >= checkpoint[s - 1]));
        if (s == 0 || checkpoint[s] != checkpoint[s - 1] || run[s] != run[s - 1])
            assert_close(kappa[token], (double)(run[s] + 10 * checkpoint[s]), 0);
        token += row_size[s];
    }
    assert_int_equal(token, psw_results_dim(r, "token"));
    psw_results_close(r);
}

/** Datasets of a that differ in b and are not volatile; the names go to the log. */
static int n_different(const char *a, const char *b)
{
    int n_row = 0, n = 0;
    const struct psw_schema_row *rows = psw_schema_rows(&n_row);
    struct psw_results *x = open_it(a), *y = open_it(b);
    for (int i = 0; i < n_row; i++) {
        const char *name = rows[i].name;
        if ((rows[i].flags & PSW_S_VOLATILE) || !psw_results_has(x, name)) continue;
        const double *u = psw_results_f64(x, name), *v = psw_results_f64(y, name);
        char dims[PSW_MAX_DIMS][PSW_FIELD_BYTES];
        int64_t n_elem = 1;
        for (int d = psw_schema_dims(&rows[i], dims) - 1; d >= 0; d--)
            n_elem *= psw_results_dim(x, dims[d]);
        if (u ? memcmp(u, v, sizeof *u * (size_t)n_elem) != 0
              : strcmp(psw_results_text(x, name, 0), psw_results_text(y, name, 0)) != 0) {
            print_error("%s differs\n", name);
            n++;
        }
    }
    psw_results_close(x);
    psw_results_close(y);
    return n;
}

static void order_of_finishing_changes_nothing_that_is_not_volatile(void **state)
{
    const struct place *p = *state;
    const int order[] = {5, 3, 1, 0, 4, 2};
    fixture_write(p->path, NULL);
    fixture_write(p->other, order);
    assert_int_equal(n_different(p->path, p->other), 0);
}

static void same_journal_written_twice_gives_the_same_bytes(void **state)
{
    const struct place *p = *state;
    char journal[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    char *a = NULL, *b = NULL;
    size_t n_a = 0, n_b = 0;
    fixture_write(p->path, NULL);
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(psw_journal_read(journal, &j, NULL), PSW_OK);
        assert_int_equal(psw_results_write(p->other, fixture_layout(), j, NULL), PSW_OK);
        psw_journal_close(j);
        assert_int_equal(psw_file_read(p->other, i ? &b : &a, i ? &n_b : &n_a, NULL), PSW_OK);
    }
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a);
    free(a);
    free(b);
}

static void unfinished_sweep_is_a_sound_file_too(void **state)
{
    const struct place *p = *state;
    char journal[PSW_PATH_BYTES], text[4096] = "";
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_open(journal, fixture_opts(), &j, NULL), PSW_OK);
    for (int n_done = 0; n_done < 3; n_done++) {
        assert_int_equal(psw_results_write(p->path, fixture_layout(), j, NULL), PSW_OK);
        if (check_results(p->path, text) != 0) fail_msg("%d runs: %s", n_done, text);
        fixture_run(j, 5 - n_done, PSW_J_DONE);
    }
    psw_journal_close(j);
}

static void record_that_does_not_fit_the_schema_names_run_and_field(void **state)
{
    const struct place *p = *state;
    char journal[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_record *r = NULL;
    struct psw_error err = {0};
    const double x[2] = {1, 2};
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_open(journal, fixture_opts(), &j, NULL), PSW_OK);
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put(r, "G", PSW_F64, psw_shape_1d(2), x); /* components without names */
    psw_record_put_i64(r, "checkpoint", 0);
    assert_int_equal(psw_journal_append_record(j, PSW_J_PIECE, 0xb1, 1, r, NULL), PSW_OK);
    const struct psw_journal_entry done = {.type = PSW_J_DONE, .run = 0xb1, .attempt = 1};
    assert_int_equal(psw_journal_append(j, done, NULL, NULL), PSW_OK);
    assert_int_equal(psw_results_write(p->path, fixture_layout(), j, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "00000000000000b1"));
    assert_non_null(strstr(err.text, "\"G\""));
    assert_false(psw_file_exists(p->path));
    psw_record_destroy(r);
    psw_journal_close(j);
}

/* Points are in the journal long before: what is in the file of a run that goes on would change
 * from one snapshot to the next. */
static void points_of_a_run_that_is_not_done_are_not_in_the_file(void **state)
{
    const struct place *p = *state;
    char journal[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    struct psw_record *r = NULL;
    struct psw_results *results = NULL;
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_open(journal, fixture_opts(), &j, NULL), PSW_OK);
    assert_int_equal(psw_record_create(&r, NULL), PSW_OK);
    psw_record_put_i64(r, "checkpoint", 2);
    psw_record_put_i64(r, "step", 40);
    for (int is_done = 0; is_done < 2; is_done++) {
        const struct psw_journal_entry done = {.type = PSW_J_DONE, .run = 0xb1, .attempt = 1};
        if (!is_done)
            assert_int_equal(psw_journal_append_record(j, PSW_J_PIECE, 0xb1, 1, r, NULL),
                             PSW_OK);
        else
            assert_int_equal(psw_journal_append(j, done, NULL, NULL), PSW_OK);
        assert_int_equal(psw_results_write(p->path, fixture_layout(), j, NULL), PSW_OK);
        assert_int_equal(psw_results_open(p->path, &results, NULL), PSW_OK);
        assert_int_equal(psw_results_dim(results, "checkpoint"), is_done ? 3 : 1);
        psw_results_close(results);
    }
    psw_record_destroy(r);
    psw_journal_close(j);
}

static void record_of_a_run_no_longer_asked_for_is_ignored(void **state)
{
    const struct place *p = *state;
    char journal[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    fixture_write(p->path, NULL);
    assert_int_equal(psw_journal_path(p->path, journal, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(journal, &j, NULL), PSW_OK);
    struct psw_results_layout fewer = *fixture_layout();
    fewer.run += 3;
    fewer.n_run = 3;
    fewer.n_leaf = 0;
    assert_int_equal(psw_results_write(p->other, &fewer, j, NULL), PSW_OK);
    psw_journal_close(j);
    struct psw_results *r = open_it(p->other);
    assert_int_equal(psw_results_dim(r, "run"), 3);
    assert_close(psw_results_f64(r, "score")[0], 1.8, 1e-12);
    psw_results_close(r);
}

static size_t n_match(const char *pattern)
{
    glob_t found = {0};
    const size_t n = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return n;
}

static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_size : -1;
}

/** In a child with a file size limit: the snapshot fails, the old file stays, nothing else
 * does; and when there is space again, the same process writes. */
static int meet_a_full_disk(const char *path, int64_t n_bytes)
{
    char journal[PSW_PATH_BYTES], pattern[PSW_TEMPORARY_BYTES], text[4096] = "";
    struct psw_journal *j = NULL;
    struct psw_error err = {0};
    struct rlimit limit = {.rlim_cur = (rlim_t)n_bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    snprintf(pattern, sizeof pattern, "%s.*.tmp", path);
    if (psw_journal_path(path, journal, NULL) != PSW_OK) return 1;
    if (psw_journal_read(journal, &j, NULL) != PSW_OK) return 2;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (psw_results_write(path, fixture_layout(), j, &err) != PSW_ENOSPC) return 3;
    if (!strstr(err.text, path)) return 4;
    if (check_results(path, text) != 0 || n_match(pattern) != 0) return 5;
    limit.rlim_cur = RLIM_INFINITY;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (psw_results_write(path, fixture_layout(), j, &err) != PSW_OK) return 6;
    psw_journal_close(j);
    return check_results(path, text) == 0 ? 0 : 7;
}

static void full_disk_leaves_the_old_file(void **state)
{
    const struct place *p = *state;
    fixture_write(p->path, NULL);
    const int64_t n = size_of(p->path), limit[] = {0, 100, 20000, n / 2, n - 33, n - 10, n - 1};
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++) {
        const pid_t child = fork();
        if (child == 0) _exit(meet_a_full_disk(p->path, limit[i]));
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (status != 0)
            fail_msg("at %lld of %lld bytes: %d", (long long)limit[i], (long long)n, status);
    }
}

/** In a child: leave what a writer killed before its rename leaves. */
static int die_while_writing(const char *path)
{
    char temporary[PSW_TEMPORARY_BYTES];
    if (psw_file_temporary(path, temporary, NULL) != PSW_OK) return 1;
    return fclose(fopen(temporary, "w")) != 0;
}

static void leftover_of_a_killed_writer_is_removed(void **state)
{
    const struct place *p = *state;
    char pattern[PSW_TEMPORARY_BYTES], kept[PSW_TEMPORARY_BYTES];
    snprintf(pattern, sizeof pattern, "%s.*.tmp", p->path);
    snprintf(kept, sizeof kept, "%s.mine.tmp", p->path);
    const struct psw_file_part part = {"half", 4};
    const pid_t child = fork();
    if (child == 0) _exit(die_while_writing(p->path));
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(n_match(pattern), 1);
    assert_int_equal(psw_file_write(kept, &part, 1, NULL), PSW_OK);
    fixture_write(p->path, NULL);
    assert_int_equal(n_match(pattern), 1);
    assert_true(psw_file_exists(kept));
    assert_true(psw_file_exists(p->path));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    psw_log_setup(PSW_LOG_ERROR, "");
    const struct CMUnitTest tests[] = {
        TEST(written_file_passes_the_check),
        TEST(file_without_settings_is_as_good_as_one_with_them),
        TEST(long_settings_of_many_runs_are_packed_and_read_by_rows),
        TEST(values_stand_where_their_labels_say),
        TEST(settings_are_told_in_the_words_of_the_sweep_file),
        TEST(directions_and_tokens_stand_in_sweep_order),
        TEST(order_of_finishing_changes_nothing_that_is_not_volatile),
        TEST(same_journal_written_twice_gives_the_same_bytes),
        TEST(unfinished_sweep_is_a_sound_file_too),
        TEST(record_that_does_not_fit_the_schema_names_run_and_field),
        TEST(points_of_a_run_that_is_not_done_are_not_in_the_file),
        TEST(record_of_a_run_no_longer_asked_for_is_ignored),
        TEST(full_disk_leaves_the_old_file),
        TEST(leftover_of_a_killed_writer_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
