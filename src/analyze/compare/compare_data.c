/* A comparison as data: one table of columns for CSV and for JSON. Numbers have all digits that
 * tell doubles apart; what is not known is empty or null, and so is an end without bound. */
#include "compare_internal.h"

#include "../analyze_internal.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

enum kind { REAL, COUNT, FLAG };

#define ROW(member) offsetof(struct psw_compare_row, member)

/** Numbers of a row, behind its texts. */
static const struct column {
    const char *name;
    enum kind kind;
    size_t offset;
} COLUMNS[] = {
    {"direction", FLAG, ROW(direction)},
    {"n", COUNT, ROW(pairs.n)},
    {"baseline_mean", REAL, ROW(baseline_mean)},
    {"mean", REAL, ROW(test.mean)},
    {"median", REAL, ROW(test.median)},
    {"sd", REAL, ROW(test.sd)},
    {"low", REAL, ROW(test.interval.lo)},
    {"high", REAL, ROW(test.interval.hi)},
    {"coverage", REAL, ROW(test.coverage)},
    {"p", REAL, ROW(test.p)},
    {"p_floor", REAL, ROW(test.p_floor)},
    {"is_exact", FLAG, ROW(test.is_exact)},
    {"p_holm", REAL, ROW(judged.holm)},
    {"n_family", COUNT, ROW(judged.n_family)},
    {"share_better", REAL, ROW(p_better)},
    {"effect", REAL, ROW(test.effect)},
    {"detectable_effect", REAL, ROW(mde)},
    {"n_needed", COUNT, ROW(judged.n_needed)},
    {"look_n_used", COUNT, ROW(sequential.n_used)},
    {"look_n_next", COUNT, ROW(sequential.n_next)},
    {"bootstrap_low", REAL, ROW(prompts.interval.lo)},
    {"bootstrap_high", REAL, ROW(prompts.interval.hi)},
    {"bootstrap_n_seed", COUNT, ROW(prompts.n_seed)},
    {"bootstrap_n_prompt", COUNT, ROW(prompts.n_prompt)},
    {"n_run", COUNT, ROW(pairs.of.n_run)},
    {"n_unended", COUNT, ROW(pairs.of.n_unended)},
    {"n_failed", COUNT, ROW(pairs.of.n_failed)},
    {"n_censored", COUNT, ROW(pairs.of.n_censored)},
    {"n_diverged", COUNT, ROW(pairs.of.n_diverged)},
    {"n_over_optimised", COUNT, ROW(pairs.of.n_apart)},
    {"n_missing", COUNT, ROW(pairs.of.n_missing)},
    {"n_degenerate", COUNT, ROW(pairs.of.n_degenerate)},
    {"baseline_n_run", COUNT, ROW(pairs.against.n_run)},
    {"baseline_n_unended", COUNT, ROW(pairs.against.n_unended)},
    {"baseline_n_failed", COUNT, ROW(pairs.against.n_failed)},
    {"baseline_n_censored", COUNT, ROW(pairs.against.n_censored)},
    {"baseline_n_diverged", COUNT, ROW(pairs.against.n_diverged)},
    {"baseline_n_over_optimised", COUNT, ROW(pairs.against.n_apart)},
    {"baseline_n_missing", COUNT, ROW(pairs.against.n_missing)},
    {"baseline_n_degenerate", COUNT, ROW(pairs.against.n_degenerate)},
};
enum { N_COLUMN = sizeof COLUMNS / sizeof *COLUMNS };
_Static_assert((int)N_COLUMN <= (int)PSW_COMPARE_MOST_COLUMNS,
               "more columns than the file takes");

/** An interval by prompt where there are no prompts. */
static int is_unasked(const struct psw_compare_row *row, const struct column *c)
{
    const size_t at = c->offset;
    return row->prompts.n_seed == 0 &&
           (at == ROW(prompts.interval.lo) || at == ROW(prompts.interval.hi));
}

int psw_compare_n_column(void)
{
    return N_COLUMN;
}

const char *psw_compare_column_name(int i)
{
    return COLUMNS[i].name;
}

int psw_compare_is_real(int i)
{
    return COLUMNS[i].kind == REAL;
}

double psw_compare_number(const struct psw_compare_row *row, int i)
{
    const struct column *c = &COLUMNS[i];
    const char *at = (const char *)row + c->offset;
    double x;
    int64_t n;
    int flag;
    if (is_unasked(row, c)) return NAN;
    switch (c->kind) {
    case REAL:
        memcpy(&x, at, sizeof x);
        return x;
    case COUNT:
        memcpy(&n, at, sizeof n);
        return (double)n;
    default:
        memcpy(&flag, at, sizeof flag);
        return flag;
    }
}

static void put_number(FILE *out, const struct psw_compare_row *row, int i, const char *unknown)
{
    const double x = psw_compare_number(row, i);
    if (isfinite(x))
        fprintf(out, psw_compare_is_real(i) ? "%.17g" : "%.0f", x);
    else
        fputs(unknown, out);
}

/** In double quotes; `escape` before a quote: another one in CSV, a backslash in JSON. */
static void put_text(FILE *out, const char *text, char escape)
{
    fputc('"', out);
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || (escape == '\\' && byte == '\\')) fputc(escape, out);
        if (byte < ' ') {
            fprintf(out, escape == '\\' ? "\\u%04x" : "?", byte);
            continue;
        }
        fputc(byte, out);
    }
    fputc('"', out);
}

void psw_compare_csv_text(FILE *out, const char *text)
{
    put_text(out, text, '"');
}

void psw_compare_json_text(FILE *out, const char *text)
{
    put_text(out, text, '\\');
}

/** Texts of a row. */
static const char *const TEXTS[PSW_COMPARE_N_TEXT] = {"metric", "cell", "baseline", "verdict",
                                                      "family"};

const char *psw_compare_text_name(int i)
{
    return TEXTS[i];
}

const char *psw_compare_text_cell(const struct psw_comparison *c,
                                  const struct psw_compare_row *row, int i)
{
    const char *const text[PSW_COMPARE_N_TEXT] = {
        row->metric, row->contrast->cell->label, row->contrast->baseline->label,
        psw_compare_verdict_name(row->judged.verdict), psw_compare_family_name(c, row)};
    return text[i];
}

psw_status psw_compare_csv(FILE *out, const struct psw_comparison *c, struct psw_error *err)
{
    for (int i = 0; i < PSW_COMPARE_N_TEXT; i++) fprintf(out, "%s,", TEXTS[i]);
    for (int i = 0; i < N_COLUMN; i++)
        fprintf(out, "%s%s", COLUMNS[i].name, i + 1 < N_COLUMN ? "," : "\n");
    for (int64_t r = 0; r < c->n_row; r++) {
        for (int i = 0; i < PSW_COMPARE_N_TEXT; i++) {
            put_text(out, psw_compare_text_cell(c, &c->row[r], i), '"');
            fputc(',', out);
        }
        for (int i = 0; i < N_COLUMN; i++) {
            put_number(out, &c->row[r], i, "");
            fputc(i + 1 < N_COLUMN ? ',' : '\n', out);
        }
    }
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

psw_status psw_compare_json(FILE *out, const struct psw_comparison *c, struct psw_error *err)
{
    fputs("{\"by\": ", out);
    put_text(out, c->pairing.by, '\\');
    fputs(", \"baseline\": ", out);
    put_text(out, c->pairing.value, '\\');
    fprintf(out, ", \"alpha\": %.17g, \"n_alone\": %lld, \"rows\": [", c->alpha,
            (long long)c->pairing.n_alone);
    for (int64_t r = 0; r < c->n_row; r++) {
        fputs(r ? ",\n {" : "\n {", out);
        for (int i = 0; i < PSW_COMPARE_N_TEXT; i++) {
            fprintf(out, "\"%s\": ", TEXTS[i]);
            put_text(out, psw_compare_text_cell(c, &c->row[r], i), '\\');
            fputs(", ", out);
        }
        for (int i = 0; i < N_COLUMN; i++) {
            fprintf(out, "%s\"%s\": ", i ? ", " : "", COLUMNS[i].name);
            put_number(out, &c->row[r], i, "null");
        }
        fputc('}', out);
    }
    fputs("\n]}\n", out);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}
