/* Violations of the schema, counted and said. */
#include "results_internal.h"

#include <stdarg.h>

void psw_check_report(struct psw_checker *c, const char *format, ...)
{
    c->n_violation++;
    if (!c->out) return;
    va_list args;
    va_start(args, format);
    vfprintf(c->out, format, args);
    va_end(args);
    fputc('\n', c->out);
}
