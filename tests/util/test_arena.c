/* Arenas: alignment, rewinding, and a plan that equals the real thing. */
#include <posweep/util/arena.h>
#include <support/support.h>

#include <math.h>
#include <string.h>
#include <sys/mman.h>

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

/* Memory that nobody may touch. */
enum { DARK_BYTES = 1 << 16 };

static void *dark_alloc(size_t n_bytes)
{
    assert_true(n_bytes <= DARK_BYTES);
    void *p = mmap(NULL, DARK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void dark_free(void *p)
{
    if (p) munmap(p, DARK_BYTES);
}

static void buffers_are_in_the_memory_given_and_are_not_touched(void **state)
{
    (void)state;
    static const struct psw_arena_memory DARK = {dark_alloc, dark_free, 0};
    struct psw_arena *a = NULL;
    const struct psw_arena_bytes room = {.buffer = 256, .host = 128};
    assert_int_equal(psw_arena_create_over("dark", &DARK, room, &a, NULL), PSW_OK);
    const struct psw_arena_mark mark = psw_arena_mark(a);
    float *x = psw_arena_f32(a, 16), *y = psw_arena_f32(a, 48);
    int32_t *host = psw_arena_i32(a, 32);
    host[31] = 1;
    assert_ptr_equal(y, x + 16);
    assert_true((char *)host < (char *)x || (char *)host >= (char *)x + DARK_BYTES);
    assert_int_equal(psw_arena_used_bytes(a), 256 + 128);
    psw_arena_rewind(a, mark);
    assert_ptr_equal(psw_arena_f32(a, 1), x);
    assert_ptr_equal(psw_arena_i32(a, 1), host);
    psw_arena_destroy(a);
}

static void memory_of_a_caller_is_dealt_and_left_as_it_is(void **state)
{
    (void)state;
    _Alignas(64) float memory[64];
    struct psw_arena *a = NULL;
    for (int i = 0; i < 64; i++) memory[i] = (float)i;
    assert_int_equal(psw_arena_create_in("given", memory, sizeof memory, &a, NULL), PSW_OK);
    const struct psw_arena_mark mark = psw_arena_mark(a);
    assert_ptr_equal(psw_arena_f32(a, 17), memory);
    assert_ptr_equal(psw_arena_f32(a, 16), memory + 32);
    psw_arena_rewind(a, mark);
    assert_int_equal(psw_arena_peak_bytes(a), sizeof(float) * 48);
    psw_arena_destroy(a);
    for (int i = 0; i < 64; i++) assert_true(memory[i] == (float)i);
}

static void layout_of_halves(void *ctx, struct psw_arena *arena)
{
    (void)ctx;
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    psw_arena_f32(arena, 32);
    psw_arena_rewind(arena, mark);
    psw_arena_f64(arena, 32);
}

static void each_half_has_a_peak_of_its_own(void **state)
{
    (void)state;
    struct psw_arena_bytes peak = {0};
    assert_int_equal(psw_arena_plan(layout_of_halves, NULL, &peak, NULL), PSW_OK);
    assert_int_equal(peak.buffer, 128);
    assert_int_equal(peak.host, 256);
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
        cmocka_unit_test(buffers_are_in_the_memory_given_and_are_not_touched),
        cmocka_unit_test(memory_of_a_caller_is_dealt_and_left_as_it_is),
        cmocka_unit_test(each_half_has_a_peak_of_its_own),
        cmocka_unit_test(an_arena_may_be_filled_to_the_last_byte),
        cmocka_unit_test(more_memory_than_exists_is_a_clear_error),
        cmocka_unit_test(open_arenas_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
