/* Status codes and error texts. One table says what each code is called and how the program
 * exits on it; nothing here allocates or prints. */
#include <posweep/util/status.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const struct {
    const char *name;
    int exit_status;
} CODES[PSW_N_STATUS] = {
    [PSW_OK] = {"ok", EX_OK},
    [PSW_EINVAL] = {"invalid", EX_CONFIG},
    [PSW_ENOENT] = {"not found", EX_NOINPUT},
    [PSW_EDATA] = {"broken data", EX_DATAERR},
    [PSW_EIO] = {"input/output", EX_IOERR},
    [PSW_ENOSPC] = {"disk full", EX_IOERR},
    [PSW_EPERM] = {"not permitted", EX_NOPERM},
    [PSW_ENOMEM] = {"out of memory", EX_OSERR},
    [PSW_EBUSY] = {"busy", EX_CANTCREAT},
    [PSW_EDIVERGED] = {"diverged", EX_SOFTWARE},
    [PSW_ESTOP] = {"stopped", EX_TEMPFAIL},
    [PSW_EUNSUP] = {"not supported", EX_UNAVAILABLE},
    [PSW_EINTERNAL] = {"internal error", EX_SOFTWARE},
};

/** A message that was cut says so, at a character boundary: paths may be any UTF-8. */
static void mark_if_cut(struct psw_error *err, int n_wanted)
{
    size_t at = PSW_ERROR_TEXT_BYTES - 4;
    if (n_wanted < PSW_ERROR_TEXT_BYTES) return;
    while (at > 0 && ((unsigned char)err->text[at] & 0xC0) == 0x80) at--;
    memcpy(err->text + at, "...", 4);
}

enum psw_status_code psw_fail(struct psw_error *err, enum psw_status_code code,
                              const char *format, ...)
{
    if (!err) return code;
    const int saved = errno;
    va_list args;
    va_start(args, format);
    err->code = code;
    err->origin = 0;
    mark_if_cut(err, vsnprintf(err->text, sizeof err->text, format, args));
    va_end(args);
    errno = saved;
    return code;
}

void psw_error_prefix(struct psw_error *err, const char *format, ...)
{
    if (!err) return;
    char prefix[256], old[PSW_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(old, err->text, sizeof old);
    mark_if_cut(err, snprintf(err->text, sizeof err->text, "%s: %s", prefix, old));
}

const char *psw_status_name(enum psw_status_code code)
{
    return (unsigned)code < PSW_N_STATUS ? CODES[code].name : "unknown status";
}

int psw_status_exit(enum psw_status_code code)
{
    return (unsigned)code < PSW_N_STATUS ? CODES[code].exit_status : EX_SOFTWARE;
}

enum psw_status_code psw_status_from_errno(int error_number)
{
    switch (error_number) {
    case 0:
        return PSW_OK;
    case ENOENT:
    case ENOTDIR:
        return PSW_ENOENT;
    case EACCES:
    case EPERM:
    case EROFS:
        return PSW_EPERM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return PSW_ENOSPC;
    case ENOMEM:
        return PSW_ENOMEM;
    case EAGAIN:
    case EBUSY:
        return PSW_EBUSY;
    default:
        return PSW_EIO;
    }
}

void psw_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "posweep: bug: %s does not hold at %s:%d. Please report it.\n", condition,
            file, line);
    abort();
}
