/* Node memory: what its writer leaves, all ranks of the node read, any number of times; where
 * there is no room every rank is told to keep its own. */
#include <posweep/comm/agree.h>
#include <posweep/comm/node_memory.h>
#include <support/support.h>

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

enum { N = 100000 };
static const char FOLDER[] = "OMPI_MCA_osc_sm_backing_directory";

static int size(void)
{
    return psw_comm_size(MPI_COMM_WORLD);
}

static struct psw_node_memory *take(size_t n_bytes, char why[160])
{
    struct psw_node_memory *m = NULL;
    assert_int_equal(psw_node_memory_open(MPI_COMM_WORLD, n_bytes, &m, why, 160, NULL), PSW_OK);
    return m;
}

static void what_one_rank_writes_all_read(void **state)
{
    (void)state;
    char why[160];
    struct psw_node_memory *m = take(sizeof(float) * N, why);
    const int has_room = psw_node_memory_has_room(sizeof(float) * N + 4096);
    assert_int_equal(m != NULL, size() > 1 && has_room);
    assert_int_equal(why[0] != 0, size() > 1 && !has_room);
    if (!m) return;
    float *x = psw_node_memory_base(m);
    assert_int_equal((uintptr_t)x % 64, 0);
    for (int round = 0; round < 20; round++) {
        const int is_writer = psw_node_memory_begin(m);
        int n_writer = is_writer;
        for (int i = 0; is_writer && i < N; i++) x[i] = (float)(i % 1000 + round);
        psw_node_memory_end(m);
        PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, &n_writer, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD));
        assert_int_equal(n_writer, 1);
        for (int i = 0; i < N; i++) assert_true(x[i] == (float)(i % 1000 + round));
    }
    psw_node_memory_close(m);
}

static void it_holds_its_own_addresses_alone(void **state)
{
    (void)state;
    char why[160] = "";
    assert_false(psw_node_memory_holds(NULL, why));
    struct psw_node_memory *m = take(4096, why);
    if (!m) return;
    const char *base = psw_node_memory_base(m);
    assert_true(psw_node_memory_holds(m, base));
    assert_true(psw_node_memory_holds(m, base + 4095));
    assert_false(psw_node_memory_holds(m, base + 4096));
    assert_false(psw_node_memory_holds(m, why));
    psw_node_memory_close(m);
}

static void nothing_is_shared_of_nothing(void **state)
{
    (void)state;
    char why[160] = "old";
    assert_null(take(0, why));
    assert_string_equal(why, "");
}

/* /proc is a file system without room; a folder that is not there has none either. */
static void without_room_every_rank_keeps_its_own(void **state)
{
    (void)state;
    static const char *const FOLDERS[] = {"/proc", "/nowhere"};
    char why[160];
    for (int i = 0; i < 2; i++) {
        setenv(FOLDER, FOLDERS[i], 1);
        assert_false(psw_node_memory_has_room(1e6));
        assert_null(take(1000000, why));
        if (size() > 1) assert_non_null(strstr(why, " has no room for 1.0 MiB"));
        if (size() > 1) assert_int_equal(strncmp(why, FOLDERS[i], strlen(FOLDERS[i])), 0);
    }
    unsetenv(FOLDER);
    assert_null(take((size_t)1 << 50, why)); /* more than there is anywhere */
    assert_int_equal(why[0] != 0, size() > 1);
}

/* A sweep opens and closes one per task. */
static void many_one_after_the_other_leave_nothing_behind(void **state)
{
    (void)state;
    char why[160];
    for (int i = 0; i < 300; i++) {
        struct psw_node_memory *m = take(8192, why);
        assert_int_equal(m != NULL, size() > 1 && !why[0]);
        psw_node_memory_close(m);
    }
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_rank_writes_all_read),
        cmocka_unit_test(it_holds_its_own_addresses_alone),
        cmocka_unit_test(nothing_is_shared_of_nothing),
        cmocka_unit_test(without_room_every_rank_keeps_its_own),
        cmocka_unit_test(many_one_after_the_other_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
