/* The scalars of a step, in double; the loops are the backend's. */
#include <posweep/optim/optimizer.h>

#include <math.h>
#include <posweep/kernels/backend.h>

struct psw_optimizer_opts psw_optimizer_opts_of(const struct psw_config_train *train)
{
    return (struct psw_optimizer_opts){.kind = train->optimizer,
                                       .beta1 = train->beta1,
                                       .beta2 = train->beta2,
                                       .eps = train->eps,
                                       .weight_decay = train->weight_decay};
}

/* 1 / sqrt(1 - beta2^t): what makes sqrt(v) an unbiased scale. */
static double scale_of_root(const struct psw_optimizer_opts *opts, int64_t t)
{
    return 1.0 / sqrt(1.0 - pow(opts->beta2, (double)t));
}

void psw_adamw_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                    struct psw_update update, struct psw_slice slice,
                    struct psw_optimizer_arrays arrays)
{
    const struct psw_adamw how = {
        .scale = (float)update.grad_scale,
        .beta1 = (float)opts->beta1,
        .rest1 = (float)(1.0 - opts->beta1),
        .beta2 = (float)opts->beta2,
        .rest2 = (float)(1.0 - opts->beta2),
        .keep = (float)(1.0 - update.lr * opts->weight_decay),
        .step = (float)(-update.lr / (1.0 - pow(opts->beta1, (double)update.t))),
        .root = (float)scale_of_root(opts, update.t),
        .eps = (float)opts->eps};
    psw_exec_backend(exec)->vector->adamw(exec, &how, slice.end - slice.begin,
                                          arrays.grad + slice.begin, arrays.m + slice.begin,
                                          arrays.v + slice.begin, arrays.param + slice.begin);
}

void psw_sgd_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                  struct psw_update update, struct psw_slice slice,
                  struct psw_optimizer_arrays arrays)
{
    psw_exec_backend(exec)->vector->sgd(exec, (float)(1.0 - update.lr * opts->weight_decay),
                                        (float)(-update.lr * update.grad_scale),
                                        slice.end - slice.begin, arrays.grad + slice.begin,
                                        arrays.param + slice.begin);
}

void psw_optimizer_step(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                        struct psw_update update, struct psw_slice slice,
                        struct psw_optimizer_arrays arrays)
{
    static void (*const STEPS[])(struct psw_exec *, const struct psw_optimizer_opts *,
                                 struct psw_update, struct psw_slice,
                                 struct psw_optimizer_arrays) = {
        [PSW_OPTIMIZER_ADAMW] = psw_adamw_step, [PSW_OPTIMIZER_SGD] = psw_sgd_step};
    STEPS[opts->kind](exec, opts, update, slice, arrays);
}

void psw_optimizer_precondition(struct psw_exec *exec, const struct psw_optimizer_opts *opts,
                                int64_t t, struct psw_slice slice, const float *v,
                                const float *x, float *out)
{
    const int64_t at = slice.begin, n = slice.end - slice.begin;
    if (opts->kind == PSW_OPTIMIZER_SGD) {
        if (out != x) psw_exec_backend(exec)->buffer->copy(exec, n, x + at, out + at);
        return;
    }
    psw_exec_backend(exec)->vector->precondition(exec, (float)scale_of_root(opts, t),
                                                 (float)opts->eps, n, v + at, x + at, out + at);
}
