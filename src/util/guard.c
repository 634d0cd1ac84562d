/* A child with limits. It ends with _exit after flushing, so that nothing of the parent's is
 * closed twice. */
#include <posweep/util/guard.h>
#include <posweep/util/machine.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* deflate gives at most 1,032 times what it takes, and arrays may be all NaN */
static const int64_t BASE_BYTES = (int64_t)1 << 30, BYTES_PER_BYTE = 1100;
static const int64_t BASE_CPU_S = 10, BYTES_PER_CPU_S = 2 << 20, KILL_AFTER_S = 5;

struct psw_guard_limits psw_guard_limits_for(int64_t n_file_bytes)
{
    const int64_t half = (int64_t)(psw_machine_bytes() / 2);
    int64_t n_bytes = BASE_BYTES + BYTES_PER_BYTE * n_file_bytes;
    if (n_bytes > half) n_bytes = half;
    return (struct psw_guard_limits){.memory_bytes =
                                         n_bytes > BASE_BYTES ? n_bytes : BASE_BYTES,
                                     .cpu_s = BASE_CPU_S + n_file_bytes / BYTES_PER_CPU_S};
}

#ifdef PSW_SANITIZED
static void limit_memory(int64_t n_bytes)
{
    (void)n_bytes; /* the sanitizer maps terabytes of shadow */
}
#else
/** Address space that this process has now; 0: unknown. */
static int64_t mapped_bytes(void)
{
    long long n_page = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%lld", &n_page) != 1) n_page = 0;
    fclose(f);
    return n_page * sysconf(_SC_PAGESIZE);
}

static void limit_memory(int64_t n_bytes)
{
    const int64_t n_now = mapped_bytes();
    const struct rlimit limit = {(rlim_t)(n_now + n_bytes), (rlim_t)(n_now + n_bytes)};
    if (n_bytes > 0 && n_now > 0) setrlimit(RLIMIT_AS, &limit);
}
#endif

static void limit(struct psw_guard_limits limits)
{
    const struct rlimit core = {0, 0};
    const struct rlimit cpu = {(rlim_t)limits.cpu_s, (rlim_t)(limits.cpu_s + KILL_AFTER_S)};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive its parent */
    setrlimit(RLIMIT_CORE, &core);
    if (limits.cpu_s > 0) setrlimit(RLIMIT_CPU, &cpu);
    limit_memory(limits.memory_bytes);
    static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU};
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) signal(SIGNALS[i], SIG_DFL);
}

/** A signal that means the user's will, not a fault of what was read. */
static int is_wish(int number)
{
    return number == SIGINT || number == SIGTERM || number == SIGHUP || number == SIGPIPE ||
           number == SIGQUIT;
}

psw_status psw_guard(int (*work)(void *ctx), void *ctx, struct psw_guard_limits limits,
                     const char *what, int *exit_status, struct psw_error *err)
{
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0)
        return psw_fail(err, PSW_ENOMEM, "%s: cannot start a process to read it: %s", what,
                        strerror(errno));
    if (child == 0) {
        limit(limits);
        const int status = work(ctx);
        fflush(NULL);
        _exit(status);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return psw_fail(err, PSW_EIO, "%s: lost the process that reads it: %s", what,
                            strerror(errno));
    if (WIFEXITED(status)) {
        *exit_status = WEXITSTATUS(status);
        return PSW_OK;
    }
    const int number = WTERMSIG(status);
    if (is_wish(number)) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (number == SIGXCPU)
        return psw_fail(err, PSW_EDATA,
                        "%s: damaged: reading it did not end within %lld s of CPU time", what,
                        (long long)limits.cpu_s);
    if (number == SIGKILL)
        return psw_fail(err, PSW_ENOMEM,
                        "%s: the process that reads it was killed, as happens where memory is "
                        "short; the file may be sound",
                        what);
    return psw_fail(err, PSW_EDATA, "%s: damaged: reading it ended in signal %d (%s)", what,
                    number, strsignal(number));
}
