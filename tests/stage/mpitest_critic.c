/* A critic of its own beside the policy's state, on 1 and 2 ranks: however often a run is
 * continued it keeps two files, and a kill between writing the critic and writing the state
 * loses nothing. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/kernels/blas.h>
#include <posweep/model/model.h>
#include <posweep/stage/stage.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_STEP = 5 };

struct fixture {
    struct psw_config config;
    struct psw_dataset *data;
    struct psw_model *model;
    char top[256], dir[2][300];
    int n_asked, stop_at;
};

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int on_should_stop(void *ctx)
{
    struct fixture *f = ctx;
    return ++f->n_asked == f->stop_at;
}

static struct psw_stage stage_of(struct fixture *f, int k)
{
    return (struct psw_stage){.config = &f->config,
                              .data = f->data,
                              .model = f->model,
                              .comm = MPI_COMM_WORLD,
                              .work_dir = f->dir[k],
                              .attempt = 1,
                              .hooks = {.ctx = f, .should_stop = on_should_stop}};
}

static int setup(void **state)
{
    static struct fixture f;
    static const char *const SETTINGS[][2] = {
        {"lists.sft", "16"},      {"lists.pairs", "40"},  {"model.layers", "1"},
        {"model.width", "16"},    {"model.heads", "2"},   {"sft.steps", "2"},
        {"policy.method", "ppo"}, {"policy.batch", "8"},  {"policy.steps", "5"},
        {"policy.lr", "1e-2"},    {"policy.epochs", "2"}, {"reward.source", "scorer"},
        {"rollout.max_new", "6"}, {"final.prompts", "4"}, {"eval.prompts", "4"},
        {"final.max_new", "6"},   {"trace.every", "5"},   {"trace.probe", "8"}};
    struct psw_model_dims dims;
    psw_blas_pin(1);
    psw_config_default(&f.config);
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        if (psw_config_set(&f.config, SETTINGS[i][0], SETTINGS[i][1], NULL) != PSW_OK)
            return -1;
    if (psw_dataset_open(&f.config, &f.data, NULL) != PSW_OK ||
        psw_stage_model_dims(&f.config, f.data->tokenizer->n_vocab, &dims, NULL) != PSW_OK ||
        psw_model_create(&dims, &f.model, NULL) != PSW_OK)
        return -1;
    if (rank() == 0) support_temp_dir(f.top);
    PSW_MPI(MPI_Bcast(f.top, sizeof f.top, MPI_BYTE, 0, MPI_COMM_WORLD));
    for (int k = 0; k < 2; k++) {
        snprintf(f.dir[k], sizeof f.dir[k], "%s/%s", f.top, k ? "pieces" : "whole");
        if (rank() == 0 && psw_file_make_dir(f.dir[k], NULL) != PSW_OK) return -1;
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    for (int k = 0; k < 2; k++) {
        const struct psw_stage stage = stage_of(&f, k);
        if (psw_stage_perform(PSW_STAGE_SFT, &stage, NULL) != PSW_OK) return -1;
    }
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    psw_dataset_destroy(f->data);
    psw_model_destroy(f->model);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    return rank() == 0 && psw_file_remove_tree(f->top, NULL) != PSW_OK;
}

/* Go on with the run; stop after that many steps, 0: at the end. */
static psw_status go_on(struct fixture *f, int k, int stop_at)
{
    const struct psw_stage stage = stage_of(f, k);
    f->n_asked = 0;
    f->stop_at = stop_at;
    return psw_stage_perform(PSW_STAGE_POLICY, &stage, NULL);
}

static void path_in(struct fixture *f, int k, const char *name, char out[PSW_PATH_BYTES])
{
    char dir[PSW_PATH_BYTES];
    const struct psw_stage stage = stage_of(f, k);
    assert_int_equal(psw_stage_path(&stage, PSW_STAGE_POLICY, dir, NULL), PSW_OK);
    assert_int_equal(psw_path(out, PSW_PATH_BYTES, NULL, "%s/%s", dir, name), PSW_OK);
}

static int count_critics(struct fixture *f, int k)
{
    char path[PSW_PATH_BYTES];
    int n = 0;
    path_in(f, k, ".", path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) n += strncmp(e->d_name, "critic", 6) == 0;
    closedir(dir);
    return n;
}

static void assert_same_end(struct fixture *f)
{
    char path[PSW_PATH_BYTES], *bytes[2];
    size_t n_bytes[2];
    for (int k = 0; k < 2; k++) {
        path_in(f, k, "ckpt-000005.state", path);
        assert_int_equal(psw_file_read(path, &bytes[k], &n_bytes[k], NULL), PSW_OK);
    }
    assert_int_equal(n_bytes[0], n_bytes[1]);
    assert_memory_equal(bytes[0], bytes[1], n_bytes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void forget(struct fixture *f)
{
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (rank() == 0)
        assert_int_equal(psw_stage_forget(f->dir[1], &f->config, f->data->content_hash, NULL),
                         PSW_OK);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void a_run_that_is_continued_again_and_again_keeps_two_critics(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(go_on(f, 0, 0), PSW_OK);
    for (int step = 1; step < N_STEP; step++) {
        assert_int_equal(go_on(f, 1, 1), PSW_ESTOP);
        assert_int_equal(count_critics(f, 1), step < 2 ? step : 2);
    }
    assert_int_equal(go_on(f, 1, 0), PSW_OK);
    assert_int_equal(count_critics(f, 1), 2);
    assert_same_end(f);
    forget(f);
}

/* As after a kill: the critic of step 3 is there, the state is still that of step 2. */
static void a_kill_between_critic_and_state_loses_nothing(void **state)
{
    struct fixture *f = *state;
    char path[PSW_PATH_BYTES], *bytes = NULL;
    size_t n_bytes = 0;
    assert_int_equal(go_on(f, 0, 0), PSW_OK);
    assert_int_equal(go_on(f, 1, 2), PSW_ESTOP);
    path_in(f, 1, "resume.state", path);
    assert_int_equal(psw_file_read(path, &bytes, &n_bytes, NULL), PSW_OK);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    assert_int_equal(go_on(f, 1, 1), PSW_ESTOP);
    const struct psw_file_part part = {bytes, n_bytes};
    if (rank() == 0) assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
    free(bytes);
    assert_int_equal(go_on(f, 1, 1), PSW_ESTOP);
    assert_int_equal(go_on(f, 1, 0), PSW_OK);
    assert_same_end(f);
    forget(f);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_is_continued_again_and_again_keeps_two_critics),
        cmocka_unit_test(a_kill_between_critic_and_state_loses_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
