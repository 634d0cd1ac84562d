/* Kept trainings. kept/RUN/training is a link to the training of a run: by it the run's files
 * are found when the run is pruned; it leads nowhere once a longer run has taken them. */
#include "training.h"

#include <posweep/objective/intervene.h>
#include <posweep/optim/schedule.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>
#include <posweep/util/minmax.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int psw_training_has_no_end(const struct psw_config *config)
{
    const struct psw_config_policy *p = &config->policy;
    return !psw_lr_depends_on_end(&p->train) && !psw_emphasis_depends_on_end(&p->positive) &&
           !psw_emphasis_depends_on_end(&p->negative);
}

int64_t psw_training_most_steps(const struct psw_config *config,
                                const struct psw_stop_rule *stop)
{
    const int64_t n = config->policy.train.steps;
    const int64_t rung = stop ? psw_stop_next_rung(stop, 0, n) : 0;
    return rung > 0 ? rung : n;
}

static psw_status all_folder(const char *work_dir, char out[PSW_PATH_BYTES],
                             struct psw_error *err)
{
    return psw_path(out, PSW_PATH_BYTES, err, "%s/kept/training", work_dir);
}

int psw_training_is_any(const char *work_dir)
{
    char path[PSW_PATH_BYTES];
    return all_folder(work_dir, path, NULL) == PSW_OK && psw_file_exists(path);
}

/* The folder of all with a key. */
static psw_status folder_of(const char *work_dir, uint64_t key, char out[PSW_PATH_BYTES],
                            struct psw_error *err)
{
    char all[PSW_PATH_BYTES], text[PSW_HASH_TEXT_BYTES];
    const psw_status rc = all_folder(work_dir, all, err);
    if (rc != PSW_OK) return rc;
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s", all, psw_hash_text(key, text));
}

static psw_status path_of(const char *work_dir, uint64_t key, int64_t n_step,
                          char out[PSW_PATH_BYTES], struct psw_error *err)
{
    char folder[PSW_PATH_BYTES];
    const psw_status rc = folder_of(work_dir, key, folder, err);
    if (rc != PSW_OK) return rc;
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%06" PRId64, folder, n_step);
}

/* The steps that a name says; 0: it is not one of ours. */
static int64_t steps_of(const char *name)
{
    char again[32];
    int64_t n = 0;
    if (sscanf(name, "%" SCNd64, &n) != 1 || n <= 0) return 0;
    snprintf(again, sizeof again, "%06" PRId64, n);
    return strcmp(again, name) == 0 ? n : 0;
}

int64_t psw_training_find(const char *work_dir, uint64_t key, int64_t n_most)
{
    char path[PSW_PATH_BYTES];
    int64_t n_best = 0;
    DIR *dir = folder_of(work_dir, key, path, NULL) == PSW_OK ? opendir(path) : NULL;
    if (!dir) return 0;
    for (const struct dirent *e; (e = readdir(dir));) {
        const int64_t n = steps_of(e->d_name);
        if (n <= n_most) n_best = psw_max(n_best, n);
    }
    closedir(dir);
    return n_best;
}

int64_t psw_training_take(const char *work_dir, uint64_t key, int64_t n_most, const char *to)
{
    char path[PSW_PATH_BYTES];
    for (int64_t n; (n = psw_training_find(work_dir, key, n_most)) > 0;) {
        if (path_of(work_dir, key, n, path, NULL) != PSW_OK) return 0;
        if (rename(path, to) == 0) return n;
        n_most = n - 1;
        if (errno == ENOENT) continue; /* another run was faster */
        psw_log(PSW_LOG_WARN, "%s: cannot be moved to %s (%s): training begins anew", path, to,
                strerror(errno));
        return 0;
    }
    return 0;
}

static psw_status link_path(const char *work_dir, uint64_t run, char out[PSW_PATH_BYTES],
                            struct psw_error *err)
{
    char text[PSW_HASH_TEXT_BYTES];
    return psw_path(out, PSW_PATH_BYTES, err, "%s/kept/%s/training", work_dir,
                    psw_hash_text(run, text));
}

static psw_status link_to(const char *work_dir, const struct psw_training *t,
                          struct psw_error *err)
{
    char link[PSW_PATH_BYTES], folder[PSW_PATH_BYTES], target[PSW_PATH_BYTES];
    char key[PSW_HASH_TEXT_BYTES];
    psw_status rc = PSW_OK;
    PSW_TRY(link_path(work_dir, t->run, link, err));
    PSW_TRY(
        psw_path(folder, sizeof folder, err, "%.*s", (int)(strrchr(link, '/') - link), link));
    PSW_TRY(psw_path(target, sizeof target, err, "../training/%s/%06" PRId64,
                     psw_hash_text(t->key, key), t->n_step));
    PSW_TRY(psw_file_make_dir(folder, err));
    unlink(link);
    if (symlink(target, link) != 0)
        PSW_TRY(psw_fail(err, psw_status_from_errno(errno), "%s: cannot make the link: %s",
                         link, strerror(errno)));
fail:
    return rc;
}

psw_status psw_training_keep(const char *work_dir, const struct psw_training *t,
                             struct psw_error *err)
{
    char folder[PSW_PATH_BYTES], path[PSW_PATH_BYTES];
    psw_status rc = PSW_OK;
    PSW_TRY(folder_of(work_dir, t->key, folder, err));
    PSW_TRY(path_of(work_dir, t->key, t->n_step, path, err));
    PSW_TRY(psw_file_make_dir(folder, err));
    PSW_TRY(psw_file_remove_tree(path, err));
    PSW_TRY(link_to(work_dir, t, err));
    if (rename(t->path, path) != 0)
        PSW_TRY(psw_fail(err, psw_status_from_errno(errno), "%s: cannot be kept as %s: %s",
                         t->path, path, strerror(errno)));
fail:
    return rc;
}

psw_status psw_training_remove(const char *work_dir, uint64_t run, struct psw_error *err)
{
    char link[PSW_PATH_BYTES], target[64] = "", path[PSW_PATH_BYTES];
    uint64_t key = 0;
    int64_t n_step = 0;
    psw_status rc = link_path(work_dir, run, link, err);
    if (rc != PSW_OK || readlink(link, target, sizeof target - 1) <= 0 ||
        sscanf(target, "../training/%16" SCNx64 "/%" SCNd64, &key, &n_step) != 2)
        return rc;
    rc = path_of(work_dir, key, n_step, path, err);
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}

psw_status psw_training_remove_all(const char *work_dir, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const psw_status rc = all_folder(work_dir, path, err);
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}
