/* Models that runs have kept (limits.keep) lie in the work folder as they are exported; here
 * one is found by its run, and copied or narrowed to BF16. */
#include "export_model.h"
#include "cli_internal.h"

#include <posweep/config/model_dir.h>
#include <posweep/util/folder.h>
#include <posweep/util/minmax.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sysexits.h>

enum { BLOCK = 1 << 18, RUN_BYTES = 17, STEP_DIGITS = 6 };
static const char POLICY[] = "policy-";

/* ---- which run ---- */

struct search {
    const struct psw_export_model *model;
    struct psw_kept_run *found; /* in memory of the child that reads the file, and of ours */
};

/** Facts of the start that wrote the file, which decide bits. */
static void copy_provenance(struct psw_results *results, char *out, size_t n_bytes)
{
    static const char *const KEYS[] = {"blas", "blas_threads", "cpu", "backend"};
    size_t at = (size_t)snprintf(out, n_bytes, "\n");
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS && at < n_bytes; i++) {
        const char *value = psw_results_attr(results, "provenance", KEYS[i]);
        if (value && value[0] && !strchr(value, '\n'))
            at += (size_t)snprintf(out + at, n_bytes - at, "%s=%s\n", KEYS[i], value);
    }
}

static psw_status find_run(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct search *s = ctx;
    int64_t row = -1;
    const psw_status rc = psw_run_find(results, s->model->run, &row, s->found->name, err);
    if (rc != PSW_OK) return rc;
    const char *hash = psw_results_text(results, "run", row);
    if (strlen(hash) != RUN_BYTES - 1 || hash[strspn(hash, "0123456789abcdef")] != 0)
        return psw_fail(err, PSW_EDATA, "run %lld has no hash", (long long)row);
    const char *config = psw_results_text(results, "config", row);
    if (strlen(config) >= sizeof s->found->config)
        return psw_fail(err, PSW_EDATA, "config of run %lld: %zu bytes", (long long)row,
                        strlen(config));
    const int64_t *status = psw_results_i64(results, "status");
    s->found->row = row;
    s->found->is_done = status && status[row] == PSW_OUTCOME_DONE;
    copy_provenance(results, s->found->provenance, sizeof s->found->provenance);
    memcpy(s->found->run, hash, RUN_BYTES);
    memcpy(s->found->config, config, strlen(config) + 1);
    return PSW_OK;
}

int psw_cli_find_run(const char *command, const struct psw_export_model *m,
                     struct psw_kept_run **out)
{
    struct psw_kept_run *found =
        mmap(NULL, sizeof *found, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) return EX_OSERR;
    struct search search = {m, found};
    const int status = psw_cli_read(command, m->path, find_run, &search);
    if (status == EX_OK)
        *out = found;
    else
        psw_cli_kept_run_free(found);
    return status;
}

void psw_cli_kept_run_free(struct psw_kept_run *run)
{
    if (run) munmap(run, sizeof *run);
}

/* ---- which folder ---- */

/** The step of a folder policy-000040, else -1. */
static int64_t step_of(const char *name)
{
    const char *digits = name + sizeof POLICY - 1;
    if (strncmp(name, POLICY, sizeof POLICY - 1) != 0 || strlen(digits) < STEP_DIGITS ||
        strlen(digits) > 18 || digits[strspn(digits, "0123456789")] != 0)
        return -1;
    return strtoll(digits, NULL, 10);
}

/** The steps that a run has kept: the last one, whether `wanted` is among them, and in words.
 */
struct steps {
    int64_t last;
    int has_wanted;
    char text[256];
};

static int by_step(const struct dirent **a, const struct dirent **b)
{
    const int64_t x = step_of((*a)->d_name), y = step_of((*b)->d_name);
    return (x > y) - (x < y);
}

static int is_step(const struct dirent *e)
{
    return step_of(e->d_name) >= 0;
}

static struct steps list_steps(const char *folder, int64_t wanted)
{
    struct steps s = {.last = -1};
    struct dirent **entry = NULL;
    const int n = scandir(folder, &entry, is_step, by_step);
    for (int i = 0; i < n; i++) {
        const size_t at = strlen(s.text);
        s.last = step_of(entry[i]->d_name);
        s.has_wanted |= s.last == wanted;
        if (i < 8 || i == n - 1)
            snprintf(s.text + at, sizeof s.text - at, "%s%lld",
                     at == 0 ? ""
                     : i > 8 ? " ... "
                             : ", ",
                     (long long)s.last);
        free(entry[i]);
    }
    free(entry);
    return s;
}

static psw_status not_kept(const struct psw_export_model *m, const struct psw_kept_run *found,
                           const char *kept, struct psw_error *err)
{
    return psw_fail(
        err, PSW_ENOENT,
        "%s: no %s model of the run %s is in %s: a sweep keeps models where its file "
        "says limits: {keep: final} (or checkpoints). `posweep export --replay` trains the run "
        "again, with the same bits%s",
        m->path, m->stage, found->name, kept,
        m->work_dir ? "" : "; or name its work folder with --work-dir");
}

psw_status psw_cli_find_model(const struct psw_export_model *m,
                              const struct psw_kept_run *found, char out[PSW_PATH_BYTES],
                              struct psw_error *err)
{
    char kept[PSW_PATH_BYTES], run[PSW_PATH_BYTES];
    psw_status rc = psw_path(kept, sizeof kept, err, "%s%s/kept",
                             m->work_dir ? m->work_dir : m->path, m->work_dir ? "" : ".work");
    if (rc == PSW_OK) rc = psw_path(run, sizeof run, err, "%s/%s", kept, found->run);
    if (rc != PSW_OK) return rc;
    if (strcmp(m->stage, "policy") != 0) {
        rc = psw_path(out, PSW_PATH_BYTES, err, "%s/%s", run, m->stage);
        return rc != PSW_OK || psw_file_exists(out) ? rc : not_kept(m, found, kept, err);
    }
    const struct steps s = list_steps(run, m->step);
    if (s.last < 0) return not_kept(m, found, kept, err);
    if (m->step >= 0 && !s.has_wanted)
        return psw_fail(err, PSW_ENOENT, "%s: step %lld of the run %s is not kept; kept: %s%s",
                        m->path, (long long)m->step, found->name, s.text,
                        strchr(s.text, ',') ? ""
                                            : " (limits: {keep: checkpoints} keeps those of "
                                              "the trace)");
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s%0*" PRId64, run, POLICY, STEP_DIGITS,
                    m->step >= 0 ? m->step : s.last);
}

/* ---- the copy ---- */

static psw_status narrow_tensors(const char *from, const char *to, enum psw_stored_type type,
                                 struct psw_error *err)
{
    int64_t n = 0;
    psw_status rc = PSW_OK;
    struct psw_safetensors *st = NULL;
    struct psw_safetensors_writer *w = NULL;
    struct psw_tensor_row *row = NULL;
    float *block = malloc(BLOCK * sizeof *block);
    PSW_TRY(psw_safetensors_open(from, &st, err));
    const struct psw_stored_tensor *t = psw_safetensors_table(st, &n);
    row = calloc((size_t)n + 1, sizeof *row);
    if (!row || !block) PSW_TRY(psw_fail(err, PSW_ENOMEM, "%s: no memory", to));
    for (int64_t i = 0; i < n; i++) {
        row[i] = (struct psw_tensor_row){t[i].name, t[i].shape[0],
                                         t[i].n_dim == 2 ? t[i].shape[1] : 0};
        if (t[i].n_dim < 1 || t[i].n_dim > 2 || t[i].type == PSW_STORED_OTHER)
            PSW_TRY(psw_fail(err, PSW_EDATA, "%s: tensor %.80s: expected one of ours", from,
                             t[i].name));
    }
    PSW_TRY(psw_safetensors_begin(to, type, row, n, &w, err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t at = 0; at < t[i].n_elem; at += BLOCK) {
            const int64_t m = psw_min(t[i].n_elem - at, BLOCK);
            PSW_TRY(psw_stored_tensor_read(&t[i], at, m, block, err));
            PSW_TRY(psw_safetensors_put(w, m, block, err));
        }
fail:
    rc = psw_safetensors_end(w, rc, err);
    psw_safetensors_close(st);
    free(row);
    free(block);
    return rc;
}

static psw_status retype_config(const char *from, const char *to, struct psw_error *err)
{
    char *text = NULL;
    psw_status rc = psw_model_dir_retype(from, "bfloat16", &text, err);
    if (rc != PSW_OK) return rc;
    const struct psw_file_part part[] = {{text, strlen(text)}, {"\n", 1}};
    rc = psw_file_write(to, part, 2, err);
    free(text);
    return rc;
}

static psw_status copy_one(const struct psw_export_model *m, const char *name, const char *from,
                           const char *to, struct psw_error *err)
{
    const int narrows = m->type == PSW_STORED_BF16;
    if (narrows && !strcmp(name, "model.safetensors"))
        return narrow_tensors(from, to, m->type, err);
    if (narrows && !strcmp(name, "config.json")) return retype_config(from, to, err);
    return psw_file_copy(from, to, err);
}

static psw_status copy_all(const struct psw_export_model *m, const char *folder, const char *to,
                           struct psw_error *err)
{
    psw_status rc = PSW_OK;
    DIR *dir = opendir(folder);
    if (!dir) return psw_fail(err, PSW_EIO, "%s: cannot be read", folder);
    for (const struct dirent *e; rc == PSW_OK && (e = readdir(dir));) {
        char source[PSW_PATH_BYTES], target[PSW_TEMPORARY_BYTES + 300];
        if (e->d_name[0] == '.') continue;
        rc = psw_path(source, sizeof source, err, "%s/%s", folder, e->d_name);
        snprintf(target, sizeof target, "%s/%s", to, e->d_name);
        if (rc == PSW_OK) rc = copy_one(m, e->d_name, source, target, err);
    }
    closedir(dir);
    return rc;
}

psw_status psw_cli_export_folder(const struct psw_export_model *m, const char *folder,
                                 struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    if (psw_folder_is_taken(m->out))
        return psw_fail(err, PSW_EBUSY, "%s: is there already, and nothing is overwritten",
                        m->out);
    psw_status rc = psw_folder_begin(m->out, temporary, err);
    if (rc != PSW_OK) return rc;
    rc = copy_all(m, folder, temporary, err);
    if (rc == PSW_OK) return psw_folder_commit(temporary, m->out, PSW_FOLDER_NEW, err);
    struct psw_error ignored = {0};
    (void)!psw_file_remove_tree(temporary, &ignored);
    return rc;
}

int psw_cli_export_model(const struct psw_export_model *m)
{
    char folder[PSW_PATH_BYTES];
    struct psw_error err = {0};
    struct psw_kept_run *found = NULL;
    const int status = psw_cli_find_run("export", m, &found);
    if (status != EX_OK) return status;
    psw_status rc = psw_cli_find_model(m, found, folder, &err);
    if (rc == PSW_OK) rc = psw_cli_export_folder(m, folder, &err);
    if (rc == PSW_OK)
        printf("%s: the %s model of %s, from %s\n", m->out, m->stage, found->name, folder);
    psw_cli_kept_run_free(found);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
