/* Two computations of one run, dataset by dataset. The files may have different extents, since
 * one of them has other runs as well, and labels in another order. */
#include <posweep/analyze/replay.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BEFORE, NOW, N_SIDE };

/** A dimension behind `run`: which index each file has for a place; -1: none. */
struct axis {
    int64_t n;
    int64_t *index[N_SIDE]; /* owned [n] */
};

/** The largest number of a dataset, and the largest difference with its numbers. */
struct most {
    double size, difference, was, is;
};

/** A dataset in both files. */
struct both {
    struct psw_results *file[N_SIDE]; /* borrowed */
    int64_t row[N_SIDE];
    const struct psw_schema_row *schema;
    char dim[PSW_MAX_DIMS][PSW_FIELD_BYTES];
    int n_dim;
    struct axis axis[PSW_MAX_DIMS]; /* [0] is not used */
    const double *value[N_SIDE];    /* NULL: text */
    struct most most;
};

/** Whether places of a dimension are known by their labels. */
static int is_labelled(const char *dim)
{
    const struct psw_schema_row *row = psw_schema_row_find(dim);
    return row && row->type == PSW_TEXT;
}

static int64_t find_label(struct psw_results *r, const char *dim, const char *label)
{
    const int64_t n = psw_results_dim(r, dim);
    for (int64_t i = 0; i < n; i++)
        if (strcmp(psw_results_text(r, dim, i), label) == 0) return i;
    return -1;
}

/** Places by index, or by label: those of the first file, then what only the second has. */
static void fill_axis(const struct both *b, const char *dim, struct axis *axis)
{
    const int64_t n_before = psw_results_dim(b->file[BEFORE], dim);
    const int64_t n_now = psw_results_dim(b->file[NOW], dim);
    if (!is_labelled(dim)) {
        axis->n = n_before > n_now ? n_before : n_now;
        for (int64_t i = 0; i < axis->n; i++) {
            axis->index[BEFORE][i] = i < n_before ? i : -1;
            axis->index[NOW][i] = i < n_now ? i : -1;
        }
        return;
    }
    for (int64_t i = 0; i < n_before; i++) {
        axis->index[BEFORE][i] = i;
        axis->index[NOW][i] =
            find_label(b->file[NOW], dim, psw_results_text(b->file[BEFORE], dim, i));
    }
    axis->n = n_before;
    for (int64_t i = 0; i < n_now; i++) {
        if (find_label(b->file[BEFORE], dim, psw_results_text(b->file[NOW], dim, i)) >= 0)
            continue;
        axis->index[BEFORE][axis->n] = -1;
        axis->index[NOW][axis->n++] = i;
    }
}

static psw_status make_axes(struct both *b, struct psw_error *err)
{
    for (int d = 1; d < b->n_dim; d++) {
        size_t n = 1;
        for (int s = 0; s < N_SIDE; s++) n += (size_t)psw_results_dim(b->file[s], b->dim[d]);
        for (int s = 0; s < N_SIDE; s++)
            if (!(b->axis[d].index[s] = calloc(n, sizeof *b->axis[d].index[s])))
                return psw_fail(err, PSW_ENOMEM, "%s: %zu places", b->dim[d], n);
        fill_axis(b, b->dim[d], &b->axis[d]);
    }
    return PSW_OK;
}

static void clear_axes(struct both *b)
{
    for (int d = 1; d < b->n_dim; d++)
        for (int s = 0; s < N_SIDE; s++) free(b->axis[d].index[s]);
}

/** Element of a file's dataset at a place; -1: the file has none there. */
static int64_t element(const struct both *b, int side, const int64_t *place)
{
    int64_t at = b->row[side];
    for (int d = 1; d < b->n_dim; d++) {
        const int64_t i = b->axis[d].index[side][place[d]];
        if (i < 0) return -1;
        at = at * psw_results_dim(b->file[side], b->dim[d]) + i;
    }
    return at;
}

/** NaN where nothing is known. */
static double number(const struct both *b, int side, int64_t at)
{
    const int is_float = b->schema->type == PSW_F64 || b->schema->type == PSW_F32;
    const double x = at < 0 ? NAN : b->value[side][at];
    return !is_float && x == -1 ? NAN : x;
}

/** Returns whether they differ. */
static int see_numbers(struct both *b, const int64_t at[N_SIDE], struct psw_replay_check *c)
{
    const double was = number(b, BEFORE, at[BEFORE]), is = number(b, NOW, at[NOW]);
    if (isnan(was) && isnan(is)) return 0;
    c->n_value++;
    b->most.size = fmax(b->most.size, fmax(fabs(was), fabs(is)));
    if (was == is) return 0;
    const double difference = fabs(was - is);
    if (!(difference <= b->most.difference)) /* NaN: one of them has a value there */
        b->most =
            (struct most){b->most.size, isnan(difference) ? INFINITY : difference, was, is};
    return 1;
}

static int see_texts(struct both *b, const int64_t at[N_SIDE], struct psw_replay_check *c)
{
    const char *text[N_SIDE];
    for (int s = 0; s < N_SIDE; s++)
        text[s] = at[s] < 0 ? "" : psw_results_text(b->file[s], b->schema->name, at[s]);
    const int is_same = strcmp(text[BEFORE], text[NOW]) == 0;
    if (!text[BEFORE][0] && !text[NOW][0]) return 0;
    c->n_value++;
    if (strcmp(b->schema->name, "final_hash") == 0) {
        c->has_model = text[BEFORE][0] != 0;
        c->is_same_model = is_same;
    }
    return !is_same;
}

/** Every place of the dataset. */
static void see_all(struct both *b, struct psw_replay_check *c)
{
    int64_t place[PSW_MAX_DIMS] = {0}, n = 1;
    for (int d = 1; d < b->n_dim; d++) n *= b->axis[d].n;
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i, at[N_SIDE];
        for (int d = b->n_dim - 1; d > 0; d--) {
            place[d] = rest % b->axis[d].n;
            rest /= b->axis[d].n;
        }
        for (int s = 0; s < N_SIDE; s++) at[s] = element(b, s, place);
        if ((b->value[BEFORE] ? see_numbers : see_texts)(b, at, c) && c->n_different++ == 0)
            snprintf(c->first, sizeof c->first, "%s", b->schema->name);
    }
    const double share = b->most.difference > 0 ? b->most.difference / b->most.size : 0;
    if (share <= c->distance) return;
    snprintf(c->largest, sizeof c->largest, "%s", b->schema->name);
    c->was = b->most.was;
    c->is = b->most.is;
    c->distance = share;
}

/** Whether two computations have it in common: of a run, measured, and no sketch, whose values
 *  follow from vectors that are in no file. */
static int is_comparable(const struct psw_schema_row *row, char dim[][PSW_FIELD_BYTES],
                         int n_dim)
{
    if (n_dim == 0 || strcmp(dim[0], "run") != 0) return 0;
    if (row->flags & (PSW_S_VOLATILE | PSW_S_WRITER | PSW_S_SCALE)) return 0;
    for (int d = 1; d < n_dim; d++)
        if (strcmp(dim[d], "sketch") == 0) return 0;
    return 1;
}

static psw_status see_dataset(struct both *b, struct psw_replay_check *c, struct psw_error *err)
{
    const char *name = b->schema->name;
    b->n_dim = psw_schema_dims(b->schema, b->dim);
    if (!is_comparable(b->schema, b->dim, b->n_dim)) return PSW_OK;
    for (int s = 0; s < N_SIDE; s++) {
        if (!psw_results_has(b->file[s], name)) return PSW_OK;
        b->value[s] = psw_results_f64(b->file[s], name);
    }
    if (!b->value[BEFORE] != !b->value[NOW]) return PSW_OK; /* a fault, told by the files */
    const psw_status rc = make_axes(b, err);
    if (rc == PSW_OK) {
        c->n_dataset++;
        see_all(b, c);
    }
    clear_axes(b);
    return rc;
}

psw_status psw_replay_compare(struct psw_results *before, int64_t was, struct psw_results *now,
                              int64_t is, struct psw_replay_check *out, struct psw_error *err)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows(&n_row);
    struct psw_replay_check c = {.n_dataset = 0};
    psw_status rc = PSW_OK;
    for (int i = 0; i < n_row && rc == PSW_OK; i++) {
        struct both b = {.file = {before, now}, .row = {was, is}, .schema = &rows[i]};
        rc = see_dataset(&b, &c, err);
    }
    if (rc == PSW_OK && c.n_dataset == 0)
        rc = psw_fail(err, PSW_EDATA, "the two files have nothing to compare in common");
    if (rc == PSW_OK) *out = c;
    return rc;
}
