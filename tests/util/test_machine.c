/* Memory that a process may use, from files and variables made up for it. */
#include <support/support.h>

#include <posweep/util/file.h>
#include <posweep/util/machine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char root[256];

static void put(const char *path, const char *text)
{
    char at[512], folder[512];
    snprintf(at, sizeof at, "%s%s", root, path);
    for (char *slash = strchr(at + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - at), at);
        assert_int_equal(psw_file_make_dir(folder, NULL), PSW_OK);
    }
    const struct psw_file_part part = {text, strlen(text)};
    assert_int_equal(psw_file_write(at, &part, 1, NULL), PSW_OK);
}

static int setup(void **state)
{
    (void)state;
    unsetenv("SLURM_MEM_PER_NODE");
    unsetenv("SLURM_MEM_PER_CPU");
    unsetenv("SLURM_CPUS_ON_NODE");
    support_temp_dir(root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return psw_file_remove_tree(root, NULL) != PSW_OK;
}

static void without_limits_it_is_the_machine(void **state)
{
    (void)state;
    const double all = psw_machine_bytes_under(root);
    assert_true(all > 0x1p20);
    put("/proc/self/cgroup", "0::/job\n");
    put("/sys/fs/cgroup/job/memory.max", "max\n");
    setenv("SLURM_MEM_PER_NODE", "0", 1); /* all there is */
    assert_true(psw_machine_bytes_under(root) == all);
}

static void kills_for_memory_are_counted_where_the_system_tells(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "1:cpu:/\n");
    assert_true(psw_machine_oom_kills_under(root) == -1);
    put("/proc/self/cgroup", "4:memory:/slurm/job_7\n0::/\n");
    put("/sys/fs/cgroup/memory/slurm/job_7/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    assert_true(psw_machine_oom_kills_under(root) == 3);
    put("/proc/self/cgroup", "0::/slurm/job_7\n");
    put("/sys/fs/cgroup/slurm/job_7/memory.events", "low 0\noom 9\noom_kill 0\n");
    assert_true(psw_machine_oom_kills_under(root) == 0);
    put("/sys/fs/cgroup/slurm/memory.events", "low 0\noom 9\noom_kill 5\n");
    assert_true(psw_machine_oom_kills_under(root) == 5);
}

static void a_group_above_limits_too(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/slurm/job_7/step_0\n");
    put("/sys/fs/cgroup/slurm/job_7/step_0/memory.max", "max\n");
    put("/sys/fs/cgroup/slurm/job_7/memory.max", "1048576\n");
    assert_true(psw_machine_bytes_under(root) == 1048576);
}

static void version_1_has_a_hierarchy_of_its_own(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:/job\n");
    put("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "2097152\n");
    put("/sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1048576\n");
    assert_true(psw_machine_bytes_under(root) == 2097152);
}

static void slurm_grants_by_node_or_by_core(void **state)
{
    (void)state;
    setenv("SLURM_MEM_PER_CPU", "2", 1);
    setenv("SLURM_CPUS_ON_NODE", "3", 1);
    assert_true(psw_machine_bytes_under(root) == 6 * 0x1p20);
    setenv("SLURM_MEM_PER_NODE", "5", 1);
    assert_true(psw_machine_bytes_under(root) == 5 * 0x1p20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_limits_it_is_the_machine, setup, teardown),
        cmocka_unit_test_setup_teardown(kills_for_memory_are_counted_where_the_system_tells,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_above_limits_too, setup, teardown),
        cmocka_unit_test_setup_teardown(version_1_has_a_hierarchy_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(slurm_grants_by_node_or_by_core, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
