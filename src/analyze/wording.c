/* Numbers as texts. */
#include "analyze_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_BYTES = 32 };

static int n_character(const char *text)
{
    int n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

void psw_wording_put(const struct psw_printer *w, const char *text, int width)
{
    const int n = n_character(text), pad = abs(width) > n ? abs(width) - n : 0;
    fprintf(w->out, "%*s%s%*s", width > 0 ? pad : 0, "", text, width < 0 ? pad : 0, "");
}

void psw_wording_item(const struct psw_printer *w, const char *text, int indent, int *used)
{
    const int n = n_character(text);
    if (*used > 0 && *used + 2 + n > PSW_LINE_WIDTH) {
        fputs(",\n", w->out);
        *used = 0;
    }
    *used += *used > 0 ? fprintf(w->out, ", ") : fprintf(w->out, "%*s", indent, "");
    fputs(text, w->out);
    *used += n;
}

const char *psw_wording_plus_minus(const struct psw_printer *w)
{
    return w->ascii ? "+-" : "\xc2\xb1";
}

const char *psw_wording_norm(const struct psw_printer *w)
{
    return w->ascii ? "|v|" : "\xe2\x80\x96v\xe2\x80\x96";
}

int psw_wording_digits(double size, int n_digit)
{
    const int digits =
        size > 0 && isfinite(size) ? n_digit - 1 - (int)floor(log10(size)) : n_digit - 1;
    return digits < 0 ? 0 : digits > 6 ? 6 : digits;
}

/** Whether a standard error is more than the rounding of its mean. */
static int is_error(double mean, double se)
{
    return isfinite(se) && se > 1e-9 * fabs(mean);
}

/** The standard error behind a mean of so many digits; it never reads 0 where it is not. */
static const char *error_text(double mean, double se, int digits, char out[ERROR_BYTES])
{
    if (is_error(mean, se) && se < 0.5 * pow(10, -digits))
        snprintf(out, ERROR_BYTES, "%.1g", se);
    else
        snprintf(out, ERROR_BYTES, "%.*f", digits, se);
    return out;
}

const char *psw_wording_number(const struct psw_printer *w, struct psw_stat x,
                               char out[PSW_WORD_BYTES])
{
    char se[ERROR_BYTES];
    int digits = psw_wording_digits(fmax(fabs(x.mean), isfinite(x.se) ? x.se : 0), 3);
    if (is_error(x.mean, x.se)) { /* one digit of the error, if it is not far behind */
        const int wanted = -(int)floor(log10(x.se));
        if (wanted > digits && wanted <= digits + 3 && wanted <= 6) digits = wanted;
    }
    if (x.n == 0)
        snprintf(out, PSW_WORD_BYTES, "-");
    else if (x.n == 1)
        snprintf(out, PSW_WORD_BYTES, "%.*f", digits, x.mean);
    else
        snprintf(out, PSW_WORD_BYTES, "%.*f %s %s", digits, x.mean, psw_wording_plus_minus(w),
                 error_text(x.mean, x.se, digits, se));
    return out;
}

const char *psw_wording_signed(const struct psw_printer *w, struct psw_stat x, double unit,
                               int digits, char out[PSW_WORD_BYTES])
{
    char se[ERROR_BYTES];
    if (x.n == 0)
        snprintf(out, PSW_WORD_BYTES, "-");
    else if (x.n == 1)
        snprintf(out, PSW_WORD_BYTES, "%+.*f", digits, x.mean / unit);
    else
        snprintf(out, PSW_WORD_BYTES, "%+.*f %s %s", digits, x.mean / unit,
                 psw_wording_plus_minus(w), error_text(x.mean / unit, x.se / unit, digits, se));
    return out;
}

/** Leave out the zero before each point, "-0.03" becomes "-.03"; but not behind "..", where
 * three points would stand. */
static void drop_zeros(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        const int is_inside = at > text && ((at[-1] >= '0' && at[-1] <= '9') || at[-1] == '.');
        if (*at == '0' && at[1] == '.' && at[2] != '.' && !is_inside) continue;
        *to++ = *at;
    }
    *to = 0;
}

const char *psw_wording_spread(struct psw_spread x, int width, char out[PSW_WORD_BYTES])
{
    const double size = fmax(fabs(x.median), fmax(fabs(x.least), fabs(x.most)));
    int digits = psw_wording_digits(fabs(x.median), 2), n = 0;
    if (x.n == 0)
        snprintf(out, PSW_WORD_BYTES, "-");
    else if (x.n == 1)
        snprintf(out, PSW_WORD_BYTES, "%.*f", digits, x.median);
    else if ((size > 0 && size < 1e-4) || size >= 1e5)
        snprintf(out, PSW_WORD_BYTES, "%.1e [%.0e..%.0e]", x.median, x.least, x.most);
    else
        do {
            n = snprintf(out, PSW_WORD_BYTES, "%.*f [%.*f..%.*f]", digits, x.median, digits,
                         x.least, digits, x.most);
            if (n > width) drop_zeros(out);
        } while ((n = (int)strlen(out)) > width && digits-- > 0);
    return out;
}

struct psw_percents psw_wording_percents(struct psw_shares s)
{
    struct psw_percents p = {.n = s.n};
    if (s.n == 0) return p;
    p.above = (int)lround(100 * s.above);
    p.below = (int)lround(100 * s.below);
    if (p.above + p.below > 100) p.below = 100 - p.above;
    p.open = 100 - p.above - p.below;
    return p;
}

const char *psw_wording_seeds(const struct psw_replicates *r, char out[PSW_WORD_BYTES])
{
    const long long n = r->n_above + r->n_below + r->n_open;
    const long long above = r->n_above, below = r->n_below;
    if (n == 0)
        snprintf(out, PSW_WORD_BYTES, "-");
    else if (above > 0 && below > 0)
        snprintf(out, PSW_WORD_BYTES, "%lld above, %lld below", above, below);
    else if (above + below > 0)
        snprintf(out, PSW_WORD_BYTES, "%lld of %lld %s", above + below, n,
                 above > 0 ? "above" : "below");
    else
        snprintf(out, PSW_WORD_BYTES, n == 1 ? "unclear" : "all unclear");
    return out;
}

void psw_wording_spark(const struct psw_printer *w, const double *value, int64_t n, double lo,
                       double hi)
{
    static const char *const BARS[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
                                       "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
                                       "\xe2\x96\x87", "\xe2\x96\x88"};
    static const char *const MARKS[] = {"_", ".", "-", "~", "=", "+", "*", "#"};
    for (int64_t k = 0; k < n; k++) {
        const double share = hi > lo ? (value[k] - lo) / (hi - lo) : 0.5;
        int level = isfinite(share) ? (int)floor(8 * share) : 0;
        level = level < 0 ? 0 : level > 7 ? 7 : level;
        fputs(!isfinite(value[k]) ? " " : w->ascii ? MARKS[level] : BARS[level], w->out);
    }
}
