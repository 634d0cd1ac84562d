/* Arenas: alignment, rewinding, and a plan that equals the real thing. */
#include <posweep/util/arena.h>
#include <support/support.h>

#include <math.h>
#include <string.h>

static struct psw_arena *arena_of(size_t n_bytes)
{
    struct psw_arena *a = NULL;
    assert_int_equal(psw_arena_create("test", n_bytes, &a, NULL), PSW_OK);
    return a;
}

static void blocks_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct psw_arena *a = arena_of(1 << 16);
    char *last_end = NULL;
    for (size_t n = 1; n < 300; n += 37) {
        char *p = psw_arena_alloc(a, n);
        assert_int_equal((uintptr_t)p % 64, 0);
        assert_true(p >= last_end);
        memset(p, 1, n);
        last_end = p + n;
    }
    psw_arena_destroy(a);
}

static void rewinding_gives_the_same_block_again_and_keeps_the_peak(void **state)
{
    (void)state;
    struct psw_arena *a = arena_of(1 << 16);
    float *kept = psw_arena_f32(a, 10);
    kept[9] = 5;
    const struct psw_arena_mark mark = psw_arena_mark(a);
    const size_t used = psw_arena_used_bytes(a);
    double *first = psw_arena_f64(a, 100);
    const size_t peak = psw_arena_peak_bytes(a);
    psw_arena_rewind(a, mark);
    assert_int_equal(psw_arena_used_bytes(a), used);
    assert_int_equal(psw_arena_peak_bytes(a), peak);
    assert_ptr_equal(psw_arena_f64(a, 1), first);
    assert_true(kept[9] == 5);
    psw_arena_destroy(a);
}

static void a_measuring_arena_counts_what_a_real_one_uses(void **state)
{
    (void)state;
    struct psw_arena *plan = NULL, *real = arena_of(1 << 16);
    assert_int_equal(psw_arena_create_measuring("plan", &plan, NULL), PSW_OK);
    assert_true(psw_arena_is_measuring(plan));
    assert_false(psw_arena_is_measuring(real));
    struct psw_arena *both[2] = {plan, real};
    for (int i = 0; i < 2; i++) {
        const struct psw_arena_mark mark = psw_arena_mark(both[i]);
        psw_arena_i32(both[i], 77);
        psw_arena_i64(both[i], 3);
        psw_arena_rewind(both[i], mark);
        psw_arena_f32(both[i], 1);
    }
    assert_null(psw_arena_f32(plan, 1));
    psw_arena_f32(real, 1);
    assert_int_equal(psw_arena_peak_bytes(plan), psw_arena_peak_bytes(real));
    assert_int_equal(psw_arena_used_bytes(plan), psw_arena_used_bytes(real));
    psw_arena_destroy(plan);
    psw_arena_destroy(real);
}

static void an_arena_may_be_filled_to_the_last_byte(void **state)
{
    (void)state;
    struct psw_arena *a = arena_of(4 << 20);
    char *p = psw_arena_alloc(a, 4 << 20);
    p[0] = p[(4 << 20) - 1] = 1;
    psw_arena_destroy(a);
}

static void more_memory_than_exists_is_a_clear_error(void **state)
{
    (void)state;
    struct psw_arena *a = NULL;
    struct psw_error err = {0};
    assert_int_equal(psw_arena_create("huge", (size_t)1 << 60, &a, &err), PSW_ENOMEM);
    assert_non_null(strstr(err.text, "arena huge"));
    assert_null(a);
}

static void open_arenas_are_counted(void **state)
{
    (void)state;
    assert_int_equal(psw_arena_n_open(), 0);
    struct psw_arena *a = arena_of(64);
    assert_int_equal(psw_arena_n_open(), 1);
    psw_arena_destroy(a);
    psw_arena_destroy(NULL);
    assert_int_equal(psw_arena_n_open(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_do_not_overlap),
        cmocka_unit_test(rewinding_gives_the_same_block_again_and_keeps_the_peak),
        cmocka_unit_test(a_measuring_arena_counts_what_a_real_one_uses),
        cmocka_unit_test(an_arena_may_be_filled_to_the_last_byte),
        cmocka_unit_test(more_memory_than_exists_is_a_clear_error),
        cmocka_unit_test(open_arenas_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
