/* The list of warnings of a sweep. */
#include "config_internal.h"

#include <stdarg.h>
#include <stdlib.h>

enum { MAX_WARNINGS = 32 };

psw_status psw_sweep_add_warning(struct psw_sweep *sweep, struct psw_error *err,
                                 const char *format, ...)
{
    if (sweep->warnings.n == MAX_WARNINGS) return PSW_OK;
    void *grown = realloc(sweep->warnings.text,
                          ((size_t)sweep->warnings.n + 1) * sizeof *sweep->warnings.text);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "warnings");
    sweep->warnings.text = grown;
    va_list args;
    va_start(args, format);
    vsnprintf(sweep->warnings.text[sweep->warnings.n++], PSW_WARNING_BYTES, format, args);
    va_end(args);
    return PSW_OK;
}
