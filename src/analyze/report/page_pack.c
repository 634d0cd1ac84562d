/* Long columns, packed so that a sweep of 500 runs stays a page that can be mailed: a row of
 * 16-bit integers with one scale (3e-5 of the row's largest value), errors as 8-bit logarithms
 * (2 %), in base64. An error is coded so that what is read back is beyond two errors from zero
 * exactly where the file's own numbers are. */
#include "page_internal.h"

#include <posweep/analyze/signs.h>

#include <math.h>
#include <stdlib.h>

enum {
    MISSING = -32768, /* among values */
    LARGEST = 32767,  /* code of the row's largest magnitude */
    NO_ERROR = 255,   /* among errors */
    ZERO_ERROR = 254, /* an error of 0 */
    SMALLEST_ERROR = 253,
    PER_OCTAVE = 16, /* codes of an error, per halving */
    MOST_NUDGES = 3  /* of an error's code, towards the right sign */
};

/** Bytes in base64 as a JSON string; NULL when memory is short. */
static json_t *base64(const void *data, size_t n)
{
    static const char DIGIT[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *byte = data;
    char *text = malloc((n + 2) / 3 * 4 + 1), *to = text;
    if (!text) return NULL;
    for (size_t i = 0; i < n; i += 3) {
        const size_t left = n - i;
        const unsigned word = (unsigned)byte[i] << 16 | (left > 1 ? byte[i + 1] : 0u) << 8 |
                              (left > 2 ? byte[i + 2] : 0u);
        *to++ = DIGIT[word >> 18];
        *to++ = DIGIT[word >> 12 & 63];
        *to++ = left > 1 ? DIGIT[word >> 6 & 63] : '=';
        *to++ = left > 2 ? DIGIT[word & 63] : '=';
    }
    *to = 0;
    json_t *string = json_string_nocheck(text);
    free(text);
    return string;
}

void psw_page_pack_clear(struct psw_page_pack *p)
{
    free(p->value);
    free(p->error);
    free(p->scale);
    free(p->largest);
}

int psw_page_pack_init(struct psw_page_pack *p, int64_t n_row, int64_t n)
{
    const size_t rows = (size_t)n_row + 1, points = (size_t)n_row * (size_t)n + 1;
    *p = (struct psw_page_pack){.n_row = n_row, .n = n};
    p->value = calloc(points, sizeof *p->value);
    p->error = calloc(points, sizeof *p->error);
    p->scale = calloc(rows, sizeof *p->scale);
    p->largest = calloc(rows, sizeof *p->largest);
    return p->value && p->error && p->scale && p->largest;
}

static double largest_of(const double *x, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i])) most = fmax(most, fabs(x[i]));
    return most;
}

static double error_of(double largest, int code)
{
    return code == ZERO_ERROR ? 0 : largest * exp2(-(double)code / PER_OCTAVE);
}

/** The code of an error, such that the sign of `value` as it is read back is `sign`. */
static unsigned char error_code(double se, double largest, double value, enum psw_sign sign)
{
    if (!isfinite(se)) return NO_ERROR;
    if (!(se > 0)) return ZERO_ERROR;
    int code = (int)lround(-PER_OCTAVE * log2(se / largest));
    for (int i = 0; i < MOST_NUDGES; i++) {
        code = code < 0 ? 0 : code > SMALLEST_ERROR ? SMALLEST_ERROR : code;
        if (psw_sign_of(value, error_of(largest, code)) == sign) break;
        code += sign == PSW_SIGN_OPEN ? -1 : 1;
    }
    return (unsigned char)(code < 0 ? 0 : code > SMALLEST_ERROR ? SMALLEST_ERROR : code);
}

void psw_page_pack_row(struct psw_page_pack *p, int64_t row, const double *x, const double *se)
{
    int16_t *value = p->value + row * p->n;
    p->scale[row] = (float)(largest_of(x, p->n) / LARGEST);
    p->largest[row] = se ? (float)largest_of(se, p->n) : 0;
    for (int64_t i = 0; i < p->n; i++) {
        const double scale = p->scale[row];
        double code = scale > 0 ? nearbyint(x[i] / scale) : 0;
        code = code > LARGEST ? LARGEST : code < -LARGEST ? -LARGEST : code;
        value[i] = isfinite(x[i]) ? (int16_t)code : MISSING;
        p->error[row * p->n + i] =
            se && isfinite(x[i])
                ? error_code(se[i], p->largest[row], value[i] * scale, psw_sign_of(x[i], se[i]))
                : NO_ERROR;
    }
}

json_t *psw_page_pack_json(const struct psw_page_pack *p, int has_errors)
{
    const size_t n_row = (size_t)p->n_row, n = n_row * (size_t)p->n;
    json_t *o = json_object();
    int bad = json_object_set_new(o, "n", json_integer(p->n)) |
              json_object_set_new(o, "value", base64(p->value, n * sizeof *p->value)) |
              json_object_set_new(o, "scale", base64(p->scale, n_row * sizeof *p->scale));
    if (has_errors)
        bad |= json_object_set_new(o, "error", base64(p->error, n)) |
               json_object_set_new(o, "largest", base64(p->largest, n_row * sizeof(float)));
    if (!bad) return o;
    json_decref(o);
    return NULL;
}

psw_status psw_page_begin_block(struct psw_page_pack *p, int64_t n_row, int64_t n,
                                struct psw_error *err)
{
    if (psw_page_pack_init(p, n_row, n)) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "the data of the page: %lld columns of %lld",
                    (long long)n_row, (long long)n);
}

psw_status psw_page_put_block(const struct psw_page *page, const char *kind, const char *name,
                              const struct psw_page_pack *pack, int has_errors,
                              struct psw_error *err)
{
    json_t *o = psw_page_pack_json(pack, has_errors);
    fprintf(page->out, "<script type='application/json' id='data-%s-", kind);
    psw_html_text(page->out, name);
    fputs("'>", page->out);
    const psw_status rc = psw_html_script(page->out, o, err);
    fputs("</script>\n", page->out);
    json_decref(o);
    return rc;
}
