/* A configuration comes back from its packed form byte by byte. */
#include <support/support.h>

#include <posweep/config/leaf.h>
#include <posweep/config/pack.h>
#include <stdlib.h>
#include <string.h>

static size_t there_and_back(const struct psw_config *config)
{
    static char packed[PSW_CONFIG_PACKED_BYTES];
    struct psw_config back, base;
    psw_config_default(&base);
    const size_t n_bytes = psw_config_pack(config, &base, packed);
    assert_true(n_bytes <= sizeof packed);
    memset(&back, 0xa5, sizeof back);
    psw_config_unpack(packed, n_bytes, &base, &back);
    assert_memory_equal(&back, config, sizeof back);
    return n_bytes;
}

static void defaults_take_nothing(void **state)
{
    (void)state;
    struct psw_config config;
    psw_config_default(&config);
    assert_int_equal(there_and_back(&config), 0);
}

static void every_leaf_comes_back_from_any_value(void **state)
{
    (void)state;
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    struct psw_config all;
    psw_config_default(&all);
    for (int i = 0; i < n; i++) {
        struct psw_config one;
        const double x = -0.1 * (i + 1);
        const int64_t k = INT64_MIN / (i + 2);
        psw_config_default(&one);
        char *const to[] = {(char *)&one, (char *)&all};
        for (int c = 0; c < 2; c++) {
            if (leaf[i].type == PSW_LEAF_PATH) {
                memset(to[c] + leaf[i].offset, 'w', PSW_CFG_STR - 1);
                memset(to[c] + leaf[i].resolved, 'r', PSW_CFG_PATH - 1);
            } else if (leaf[i].type == PSW_LEAF_REAL)
                memcpy(to[c] + leaf[i].offset, &x, sizeof x);
            else
                memcpy(to[c] + leaf[i].offset, &k, sizeof k);
        }
        assert_true(there_and_back(&one) > 0);
    }
    there_and_back(&all);
}

static void a_path_may_be_resolved_without_being_written(void **state)
{
    (void)state;
    struct psw_config config;
    psw_config_default(&config);
    strcpy(config.limits.index, "/there");
    assert_true(there_and_back(&config) > 0);
}

/* Lengths of paths differ, and the first has one that others lack. */
static void configurations_of_a_list_come_back_in_any_order(void **state)
{
    (void)state;
    enum { N = 100 };
    struct psw_config_list list = {0};
    struct psw_config *config = calloc(N, sizeof *config), back;
    for (int i = 0; i < N; i++) {
        psw_config_default(&config[i]);
        config[i].policy.beta = 0.01 * i;
        config[i].seed = i % 7;
        for (int k = 0; k < (i * 37 + 5) % 11; k++) config[i].data.pairs_written[k] = 'p';
        strcpy(config[i].data.pairs, i % 3 ? "" : "/whole/path");
        assert_int_equal(psw_config_list_add(&list, &config[i], NULL), PSW_OK);
    }
    assert_int_equal(list.n, N);
    for (int i = N - 1; i >= 0; i--) {
        memset(&back, 0xa5, sizeof back);
        psw_config_list_get(&list, i, &back);
        assert_memory_equal(&back, &config[i], sizeof back);
    }
    assert_true(list.end[N - 1] < 64 * N);
    psw_config_list_clear(&list);
    free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_take_nothing),
        cmocka_unit_test(every_leaf_comes_back_from_any_value),
        cmocka_unit_test(a_path_may_be_resolved_without_being_written),
        cmocka_unit_test(configurations_of_a_list_come_back_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
