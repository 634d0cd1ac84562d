/* Buffers and queues of every backend, and finding a backend by name. */
#include <support/support.h>

#include <string.h>
#include <support/triple.h>

enum { N_ROW = 3, C = 5, N = N_ROW * C };
static const int32_t ROW[N_ROW] = {3, 0, 3};

static const struct psw_buffer_ops *ops(void)
{
    return psw_exec_backend(&kernel_exec)->buffer;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    float in[N], out[N];
    float *a = ops()->memory->alloc(sizeof in), *b = ops()->memory->alloc(sizeof in);
    support_fill(in, N, 1.0f, 1);
    ops()->write(&kernel_exec, N, in, a);
    ops()->copy(&kernel_exec, N, a, b);
    ops()->fill(&kernel_exec, N, 0.0f, a);
    ops()->fill(&kernel_exec, 2, 3.0f, a + 1);
    ops()->read(&kernel_exec, N, b, out);
    assert_memory_equal(in, out, sizeof in);
    ops()->read(&kernel_exec, N, a, out);
    for (int i = 0; i < N; i++) assert_true(out[i] == (i == 1 || i == 2 ? 3.0f : 0.0f));
    ops()->memory->free(a);
    ops()->memory->free(b);
    ops()->memory->free(NULL);
}

/* A row that is named twice is read twice, and added to twice. */
static void rows_are_gathered_and_added_back(void **state)
{
    (void)state;
    float in[4 * C], out[N], back[4 * C] = {0};
    float *a = ops()->memory->alloc(sizeof in), *b = ops()->memory->alloc(sizeof out);
    support_fill(in, 4 * C, 1.0f, 2);
    ops()->write(&kernel_exec, 4 * C, in, a);
    ops()->gather(&kernel_exec, N_ROW, C, ROW, a, b);
    ops()->read(&kernel_exec, N, b, out);
    for (int r = 0; r < N_ROW; r++)
        assert_memory_equal(out + r * C, in + ROW[r] * C, C * sizeof *in);
    ops()->fill(&kernel_exec, 4 * C, 1.0f, a);
    ops()->scatter_add(&kernel_exec, N_ROW, C, ROW, b, a);
    ops()->read(&kernel_exec, 4 * C, a, back);
    for (int i = 0; i < C; i++) {
        assert_close(back[3 * C + i], 1.0f + 2.0f * in[3 * C + i], 1e-6);
        assert_close(back[i], 1.0f + in[i], 1e-6);
        assert_true(back[C + i] == 1.0f && back[2 * C + i] == 1.0f);
    }
    ops()->memory->free(a);
    ops()->memory->free(b);
}

/* The order of work across queues, as a device would have to keep it. */
static void work_of_two_queues_is_ordered_by_an_event(void **state)
{
    (void)state;
    const struct psw_queue_ops *q = psw_exec_backend(&kernel_exec)->queue;
    struct psw_queue *first = q->open(), *second = q->open();
    struct psw_event *event = q->event_open();
    float *a = ops()->memory->alloc(C * sizeof *a), out[C];
    struct psw_exec exec = kernel_exec;
    exec.queue = first;
    ops()->fill(&exec, C, 2.0f, a);
    q->event_record(first, event);
    q->event_await(second, event);
    exec.queue = second;
    psw_exec_backend(&exec)->vector->scale(&exec, C, 3.0f, a);
    ops()->read(&exec, C, a, out);
    for (int i = 0; i < C; i++) assert_true(out[i] == 6.0f);
    q->wait(first);
    q->event_close(event);
    q->close(first);
    q->close(second);
    ops()->memory->free(a);
}

static void backends_are_found_by_their_names(void **state)
{
    (void)state;
    int n = 0;
    for (const char *name; (name = psw_backend_name(n)); n++)
        assert_string_equal(psw_backend_find(name)->name, name);
    assert_int_equal(n, 2);
    assert_ptr_equal(psw_backend_find("cpu"), &psw_backend_cpu);
    assert_ptr_equal(psw_backend_find("reference"), &psw_backend_reference);
    assert_null(psw_backend_find("abacus"));
    assert_ptr_equal(psw_exec_backend(&(struct psw_exec){0}), &psw_backend_cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        kernel_test(what_is_written_is_read),
        kernel_test(rows_are_gathered_and_added_back),
        kernel_test(work_of_two_queues_is_ordered_by_an_event),
        cmocka_unit_test(backends_are_found_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
