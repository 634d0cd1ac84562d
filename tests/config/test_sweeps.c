/* The sweep files of the repository: they read without a warning and hold the runs they say. */
#include <support/support.h>

#include <posweep/config/pack.h>
#include <posweep/config/sweep_file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A task brings its run's settings in a message that MPI sends without waiting for the other
 * side (4096 bytes in shared memory), whoever of the others is gone. */
static void packs_well(const struct psw_config *config)
{
    static char packed[PSW_CONFIG_PACKED_BYTES];
    struct psw_config back, base;
    psw_config_default(&base);
    const size_t n_bytes = psw_config_pack(config, &base, packed);
    assert_in_range(n_bytes, 1, 2048);
    psw_config_unpack(packed, n_bytes, &base, &back);
    assert_memory_equal(&back, config, sizeof back);
}

static void reads_as(const char *name, int64_t n_run, int64_t n_seed)
{
    char path[512];
    struct psw_sweep *sweep = NULL;
    struct psw_error err = {0};
    struct psw_config_reader reader = {0};
    snprintf(path, sizeof path, "%s/%s.yaml", SWEEPS, name);
    if (psw_sweep_read(path, NULL, 0, &sweep, &err) != PSW_OK) fail_msg("%s", err.text);
    assert_string_equal(sweep->name, name);
    assert_int_equal(sweep->n_run, n_run);
    assert_int_equal(sweep->n_seed, n_seed);
    for (int64_t i = 0; i < n_run; i++) packs_well(psw_sweep_config(sweep, i, &reader));
    if (sweep->warnings.n > 0) fail_msg("%s", sweep->warnings.text[0]);
    assert_memory_equal(sweep->text, "# Question: ", 12);
    assert_non_null(strstr(sweep->text, "\n# Size: "));
    assert_non_null(strstr(sweep->text, "\n# Time: "));
    psw_sweep_destroy(sweep);
}

static void the_demo_has_six_variants_of_six_seeds(void **state)
{
    (void)state;
    reads_as("demo", 36, 6);
}

static void the_paper_has_nine_seeds_of_each_variant(void **state)
{
    (void)state;
    reads_as("paper", 189, 9);
}

static void sums_has_three_seeds_of_each_variant(void **state)
{
    (void)state;
    reads_as("sums", 18, 3);
}

static void the_smallest_sweep_has_two_runs(void **state)
{
    (void)state;
    reads_as("smallest", 2, 1);
}

static void components_has_six_seeds_of_each_ablation(void **state)
{
    (void)state;
    reads_as("components", 120, 6);
}

static void objectives_holds_each_pairwise_objective(void **state)
{
    (void)state;
    reads_as("objectives", 36, 3);
}

static void hh_reads_where_its_data_is_there(void **state)
{
    (void)state;
    if (!support_data("hh-rlhf/hh-rlhf-helpful-train.jsonl.gz")) support_skip("no sample data");
    setenv("POSWEEP_DATA", support_data(""), 0); /* sweep files know no other place */
    reads_as("hh", 2, 1);
    reads_as("paper-2.8b", 30, 3);
    reads_as("stories", 4, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_has_six_variants_of_six_seeds),
        cmocka_unit_test(the_smallest_sweep_has_two_runs),
        cmocka_unit_test(components_has_six_seeds_of_each_ablation),
        cmocka_unit_test(objectives_holds_each_pairwise_objective),
        cmocka_unit_test(the_paper_has_nine_seeds_of_each_variant),
        cmocka_unit_test(sums_has_three_seeds_of_each_variant),
        cmocka_unit_test(hh_reads_where_its_data_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
