/* How commands report faults, and the options every command has. */
#include "cli_internal.h"
#include <errno.h>
#include <limits.h>
#include <posweep/util/arena.h>
#include <posweep/util/guard.h>
#include <posweep/util/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

int psw_cli_fail(const struct psw_error *err)
{
    psw_log_progress(NULL, 0);
    fflush(stdout);
    const char *name = psw_status_name(err->code);
    /* Where memory is wanted the message says what for. */
    const int is_for_what =
        err->code == PSW_ENOMEM && err->text[0] && !strstr(err->text, "memory");
    fprintf(stderr, "posweep: %s%s%s\n", is_for_what ? name : "", is_for_what ? ": " : "",
            err->text[0] ? err->text : name);
    return psw_status_exit(err->code);
}

int psw_cli_finish(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "posweep: standard output: %s\n", strerror(errno));
        if (status == EX_OK) status = EX_IOERR;
    }
    if (status == EX_OK && psw_arena_n_open() != 0) {
        fprintf(stderr, "posweep: bug: %d arenas are still open. Please report it.\n",
                psw_arena_n_open());
        status = EX_SOFTWARE;
    }
    return status;
}

/** Work in the child: what it prints has to arrive, and its arenas have to be closed. */
struct guarded {
    int (*work)(void *ctx);
    void *ctx;
};

static int finish_work(void *ctx)
{
    const struct guarded *g = ctx;
    return psw_cli_finish(g->work(g->ctx));
}

static int guard(int (*work)(void *ctx), void *ctx, const char *path, int has_cpu_limit)
{
    struct stat info = {0};
    struct guarded g = {work, ctx};
    struct psw_error err = {0};
    int status = EX_OK;
    if (stat(path, &info) != 0) info.st_size = 0; /* the work says what is wrong */
    struct psw_guard_limits limits = psw_guard_limits_for(info.st_size);
    if (!has_cpu_limit) limits.cpu_s = 0;
    const psw_status rc = psw_guard(finish_work, &g, limits, path, &status, &err);
    return rc == PSW_OK ? status : psw_cli_fail(&err);
}

int psw_cli_guard(int (*work)(void *ctx), void *ctx, const char *path)
{
    return guard(work, ctx, path, 1);
}

int psw_cli_guard_long(int (*work)(void *ctx), void *ctx, const char *path)
{
    return guard(work, ctx, path, 0);
}

int psw_cli_usage(const char *command, const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fputs("posweep: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry 'posweep help%s%s'.\n", command ? " " : "", command ? command : "");
    return EX_USAGE;
}

const char *psw_cli_path(const char *option, const char *arg, struct argp_state *state)
{
    if (!arg[0]) argp_error(state, "%s: '' is no name; an unset variable?", option);
    return arg;
}

int64_t psw_cli_count(const char *option, const char *arg, struct argp_state *state)
{
    char *end;
    const long long n = strtoll(arg, &end, 10);
    if (*end || end == arg || n < 1 || n > INT_MAX)
        argp_error(state, "%s: '%s' is no count >= 1", option, arg);
    return n;
}

double psw_cli_positive(const char *option, const char *arg, struct argp_state *state)
{
    char *end;
    const double x = strtod(arg, &end);
    if (end == arg || *end || !(x > 0)) argp_error(state, "%s %s: a number > 0", option, arg);
    return x;
}

const char *psw_cli_default_out(const char *sweep_path, char *out, size_t n_bytes)
{
    const char *base = strrchr(sweep_path, '/');
    base = base ? base + 1 : sweep_path;
    const char *dot = strrchr(base, '.');
    const int n = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
    snprintf(out, n_bytes, "%.*s.h5", n, base);
    return out;
}

static error_t parse_log(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    (void)state;
    switch (key) {
    case 'v':
        psw_log_setup(PSW_LOG_DEBUG, "");
        return 0;
    case 'q':
        psw_log_setup(PSW_LOG_ERROR, "");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option LOG_OPTIONS[] = {
    {"verbose", 'v', NULL, 0, "log more on stderr", 0},
    {"quiet", 'q', NULL, 0, "log errors only", 0},
    {0},
};

const struct argp psw_cli_log_argp = {.options = LOG_OPTIONS, .parser = parse_log};
