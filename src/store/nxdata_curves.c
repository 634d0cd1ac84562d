/* Curves for viewers, run after run: the sums over the finished runs of a cell at each
 * checkpoint, those far from their SFT model included. Runs come in the order of the sweep,
 * whatever the blocks, so the sums are the same to the bit. */
#include "nxdata_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What adds up to total, and total itself first: the lines of the plot. */
static const char *const LINES[PSW_CURVE_LINES] = {"total", "pos",     "neg",  "nll",
                                                   "kl",    "entropy", "value"};

/** Mean and squares over runs, and the error of the last one. */
struct sum {
    double n, mean, squares, alone;
};

struct psw_curves {
    struct psw_table *table; /* borrowed */
    int n_cell;
    int64_t n_checkpoint, n_component;
    int64_t place[PSW_CURVE_LINES]; /* on the axis of components; -1: not there */
    int64_t *n_done, *step;         /* owned [n_cell], [n_cell][n_checkpoint] */
    struct sum *sum; /* owned [n_cell][PSW_N_ALONG][n_checkpoint][PSW_CURVE_LINES] */
};

/** Where the values of one run come from. */
struct source {
    const double *g, *norm; /* [checkpoint][component], [checkpoint]; NULL: not there */
    const double *g_se, *g_se_final; /* as g */
};

const char *psw_curve_line_name(int line)
{
    return LINES[line];
}

static int is_there(struct psw_table *t, const char *name)
{
    const struct psw_column *c = psw_table_column(t, name);
    return c && c->present;
}

int psw_curves_is_scaled(const struct psw_curves *curves, enum psw_along along)
{
    return is_there(curves->table, psw_along_columns(along)->norm);
}

/** Place of a component on the axis; -1: not there. */
static int64_t component_of(const struct psw_table *t, const char *name)
{
    for (int i = 0; i < t->layout->axes.n_component; i++)
        if (strcmp(t->layout->axes.component[i], name) == 0) return t->component[i];
    return -1;
}

struct psw_curves *psw_curves_create(struct psw_table *table, int n_cell)
{
    struct psw_curves *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->table = table;
    c->n_cell = n_cell;
    c->n_checkpoint = table->extent[PSW_DIM_CHECKPOINT];
    c->n_component = table->extent[PSW_DIM_COMPONENT];
    for (int l = 0; l < PSW_CURVE_LINES; l++) c->place[l] = component_of(table, LINES[l]);
    const size_t n = (size_t)n_cell * (size_t)c->n_checkpoint;
    c->n_done = calloc((size_t)n_cell + 1, sizeof *c->n_done);
    c->step = malloc((n + 1) * sizeof *c->step);
    c->sum = calloc(n * PSW_N_ALONG * PSW_CURVE_LINES + 1, sizeof *c->sum);
    if (!c->n_done || !c->step || !c->sum) {
        psw_curves_destroy(c);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) c->step[i] = -1;
    for (size_t i = 0; i < n * PSW_N_ALONG * PSW_CURVE_LINES; i++) c->sum[i].alone = NAN;
    return c;
}

void psw_curves_destroy(struct psw_curves *curves)
{
    if (!curves) return;
    free(curves->n_done);
    free(curves->step);
    free(curves->sum);
    free(curves);
}

/* ---- adding ---- */

static const double *values_of(struct psw_table *t, const char *name)
{
    const struct psw_column *c = psw_table_column(t, name);
    return c && c->present ? c->f64 : NULL;
}

/** Of all runs that are in the table. */
static struct source source_of(const struct psw_curves *c, enum psw_along along)
{
    const struct psw_along_columns *name = psw_along_columns(along);
    struct source s = {.g = values_of(c->table, name->g),
                       .g_se = values_of(c->table, name->se),
                       .g_se_final = values_of(c->table, name->se_final),
                       .norm = values_of(c->table, name->norm)};
    /* it is 0 at last: nothing to compare without */
    if (along == PSW_ALONG_SOFT && !s.norm) s.g = NULL;
    return s;
}

/** An element of G or its error, at = [checkpoint][component] of a run, over the norm of its
 *  checkpoint k; NaN: not there. */
static double scaled(const struct source *s, const double *x, int64_t k, int64_t at)
{
    if (!x || (s->norm && !(s->norm[k] > 0))) return NAN;
    return x[at] / (s->norm ? s->norm[k] : 1);
}

/** The last checkpoint that a run has; there the true G is 0, and what is there is noise. */
static int64_t last_of(const int64_t *step, int64_t n)
{
    int64_t last = n - 1;
    while (last >= 0 && step[last] < 0) last--;
    return last;
}

/** row: of the run in the columns. */
static void add_values(struct psw_curves *c, const struct source *s, int64_t row,
                       const int64_t *step, struct sum *sum)
{
    const int64_t last = last_of(step, c->n_checkpoint);
    for (int64_t k = 0; s->g && k < last; k++)
        for (int l = 0; l < PSW_CURVE_LINES; l++) {
            const int64_t at_k = row * c->n_checkpoint + k;
            const int64_t at = at_k * c->n_component + c->place[l];
            const double x = c->place[l] < 0 ? NAN : scaled(s, s->g, at_k, at);
            struct sum *to = &sum[k * PSW_CURVE_LINES + l];
            if (!isfinite(x)) continue;
            const double delta = x - to->mean;
            to->n++;
            to->mean += delta / to->n;
            to->squares += delta * (x - to->mean);
            to->alone = psw_along_error(scaled(s, s->g_se, at_k, at),
                                        scaled(s, s->g_se_final, at_k, at));
        }
}

static struct sum *sums_of(const struct psw_curves *c, int cell, int along)
{
    return c->sum + ((int64_t)cell * PSW_N_ALONG + along) * c->n_checkpoint * PSW_CURVE_LINES;
}

void psw_curves_see(struct psw_curves *curves, const int8_t *cell)
{
    struct source source[PSW_N_ALONG];
    const int64_t *step = psw_table_column(curves->table, "step")->i64;
    const int64_t *status = psw_table_column(curves->table, "status")->i64;
    const int64_t n_k = curves->n_checkpoint;
    for (int a = 0; a < PSW_N_ALONG; a++) source[a] = source_of(curves, (enum psw_along)a);
    const struct psw_part part = curves->table->part[PSW_DIM_RUN];
    for (int64_t r = 0; r < part.n; r++) {
        const int of = cell[part.first + r];
        if (of < 0 || status[r] != PSW_OUTCOME_DONE) continue;
        curves->n_done[of]++;
        int64_t *to = curves->step + of * n_k;
        for (int64_t k = 0; k < n_k; k++)
            if (to[k] < 0) to[k] = step[r * n_k + k];
        for (int a = 0; a < PSW_N_ALONG; a++)
            add_values(curves, &source[a], r, step + r * n_k, sums_of(curves, of, a));
    }
}

/* ---- the curve ---- */

int64_t psw_curves_n_done(const struct psw_curves *curves, int cell)
{
    return curves->n_done[cell];
}

void psw_curve_clear(struct psw_curve *curve)
{
    free(curve->step);
    free(curve->line[0].mean);
    *curve = (struct psw_curve){0};
}

static int curve_init(int64_t n_checkpoint, struct psw_curve *out)
{
    const size_t n = (size_t)n_checkpoint;
    double *room = malloc(2 * PSW_CURVE_LINES * n * sizeof *room);
    *out = (struct psw_curve){.step = malloc(n * sizeof *out->step)};
    for (int l = 0; l < PSW_CURVE_LINES; l++) {
        out->line[l].mean = room ? room + 2 * (size_t)l * n : NULL;
        out->line[l].error = room ? room + (2 * (size_t)l + 1) * n : NULL;
    }
    if (room && out->step) return 1;
    psw_curve_clear(out);
    return 0;
}

/** Mean and standard error over the runs; of a single one, its own error. */
int psw_curves_get(const struct psw_curves *curves, int cell, enum psw_along along,
                   struct psw_curve *out)
{
    const struct sum *sum = sums_of(curves, cell, along);
    const int64_t *step = curves->step + cell * curves->n_checkpoint;
    if (!curve_init(curves->n_checkpoint, out)) return 0;
    for (int64_t k = 0; k < curves->n_checkpoint; k++, sum += PSW_CURVE_LINES) {
        if (!(sum[0].n > 0) || step[k] < 0) continue;
        for (int l = 0; l < PSW_CURVE_LINES; l++) {
            const double n = sum[l].n;
            out->line[l].mean[out->n] = n > 0 ? sum[l].mean : NAN;
            out->line[l].error[out->n] =
                n > 1 ? sqrt(sum[l].squares / (n - 1) / n) : sum[l].alone;
        }
        out->step[out->n++] = step[k];
    }
    return 1;
}
