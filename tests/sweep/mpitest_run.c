/* What `posweep run` is made of, below the command line: performing a task, rank 0's recorder.
 */
#include "run_internal.h"
#include "sweep_internal.h"

#include <support/support.h>

#include <glob.h>
#include <posweep/config/pack.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char SWEEP[] = "name: tiny\n"
                            "seeds: [1, 2]\n"
                            "base:\n"
                            "  task: lists\n"
                            "  lists: {sft: 64, pairs: 16}\n"
                            "  model: {layers: 1, width: 16, heads: 2, context: 64}\n"
                            "  sft: {steps: 2, batch: 8}\n"
                            "  policy: {method: dpo, steps: 2, batch: 8}\n"
                            "  final: {prompts: 2, max_new: 4}\n"
                            "  trace: {every: 2, probe: 8, cosine_every: 0}\n";

struct place {
    char folder[256], sweep[320], out[320];
    struct psw_run_opts opts;
};

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (rank() == 0) support_temp_dir(p->folder);
    PSW_MPI(MPI_Bcast(p->folder, sizeof p->folder, MPI_CHAR, 0, MPI_COMM_WORLD));
    snprintf(p->sweep, sizeof p->sweep, "%s/tiny.yaml", p->folder);
    snprintf(p->out, sizeof p->out, "%s/tiny.h5", p->folder);
    p->opts = (struct psw_run_opts){.sweep_path = p->sweep, .out_path = p->out};
    const struct psw_file_part part = {SWEEP, sizeof SWEEP - 1};
    if (rank() == 0) assert_int_equal(psw_file_write(p->sweep, &part, 1, NULL), PSW_OK);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    const psw_status rc = rank() == 0 ? psw_file_remove_tree(p->folder, NULL) : PSW_OK;
    free(p);
    return rc != PSW_OK;
}

static void data_that_changed_for_one_rank_fails_the_task_on_all(void **state)
{
    const struct place *p = *state;
    struct psw_sweep *sweep = NULL;
    struct psw_work_plan plan = {0};
    struct psw_error err = {0};
    assert_int_equal(psw_sweep_read(p->sweep, NULL, 0, &sweep, &err), PSW_OK);
    assert_int_equal(psw_work_plan_init(sweep, NULL, &plan, &err), PSW_OK);
    const int is_last = rank() == psw_comm_size(MPI_COMM_WORLD) - 1;
    static uint8_t note[sizeof(struct psw_assigned_run) + PSW_CONFIG_PACKED_BYTES];
    struct psw_assigned_run own = {.data_hash =
                                       psw_plan_data_of(&plan, 0)->hash ^ (uint64_t)is_last};
    struct psw_config base;
    psw_config_default(&base);
    own.n_config_bytes =
        (int64_t)psw_config_pack(&sweep->configs.first, &base, note + sizeof own);
    memcpy(note, &own, sizeof own);
    struct psw_job job = {.note = note, .n_note = (int32_t)(sizeof own + own.n_config_bytes)};
    static struct psw_performer performer;
    assert_int_equal(psw_perform(&performer, MPI_COMM_WORLD, &plan.task[0], &job, &err),
                     PSW_EDATA);
    assert_non_null(strstr(err.text, "the data of run 1 changed"));
    /* The next attempt does not believe what this one read. */
    if (is_last) assert_null(performer.cache.data);
    job.n_note = 0;
    assert_int_equal(psw_perform(&performer, MPI_COMM_WORLD, &plan.task[0], &job, &err),
                     PSW_EIO);
    assert_non_null(strstr(err.text, "without its run"));
    psw_stage_cache_clear(&performer.cache);
    psw_work_plan_clear(&plan);
    psw_sweep_destroy(sweep);
}

static void a_rank_that_sees_other_data_is_refused_with_its_host(void **state)
{
    const struct place *p = *state;
    const int size = psw_comm_size(MPI_COMM_WORLD), is_last = rank() == size - 1;
    static const char ROWS[] = "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"
                               "{\"prompt\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}\n";
    char host[128] = "?", path[PSW_CFG_PATH];
    struct psw_error err = {0};
    struct psw_data_sets sets = {0};
    struct psw_data_origins one = {.n = 1};
    snprintf(path, sizeof path, "%s/pairs", p->folder);
    const struct psw_file_part part = {ROWS, sizeof ROWS - 1};
    if (rank() == 0) assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    snprintf(one.item[0].name, sizeof one.item[0].name, "pairs");
    snprintf(one.item[0].path, sizeof one.item[0].path, "%s", path);
    one.item[0].n_bytes = sizeof ROWS - 1;
    one.item[0].hash = psw_hash_bytes(ROWS, sizeof ROWS - 1, 0);
    if (rank() == 0) assert_int_equal(psw_data_sets_add(&sets, &one, NULL), PSW_OK);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(psw_data_sets_agree(MPI_COMM_WORLD, &sets, &err), PSW_OK);
    if (rank() == 0) sets.set[0].item[0].hash ^= 1; /* what rank 0 read */
    if (size > 1) {
        gethostname(host, sizeof host - 1);
        assert_int_equal(psw_data_sets_agree(MPI_COMM_WORLD, &sets, &err), PSW_EDATA);
        assert_non_null(strstr(err.text, host));
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, "every node must see the same"));
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (is_last) assert_int_equal(unlink(path), 0);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(psw_data_sets_agree(MPI_COMM_WORLD, &sets, &err),
                     size > 1 ? PSW_ENOENT : PSW_OK);
    psw_data_sets_clear(&sets);
}

static void all_ranks_but_the_first_work_on_this_node(void **state)
{
    (void)state;
    const int size = psw_comm_size(MPI_COMM_WORLD);
    assert_int_equal(psw_nodes_workers(MPI_COMM_WORLD), size > 1 ? size - 1 : 1);
    assert_int_equal(psw_nodes_workers(MPI_COMM_SELF), 1);
}

static int n_tokens(const char *folder)
{
    char pattern[320];
    glob_t found = {.gl_pathc = 0};
    snprintf(pattern, sizeof pattern, "%s/shared.token*", folder);
    const int n = glob(pattern, GLOB_NOSORT, NULL, &found) == 0 ? (int)found.gl_pathc : 0;
    globfree(&found);
    return n;
}

static void a_work_folder_that_one_rank_does_not_see_is_refused_on_all(void **state)
{
    const struct place *p = *state;
    const int is_last = rank() == psw_comm_size(MPI_COMM_WORLD) - 1;
    char other[320], host[128] = "?";
    struct psw_error err = {0};
    snprintf(other, sizeof other, "%s/other", p->folder);
    if (rank() == 0) assert_int_equal(psw_file_make_dir(other, NULL), PSW_OK);
    assert_int_equal(psw_nodes_share_folder(MPI_COMM_WORLD, p->folder, &err), PSW_OK);
    if (psw_comm_size(MPI_COMM_WORLD) == 1) return;
    assert_int_equal(psw_nodes_share_folder(MPI_COMM_WORLD, is_last ? other : p->folder, &err),
                     PSW_ENOENT);
    gethostname(host, sizeof host - 1);
    assert_non_null(strstr(err.text, host));
    assert_non_null(strstr(err.text, other)); /* the folder of the rank that looked */
    assert_non_null(strstr(err.text, "a file system that all nodes see"));
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(n_tokens(p->folder), 0);
}

/* As the jobs of an array do, which start at the same moment. */
static void starts_that_share_a_work_folder_do_not_take_each_others_file(void **state)
{
    const struct place *p = *state;
    struct psw_error err = {0};
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    for (int i = 0; i < 50; i++)
        if (psw_nodes_share_folder(MPI_COMM_SELF, p->folder, &err) != PSW_OK)
            fail_msg("start %d: %s", i, err.text);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(n_tokens(p->folder), 0);
}

/* As a process that is killed: its lock stays. */
static void die(const struct place *p, struct psw_recorder *k)
{
    char path[PSW_PATH_BYTES];
    const struct psw_file_part text = {"pid 1 on ? since a while\n", 25};
    assert_int_equal(psw_journal_sync(k->journal, NULL), PSW_OK);
    psw_recorder_close(k);
    assert_int_equal(psw_journal_path(p->out, path, NULL), PSW_OK);
    assert_true(strlen(path) + sizeof ".lock" <= sizeof path);
    strcat(path, ".lock");
    assert_int_equal(psw_file_write(path, &text, 1, NULL), PSW_OK);
}

/* As a job that is killed in the first run, as often. */
static void lose_first_run(const struct place *p, int n_lost)
{
    for (int i = 0; i < n_lost; i++) {
        struct psw_recorder k;
        struct psw_error err = {0};
        if (psw_recorder_open(&k, &p->opts, 1, 1, &err) != PSW_OK) fail_msg("%s", err.text);
        const int32_t task = k.plan.run[0].task[PSW_STAGE_POLICY];
        assert_int_equal(psw_ledger_n_wasted(k.ledger, task), i);
        assert_int_equal(k.tasks.suspect[task], i >= 1);
        const struct psw_journal_entry started = {
            .type = PSW_J_STARTED, .run = k.sweep->run[0].hash, .attempt = i + 1};
        assert_int_equal(psw_journal_append(k.journal, started, NULL, NULL), PSW_OK);
        die(p, &k);
    }
}

/* As jobs that are killed while both runs are at work, each further on than the one before if
 * `advances`. */
static void lose_both_runs(const struct place *p, int n_lost, int advances)
{
    for (int i = 0; i < n_lost; i++) {
        struct psw_recorder k;
        if (psw_recorder_open(&k, &p->opts, 1, 1, NULL) != PSW_OK) fail_msg("start %d", i);
        const struct psw_sweep_hooks hooks = psw_recorder_hooks(&k);
        for (int r = 0; r < 2; r++) {
            const int32_t task = k.plan.run[r].task[PSW_STAGE_POLICY];
            const struct psw_attempt attempt = {.task = task, .number = i + 1, .host = "n1"};
            assert_int_equal(k.tasks.suspect[task], !advances && i >= 2);
            assert_int_equal(psw_ledger_n_wasted(k.ledger, task), advances ? 0 : i / 10);
            const double done = i == 0 ? 0 : advances ? i : 1; /* of 100, at the last record */
            assert_float_equal(psw_ledger_left(k.ledger, task), 1 - done / 100, 1e-12);
            k.tasks.progress[task].attempt = -1; /* as the ledger would number it */
            assert_int_equal(hooks.on_started(&k, &attempt, NULL), PSW_OK);
            hooks.on_progress(&k, task, advances ? i + 1 : 1, 100);
            hooks.on_progress(&k, task, 99, 100); /* where it got to says nothing */
        }
        die(p, &k);
    }
}

static void runs_that_died_together_are_suspects_until_they_get_further(void **state)
{
    const struct place *p = *state;
    struct psw_run_summary s;
    struct psw_error err = {0};
    if (rank() == 0) lose_both_runs(p, 12, 0);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (psw_sweep_run(MPI_COMM_WORLD, &p->opts, &s, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_int_equal(s.n_done, 2); /* innocent */
}

static void a_run_that_gets_further_each_time_is_no_suspect(void **state)
{
    if (rank() == 0) lose_both_runs(*state, 12, 1);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void a_run_that_kills_every_job_is_given_up_and_the_others_go_on(void **state)
{
    const struct place *p = *state;
    struct psw_run_summary s;
    struct psw_error err = {0};
    if (rank() == 0) lose_first_run(p, 2); /* alone */
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(psw_sweep_run(MPI_COMM_WORLD, &p->opts, &s, &err), PSW_OK);
    assert_int_equal(s.n_done, 1);
    assert_int_equal(s.n_failed, 1);
    if (rank() > 0) return;
    char path[PSW_PATH_BYTES];
    struct psw_journal *j = NULL;
    assert_int_equal(psw_journal_path(p->out, path, NULL), PSW_OK);
    assert_int_equal(psw_journal_read(path, &j, NULL), PSW_OK);
    for (int64_t i = 0; i < psw_journal_n_entry(j); i++) {
        void *text = NULL;
        if (psw_journal_entry_at(j, i)->type != PSW_J_FAILED) continue;
        assert_int_equal(psw_journal_payload(j, i, &text, NULL), PSW_OK);
        assert_non_null(
            strstr(text, "2 starts died without a word while it was alone at work"));
        free(text);
    }
    psw_journal_close(j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int mpi_test_main(void);
int mpi_test_main(void)
{
    psw_log_setup(PSW_LOG_ERROR, ""); /* what a sweep says of itself: not here */
    const struct CMUnitTest tests[] = {
        TEST(data_that_changed_for_one_rank_fails_the_task_on_all),
        TEST(a_rank_that_sees_other_data_is_refused_with_its_host),
        TEST(all_ranks_but_the_first_work_on_this_node),
        TEST(a_work_folder_that_one_rank_does_not_see_is_refused_on_all),
        TEST(starts_that_share_a_work_folder_do_not_take_each_others_file),
        TEST(a_run_that_kills_every_job_is_given_up_and_the_others_go_on),
        TEST(runs_that_died_together_are_suspects_until_they_get_further),
        TEST(a_run_that_gets_further_each_time_is_no_suspect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
