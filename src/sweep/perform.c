/* The worker's side of a sweep: turn a task into a stage of a run. */
#include "run_internal.h"
#include "run_log.h"

#include <posweep/config/pack.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the hooks of a stage work with. */
struct stage_hooks {
    struct psw_job *job;
    const struct psw_performer *performer;
    psw_status rc; /* the first piece that could not be sent */
    struct psw_error err;
};

static void on_progress(void *ctx, double done, double total)
{
    psw_job_progress(((struct stage_hooks *)ctx)->job, done, total);
}

static void on_alive(void *ctx)
{
    psw_job_beat(((struct stage_hooks *)ctx)->job);
}

static int on_should_stop(void *ctx)
{
    return psw_job_should_stop(((struct stage_hooks *)ctx)->job);
}

static int on_is_measured(void *ctx, int64_t checkpoint)
{
    const struct psw_performer *p = ((struct stage_hooks *)ctx)->performer;
    return checkpoint < p->run.n_checkpoint && p->is_measured[checkpoint];
}

static void on_rung(void *ctx, int64_t step, double value)
{
    psw_job_rung(((struct stage_hooks *)ctx)->job, step, value);
}

/* A piece that cannot be packed, for want of memory, must not be missing from a run that counts
 * as done. */
static void on_emit(void *ctx, struct psw_record *piece)
{
    struct stage_hooks *h = ctx;
    const void *bytes = NULL;
    size_t n_bytes = 0;
    if (h->rc == PSW_OK) h->rc = psw_record_pack(piece, &bytes, &n_bytes, &h->err);
    if (h->rc == PSW_OK) psw_job_emit(h->job, bytes, n_bytes);
}

/* What came with the task. The same on all ranks of the group. */
static psw_status take_run(struct psw_performer *p, const struct psw_job *job,
                           struct psw_error *err)
{
    int32_t n_bytes = 0;
    struct psw_config base;
    const uint8_t *note = psw_job_note(job, &n_bytes);
    if (n_bytes < (int32_t)sizeof p->run)
        return psw_fail(err, PSW_EIO,
                        "the task came without its run: rank 0 could not send it");
    memcpy(&p->run, note, sizeof p->run);
    note += sizeof p->run;
    psw_config_default(&base);
    psw_config_unpack(note, (size_t)p->run.n_config_bytes, &base, &p->config);
    p->is_measured = note + p->run.n_config_bytes;
    return PSW_OK;
}

/* Data and model of the run, the data still that of the plan. */
static psw_status load(struct psw_performer *p, int32_t run, struct psw_error *err)
{
    const psw_status rc = psw_stage_cache_get(&p->cache, &p->config, err);
    if (rc != PSW_OK || p->cache.data->content_hash == p->run.data_hash) return rc;
    char host[128] = "?", text[PSW_MAX_ORIGINS * (PSW_CFG_STR + 128)] = "";
    const struct psw_data_origins *origins = &p->cache.data->files.origins;
    gethostname(host, sizeof host - 1);
    for (int64_t i = 0; i < origins->n; i++) {
        const size_t at = strlen(text) + (i > 0 ? 2 : 0);
        memcpy(text + strlen(text), "; ", i > 0 ? 3 : 0);
        psw_data_origin_text(&origins->item[i], text + at, sizeof text - at);
    }
    psw_stage_cache_clear(&p->cache); /* the next attempt reads them again */
    return psw_fail(
        err, PSW_EDATA,
        "the data of run %d changed while the sweep was running: host %s reads %s; restore "
        "them, or start the sweep again",
        run + 1, host, text);
}

/* The first rank of a group keeps the log of the run, or of the stage. */
static int begin_log(const struct psw_performer *p, MPI_Comm group, const struct psw_task *task,
                     const struct psw_job *job)
{
    int fd = -1;
    char host[128] = "?";
    const int is_shared = psw_stage_is_shared((enum psw_stage_kind)task->kind);
    if (psw_comm_rank(group) != 0) return -1;
    gethostname(host, sizeof host - 1);
    psw_run_log_begin(p->work_dir, is_shared ? task->key : p->run.hash, &fd);
    if (fd >= 0)
        dprintf(fd, "%s: attempt %d, pid %ld on %s, %d ranks\n", task->name,
                psw_job_attempt(job), (long)getpid(), host, psw_comm_size(group));
    return fd;
}

static void end_log(int fd, psw_status rc, const struct psw_error *err)
{
    if (fd < 0) return;
    dprintf(fd, "%s\n", rc == PSW_OK ? "done" : err ? err->text : psw_status_name(rc));
    psw_run_log_end(fd);
}

psw_status psw_perform(void *ctx, MPI_Comm group, const struct psw_task *task,
                       struct psw_job *job, struct psw_error *err)
{
    struct psw_performer *p = ctx;
    struct stage_hooks hooks = {.job = job, .performer = p};
    psw_status rc = take_run(p, job, err);
    if (rc != PSW_OK) return rc;
    rc = psw_agree(group, load(p, task->run, err), err);
    if (rc != PSW_OK) return rc;
    const struct psw_stage stage = {.config = &p->config,
                                    .data = p->cache.data,
                                    .model = p->cache.model,
                                    .comm = group,
                                    .work_dir = p->work_dir,
                                    .attempt = psw_job_attempt(job),
                                    .stop = &p->stop,
                                    .hooks = {.ctx = &hooks,
                                              .progress = on_progress,
                                              .alive = on_alive,
                                              .should_stop = on_should_stop,
                                              .emit = on_emit,
                                              .rung = on_rung,
                                              .is_measured = on_is_measured}};
    const int log = begin_log(p, group, task, job);
    rc = psw_stage_perform((enum psw_stage_kind)task->kind, &stage, err);
    end_log(log, rc, err);
    if (rc == PSW_OK && hooks.rc != PSW_OK && err) *err = hooks.err;
    return rc == PSW_OK ? psw_agree(group, hooks.rc, err) : rc;
}
