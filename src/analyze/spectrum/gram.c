/* Gram matrices by PBLAS; eigenvalues by a reduction over the grid and LAPACK on every rank. */
#include <posweep/analyze/gram.h>

#include <posweep/comm/agree.h>
#include <posweep/util/cast.h>
#include <posweep/util/minmax.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int ONE = 1;
static const double UNIT = 1, NOTHING = 0;

void psw_eigen_clear(struct psw_eigen *eigen)
{
    free(eigen->value);
    free(eigen->vector);
    *eigen = (struct psw_eigen){0};
}

static psw_status no_memory(const char *what, int64_t n, struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "spectrum: %s of %lld", what, (long long)n);
}

static psw_status eigen_init(int64_t n, int64_t n_vector, struct psw_eigen *out,
                             struct psw_error *err)
{
    struct psw_eigen e = {.n = n, .n_vector = psw_min(n, n_vector)};
    e.value = calloc((size_t)n + 1, sizeof *e.value);
    e.vector = calloc((size_t)(n * e.n_vector) + 1, sizeof *e.vector);
    if (!e.value || !e.vector) {
        psw_eigen_clear(&e);
        return no_memory("eigenvectors of a matrix", n, err);
    }
    *out = e;
    return PSW_OK;
}

/* A vector and its opposite are both right: the one whose largest element is positive. */
static void orient(struct psw_eigen *e)
{
    for (int64_t v = 0; v < e->n_vector; v++) {
        double *x = e->vector + v * e->n, most = 0;
        for (int64_t i = 0; i < e->n; i++)
            if (fabs(x[i]) > fabs(most)) most = x[i];
        for (int64_t i = 0; i < e->n && most < 0; i++) x[i] = -x[i];
    }
}

/* ---- rows ---- */

psw_status psw_gram_rows_init(const struct psw_grid *line, int64_t n_group, int64_t n_each,
                              int64_t k, struct psw_grid_matrix *out,
                              struct psw_gram_share *share, struct psw_error *err)
{
    const int64_t block = psw_max(1, (n_group + line->n_column - 1) / line->n_column);
    PSW_ASSERT(line->n_row == 1);
    share->begin = psw_min(n_group, block * line->column);
    share->end = psw_min(n_group, block * (line->column + 1));
    return psw_grid_matrix_init(line, k, n_group * n_each, psw_int_cast(k),
                                psw_int_cast(block * n_each), out, err);
}

psw_status psw_gram_center(struct psw_grid_matrix *rows, const uint8_t *is_there,
                           struct psw_error *err)
{
    const int64_t k = rows->m;
    double *mean = calloc((size_t)k + 1, sizeof *mean); /* and, last, how many */
    const psw_status rc =
        psw_agree(rows->grid->comm, mean ? PSW_OK : no_memory("the mean row", k, err), err);
    if (rc == PSW_OK) {
        for (int64_t r = 0; r < rows->n_local; r++) {
            if (is_there && !is_there[r]) continue;
            for (int64_t i = 0; i < k; i++) mean[i] += rows->local[r * k + i];
            mean[k]++;
        }
        PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, mean, psw_int_cast(k + 1), MPI_DOUBLE, MPI_SUM,
                              rows->grid->comm));
        for (int64_t r = 0; r < rows->n_local; r++)
            for (int64_t i = 0; i < k && (!is_there || is_there[r]); i++)
                rows->local[r * k + i] -= mean[i] / mean[k];
    }
    free(mean);
    return rc;
}

/* ---- the Gram matrix ---- */

/** Who gets how many numbers of this rank's rows, and from whom it gets how many of its part.
 */
struct deal {
    int *n_send, *send_at, *n_get, *get_at; /* [ranks] */
};

static void count_deal(const struct psw_grid_matrix *rows, const struct psw_grid_matrix *x,
                       struct deal *d)
{
    const struct psw_grid *g = x->grid;
    const int zero = 0, size = g->n_row * g->n_column;
    for (int64_t c = 0; c < rows->n_local; c++) {
        const int q = (int)(psw_grid_column(rows, c) / x->column_block % g->n_column);
        for (int p = 0; p < g->n_row; p++)
            d->n_send[p * g->n_column + q] +=
                numroc_(&x->m, &x->row_block, &p, &zero, &g->n_row);
    }
    for (int64_t c = 0; c < x->n_local; c++)
        d->n_get[psw_grid_column(x, c) / rows->column_block] += x->m_local;
    for (int r = 1; r < size; r++) {
        d->send_at[r] = d->send_at[r - 1] + d->n_send[r - 1];
        d->get_at[r] = d->get_at[r - 1] + d->n_get[r - 1];
    }
}

/* PDGEMR2D does the same, three times slower than the product that follows. Whole columns come
 * in the order of the ranks that have them, which is that of the columns: a part needs no
 * unpacking. */
static psw_status deal_rows(const struct psw_grid_matrix *rows, struct psw_grid_matrix *x,
                            struct psw_error *err)
{
    const struct psw_grid *g = x->grid;
    const int size = g->n_row * g->n_column, m = x->m, block = x->row_block;
    int *count = calloc(5 * (size_t)size, sizeof *count);
    double *send = malloc(sizeof *send * (size_t)m * (size_t)rows->n_local + 1);
    psw_status rc = count && send ? PSW_OK : no_memory("rows on their way", rows->n, err);
    rc = psw_agree(g->comm, rc, err);
    if (rc == PSW_OK) {
        struct deal d = {count, count + size, count + 2 * size, count + 3 * size};
        int *at = count + 4 * size;
        count_deal(rows, x, &d);
        memcpy(at, d.send_at, sizeof *at * (size_t)size);
        for (int64_t c = 0; c < rows->n_local; c++) {
            const int q = (int)(psw_grid_column(rows, c) / x->column_block % g->n_column);
            for (int i = 0, p = 0; i < m; i += block, p = (p + 1) % g->n_row) {
                const int n = m - i < block ? m - i : block, to = p * g->n_column + q;
                memcpy(send + at[to], rows->local + c * m + i, sizeof *send * (size_t)n);
                at[to] += n;
            }
        }
        PSW_MPI(MPI_Alltoallv(send, d.n_send, d.send_at, MPI_DOUBLE, x->local, d.n_get,
                              d.get_at, MPI_DOUBLE, g->comm));
    }
    free(count);
    free(send);
    return rc;
}

psw_status psw_gram_init(const struct psw_grid_matrix *rows, const struct psw_grid *grid,
                         enum psw_gram_side side, int block, struct psw_grid_matrix *out,
                         struct psw_error *err)
{
    struct psw_grid_matrix x = {0}, gram = {0};
    const int of_rows = side == PSW_GRAM_OF_ROWS;
    const int n = of_rows ? rows->n : rows->m, k = of_rows ? rows->m : rows->n;
    psw_status rc = psw_grid_matrix_init(grid, rows->m, rows->n, block, block, &x, err);
    if (rc == PSW_OK) rc = psw_grid_matrix_init(grid, n, n, block, block, &gram, err);
    rc = psw_agree(grid->comm, rc, err);
    if (rc == PSW_OK) rc = deal_rows(rows, &x, err);
    if (rc == PSW_OK) {
        pdsyrk_("L", of_rows ? "T" : "N", &n, &k, &UNIT, x.local, &ONE, &ONE, x.desc, &NOTHING,
                gram.local, &ONE, &ONE, gram.desc);
        *out = gram;
    } else {
        psw_grid_matrix_clear(&gram);
    }
    psw_grid_matrix_clear(&x);
    return rc;
}

/* MPI counts are ints. */
static void sum_all(MPI_Comm comm, double *x, int64_t n)
{
    enum { CHUNK = 1 << 24 };
    for (int64_t at = 0; at < n; at += CHUNK)
        PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, x + at, psw_int_cast(psw_min(CHUNK, n - at)),
                              MPI_DOUBLE, MPI_SUM, comm));
}

void psw_gram_gather(const struct psw_grid_matrix *gram, double *out)
{
    const int64_t n = gram->n;
    memset(out, 0, sizeof *out * (size_t)(n * n));
    for (int64_t c = 0; c < gram->n_local; c++)
        for (int64_t r = 0; r < gram->m_local; r++) {
            const int64_t row = psw_grid_row(gram, r), column = psw_grid_column(gram, c);
            if (row >= column) out[column * n + row] = gram->local[c * gram->lld + r];
        }
    sum_all(gram->grid->comm, out, n * n);
    for (int64_t c = 0; c < n; c++)
        for (int64_t r = 0; r < c; r++) out[c * n + r] = out[r * n + c];
}

/* ---- one rank ---- */

psw_status psw_eigen_serial(int64_t n, double *gram, int64_t n_vector, struct psw_eigen *out,
                            struct psw_error *err)
{
    const int N = psw_int_cast(n), ask = -1;
    int n_i_work = 0, info = 0;
    double best = 0;
    struct psw_eigen e = {0};
    psw_status rc = eigen_init(n, n_vector, &e, err);
    const char *job = n_vector > 0 ? "V" : "N";
    if (rc != PSW_OK || n == 0) goto done;
    dsyevd_(job, "L", &N, gram, &N, e.value, &best, &ask, &n_i_work, &ask, &info);
    const int n_work = (int)best;
    double *work = malloc(sizeof *work * (size_t)n_work);
    int *i_work = malloc(sizeof *i_work * (size_t)n_i_work);
    if (!work || !i_work)
        rc = no_memory("eigenvalues of a matrix", n, err);
    else
        dsyevd_(job, "L", &N, gram, &N, e.value, work, &n_work, i_work, &n_i_work, &info);
    free(work);
    free(i_work);
    if (rc == PSW_OK && (info != 0 || !isfinite(e.value[0]) || !isfinite(e.value[n - 1])))
        rc = psw_fail(err, PSW_EDATA, "a Gram matrix of %lld has no eigenvalues (info %d)",
                      (long long)n, info);
    for (int64_t i = 0; rc == PSW_OK && i < e.n_vector; i++)
        memcpy(e.vector + i * n, gram + (n - 1 - i) * n, sizeof *gram * (size_t)n);
    orient(&e);
    for (int64_t i = 0; rc == PSW_OK && i < n / 2; i++) { /* largest first */
        const double x = e.value[i];
        e.value[i] = e.value[n - 1 - i];
        e.value[n - 1 - i] = x;
    }
done:
    if (rc == PSW_OK)
        *out = e;
    else
        psw_eigen_clear(&e);
    return rc;
}

/* ---- over the grid ---- */

/** What the reduction leaves, and room to work in. */
struct reduced {
    double *d, *e, *tau;   /* [n_local] tied to the columns; owned */
    double *d_all, *e_all; /* [n] on every rank; owned */
    double *work;          /* [n_work] owned */
    int n_work;
};

static void reduced_clear(struct reduced *r)
{
    free(r->d);
    free(r->e);
    free(r->tau);
    free(r->d_all);
    free(r->e_all);
    free(r->work);
}

/* PDSYNTRD copies the matrix to the largest square of ranks, which is one rank of 2 or 3: then
 * its memory does not fall with the ranks, and PDSYTRD does the work. */
static int is_tailored(const struct psw_grid_matrix *a)
{
    static const int64_t MOST = 40000; /* of a rank: the square of it has to be an int */
    const int size = a->grid->n_row * a->grid->n_column;
    const int side = (int)sqrt((double)size);
    return (size == 1 || side > 1) && a->n / side < MOST;
}

static void reduce(struct psw_grid_matrix *a, struct reduced *r, double *work, int n_work,
                   int *info)
{
    (is_tailored(a) ? pdsyntrd_ : pdsytrd_)("L", &a->n, a->local, &ONE, &ONE, a->desc, r->d,
                                            r->e, r->tau, work, &n_work, info);
}

/* vectors: [n][n_vector] over the same grid. */
static void turn_back(struct psw_grid_matrix *a, struct reduced *r,
                      struct psw_grid_matrix *vectors, double *work, int n_work, int *info)
{
    pdormtr_("L", "L", "N", &a->n, &vectors->n, a->local, &ONE, &ONE, a->desc, r->tau,
             vectors->local, &ONE, &ONE, vectors->desc, work, &n_work, info);
}

static psw_status reduced_init(struct psw_grid_matrix *a, struct psw_grid_matrix *vectors,
                               struct reduced *r, struct psw_error *err)
{
    const size_t n_local = (size_t)a->n_local + 1, n = (size_t)a->n + 1;
    int info = 0;
    double best[2] = {0, 0}; /* the reduction's query gives what it would like */
    r->d = calloc(n_local, sizeof *r->d);
    r->e = calloc(n_local, sizeof *r->e);
    r->tau = calloc(n_local, sizeof *r->tau);
    r->d_all = calloc(n, sizeof *r->d_all);
    r->e_all = calloc(n, sizeof *r->e_all);
    psw_status rc = PSW_OK;
    if (!r->d || !r->e || !r->tau || !r->d_all || !r->e_all)
        rc = no_memory("a tridiagonal matrix", a->n, err);
    rc = psw_agree(a->grid->comm, rc, err);
    if (rc != PSW_OK) return rc;
    reduce(a, r, &best[0], -1, &info);
    if (vectors->n > 0) turn_back(a, r, vectors, &best[1], -1, &info);
    r->n_work = (int)fmax(fmax(best[0], best[1]), a->n) + 64;
    r->work = malloc(sizeof *r->work * (size_t)r->n_work);
    if (!r->work) rc = no_memory("work space of a matrix", a->n, err);
    return psw_agree(a->grid->comm, rc, err);
}

/* Of the tridiagonal matrix, on every rank: the values, smallest first, and the leading
 * vectors, whose places are those of `out`, largest first. */
static psw_status solve(struct reduced *r, struct psw_eigen *out, struct psw_error *err)
{
    const int n = psw_int_cast(out->n), n_vector = psw_int_cast(out->n_vector);
    const int from = n - n_vector + 1, n_work = 18 * n, n_i_work = 10 * n;
    const double unused = 0;
    int n_found = 0, info = 0, accurate = 1;
    double *e = malloc(sizeof *e * (size_t)n), *d = malloc(sizeof *d * (size_t)n);
    double *w = malloc(sizeof *w * (size_t)n), *work = malloc(sizeof *work * (size_t)n_work);
    int *i_work = malloc(sizeof *i_work * (size_t)n_i_work);
    int *support = malloc(sizeof *support * 2 * (size_t)(n_vector + 1));
    psw_status rc = PSW_OK;
    if (!e || !d || !w || !work || !i_work || !support)
        PSW_TRY(no_memory("eigenvalues of a matrix", n, err));
    memcpy(e, r->e_all, sizeof *e * (size_t)n);
    memcpy(d, r->d_all, sizeof *d * (size_t)n);
    if (n_vector > 0)
        dstemr_("V", "I", &n, d, e, &unused, &unused, &from, &n, &n_found, w, out->vector, &n,
                &n_vector, support, &accurate, work, &n_work, i_work, &n_i_work, &info);
    if (info == 0) dsterf_(&n, r->d_all, r->e_all, &info);
    if (info != 0 || n_found != n_vector || !isfinite(r->d_all[0]) ||
        !isfinite(r->d_all[n - 1]))
        PSW_TRY(psw_fail(err, PSW_EDATA, "a Gram matrix of %d has no eigenvalues (info %d)", n,
                         info));
    for (int i = 0; i < n; i++) out->value[i] = r->d_all[n - 1 - i];
fail:
    free(e);
    free(d);
    free(w);
    free(work);
    free(i_work);
    free(support);
    return rc;
}

/* Vectors of rank 0 into their places on the grid, and back again, whole on every rank; LAPACK
 * leaves the largest last. */
static void spread(struct psw_eigen *e, struct psw_grid_matrix *to)
{
    const int64_t n = e->n;
    for (int64_t i = 0; i < e->n_vector; i++)
        PSW_MPI(MPI_Bcast(e->vector + i * n, psw_int_cast(n), MPI_DOUBLE, 0, to->grid->comm));
    for (int64_t c = 0; c < to->n_local; c++)
        for (int64_t r = 0; r < to->m_local; r++)
            to->local[c * to->lld + r] =
                e->vector[(e->n_vector - 1 - psw_grid_column(to, c)) * n + psw_grid_row(to, r)];
}

static void collect(const struct psw_grid_matrix *from, struct psw_eigen *e)
{
    const int64_t n = e->n;
    memset(e->vector, 0, sizeof *e->vector * (size_t)(n * e->n_vector));
    for (int64_t c = 0; c < from->n_local; c++)
        for (int64_t r = 0; r < from->m_local; r++)
            e->vector[psw_grid_column(from, c) * n + psw_grid_row(from, r)] =
                from->local[c * from->lld + r];
    sum_all(from->grid->comm, e->vector, n * e->n_vector);
}

psw_status psw_gram_eigen_grid(struct psw_grid_matrix *gram, int64_t n_vector,
                               struct psw_eigen *out, struct psw_error *err)
{
    const MPI_Comm comm = gram->grid->comm;
    struct psw_grid_matrix vectors = {0};
    struct psw_eigen e = {0};
    struct reduced r = {0};
    int info = 0;
    psw_status rc = eigen_init(gram->n, n_vector, &e, err);
    if (rc == PSW_OK)
        rc = psw_grid_matrix_init(gram->grid, gram->n, e.n_vector, gram->row_block,
                                  gram->column_block, &vectors, err);
    PSW_TRY(psw_agree(comm, rc, err));
    PSW_TRY(reduced_init(gram, &vectors, &r, err));
    reduce(gram, &r, r.work, r.n_work, &info);
    pdlared1d_(&gram->n, &ONE, &ONE, gram->desc, r.d, r.d_all, r.work, &r.n_work);
    pdlared1d_(&gram->n, &ONE, &ONE, gram->desc, r.e, r.e_all, r.work, &r.n_work);
    PSW_TRY(psw_agree(comm, info == 0 ? solve(&r, &e, err) : PSW_EINTERNAL, err));
    PSW_MPI(MPI_Bcast(e.value, psw_int_cast(e.n), MPI_DOUBLE, 0, comm));
    if (e.n_vector > 0) {
        spread(&e, &vectors);
        turn_back(gram, &r, &vectors, r.work, r.n_work, &info);
        collect(&vectors, &e);
        orient(&e);
    }
fail:
    reduced_clear(&r);
    psw_grid_matrix_clear(&vectors);
    if (rc == PSW_OK)
        *out = e;
    else
        psw_eigen_clear(&e);
    return rc;
}

psw_status psw_gram_eigen(struct psw_grid_matrix *gram, int64_t n_vector, struct psw_eigen *out,
                          struct psw_error *err)
{
    const MPI_Comm comm = gram->grid->comm;
    const int64_t n = gram->n;
    if (n > PSW_GRAM_SERIAL) return psw_gram_eigen_grid(gram, n_vector, out, err);
    struct psw_eigen e = {0};
    double *whole = malloc(sizeof *whole * (size_t)(n * n) + 1);
    psw_status rc = psw_agree(comm, whole ? PSW_OK : no_memory("a Gram matrix", n, err), err);
    if (rc == PSW_OK) {
        psw_gram_gather(gram, whole);
        rc = psw_agree(comm, psw_eigen_serial(n, whole, n_vector, &e, err), err);
    }
    free(whole);
    if (rc == PSW_OK) { /* processors of two kinds may round differently */
        PSW_MPI(MPI_Bcast(e.value, psw_int_cast(n), MPI_DOUBLE, 0, comm));
        PSW_MPI(MPI_Bcast(e.vector, psw_int_cast(n * e.n_vector), MPI_DOUBLE, 0, comm));
        *out = e;
    } else {
        psw_eigen_clear(&e);
    }
    return rc;
}
