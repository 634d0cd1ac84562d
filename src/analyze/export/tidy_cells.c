/* CSV and JSON, a cell at a time. */
#include "tidy_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/store/journal.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

/** Bytes of the UTF-8 character at `at`; 0: it is none. */
static int character_bytes(const unsigned char *at)
{
    static const struct {
        unsigned char lead_lo, lead_hi, next_lo, next_hi;
        int n;
    } FORMS[] = {
        {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4}};
    for (size_t f = 0; f < sizeof FORMS / sizeof *FORMS; f++) {
        if (at[0] < FORMS[f].lead_lo || at[0] > FORMS[f].lead_hi) continue;
        if (FORMS[f].n > 1 && (at[1] < FORMS[f].next_lo || at[1] > FORMS[f].next_hi)) return 0;
        for (int i = 2; i < FORMS[f].n; i++)
            if (at[i] < 0x80 || at[i] > 0xBF) return 0;
        return FORMS[f].n;
    }
    return 0;
}

static void put_json_text(FILE *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', out);
    while (*at) {
        const int n = character_bytes(at);
        if (*at == '"' || *at == '\\') fputc('\\', out);
        if (n == 0)
            fputs("\\ufffd", out);
        else if (*at < 0x20 || *at == 0x7F)
            fprintf(out, "\\u%04x", (unsigned)*at);
        else
            fwrite(at, 1, (size_t)n, out);
        at += n ? n : 1;
    }
    fputc('"', out);
}

static void put_csv_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n") && text[0] != ' ') {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (const char *at = text; *at; at++) {
        if (*at == '"') fputc('"', out);
        fputc(*at, out);
    }
    fputc('"', out);
}

static void put_text(struct psw_tidy_writer *w, const char *text)
{
    if (w->format == PSW_TIDY_JSON)
        put_json_text(w->out, text);
    else
        put_csv_text(w->out, text);
}

/* ---- numbers ---- */

/** The fewest digits that read back to the same float32. */
static void single_text(float x, char out[PSW_TIDY_NUMBER_BYTES])
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(out, PSW_TIDY_NUMBER_BYTES, "%.*g", digits, (double)x);
        if (strtof(out, NULL) == x) break;
    }
}

static void real_text(enum psw_tidy_format format, double x, int is_single,
                      char out[PSW_TIDY_NUMBER_BYTES])
{
    char text[PSW_LEAF_TEXT_BYTES] = "null"; /* JSON has no infinity */
    if (!isfinite(x) && format == PSW_TIDY_CSV)
        snprintf(text, sizeof text, x > 0 ? "inf" : "-inf");
    else if (isfinite(x) && !is_single)
        psw_leaf_number_text(NULL, x, text);
    snprintf(out, PSW_TIDY_NUMBER_BYTES, "%.39s", text);
    if (isfinite(x) && is_single) single_text((float)x, out);
}

static void put_number(struct psw_tidy_writer *w, struct psw_tidy_column *c, int64_t i)
{
    if (c->digits_of != i && c->i64)
        snprintf(c->digits, sizeof c->digits, "%lld", (long long)c->i64[i]);
    else if (c->digits_of != i)
        real_text(w->format, c->f64[i], c->is_single, c->digits);
    c->digits_of = i;
    fputs(c->digits, w->out);
}

/* ---- rows ---- */

void psw_tidy_header(struct psw_tidy_writer *w, const struct psw_tidy_column *column, int n)
{
    if (w->format == PSW_TIDY_JSON) return; /* each row has its names */
    for (int i = 0; i < n; i++) {
        if (i) fputc(',', w->out);
        put_text(w, column[i].name);
    }
    fputs("\r\n", w->out);
}

void psw_tidy_begin_row(struct psw_tidy_writer *w)
{
    w->n_cell = 0;
    if (w->format == PSW_TIDY_JSON) fputc('{', w->out);
}

void psw_tidy_put(struct psw_tidy_writer *w, struct psw_tidy_column *column, int64_t i,
                  int is_missing)
{
    const int is_json = w->format == PSW_TIDY_JSON;
    if (w->n_cell++ > 0) fputs(is_json ? ", " : ",", w->out);
    if (is_json) {
        put_text(w, column->name);
        fputs(": ", w->out);
    }
    if (is_missing)
        fputs(is_json ? "null" : "", w->out);
    else if (column->is_status && column->i64 && column->i64[i] >= 0 &&
             column->i64[i] < PSW_N_OUTCOME)
        put_text(w, psw_outcome_name((enum psw_outcome)column->i64[i]));
    else if (column->i64 || column->f64)
        put_number(w, column, i);
    else
        put_text(w, column->by_rows ? psw_results_text(column->by_rows, column->name, i)
                                    : column->text[i]);
}

void psw_tidy_end_row(struct psw_tidy_writer *w)
{
    fputs(w->format == PSW_TIDY_JSON ? "}\n" : "\r\n", w->out);
}
