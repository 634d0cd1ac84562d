/* Do processes get cores of their own out of the sets that they are bound to? */
#include <posweep/util/cores.h>
#include <sched.h>
#include <string.h>
#include <support/support.h>

static struct psw_core_set set_of(int first, int last)
{
    struct psw_core_set set = {{0}};
    for (int c = first; c <= last; c++) psw_cores_add(&set, c);
    return set;
}

static void each_process_gets_a_core_where_there_is_an_assignment(void **state)
{
    (void)state;
    /* Taking the lowest free core in order would leave the last one without. */
    const struct psw_core_set set[] = {set_of(0, 2), set_of(0, 1), set_of(0, 0)};
    int core[3];
    assert_int_equal(psw_cores_assign(set, 3, core), 3);
    assert_int_equal(core[0], 2);
    assert_int_equal(core[1], 1);
    assert_int_equal(core[2], 0);
}

static void processes_bound_to_one_core_share_it(void **state)
{
    (void)state;
    const struct psw_core_set set[] = {set_of(5, 5), set_of(5, 5), set_of(0, 63)};
    int core[3];
    assert_int_equal(psw_cores_assign(set, 3, core), 2);
    assert_true((core[0] == 5) != (core[1] == 5));
    assert_true(core[2] >= 0 && core[2] != 5);
}

/* Whatever the sets: as many as the best of all orders of first come, first served. */
static int best_by_trying(const struct psw_core_set *set, int n, int at, uint64_t taken)
{
    if (at == n) return 0;
    int best = best_by_trying(set, n, at + 1, taken);
    for (int c = 0; c < 5; c++) {
        if (!psw_cores_has(&set[at], c) || (taken >> c & 1)) continue;
        const int n_got = 1 + best_by_trying(set, n, at + 1, taken | (uint64_t)1 << c);
        if (n_got > best) best = n_got;
    }
    return best;
}

static void assignment_is_as_large_as_any(void **state)
{
    (void)state;
    for (int pattern = 0; pattern < 4096; pattern += 7) {
        struct psw_core_set set[4] = {{{0}}};
        int core[4], n_got = 0;
        for (int p = 0; p < 4; p++) set[p].word[0] = (uint64_t)(pattern * (p + 3) >> p) & 31;
        const int n = psw_cores_assign(set, 4, core);
        assert_int_equal(n, best_by_trying(set, 4, 0, 0));
        for (int p = 0; p < 4; p++) {
            n_got += core[p] >= 0;
            assert_true(core[p] < 0 || psw_cores_has(&set[p], core[p]));
            for (int q = 0; q < p; q++) assert_true(core[p] < 0 || core[p] != core[q]);
        }
        assert_int_equal(n, n_got);
    }
}

static void a_set_reads_as_ranges(void **state)
{
    (void)state;
    char text[64], small[32];
    struct psw_core_set set = set_of(0, 3);
    psw_cores_add(&set, 8);
    psw_cores_add(&set, 2047);
    assert_string_equal(psw_cores_text(&set, text, sizeof text), "0-3,8,2047");
    assert_int_equal(psw_cores_count(&set), 6);
    set = (struct psw_core_set){{0}};
    assert_string_equal(psw_cores_text(&set, text, sizeof text), "");
    for (int c = 0; c < 200; c += 2) psw_cores_add(&set, c);
    psw_cores_text(&set, small, sizeof small);
    assert_non_null(strstr(small, "..."));
    assert_true(strlen(small) < sizeof small);
}

static void asking_for_what_is_allowed_leaves_the_binding_alone(void **state)
{
    (void)state;
    cpu_set_t before, after, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &before)) cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    const struct psw_core_set bound = psw_cores_bound(), allowed = psw_cores_allowed();
    assert_int_equal(psw_cores_count(&bound), 1);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&after, &one));
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
    const struct psw_core_set free = psw_cores_bound();
    for (int c = 0; c < PSW_MAX_CORES; c++)
        assert_true(!psw_cores_has(&free, c) || psw_cores_has(&allowed, c));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_process_gets_a_core_where_there_is_an_assignment),
        cmocka_unit_test(processes_bound_to_one_core_share_it),
        cmocka_unit_test(assignment_is_as_large_as_any),
        cmocka_unit_test(a_set_reads_as_ranges),
        cmocka_unit_test(asking_for_what_is_allowed_leaves_the_binding_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
