/* The training log: rows of the steps that are logged; its saved state is as long as what has
 * been done, and is taken for no other. */
#include <support/support.h>

#include <posweep/optim/train_log.h>

#include <string.h>

enum { N_STEP = 10, EVERY = 3, N_CONTROLLER = 2 };

static const char *const NAMES[] = {"loss", "tokens_per_s", NULL};

static struct psw_train_log log_of(int64_t n_done)
{
    struct psw_train_log log;
    assert_int_equal(psw_train_log_init(&log, NAMES, N_STEP, EVERY, N_CONTROLLER, NULL),
                     PSW_OK);
    for (int64_t step = 0; step < n_done; step++)
        psw_train_log_put(&log, step, (const double[]){(double)step, 100.0 + (double)step});
    for (int i = 0; i < N_CONTROLLER; i++) log.controller[i] = 0.5 + i;
    return log;
}

static void every_third_step_has_a_row(void **state)
{
    (void)state;
    struct psw_train_log log = log_of(N_STEP);
    assert_int_equal(log.n_row, 4); /* steps 0, 3, 6, 9 */
    assert_int_equal(log.n_step, N_STEP);
    for (int64_t row = 0; row < log.n_row; row++) {
        assert_close(psw_train_log_at(&log, row, 0), 3.0 * (double)row, 0);
        assert_close(psw_train_log_at(&log, row, 1), 100.0 + 3.0 * (double)row, 0);
    }
    psw_train_log_clear(&log);
}

static void what_is_saved_is_as_long_as_what_has_been_done(void **state)
{
    (void)state;
    static const int64_t ROWS[N_STEP + 1] = {0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4};
    for (int64_t n_done = 0; n_done <= N_STEP; n_done++) {
        struct psw_train_log log = log_of(n_done), other = log_of(0);
        const size_t n_bytes = psw_train_log_pack(&log);
        assert_int_equal(n_bytes,
                         sizeof(double) * (1 + N_CONTROLLER + 2 * (size_t)ROWS[n_done]));
        assert_true(n_bytes <= psw_train_log_room(&other));
        other.controller[0] = -1;
        memcpy(other.saved, log.saved, n_bytes);
        assert_true(psw_train_log_unpack(&other, n_bytes, n_done));
        assert_int_equal(other.n_step, n_done);
        assert_close(other.controller[0], 0.5, 0);
        assert_memory_equal(other.saved, log.saved, psw_train_log_room(&log));
        psw_train_log_clear(&log);
        psw_train_log_clear(&other);
    }
}

static void the_log_of_other_steps_is_refused(void **state)
{
    (void)state;
    struct psw_train_log log = log_of(5);
    const size_t n_bytes = psw_train_log_pack(&log);
    assert_true(psw_train_log_unpack(&log, n_bytes, 5));
    assert_false(psw_train_log_unpack(&log, n_bytes, 6)); /* as many rows */
    assert_false(psw_train_log_unpack(&log, n_bytes - sizeof(double), 5));
    assert_false(psw_train_log_unpack(&log, n_bytes, 2));
    assert_false(psw_train_log_unpack(&log, n_bytes, -1));
    log.saved[0] = 13; /* more than the training has */
    assert_false(psw_train_log_unpack(&log, psw_train_log_room(&log) + 2 * sizeof(double), 13));
    psw_train_log_clear(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_third_step_has_a_row),
        cmocka_unit_test(what_is_saved_is_as_long_as_what_has_been_done),
        cmocka_unit_test(the_log_of_other_steps_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
