/* G and its standard error against closed forms and a twin with quadratic loops. */
#include <support/support.h>

#include <math.h>
#include <posweep/objective/clustered_mean.h>

static struct psw_arena *scratch_of(void **state)
{
    return *state;
}

static int setup(void **state)
{
    struct psw_arena *arena = NULL;
    if (psw_arena_create("scratch", 1 << 16, &arena, NULL) != PSW_OK) return -1;
    *state = arena;
    return 0;
}

static int teardown(void **state)
{
    psw_arena_destroy(*state);
    return 0;
}

static void rows_are_summed_within_their_sequence(void **state)
{
    (void)state;
    const float row[] = {1e8f, 1.0f, -1e8f, 0.5f, 0.25f};
    const int64_t seq_row[] = {0, 3, 3, 5};
    double sum[3];
    psw_sequence_sums(3, seq_row, row, sum);
    assert_close(sum[0], 1.0, 0.0); /* float sums would lose it */
    assert_close(sum[1], 0.0, 0.0);
    assert_close(sum[2], 0.75, 0.0);
}

static void single_item_clusters_give_the_textbook_standard_error(void **state)
{
    const double x[] = {1.0, 2.0, 4.0, 7.0, 11.0};
    const uint64_t cluster[] = {50, 10, 40, 30, 20};
    const struct psw_mean m = psw_cluster_mean(5, x, cluster, scratch_of(state));
    /* sum of squares about 5 is 66; s^2 = 16.5; se = sqrt(16.5 / 5) */
    assert_close(m.mean, 5.0, 1e-15);
    assert_close(m.se, sqrt(3.3), 1e-15);
    assert_int_equal(m.n_cluster, 5);
}

static void copies_of_an_item_in_its_cluster_add_no_information(void **state)
{
    const double x[] = {1.0, 2.0, 4.0, 1.0, 2.0, 4.0};
    const uint64_t cluster[] = {7, 8, 9, 7, 8, 9};
    const struct psw_mean once = psw_cluster_mean(3, x, cluster, scratch_of(state));
    const struct psw_mean twice = psw_cluster_mean(6, x, cluster, scratch_of(state));
    assert_close(twice.mean, once.mean, 1e-15);
    assert_close(twice.se, once.se, 1e-15);
    assert_int_equal(twice.n_cluster, 3);
}

static void unequal_clusters_of_equal_items_have_no_error(void **state)
{
    const double x[] = {2.0, 2.0, 2.0, 2.0};
    const uint64_t cluster[] = {1, 1, 1, 2};
    assert_close(psw_cluster_mean(4, x, cluster, scratch_of(state)).se, 0.0, 0.0);
}

static void one_cluster_has_no_standard_error(void **state)
{
    const double x[] = {2.0, 3.0};
    const uint64_t cluster[] = {1, 1};
    const struct psw_mean m = psw_cluster_mean(2, x, cluster, scratch_of(state));
    assert_close(m.mean, 2.5, 0.0);
    assert_true(isnan(m.se));
    assert_true(isnan(psw_cluster_mean(0, NULL, NULL, scratch_of(state)).mean));
}

enum { N_ITEM = 40, N_SIDE = 2, N_COMPONENT = 3 };

/* Sum over pairs of items in one cluster of the product of their deviations. */
static double twin_se(const double *x, const uint64_t *cluster)
{
    double mean = 0.0, products = 0.0;
    int n_cluster = 0;
    for (int i = 0; i < N_ITEM; i++) mean += x[i] / N_ITEM;
    for (int i = 0; i < N_ITEM; i++) {
        int is_first = 1;
        for (int j = 0; j < N_ITEM; j++) {
            if (cluster[j] == cluster[i]) products += (x[i] - mean) * (x[j] - mean);
            if (cluster[j] == cluster[i] && j < i) is_first = 0;
        }
        n_cluster += is_first;
    }
    return sqrt(products * n_cluster / (n_cluster - 1.0)) / N_ITEM;
}

static void g_and_its_error_equal_the_quadratic_twin(void **state)
{
    float raw[(N_COMPONENT + 1) * N_ITEM * N_SIDE];
    double coef[N_COMPONENT * N_ITEM * N_SIDE], kappa[N_ITEM * N_SIDE], x[N_ITEM];
    uint64_t cluster[N_ITEM];
    support_fill(raw, (N_COMPONENT + 1) * N_ITEM * N_SIDE, 3.0f, 9);
    for (int i = 0; i < N_COMPONENT * N_ITEM * N_SIDE; i++) coef[i] = (double)raw[i];
    for (int i = 0; i < N_ITEM * N_SIDE; i++)
        kappa[i] = (double)raw[N_COMPONENT * N_ITEM * N_SIDE + i];
    for (int i = 0; i < N_ITEM; i++) cluster[i] = (uint64_t)(i * i % 13) << 60 | (i * i % 13);
    const struct psw_reduce_in in = {.n_component = N_COMPONENT,
                                     .n_item = N_ITEM,
                                     .n_side = N_SIDE,
                                     .exists = 5, /* the middle one does not exist */
                                     .coef = coef,
                                     .kappa = kappa,
                                     .cluster = cluster};
    double g[N_COMPONENT], g_se[N_COMPONENT];
    assert_int_equal(psw_component_reduce(&in, scratch_of(state), g, g_se), 7);
    assert_true(isnan(g[1]) && isnan(g_se[1]));
    for (int k = 0; k < N_COMPONENT; k += 2) {
        double mean = 0.0;
        for (int i = 0; i < N_ITEM; i++) {
            const double *c = coef + (k * N_ITEM + i) * N_SIDE;
            x[i] = c[0] * kappa[2 * i] + c[1] * kappa[2 * i + 1];
            mean += x[i] / N_ITEM;
        }
        assert_close(g[k], mean, 1e-14);
        assert_close(g_se[k], twin_se(x, cluster), 1e-14);
    }
}

static void planning_needs_what_the_work_takes(void **state)
{
    struct psw_arena *plan = NULL, *work = NULL;
    const double kappa[3] = {1.0, 2.0, 3.0}, coef[3] = {1.0, 1.0, 1.0};
    const uint64_t cluster[3] = {1, 2, 3};
    const struct psw_reduce_in in = {.n_component = 1,
                                     .n_item = 3,
                                     .n_side = 1,
                                     .exists = 1,
                                     .coef = coef,
                                     .kappa = kappa,
                                     .cluster = cluster};
    double g, g_se;
    (void)state;
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    assert_int_equal(psw_component_reduce(&in, plan, NULL, NULL), 0);
    assert_int_equal(psw_arena_create("work", psw_arena_peak_bytes(plan), &work, NULL), PSW_OK);
    assert_int_equal(psw_component_reduce(&in, work, &g, &g_se), 3);
    psw_arena_destroy(plan);
    psw_arena_destroy(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_summed_within_their_sequence),
        cmocka_unit_test(single_item_clusters_give_the_textbook_standard_error),
        cmocka_unit_test(copies_of_an_item_in_its_cluster_add_no_information),
        cmocka_unit_test(unequal_clusters_of_equal_items_have_no_error),
        cmocka_unit_test(one_cluster_has_no_standard_error),
        cmocka_unit_test(g_and_its_error_equal_the_quadratic_twin),
        cmocka_unit_test(planning_needs_what_the_work_takes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
