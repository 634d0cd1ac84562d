/* Singular values of what training did to each matrix. */
#include <posweep/analyze/tensor_spectra.h>

#include <posweep/analyze/blacs.h>
#include <posweep/comm/agree.h>
#include <posweep/data/safetensors.h>
#include <posweep/util/cast.h>
#include <posweep/util/file.h>

#include <dirent.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 16, HASH_DIGITS = 16 };
static const char POLICY[] = "policy-";

/* ---- which ---- */

/** The largest step of WORK/kept/RUN/policy-STEP; -1: the run was not kept. */
static int64_t last_step(const char *folder)
{
    int64_t last = -1;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        const char *digits = e->d_name + sizeof POLICY - 1;
        if (strncmp(e->d_name, POLICY, sizeof POLICY - 1) != 0) continue;
        if (strlen(digits) > 18 || !digits[0] || digits[strspn(digits, "0123456789")]) continue;
        const int64_t step = strtoll(digits, NULL, 10);
        if (step > last) last = step;
    }
    if (dir) closedir(dir);
    return last;
}

/** WORK/kept/RUN; nothing else than a hash may be a part of it. */
static psw_status run_folder(struct psw_results *r, const struct psw_tensor_spectra *s,
                             int64_t run, char out[PSW_PATH_BYTES], struct psw_error *err)
{
    const char *hash = psw_results_text(r, "run", run);
    if (strlen(hash) != HASH_DIGITS || hash[strspn(hash, "0123456789abcdef")])
        return psw_fail(err, PSW_EDATA, "run %lld has no hash", (long long)run);
    return psw_path(out, PSW_PATH_BYTES, err, "%s/kept/%s", s->folder, hash);
}

/** Both models of a run. */
struct ends {
    struct psw_safetensors *sft, *policy; /* owned */
};

static void ends_close(struct ends *e)
{
    psw_safetensors_close(e->sft);
    psw_safetensors_close(e->policy);
}

static psw_status ends_open(const char *folder, int64_t step, struct ends *out,
                            struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    *out = (struct ends){0};
    PSW_TRY(psw_path(path, sizeof path, err, "%s/sft/model.safetensors", folder));
    PSW_TRY(psw_safetensors_open(path, &out->sft, err));
    PSW_TRY(psw_path(path, sizeof path, err, "%s/%s%06lld/model.safetensors", folder, POLICY,
                     (long long)step));
    PSW_TRY(psw_safetensors_open(path, &out->policy, err));
    return PSW_OK;
fail:
    ends_close(out);
    return rc;
}

static int is_matrix(const struct psw_stored_tensor *t)
{
    return t->n_dim == 2 && t->type != PSW_STORED_OTHER && t->shape[0] > 1 && t->shape[1] > 1 &&
           t->shape[0] <= INT_MAX && t->shape[1] <= INT_MAX &&
           strlen(t->name) < PSW_MATRIX_NAME_BYTES;
}

static psw_status list_matrices(const struct ends *e, struct psw_tensor_spectra *s,
                                struct psw_error *err)
{
    int64_t n = 0;
    const struct psw_stored_tensor *t = psw_safetensors_table(e->policy, &n);
    s->matrix = calloc((size_t)n + 1, sizeof *s->matrix);
    if (!s->matrix) return psw_fail(err, PSW_ENOMEM, "%lld tensors", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (!is_matrix(&t[i])) continue;
        struct psw_matrix *m = &s->matrix[s->n_matrix++];
        *m = (struct psw_matrix){.n_row = t[i].shape[0], .n_col = t[i].shape[1]};
        snprintf(m->name, sizeof m->name, "%s", t[i].name);
    }
    return PSW_OK;
}

/** Whether both models of a run have the matrices. */
static int has_matrices(const struct ends *e, const struct psw_tensor_spectra *s)
{
    const struct psw_safetensors *end[] = {e->sft, e->policy};
    for (int64_t i = 0; i < s->n_matrix; i++)
        for (int k = 0; k < 2; k++) {
            const struct psw_stored_tensor *t = psw_safetensors_find(end[k], s->matrix[i].name);
            if (!t || !is_matrix(t) || t->shape[0] != s->matrix[i].n_row ||
                t->shape[1] != s->matrix[i].n_col)
                return 0;
        }
    return 1;
}

static psw_status see_run(struct psw_results *r, int64_t run, int64_t cell,
                          struct psw_tensor_spectra *s, struct psw_error *err)
{
    char folder[PSW_PATH_BYTES];
    struct ends e;
    psw_status rc = run_folder(r, s, run, folder, err);
    if (rc != PSW_OK) return rc;
    const int64_t step = last_step(folder);
    s->n_missing++; /* until it is found */
    if (step < 0) return PSW_OK;
    rc = ends_open(folder, step, &e, err);
    if (rc != PSW_OK) return rc;
    if (!s->matrix) rc = list_matrices(&e, s, err);
    if (rc == PSW_OK && has_matrices(&e, s)) {
        s->run[s->n_run] = run;
        s->cell[s->n_run] = cell;
        s->step[s->n_run++] = step;
        s->n_missing--;
    }
    ends_close(&e);
    return rc;
}

static psw_status take_memory(struct psw_tensor_spectra *s, struct psw_error *err)
{
    const size_t n = (size_t)(s->n_run * s->n_matrix);
    s->spectrum = calloc(n + 1, sizeof *s->spectrum);
    return s->spectrum ? PSW_OK : psw_fail(err, PSW_ENOMEM, "spectra of %zu matrices", n);
}

psw_status psw_tensor_spectra_init(struct psw_results *results, const char *path,
                                   const char *work_dir, const struct psw_selection *selection,
                                   struct psw_tensor_spectra *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_traces traces;
    struct psw_tensor_spectra s = {0};
    const size_t n_run = (size_t)psw_results_dim(results, "run");
    PSW_TRY(psw_path(s.folder, sizeof s.folder, err, "%s%s", work_dir ? work_dir : path,
                     work_dir ? "" : ".work"));
    PSW_TRY(psw_traces_init(results, &traces, err));
    PSW_TRY(psw_cells_init(results, &traces, selection, &s.cells, err));
    s.run = calloc(n_run + 1, sizeof *s.run);
    s.cell = calloc(n_run + 1, sizeof *s.cell);
    s.step = calloc(n_run + 1, sizeof *s.step);
    if (!s.run || !s.cell || !s.step) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%zu runs", n_run));
    for (int64_t c = 0; c < s.cells.n_cell; c++)
        for (int64_t i = 0; i < s.cells.cell[c].n_run; i++)
            if (s.cells.cell[c].apart[i] == PSW_APART_NOT)
                PSW_TRY(see_run(results, s.cells.cell[c].run[i], c, &s, err));
    if (s.n_run == 0)
        PSW_TRY(
            psw_fail(err, PSW_ENOENT,
                     "no model is kept in %s/kept: `limits: {keep: final}` in the sweep file "
                     "keeps them, and --work-dir names another folder",
                     s.folder));
    PSW_TRY(take_memory(&s, err));
    *out = s;
    return PSW_OK;
fail:
    psw_tensor_spectra_clear(&s);
    return rc;
}

void psw_tensor_spectra_clear(struct psw_tensor_spectra *s)
{
    psw_cells_clear(&s->cells);
    free(s->run);
    free(s->cell);
    free(s->step);
    free(s->matrix);
    free(s->spectrum);
    *s = (struct psw_tensor_spectra){0};
}

/* ---- one matrix ---- */

/** Policy less SFT model, in double. Shapes: out [n_elem]. */
static psw_status subtract(const struct psw_stored_tensor *policy,
                           const struct psw_stored_tensor *sft, double *out,
                           struct psw_error *err)
{
    float a[BLOCK / 16], b[BLOCK / 16];
    const int64_t n_block = sizeof a / sizeof *a;
    for (int64_t at = 0; at < policy->n_elem; at += n_block) {
        const int64_t n = policy->n_elem - at < n_block ? policy->n_elem - at : n_block;
        psw_status rc = psw_stored_tensor_read(policy, at, n, a, err);
        if (rc == PSW_OK) rc = psw_stored_tensor_read(sft, at, n, b, err);
        if (rc != PSW_OK) return rc;
        for (int64_t i = 0; i < n; i++) out[at + i] = (double)a[i] - (double)b[i];
    }
    return PSW_OK;
}

/** Singular values, largest first; row-major is the transpose, which has the same. Shapes: a
 *  [n_row n_col], destroyed; value [the smaller of the two]. */
static psw_status singular_values(const struct psw_matrix *m, double *a, double *value,
                                  struct psw_error *err)
{
    const int rows = psw_int_cast(m->n_col), columns = psw_int_cast(m->n_row), one = 1;
    const int least = rows < columns ? rows : columns;
    int info = 0, ask = -1;
    double best = 0, none = 0;
    int *i_work = calloc(8 * (size_t)least, sizeof *i_work);
    dgesdd_("N", &rows, &columns, a, &rows, value, &none, &one, &none, &one, &best, &ask,
            i_work, &info);
    const int n_work = (int)best;
    double *work = i_work && info == 0 ? calloc((size_t)n_work + 1, sizeof *work) : NULL;
    psw_status rc = PSW_OK;
    if (!work)
        rc = psw_fail(err, PSW_ENOMEM, "singular values of %s", m->name);
    else
        dgesdd_("N", &rows, &columns, a, &rows, value, &none, &one, &none, &one, work, &n_work,
                i_work, &info);
    if (rc == PSW_OK && info != 0)
        rc = psw_fail(err, PSW_EDATA, "singular values of %s do not converge (DGESDD says %d)",
                      m->name, info);
    free(i_work);
    free(work);
    return rc;
}

/** What the singular values say; a matrix that did not move has no rank. Shapes: value [n]. */
static void describe(const double *value, int64_t n, struct psw_matrix_spectrum *out)
{
    double total = 0, entropy = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) total += value[i] * value[i];
    for (int64_t i = 0; total > 0 && i < n; i++) {
        const double share = value[i] * value[i] / total;
        if (share > 0) entropy -= share * log(share);
        squares += share * share;
    }
    out->norm = sqrt(total);
    out->effective_rank = total > 0 ? exp(entropy) : NAN;
    out->participation = total > 0 ? 1 / squares : NAN;
    for (int64_t i = 0; i < PSW_MATRIX_LEADING; i++) out->value[i] = i < n ? value[i] : NAN;
}

static psw_status one_matrix(const struct ends *e, const struct psw_matrix *m,
                             struct psw_matrix_spectrum *out, struct psw_error *err)
{
    const int64_t n = m->n_row * m->n_col, least = m->n_row < m->n_col ? m->n_row : m->n_col;
    double *a = malloc(sizeof *a * (size_t)n + 1),
           *value = calloc((size_t)least, sizeof *value);
    psw_status rc = PSW_OK;
    if (!a || !value) PSW_TRY(psw_fail(err, PSW_ENOMEM, "tensor %s", m->name));
    PSW_TRY(subtract(psw_safetensors_find(e->policy, m->name),
                     psw_safetensors_find(e->sft, m->name), a, err));
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(a[i]))
            PSW_TRY(psw_fail(err, PSW_EDATA, "tensor %s: number %lld is not finite", m->name,
                             (long long)i));
    PSW_TRY(singular_values(m, a, value, err));
    describe(value, least, out);
fail:
    free(a);
    free(value);
    return rc;
}

/* ---- all ---- */

/** The share of this rank. */
static psw_status compute_own(MPI_Comm comm, struct psw_results *r,
                              struct psw_tensor_spectra *s, struct psw_error *err)
{
    int rank, size;
    PSW_MPI(MPI_Comm_rank(comm, &rank));
    PSW_MPI(MPI_Comm_size(comm, &size));
    for (int64_t i = 0; i < s->n_run; i++) {
        char folder[PSW_PATH_BYTES];
        struct ends e;
        psw_status rc = run_folder(r, s, s->run[i], folder, err);
        if (rc == PSW_OK) rc = ends_open(folder, s->step[i], &e, err);
        if (rc != PSW_OK) return rc;
        if (!has_matrices(&e, s))
            rc = psw_fail(err, PSW_EDATA, "%s: has changed meanwhile", folder);
        for (int64_t m = 0; m < s->n_matrix && rc == PSW_OK; m++)
            if ((i * s->n_matrix + m) % size == rank)
                rc = one_matrix(&e, &s->matrix[m], &s->spectrum[i * s->n_matrix + m], err);
        ends_close(&e);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}

psw_status psw_tensor_spectra_compute(MPI_Comm comm, struct psw_results *results,
                                      struct psw_tensor_spectra *s, struct psw_error *err)
{
    enum { N = sizeof(struct psw_matrix_spectrum) / sizeof(double) };
    const psw_status rc = psw_agree(comm, compute_own(comm, results, s, err), err);
    if (rc != PSW_OK) return rc;
    for (int64_t i = 0; i < s->n_run; i++) /* the others hold zeros */
        PSW_MPI(MPI_Allreduce(MPI_IN_PLACE, s->spectrum + i * s->n_matrix,
                              psw_int_cast(N * s->n_matrix), MPI_DOUBLE, MPI_SUM, comm));
    return PSW_OK;
}
