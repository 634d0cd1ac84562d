/* The checking backend checks: who follows a pointer to a buffer, and who passes something else
 * where a buffer is due, is ended with a message that says so. */
#include <support/checking.h>
#include <support/support.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 100, LINE_BYTES = 512 };

static struct psw_exec exec = {.n_thread = 1, .backend = &checking_backend};

static float *buffer_of(const float *x)
{
    float *buffer = checking_backend.buffer->memory->alloc(N * sizeof *x);
    assert_non_null(buffer);
    checking_backend.buffer->write(&exec, N, x, buffer);
    return buffer;
}

/* What a child that does it says before it ends. */
static void assert_ends(void (*what)(float *buffer), const char *says)
{
    char line[LINE_BYTES] = "";
    int pipe_fd[2], status = 0;
    float x[N] = {1.0f};
    assert_int_equal(pipe(pipe_fd), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(pipe_fd[1], STDERR_FILENO);
        what(buffer_of(x));
        _exit(0);
    }
    close(pipe_fd[1]);
    for (size_t n = 0; n + 1 < sizeof line;) {
        const ssize_t got = read(pipe_fd[0], line + n, sizeof line - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(pipe_fd[0]);
    assert_true(waitpid(child, &status, 0) == child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), CHECKING_EXIT);
    if (!strstr(line, says)) fail_msg("it says: %s", line);
}

static void read_through(float *buffer)
{
    if (((volatile float *)buffer)[7] == 1.0f) _exit(1);
}

static void write_through(float *buffer)
{
    ((volatile float *)buffer)[8] = 1.0f;
}

static void host_for_a_buffer(float *buffer)
{
    float host[N] = {0};
    checking_backend.vector->add(&exec, N, host, buffer);
}

static void a_buffer_for_host_memory(float *buffer)
{
    checking_backend.buffer->read(&exec, N, buffer, buffer);
}

static void use_after_free(float *buffer)
{
    checking_backend.buffer->memory->free(buffer);
    checking_backend.vector->scale(&exec, N, 2.0f, buffer);
}

static void who_follows_a_pointer_is_ended(void **state)
{
    (void)state;
    assert_ends(read_through, "of 400 bytes was followed, at float 7");
    assert_ends(write_through, "of 400 bytes was followed, at float 8");
    assert_ends(a_buffer_for_host_memory, "was followed, at float 0");
}

static void who_passes_what_is_no_buffer_is_ended(void **state)
{
    (void)state;
    assert_ends(host_for_a_buffer, "vector_add was given");
    assert_ends(use_after_free, "which is freed");
}

static void operations_see_the_buffers_that_they_are_given(void **state)
{
    (void)state;
    float x[N], y[N], z[N];
    support_fill(x, N, 1.0f, 1);
    support_fill(y, N, 1.0f, 2);
    float *a = buffer_of(x), *b = buffer_of(y);
    checking_backend.vector->add(&exec, N - 10, a + 10, b);
    checking_backend.buffer->read(&exec, N, b, z);
    for (int i = 0; i < N - 10; i++) assert_true(z[i] == y[i] + x[i + 10]);
    for (int i = N - 10; i < N; i++) assert_true(z[i] == y[i]);
    checking_backend.buffer->memory->free(a);
    checking_backend.buffer->memory->free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_follows_a_pointer_is_ended),
        cmocka_unit_test(who_passes_what_is_no_buffer_is_ended),
        cmocka_unit_test(operations_see_the_buffers_that_they_are_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
