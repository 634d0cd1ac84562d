/* The training log: one block, metric by metric, so that it is saved in one piece. */
#include <posweep/optim/train_log.h>

#include <stdlib.h>

psw_status psw_train_log_init(struct psw_train_log *log, const char *const *name,
                              int64_t n_step, int64_t every, int n_controller,
                              struct psw_error *err)
{
    struct psw_train_log l = {
        .name = name, .every = every, .n_row = (n_step + every - 1) / every};
    while (name[l.n_metric]) l.n_metric++;
    PSW_ASSERT(l.n_metric <= PSW_MAX_METRICS);
    const size_t n = (size_t)(l.n_metric * l.n_row + n_controller);
    l.n_bytes = sizeof(double) * n;
    l.value = calloc(n + 1, sizeof *l.value);
    if (!l.value)
        return psw_fail(err, PSW_ENOMEM, "training log of %lld rows", (long long)l.n_row);
    l.controller = l.value + l.n_metric * l.n_row;
    *log = l;
    return PSW_OK;
}

void psw_train_log_clear(struct psw_train_log *log)
{
    free(log->value);
    *log = (struct psw_train_log){0};
}

int psw_train_log_has(const struct psw_train_log *log, int64_t step)
{
    return step % log->every == 0;
}

void psw_train_log_put(struct psw_train_log *log, int64_t step, const double *metric)
{
    log->n_step = step + 1;
    if (!psw_train_log_has(log, step)) return;
    for (int i = 0; i < log->n_metric; i++)
        log->value[i * log->n_row + step / log->every] = metric[i];
}
