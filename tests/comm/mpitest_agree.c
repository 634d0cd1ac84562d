/* Agreement: one failing rank is everybody's failure, with one message. */
#include <posweep/comm/agree.h>
#include <support/support.h>

#include <mpi.h>
#include <string.h>

static int rank(void)
{
    return psw_comm_rank(MPI_COMM_WORLD);
}

static int size(void)
{
    return psw_comm_size(MPI_COMM_WORLD);
}

static void everybody_well_is_ok_and_leaves_the_message_alone(void **state)
{
    (void)state;
    struct psw_error err = {.text = "old"};
    assert_int_equal(psw_agree(MPI_COMM_WORLD, PSW_OK, &err), PSW_OK);
    assert_string_equal(err.text, "old");
}

static void one_failing_rank_fails_all_with_its_message(void **state)
{
    (void)state;
    for (int bad = 0; bad < size(); bad++) {
        struct psw_error err = {0};
        psw_status rc = PSW_OK;
        if (rank() == bad) rc = psw_fail(&err, PSW_EDATA, "rank %d: broken", bad);
        assert_int_equal(psw_agree(MPI_COMM_WORLD, rc, &err), PSW_EDATA);
        assert_int_equal(err.code, PSW_EDATA);
        assert_true(strncmp(err.text, "rank ", 5) == 0 && err.text[5] == '0' + bad);
    }
}

static void of_many_failing_ranks_the_first_speaks(void **state)
{
    (void)state;
    struct psw_error err = {0};
    const psw_status mine =
        psw_fail(&err, rank() == 0 ? PSW_ENOMEM : PSW_EIO, "rank %d", rank());
    assert_int_equal(psw_agree(MPI_COMM_WORLD, mine, &err), PSW_ENOMEM);
    assert_string_equal(err.text, "rank 0");
}

static void ranks_without_room_for_a_message_agree_too(void **state)
{
    (void)state;
    struct psw_error err = {0};
    const int last = size() - 1;
    psw_status rc = rank() == last ? PSW_ENOSPC : PSW_OK;
    assert_int_equal(psw_agree(MPI_COMM_WORLD, rc, NULL), PSW_ENOSPC);
    if (rank() == last) rc = psw_fail(&err, PSW_ENOSPC, "full");
    assert_int_equal(psw_agree(MPI_COMM_WORLD, rc, rank() == last ? &err : NULL), PSW_ENOSPC);
    assert_int_equal(psw_agree(MPI_COMM_WORLD, PSW_OK, NULL), PSW_OK);
}

int mpi_test_main(void);
int mpi_test_main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_well_is_ok_and_leaves_the_message_alone),
        cmocka_unit_test(one_failing_rank_fails_all_with_its_message),
        cmocka_unit_test(of_many_failing_ranks_the_first_speaks),
        cmocka_unit_test(ranks_without_room_for_a_message_agree_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
