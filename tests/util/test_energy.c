/* Counters of energy, in a made /sys. */
#include <posweep/util/energy.h>
#include <posweep/util/file.h>
#include <support/support.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static char root[256];

static void put(const char *folder, const char *name, const char *text)
{
    char path[600] = "";
    const struct psw_file_part part = {text, strlen(text)};
    snprintf(path, sizeof path, "%s%s", root, folder);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        assert_int_equal(psw_file_make_dir(path, NULL), PSW_OK);
        *at = '/';
    }
    assert_int_equal(psw_file_make_dir(path, NULL), PSW_OK);
    snprintf(path, sizeof path, "%s%s/%s", root, folder, name);
    assert_int_equal(psw_file_write(path, &part, 1, NULL), PSW_OK);
}

static void put_zone(const char *zone, const char *name, const char *uj, const char *range)
{
    char folder[128];
    snprintf(folder, sizeof folder, "/sys/class/powercap/%s", zone);
    put(folder, "name", name);
    put(folder, "energy_uj", uj);
    put(folder, "max_energy_range_uj", range);
}

static void where_nothing_tells_nothing_is_known(void **state)
{
    (void)state;
    struct psw_energy m;
    psw_energy_begin(&m, root);
    psw_energy_look(&m, 1);
    assert_true(isnan(psw_energy_joules(&m)));
}

static void sockets_of_hwmon_count_where_there_is_no_powercap(void **state)
{
    (void)state;
    struct psw_energy m;
    put("/sys/class/hwmon/hwmon0", "name", "coretemp\n");
    put("/sys/class/hwmon/hwmon1", "name", "amd_energy\n");
    put("/sys/class/hwmon/hwmon1", "energy1_label", "Ecore000\n");
    put("/sys/class/hwmon/hwmon1", "energy1_input", "5\n");
    put("/sys/class/hwmon/hwmon1", "energy2_label", "Esocket0\n");
    put("/sys/class/hwmon/hwmon1", "energy2_input", "1000000\n");
    psw_energy_begin(&m, root);
    put("/sys/class/hwmon/hwmon1", "energy1_input", "70000000\n");
    put("/sys/class/hwmon/hwmon1", "energy2_input", "4500000\n");
    psw_energy_look(&m, 1);
    assert_close(psw_energy_joules(&m), 3.5, 1e-12);
}

static void packages_and_memory_count_once_and_over_the_end_of_their_range(void **state)
{
    (void)state;
    struct psw_energy m;
    put_zone("intel-rapl:0", "package-0\n", "900\n", "262143328850\n");
    put_zone("intel-rapl:1", "package-1\n", "262143000000\n", "262143328850\n");
    put_zone("intel-rapl:0:0", "core\n", "7\n", "262143328850\n");
    put_zone("intel-rapl:0:1", "dram\n", "0\n", "65712999613\n");
    put_zone("intel-rapl:2", "psys\n", "1\n", "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", "900\n", "262143328850\n");
    psw_energy_begin(&m, root);
    assert_int_equal(m.n_zone, 3);
    assert_true(psw_energy_joules(&m) == 0);
    put_zone("intel-rapl:0", "package-0\n", "2000900\n", "262143328850\n"); /* 2 J */
    put_zone("intel-rapl:1", "package-1\n", "671150\n", "262143328850\n");  /* 1 J */
    put_zone("intel-rapl:0:0", "core\n", "99000000\n", "262143328850\n");
    put_zone("intel-rapl:0:1", "dram\n", "500000\n", "65712999613\n"); /* 0.5 J */
    put_zone("intel-rapl:2", "psys\n", "99000000\n", "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", "99000000\n", "262143328850\n");
    psw_energy_look(&m, 0); /* too early */
    assert_true(psw_energy_joules(&m) == 0);
    psw_energy_look(&m, 1);
    assert_close(psw_energy_joules(&m), 3.5, 1e-9);
    psw_energy_look(&m, 1);
    assert_close(psw_energy_joules(&m), 3.5, 1e-9);
    put_zone("intel-rapl:0", "package-0\n", "no number\n", "262143328850\n");
    psw_energy_look(&m, 1);
    assert_close(psw_energy_joules(&m), 3.5, 1e-9);
}

static int setup(void **state)
{
    (void)state;
    support_temp_dir(root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return psw_file_remove_tree(root, NULL) != PSW_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(where_nothing_tells_nothing_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(sockets_of_hwmon_count_where_there_is_no_powercap,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            packages_and_memory_count_once_and_over_the_end_of_their_range, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
