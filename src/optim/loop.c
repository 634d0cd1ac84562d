/* The training loop of all stages. */
#include <posweep/optim/loop.h>

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>
#include <posweep/util/file.h>

#include <math.h>

static int64_t steps_done(const struct psw_loop *l)
{
    return l->trainer->step / l->trainer->per_step;
}

static psw_status load(const struct psw_loop *l, struct psw_error *err)
{
    size_t n_bytes = l->log ? psw_train_log_room(l->log) : 0;
    void *log = l->log ? l->log->saved : NULL;
    psw_status rc = psw_trainer_load(l->trainer, l->path, l->key, log, &n_bytes, err);
    if (rc == PSW_OK && log && !psw_train_log_unpack(l->log, n_bytes, steps_done(l)))
        rc = psw_fail(err, PSW_EDATA, "%s: its training log is not that of %lld steps", l->path,
                      (long long)steps_done(l));
    if (rc == PSW_OK && l->code->load) rc = l->code->load(l->ctx, err);
    return l->trainer->team.rank == 0 ? psw_file_set_aside(l->path, rc, err) : rc;
}

/* The trainer's state goes last: it names the step that both belong to. */
static psw_status save(const struct psw_loop *l, struct psw_error *err)
{
    const size_t n_bytes = l->log ? psw_train_log_pack(l->log) : 0;
    void *log = l->log ? l->log->saved : NULL;
    const psw_status rc = l->code->save ? l->code->save(l->ctx, err) : PSW_OK;
    if (rc != PSW_OK) return rc;
    return psw_trainer_save(l->trainer, l->path, l->key, log, n_bytes, err);
}

static psw_status keep(const struct psw_loop *l, struct psw_error *err)
{
    return l->code->keep ? l->code->keep(l->ctx, steps_done(l), err) : PSW_OK;
}

psw_status psw_loop_start(const struct psw_loop *l, struct psw_error *err)
{
    psw_status rc = l->code->start(l->ctx, err);
    if (rc == PSW_OK && l->path[0] && psw_comm_file_exists(l->trainer->team.comm, l->path))
        rc = load(l, err);
    if (rc == PSW_OK && l->log) l->log->n_step = steps_done(l);
    return rc == PSW_OK ? keep(l, err) : rc;
}

static psw_status one_step(const struct psw_loop *l, int64_t step, struct psw_error *err)
{
    const double begin_s = psw_clock_s();
    double metric[PSW_MAX_METRICS], n_tok = 0;
    for (int i = 0; i < PSW_MAX_METRICS; i++) metric[i] = NAN;
    const psw_status rc = l->code->step(l->ctx, step, metric, &n_tok, err);
    if (l->log && (rc == PSW_OK || (rc == PSW_EDIVERGED && !isnan(metric[0])))) {
        metric[l->log->n_metric - 1] = n_tok / (psw_clock_s() - begin_s);
        psw_train_log_put(l->log, step, metric);
    }
    if (rc == PSW_OK && l->code->control) l->code->control(l->ctx, metric);
    return rc == PSW_OK ? keep(l, err) : rc;
}

/* Stopped in the middle of a step, of which nothing counts; what was before it is saved. */
static psw_status stop_in_step(const struct psw_loop *l, struct psw_error *err)
{
    const psw_status rc = save(l, err);
    if (rc != PSW_OK) return rc;
    return psw_fail(err, PSW_ESTOP, "stopped in %s at step %lld", l->name,
                    (long long)steps_done(l));
}

psw_status psw_loop_run(const struct psw_loop *l, struct psw_error *err)
{
    psw_status rc = psw_loop_start(l, err);
    double saved_s = psw_clock_s();
    for (int64_t step = steps_done(l); rc == PSW_OK && step < l->n_step;) {
        rc = one_step(l, step++, err);
        if (rc == PSW_ESTOP) rc = stop_in_step(l, err);
        if (rc != PSW_OK) break;
        if (l->code->progress) l->code->progress(l->ctx, step);
        const int stop = l->code->should_stop && l->code->should_stop(l->ctx);
        int saves = stop || psw_clock_s() - saved_s > l->checkpoint_s;
        PSW_MPI(MPI_Bcast(&saves, 1, MPI_INT, 0, l->trainer->team.comm));
        if (step < l->n_step ? !saves : !l->saves_end) continue;
        PSW_TRY(save(l, err));
        saved_s = psw_clock_s();
        if (stop && step < l->n_step)
            rc = psw_fail(err, PSW_ESTOP, "stopped in %s at step %lld", l->name,
                          (long long)step);
    }
fail:
    return rc;
}
