/* Spectra of tensors as text and as a file. */
#include "../analyze_internal.h"

#include <posweep/analyze/tensor_spectra.h>
#include <posweep/store/derived.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- text ---- */

enum { W_NAME = 46, W_SHAPE = 9, W_NUMBER = 15 };

static double norm_of(const struct psw_matrix_spectrum *m)
{
    return m->norm;
}

static double rank_of(const struct psw_matrix_spectrum *m)
{
    return m->effective_rank;
}

/** Share of the squared norm on the first axis. */
static double first_of(const struct psw_matrix_spectrum *m)
{
    return m->norm > 0 ? m->value[0] * m->value[0] / (m->norm * m->norm) : NAN;
}

/** Over the runs of a cell. Shapes: scratch [n_run]. */
static struct psw_stat stat_of(const struct psw_tensor_spectra *s, int64_t cell, int64_t matrix,
                               double (*of)(const struct psw_matrix_spectrum *m),
                               double *scratch)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_run; i++)
        if (s->cell[i] == cell) scratch[n++] = of(&s->spectrum[i * s->n_matrix + matrix]);
    return psw_stat_of(scratch, n, 1);
}

static int64_t runs_of(const struct psw_tensor_spectra *s, int64_t cell)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_run; i++) n += s->cell[i] == cell;
    return n;
}

/** Without ".weight", which all have. */
static int name_length(const char *name)
{
    static const char END[] = ".weight";
    const size_t n = strlen(name), m = sizeof END - 1;
    return (int)(n > m && strcmp(name + n - m, END) == 0 ? n - m : n);
}

static void put_cell(const struct psw_printer *w, const struct psw_tensor_spectra *s,
                     int64_t cell, double *scratch)
{
    static double (*const COLUMN[])(const struct psw_matrix_spectrum *) = {norm_of, rank_of,
                                                                           first_of};
    char text[PSW_WORD_BYTES];
    fprintf(w->out, "\n%s: %lld seeds\n", s->cells.cell[cell].label,
            (long long)runs_of(s, cell));
    psw_wording_put(w, "", W_NAME);
    psw_wording_put(w, "shape", W_SHAPE);
    psw_wording_put(w, "norm", W_NUMBER);
    psw_wording_put(w, "effective rank", W_NUMBER);
    psw_wording_put(w, "on first axis", W_NUMBER);
    fputc('\n', w->out);
    for (int64_t m = 0; m < s->n_matrix; m++) {
        psw_wording_put(w, "  ", -2);
        snprintf(text, sizeof text, "%.*s", name_length(s->matrix[m].name), s->matrix[m].name);
        psw_wording_put(w, text, 2 - W_NAME);
        snprintf(text, sizeof text, "%lld x %lld", (long long)s->matrix[m].n_row,
                 (long long)s->matrix[m].n_col);
        psw_wording_put(w, text, W_SHAPE);
        for (size_t k = 0; k < sizeof COLUMN / sizeof *COLUMN; k++)
            psw_wording_put(
                w, psw_wording_number(w, stat_of(s, cell, m, COLUMN[k], scratch), text),
                W_NUMBER);
        fputc('\n', w->out);
    }
}

psw_status psw_tensor_spectra_print(FILE *out, const struct psw_tensor_spectra *s,
                                    struct psw_error *err)
{
    const struct psw_printer w = {.out = out, .ascii = psw_show_wants_ascii()};
    double *scratch = calloc((size_t)s->n_run + 1, sizeof *scratch);
    if (!scratch) return psw_fail(err, PSW_ENOMEM, "%lld runs", (long long)s->n_run);
    fprintf(
        out,
        "Each matrix at the end of a run less that of its SFT model: its norm, how many equal "
        "directions\nwould be as spread (entropy of the squared singular values), and the "
        "share of the squared norm\non the first of them; means over seeds.\n");
    if (s->n_missing > 0)
        fprintf(out, "%lld run%s left out: not kept in %s/kept, or of another shape.\n",
                (long long)s->n_missing, s->n_missing == 1 ? " is" : "s are", s->folder);
    for (int64_t c = 0; c < s->cells.n_cell; c++)
        if (runs_of(s, c) > 0) put_cell(&w, s, c, scratch);
    free(scratch);
    return ferror(out) ? psw_fail(err, PSW_EIO, "cannot write the table") : PSW_OK;
}

/* ---- file ---- */

/** What is made for the file alone; owned. */
struct made {
    const char **run, **tensor, **cell; /* texts borrowed */
    int64_t *seed, *n_row, *n_col;
    double *norm, *rank, *participation, *value;
};

static void made_clear(struct made *m)
{
    void *const all[] = {m->run,   m->tensor, m->cell, m->seed,          m->n_row,
                         m->n_col, m->norm,   m->rank, m->participation, m->value};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static int make(struct psw_results *r, const struct psw_tensor_spectra *s, struct made *m)
{
    const size_t n_run = (size_t)s->n_run + 1, n_tensor = (size_t)s->n_matrix + 1;
    const size_t n = n_run * n_tensor;
    const int64_t *seed = psw_results_i64(r, "seed");
    *m = (struct made){.run = calloc(n_run, sizeof *m->run),
                       .tensor = calloc(n_tensor, sizeof *m->tensor),
                       .cell = calloc(n_run, sizeof *m->cell),
                       .seed = calloc(n_run, sizeof *m->seed),
                       .n_row = calloc(n_tensor, sizeof *m->n_row),
                       .n_col = calloc(n_tensor, sizeof *m->n_col),
                       .norm = calloc(n, sizeof *m->norm),
                       .rank = calloc(n, sizeof *m->rank),
                       .participation = calloc(n, sizeof *m->participation),
                       .value = calloc(n * PSW_MATRIX_LEADING, sizeof *m->value)};
    if (!m->run || !m->tensor || !m->cell || !m->seed || !m->n_row || !m->n_col || !m->norm ||
        !m->rank || !m->participation || !m->value)
        return 0;
    for (int64_t i = 0; i < s->n_run; i++) {
        m->run[i] = psw_results_text(r, "run", s->run[i]);
        m->cell[i] = s->cells.cell[s->cell[i]].label;
        m->seed[i] = seed ? seed[s->run[i]] : -1;
    }
    for (int64_t t = 0; t < s->n_matrix; t++) {
        m->tensor[t] = s->matrix[t].name;
        m->n_row[t] = s->matrix[t].n_row;
        m->n_col[t] = s->matrix[t].n_col;
    }
    for (int64_t i = 0; i < s->n_run * s->n_matrix; i++) {
        m->norm[i] = s->spectrum[i].norm;
        m->rank[i] = s->spectrum[i].effective_rank;
        m->participation[i] = s->spectrum[i].participation;
        memcpy(m->value + i * PSW_MATRIX_LEADING, s->spectrum[i].value,
               sizeof s->spectrum[i].value);
    }
    return 1;
}

psw_status psw_tensor_spectra_write(const char *path, const char *source,
                                    struct psw_results *results,
                                    const struct psw_tensor_spectra *s, struct psw_error *err)
{
    struct made m;
    char hash[64];
    psw_status rc = make(results, s, &m) ? PSW_OK : psw_fail(err, PSW_ENOMEM, "%s", path);
    snprintf(hash, sizeof hash, "%s", psw_results_attr(results, "/", "spec_hash"));
    const struct psw_derived_dim dims[] = {
        {"run", s->n_run}, {"tensor", s->n_matrix}, {"leading", PSW_MATRIX_LEADING}};
    const struct psw_derived_set sets[] = {{"run", m.run},
                                           {"tensor", m.tensor},
                                           {"cell", m.cell},
                                           {"seed", m.seed},
                                           {"step", s->step},
                                           {"n_row", m.n_row},
                                           {"n_column", m.n_col},
                                           {"norm", m.norm},
                                           {"effective_rank", m.rank},
                                           {"participation_ratio", m.participation},
                                           {"singular_value", m.value}};
    const struct psw_results_note notes[] = {{"results", source}, {"spec_hash", hash}};
    const struct psw_derived what = {.kind = PSW_SCHEMA_TENSORS,
                                     .kind_name = "tensors",
                                     .version = PSW_TENSORS_VERSION,
                                     .dim = dims,
                                     .n_dim = sizeof dims / sizeof *dims,
                                     .set = sets,
                                     .n_set = sizeof sets / sizeof *sets,
                                     .note = notes,
                                     .n_note = sizeof notes / sizeof *notes};
    if (rc == PSW_OK) rc = psw_derived_write(path, &what, err);
    made_clear(&m);
    return rc;
}
