/* A rescored file as text, CSV and JSON lines. */
#include "../analyze_internal.h"

#include <posweep/analyze/rescore.h>
#include <posweep/analyze/ticks.h>

#include <math.h>
#include <string.h>

enum { NAME_WIDTH = 20, COLUMN_WIDTH = 20, MOST_COLUMNS = 4, MOST_SEEDS = 4096 };

/** What the rows of the text are, where the objective has them. */
static const enum psw_component SHOWN[] = {PSW_C_TOTAL, PSW_C_POS, PSW_C_NEG, PSW_C_NLL,
                                           PSW_C_KL};
enum { N_SHOWN = sizeof SHOWN / sizeof *SHOWN };

/** The file's columns beside which the result stands. */
struct beside {
    struct psw_results *results;
    const struct psw_rescore *r;
    const double *g, *norm;
    const int64_t *step, *seed;
    int64_t n_checkpoint, n_component;
};

static struct beside beside_of(struct psw_results *results, const struct psw_rescore *r)
{
    return (struct beside){.results = results,
                           .r = r,
                           .g = psw_results_f64(results, "G"),
                           .norm = psw_results_f64(results, "v_norm"),
                           .step = psw_results_i64(results, "step"),
                           .seed = psw_results_i64(results, "seed"),
                           .n_checkpoint = psw_results_dim(results, "checkpoint"),
                           .n_component = psw_results_dim(results, "component")};
}

/** G of a component by the run's own objective; NaN: it has none. */
static double own_g(const struct beside *b, const struct psw_rescored_point *p, int component)
{
    const int64_t c =
        psw_results_component(b->results, psw_component_name((enum psw_component)component));
    if (c < 0) return NAN;
    return b->g[(p->run * b->n_checkpoint + p->checkpoint) * b->n_component + c];
}

static double norm_of(const struct beside *b, const struct psw_rescored_point *p)
{
    return b->norm ? b->norm[p->run * b->n_checkpoint + p->checkpoint] : NAN;
}

/* ---- text ---- */

static const struct psw_rescored_point *
point_of(const struct psw_rescore *r, const struct psw_rescored_run *s, int64_t checkpoint)
{
    for (int64_t i = s->first; i < s->first + s->n; i++)
        if (r->point[i].checkpoint == checkpoint) return &r->point[i];
    return NULL;
}

/** Over the seeds of a cell that count; own: of the run's own objective. */
static struct psw_stat scaled_of(const struct beside *b, const struct psw_cell *cell,
                                 int64_t checkpoint, int component, int own)
{
    double x[MOST_SEEDS];
    int64_t n = 0;
    for (int64_t i = 0; i < cell->n_run && n < MOST_SEEDS; i++) {
        const struct psw_rescored_run *s = psw_rescored_run_of(b->r, cell->run[i]);
        const struct psw_rescored_point *p = s ? point_of(b->r, s, checkpoint) : NULL;
        if (!p || cell->apart[i] != PSW_APART_NOT) continue;
        x[n++] = (own ? own_g(b, p, component) : p->g[component]) / norm_of(b, p);
    }
    return psw_stat_of(x, n, 1);
}

/** Checkpoints that are shown: evenly over those of a cell but the last, where v is noise. */
static int64_t choose_columns(const struct beside *b, const struct psw_cell *cell,
                              int64_t column[MOST_COLUMNS])
{
    int64_t n_have = 0;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const struct psw_rescored_run *s = psw_rescored_run_of(b->r, cell->run[i]);
        if (s && cell->apart[i] == PSW_APART_NOT && s->n - 1 > n_have) n_have = s->n - 1;
    }
    const int64_t n = n_have < MOST_COLUMNS ? n_have : MOST_COLUMNS;
    for (int64_t i = 0; i < n; i++)
        column[i] = n > 1 ? (i * (n_have - 1) + (n - 1) / 2) / (n - 1) : 0;
    return n;
}

/** A row of the text: a component at the columns. */
struct text_row {
    char name[PSW_WORD_BYTES];
    struct psw_stat x[MOST_COLUMNS];
    int64_t n_value;
};

/** Rows with the values of a cell, in one unit. */
static void put_rows(const struct psw_printer *w, const struct text_row *row, int n_row,
                     int64_t n_column)
{
    char text[PSW_WORD_BYTES];
    double size = 0;
    for (int k = 0; k < n_row; k++)
        for (int64_t i = 0; i < n_column; i++)
            if (row[k].x[i].n > 0) size = fmax(size, fabs(row[k].x[i].mean));
    const double unit = psw_unit_for(size);
    const int digits = psw_wording_digits(size / unit, 3);
    for (int k = 0; k < n_row; k++) {
        psw_wording_put(w, "  ", -2);
        psw_wording_put(w, row[k].name, 2 - NAME_WIDTH);
        for (int64_t i = 0; i < n_column; i++)
            psw_wording_put(w, psw_wording_signed(w, row[k].x[i], unit, digits, text),
                            COLUMN_WIDTH);
        if (unit != 1) fprintf(w->out, "  x %g", unit);
        fputc('\n', w->out);
    }
}

static void put_head(const struct beside *b, const struct psw_printer *w,
                     const struct psw_rescored_run *s, const int64_t column[], int64_t n)
{
    char text[PSW_WORD_BYTES];
    psw_wording_put(w, "", NAME_WIDTH);
    for (int64_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "step %lld",
                 (long long)b->step[s->run * b->n_checkpoint + column[i]]);
        psw_wording_put(w, text, COLUMN_WIDTH);
    }
    fputc('\n', w->out);
}

/** The shown components by the objective, then total by the run's own. Returns how many. */
static int fill_rows(const struct beside *b, const struct psw_cell *cell,
                     const int64_t column[MOST_COLUMNS], int64_t n_column,
                     struct text_row row[N_SHOWN + 1])
{
    int n = 0;
    for (int k = 0; k <= N_SHOWN; k++) {
        const int own = k == N_SHOWN;
        const enum psw_component component = own ? PSW_C_TOTAL : SHOWN[k];
        struct text_row *r = &row[n];
        *r = (struct text_row){.n_value = 0};
        for (int64_t i = 0; i < n_column; i++) {
            r->x[i] = scaled_of(b, cell, column[i], (int)component, own);
            r->n_value += r->x[i].n;
        }
        snprintf(r->name, sizeof r->name, "%s%s", own ? "as trained: " : "",
                 psw_component_name(component));
        n += r->n_value > 0;
    }
    return n;
}

static void put_cell(const struct beside *b, const struct psw_printer *w,
                     const struct psw_cell *cell)
{
    int64_t column[MOST_COLUMNS], n_scored = 0, n_counted = 0;
    const struct psw_rescored_run *first = NULL;
    for (int64_t i = 0; i < cell->n_run; i++) {
        const struct psw_rescored_run *s = psw_rescored_run_of(b->r, cell->run[i]);
        n_scored += s != NULL;
        n_counted += s && cell->apart[i] == PSW_APART_NOT;
        if (s && !first && cell->apart[i] == PSW_APART_NOT) first = s;
    }
    if (n_scored == 0) return;
    fprintf(w->out, "\n%s: %lld of %lld seeds, weighed by %s\n", cell->label,
            (long long)n_counted, (long long)cell->n_run, first ? first->objective : "-");
    const int64_t n = first ? choose_columns(b, cell, column) : 0;
    if (n == 0) return;
    struct text_row row[N_SHOWN + 1];
    put_head(b, w, first, column, n);
    put_rows(w, row, fill_rows(b, cell, column, n, row), n);
}

psw_status psw_rescore_text(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                            struct psw_error *err)
{
    const struct psw_printer w = {.out = out, .ascii = psw_show_wants_ascii()};
    const struct beside b = beside_of(results, r);
    if (!b.g || !b.norm || !b.step)
        return psw_fail(err, PSW_EDATA, "the file has no G, v_norm and step");
    fprintf(
        out,
        "G/%s of an objective on the probe of each run, at the run's own parameters and along "
        "its own v;\nmean over seeds %s its error. `as trained`: of the objective that the "
        "run was trained by.\n",
        psw_wording_norm(&w), psw_wording_plus_minus(&w));
    for (int64_t c = 0; c < r->cells.n_cell; c++) put_cell(&b, &w, &r->cells.cell[c]);
    if (r->n_refused > 0)
        fprintf(out, "\n%lld run%s left out; of the first: %s\n", (long long)r->n_refused,
                r->n_refused == 1 ? "" : "s", r->refused);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

/* ---- data ---- */

/** How a table is written; the columns are the same. */
struct form {
    const char *unknown;                       /* no value */
    void (*text)(FILE *out, const char *text); /* in quotes */
    int is_json;
};

/** What stands before a cell of a row. */
static void begin_cell(FILE *out, const struct form *f, const char *name, int *n)
{
    if (f->is_json)
        fprintf(out, "%s\"%s\": ", *n ? ", " : "{", name);
    else if (*n)
        fputc(',', out);
    ++*n;
}

static void put_number(FILE *out, const struct form *f, const char *name, double x, int *n)
{
    begin_cell(out, f, name, n);
    if (isfinite(x))
        fprintf(out, "%.17g", x);
    else
        fputs(f->unknown, out);
}

static void put_word(FILE *out, const struct form *f, const char *name, const char *text,
                     int *n)
{
    begin_cell(out, f, name, n);
    f->text(out, text);
}

static void put_point(FILE *out, const struct form *f, const struct beside *b,
                      const struct psw_rescored_run *s, const struct psw_rescored_point *p,
                      int component)
{
    static const char *const OWNER[] = {"run", "method", "variant"};
    int n = 0;
    for (size_t i = 0; i < sizeof OWNER / sizeof *OWNER; i++)
        put_word(out, f, OWNER[i], psw_results_text(b->results, OWNER[i], p->run), &n);
    put_number(out, f, "seed", b->seed ? (double)b->seed[p->run] : NAN, &n);
    for (int i = 0; i < psw_results_n_leaf(b->results); i++) {
        char value[PSW_SETTING_BYTES];
        put_word(out, f, psw_results_leaf(b->results, i),
                 psw_results_leaf_text(b->results, i, p->run, value), &n);
    }
    put_word(out, f, "objective", s->objective, &n);
    put_number(out, f, "checkpoint", (double)p->checkpoint, &n);
    put_number(out, f, "step",
               b->step ? (double)b->step[p->run * b->n_checkpoint + p->checkpoint] : NAN, &n);
    put_word(out, f, "component", psw_component_name((enum psw_component)component), &n);
    put_number(out, f, "G", p->g[component], &n);
    put_number(out, f, "G_se", p->g_se[component], &n);
    put_number(out, f, "G_trained", b->g ? own_g(b, p, component) : NAN, &n);
    put_number(out, f, "v_norm", norm_of(b, p), &n);
    fputs(f->is_json ? "}\n" : "\n", out);
}

static psw_status put_all(FILE *out, const struct form *f, struct psw_results *results,
                          const struct psw_rescore *r, struct psw_error *err)
{
    const struct beside b = beside_of(results, r);
    if (!f->is_json) {
        fputs("run,method,variant,seed", out);
        for (int i = 0; i < psw_results_n_leaf(results); i++)
            fprintf(out, ",%s", psw_results_leaf(results, i));
        fputs(",objective,checkpoint,step,component,G,G_se,G_trained,v_norm\n", out);
    }
    for (int64_t i = 0; i < r->n_scored; i++) {
        const struct psw_rescored_run *s = &r->scored[i];
        for (int64_t k = s->first; k < s->first + s->n; k++)
            for (int c = 0; c < PSW_N_COMPONENT; c++)
                if (!isnan(r->point[k].g[c])) put_point(out, f, &b, s, &r->point[k], c);
    }
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

psw_status psw_rescore_csv(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                           struct psw_error *err)
{
    const struct form csv = {"", psw_compare_csv_text, 0};
    return put_all(out, &csv, results, r, err);
}

psw_status psw_rescore_json(FILE *out, struct psw_results *results, const struct psw_rescore *r,
                            struct psw_error *err)
{
    const struct form json = {"null", psw_compare_json_text, 1};
    return put_all(out, &json, results, r, err);
}
