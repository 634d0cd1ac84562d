/* The benchmark of a training step, on a size that takes no time. */
#include <support/support.h>

#include <posweep/bench/step.h>

static void count_update(void *ctx, int64_t n, float *param, const float *grad)
{
    (void)param;
    (void)grad;
    assert_true(n > 0);
    ++*(int *)ctx;
}

static struct psw_bench_step_opts small(int *n_update)
{
    return (struct psw_bench_step_opts){.dims = {.n_layer = 1,
                                                 .width = 16,
                                                 .n_head = 2,
                                                 .hidden = 64,
                                                 .n_vocab = 23,
                                                 .context = 8,
                                                 .rotary_dims = 2,
                                                 .rotary_base = 100,
                                                 .norm_eps = 1e-5,
                                                 .init_std = 0.02,
                                                 .tied = 1},
                                        .T = 8,
                                        .B = 2,
                                        .n_rep = 3,
                                        .n_thread = 1,
                                        .update = count_update,
                                        .ctx = n_update};
}

static void every_measured_time_is_positive_and_the_step_updates_once(void **state)
{
    (void)state;
    int n_update = 0;
    const struct psw_bench_step_opts opts = small(&n_update);
    struct psw_bench_step_result r = {0};
    assert_int_equal(psw_bench_step(&opts, &r, NULL), PSW_OK);
    assert_int_equal(n_update, 3 + 1); /* the first repetition warms up */
    assert_true(r.step_s > 0 && r.gemm_s > 0 && r.forward_s > 0 && r.tangent_s > 0);
    assert_close(r.tok_per_s * r.step_s, 16.0, 1e-9);
    assert_true(r.ratio > 0 && r.memory_bytes > 0);
}

static void a_length_beyond_the_context_is_refused(void **state)
{
    (void)state;
    int n_update = 0;
    struct psw_bench_step_opts opts = small(&n_update);
    opts.T = 9;
    struct psw_bench_step_result r = {0};
    assert_int_equal(psw_bench_step(&opts, &r, NULL), PSW_EINVAL);
    assert_int_equal(n_update, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_measured_time_is_positive_and_the_step_updates_once),
        cmocka_unit_test(a_length_beyond_the_context_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
