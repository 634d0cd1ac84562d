/* The worker's side of a sweep: turn a task into a stage of a run. */
#include "run_internal.h"

#include <posweep/util/log.h>

#include <string.h>
#include <unistd.h>

static void on_progress(void *ctx, double done, double total)
{
    psw_job_progress(ctx, done, total);
}

static int on_should_stop(void *ctx)
{
    return psw_job_should_stop(ctx);
}

/* A piece that cannot be packed is our own bug or lack of memory: the run then lacks that
 * dataset, and the log says so. */
static void on_emit(void *ctx, struct psw_record *piece)
{
    struct psw_error err = {0};
    const void *bytes = NULL;
    size_t n_bytes = 0;
    if (psw_record_pack(piece, &bytes, &n_bytes, &err) == PSW_OK)
        psw_job_emit(ctx, bytes, n_bytes);
    else
        psw_log(PSW_LOG_ERROR, "a piece of the results is lost: %s", err.text);
}

/* Data and model of a run, the data still that of the plan. */
static psw_status load(struct psw_performer *p, int32_t run, struct psw_error *err)
{
    const psw_status rc = psw_stage_cache_get(&p->cache, &p->run[run].config, err);
    if (rc != PSW_OK || p->cache.data->content_hash == p->data_hash[run]) return rc;
    char host[128] = "?", text[PSW_CFG_STR + 128] = "";
    gethostname(host, sizeof host - 1);
    return psw_fail(
        err, PSW_EDATA,
        "the data of run %d changed while the sweep was running: host %s reads %s; restore "
        "it, or start the sweep again",
        run + 1, host,
        psw_data_origin_text(&p->cache.data->origins.item[0], text, sizeof text));
}

psw_status psw_perform(void *ctx, MPI_Comm group, const struct psw_task *task,
                       struct psw_job *job, struct psw_error *err)
{
    static psw_status (*const STAGE[PSW_N_STAGE])(
        const struct psw_stage *, struct psw_error *) = {[PSW_STAGE_SFT] = psw_stage_sft,
                                                         [PSW_STAGE_REF] = psw_stage_ref,
                                                         [PSW_STAGE_POLICY] = psw_stage_policy,
                                                         [PSW_STAGE_REWARD] = psw_stage_reward};
    struct psw_performer *p = ctx;
    const struct psw_config *config = &p->run[task->run].config;
    const psw_status rc = psw_agree(group, load(p, task->run, err), err);
    if (rc != PSW_OK) return rc;
    const struct psw_stage stage = {.config = config,
                                    .data = p->cache.data,
                                    .model = p->cache.model,
                                    .comm = group,
                                    .work_dir = p->work_dir,
                                    .attempt = psw_job_attempt(job),
                                    .hooks = {.ctx = job,
                                              .progress = on_progress,
                                              .should_stop = on_should_stop,
                                              .emit = on_emit}};
    return STAGE[task->kind](&stage, err);
}
