/* State files: what one number of ranks wrote, another reads; what is broken is refused and
 * named; a full disk leaves the older file alone. */
#include <support/support.h>

#include <posweep/comm/agree.h>
#include <posweep/optim/state.h>
#include <posweep/util/file.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { N_PARAM = 5 * PSW_BLOCK_FLOATS + 16, N_SHARD = 8, KEY = 77, STEP = 123 };

/* The whole arrays as they should be, and one rank's copy. */
struct fixture {
    char dir[256], path[300];
    float *want[3], *param, *moment[2], *buffer;
    struct psw_team team;
    double extra[4];
};

static int world_rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int setup(void **state)
{
    static struct fixture f;
    float *block = calloc(7 * (size_t)N_PARAM, sizeof *block);
    assert_non_null(block);
    for (int a = 0; a < 3; a++) {
        f.want[a] = block + a * N_PARAM;
        support_fill(f.want[a], N_PARAM, 1.0f, (uint64_t)a + 1);
    }
    f.param = block + 3 * N_PARAM;
    f.moment[0] = block + 4 * N_PARAM;
    f.moment[1] = block + 5 * N_PARAM;
    f.buffer = block + 6 * N_PARAM;
    if (world_rank() == 0) support_temp_dir(f.dir);
    PSW_MPI(MPI_Bcast(f.dir, sizeof f.dir, MPI_BYTE, 0, MPI_COMM_WORLD));
    snprintf(f.path, sizeof f.path, "%s/one.state", f.dir);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    free(f->want[0]);
    return world_rank() == 0 && psw_file_remove_tree(f->dir, NULL) != PSW_OK;
}

/* The first `size` ranks as a team; 0 on the others. */
static int team_of(struct fixture *f, int size)
{
    MPI_Comm comm;
    const int mine = world_rank() < size;
    PSW_MPI(MPI_Comm_split(MPI_COMM_WORLD, mine ? 0 : MPI_UNDEFINED, 0, &comm));
    if (mine) assert_int_equal(psw_team_init(comm, N_SHARD, &f->team, NULL), PSW_OK);
    return mine;
}

static void team_done(struct fixture *f, int mine)
{
    if (mine) PSW_MPI(MPI_Comm_free(&f->team.comm));
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static struct psw_state state_of(struct fixture *f)
{
    return (struct psw_state){.key = KEY,
                              .step = STEP,
                              .n_param = N_PARAM,
                              .param = f->param,
                              .moment1 = f->moment[0],
                              .moment2 = f->moment[1],
                              .extra = f->extra,
                              .n_extra_bytes = sizeof f->extra};
}

static psw_status write_state(struct fixture *f)
{
    const struct psw_slice s = psw_slice_of(f->team.rank, f->team.size, N_PARAM);
    memcpy(f->param, f->want[0], sizeof(float) * N_PARAM);
    for (int m = 0; m < 2; m++)
        memcpy(f->moment[m], f->want[1 + m] + s.begin,
               sizeof(float) * (size_t)(s.end - s.begin));
    for (int i = 0; i < 4; i++) f->extra[i] = 1.5 * i;
    const struct psw_state out = state_of(f);
    return psw_state_write(&f->team, &(struct psw_exec){0}, f->path, &out, f->buffer, NULL);
}

static psw_status read_state(struct fixture *f, struct psw_error *err)
{
    memset(f->param, 0, sizeof(float) * 3 * N_PARAM); /* and both moments */
    memset(f->extra, 0, sizeof f->extra);
    struct psw_state in = state_of(f);
    in.step = 0;
    const psw_status rc = psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, err);
    assert_int_equal(in.step, rc == PSW_OK ? STEP : 0);
    return rc;
}

static void assert_is_whole(const struct fixture *f)
{
    const struct psw_slice s = psw_slice_of(f->team.rank, f->team.size, N_PARAM);
    const size_t n = sizeof(float) * (size_t)(s.end - s.begin);
    assert_memory_equal(f->param, f->want[0], sizeof(float) * N_PARAM);
    for (int m = 0; m < 2; m++)
        if (n) assert_memory_equal(f->moment[m], f->want[1 + m] + s.begin, n);
    for (int i = 0; i < 4; i++) assert_close(f->extra[i], 1.5 * i, 0.0);
}

static void a_state_goes_between_any_numbers_of_ranks(void **state)
{
    struct fixture *f = *state;
    const int size = psw_comm_size(MPI_COMM_WORLD);
    for (int from = 1; from <= size; from *= 2)
        for (int to = 1; to <= size; to *= 2) {
            int mine = team_of(f, from);
            if (mine) assert_int_equal(write_state(f), PSW_OK);
            team_done(f, mine);
            mine = team_of(f, to);
            if (mine) assert_int_equal(read_state(f, NULL), PSW_OK);
            if (mine) assert_is_whole(f);
            team_done(f, mine);
        }
}

static void parameters_alone_are_read_from_a_state_with_moments(void **state)
{
    struct fixture *f = *state;
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    assert_int_equal(write_state(f), PSW_OK);
    struct psw_state in = {.key = KEY, .n_param = N_PARAM, .param = f->buffer};
    assert_int_equal(psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, NULL),
                     PSW_OK);
    assert_memory_equal(f->buffer, f->want[0], sizeof(float) * N_PARAM);
    team_done(f, mine);
}

static void moments_that_are_not_there_are_missed(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    struct psw_state out = {.key = KEY, .step = STEP, .n_param = N_PARAM, .param = f->want[0]};
    assert_int_equal(
        psw_state_write(&f->team, &(struct psw_exec){0}, f->path, &out, NULL, NULL), PSW_OK);
    assert_int_equal(read_state(f, &err), PSW_EDATA);
    assert_non_null(strstr(err.text, "no optimiser moments"));
    team_done(f, mine);
}

static void a_state_of_another_run_or_model_is_refused(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    assert_int_equal(write_state(f), PSW_OK);
    struct psw_state in = state_of(f);
    in.key++;
    assert_int_equal(psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, &err),
                     PSW_EDATA);
    assert_non_null(strstr(err.text, "another run"));
    assert_non_null(strstr(err.text, f->path));
    in = state_of(f);
    in.n_param -= 16;
    assert_int_equal(psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, NULL),
                     PSW_EDATA);
    in = state_of(f);
    in.n_extra_bytes--;
    assert_int_equal(psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, NULL),
                     PSW_EDATA);
    team_done(f, mine);
}

static void extra_bytes_may_be_fewer_than_there_is_room_for(void **state)
{
    struct fixture *f = *state;
    double extra[5] = {0, 0, 0, 0, -1};
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    assert_int_equal(write_state(f), PSW_OK);
    struct psw_state in = state_of(f);
    in.extra = extra;
    in.n_extra_bytes = sizeof extra;
    assert_int_equal(psw_state_read(&f->team, &(struct psw_exec){0}, f->path, &in, NULL),
                     PSW_OK);
    assert_int_equal(in.n_extra_bytes, sizeof f->extra);
    assert_memory_equal(extra, f->extra, sizeof f->extra);
    assert_close(extra[4], -1, 0);
    team_done(f, mine);
}

/* Change one byte (or, with at < 0, cut the last -at bytes off), on rank 0. */
static void damage(const struct fixture *f, long at)
{
    char *bytes = NULL;
    size_t n = 0;
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (world_rank() == 0) {
        assert_int_equal(psw_file_read(f->path, &bytes, &n, NULL), PSW_OK);
        if (at >= 0) bytes[at] = (char)(bytes[at] ^ 0x10);
        const struct psw_file_part part = {bytes, at < 0 ? n - (size_t)-at : n};
        assert_int_equal(psw_file_write(f->path, &part, 1, NULL), PSW_OK);
        free(bytes);
    }
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
}

static void a_damaged_or_short_file_is_refused_by_all_ranks(void **state)
{
    struct fixture *f = *state;
    static const struct {
        long at;
        psw_status rc;
        const char *text;
    } CASES[] = {
        {0, PSW_EDATA, "not a state file"},
        {200, PSW_EDATA, "checksum"},                               /* a parameter */
        {64 + 4L * N_PARAM + 4000, PSW_EDATA, "checksum"},          /* a moment */
        {64 + 12L * N_PARAM + 8, PSW_EDATA, "checksum"},            /* the caller's bytes */
        {-4, PSW_EDATA, "unexpected end of file"},                  /* half a checksum */
        {-(8 + 32 + 4L * N_PARAM), PSW_EDATA, "unexpected end of"}, /* a moment too few */
    };
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct psw_error err = {0};
        assert_int_equal(write_state(f), PSW_OK);
        damage(f, CASES[i].at);
        assert_int_equal(read_state(f, &err), CASES[i].rc);
        assert_non_null(strstr(err.text, CASES[i].text));
        assert_non_null(strstr(err.text, f->path));
    }
    team_done(f, mine);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    struct fixture *f = *state;
    struct psw_error err = {0};
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    struct psw_state in = state_of(f);
    assert_int_equal(
        psw_state_read(&f->team, &(struct psw_exec){0}, "/nowhere/x.state", &in, &err),
        PSW_ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/x.state"));
    assert_int_equal(psw_state_write(&f->team, &(struct psw_exec){0}, "/nowhere/x.state", &in,
                                     f->buffer, &err),
                     PSW_ENOENT);
    team_done(f, mine);
}

static void a_full_disk_leaves_the_older_state_untouched(void **state)
{
    struct fixture *f = *state;
    const int mine = team_of(f, psw_comm_size(MPI_COMM_WORLD));
    assert_int_equal(write_state(f), PSW_OK);
    struct rlimit limit, full;
    getrlimit(RLIMIT_FSIZE, &limit);
    full = limit;
    full.rlim_cur = N_PARAM * sizeof(float) * 2; /* in the middle of a moment */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    const psw_status rc = write_state(f);
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(rc, PSW_ENOSPC);
    assert_int_equal(read_state(f, NULL), PSW_OK);
    assert_is_whole(f);
    PSW_MPI(MPI_Barrier(MPI_COMM_WORLD));
    if (world_rank() == 0) { /* nothing half-written stays behind */
        assert_int_equal(remove(f->path), 0);
        assert_int_equal(remove(f->dir), 0);
        assert_int_equal(psw_file_make_dir(f->dir, NULL), PSW_OK);
    }
    team_done(f, mine);
}

int mpi_test_main(void);

int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_goes_between_any_numbers_of_ranks),
        cmocka_unit_test(parameters_alone_are_read_from_a_state_with_moments),
        cmocka_unit_test(moments_that_are_not_there_are_missed),
        cmocka_unit_test(a_state_of_another_run_or_model_is_refused),
        cmocka_unit_test(extra_bytes_may_be_fewer_than_there_is_room_for),
        cmocka_unit_test(a_damaged_or_short_file_is_refused_by_all_ranks),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_full_disk_leaves_the_older_state_untouched),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
