/* The training log: one block, what is saved first, row by row, so that what there is of it is
 * saved in one piece. */
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
    l.saved =
        calloc(1 + (size_t)n_controller + (size_t)(l.n_metric * l.n_row), sizeof *l.saved);
    if (!l.saved)
        return psw_fail(err, PSW_ENOMEM, "training log of %lld rows", (long long)l.n_row);
    l.controller = l.saved + 1;
    l.value = l.controller + n_controller;
    *log = l;
    return PSW_OK;
}

void psw_train_log_clear(struct psw_train_log *log)
{
    free(log->saved);
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
        log->value[step / log->every * log->n_metric + i] = metric[i];
}

double psw_train_log_at(const struct psw_train_log *log, int64_t row, int metric)
{
    return log->value[row * log->n_metric + metric];
}

/* Up to the row behind which so many rows lie. */
static size_t bytes_of(const struct psw_train_log *log, int64_t n_row)
{
    return sizeof(double) * (size_t)(log->value - log->saved + n_row * log->n_metric);
}

static int64_t rows_of(const struct psw_train_log *log, int64_t n_step)
{
    return (n_step + log->every - 1) / log->every;
}

size_t psw_train_log_pack(struct psw_train_log *log)
{
    log->saved[0] = (double)log->n_step;
    return bytes_of(log, rows_of(log, log->n_step));
}

size_t psw_train_log_room(const struct psw_train_log *log)
{
    return bytes_of(log, log->n_row);
}

int psw_train_log_unpack(struct psw_train_log *log, size_t n_bytes, int64_t n_step)
{
    if (n_step < 0 || rows_of(log, n_step) > log->n_row ||
        n_bytes != bytes_of(log, rows_of(log, n_step)) || log->saved[0] != (double)n_step)
        return 0;
    log->n_step = n_step;
    return 1;
}
