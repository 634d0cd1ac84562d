/* The loops below read and write each array once and hold no branch, so that the compiler makes
 * vectors of them and memory sets the pace. sqrtf and the division are correctly rounded: the
 * same bits as a scalar loop. (CMakeLists.txt switches errno off for sqrtf here; nothing else.)
 */
#include <posweep/optim/optimizer.h>

#include <math.h>
#include <posweep/kernels/vecmath.h>

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

void psw_adamw_step(const struct psw_optimizer_opts *opts, struct psw_update update,
                    struct psw_slice slice, struct psw_optimizer_arrays arrays)
{
    const float scale = (float)update.grad_scale, eps = (float)opts->eps;
    const float beta1 = (float)opts->beta1, rest1 = (float)(1.0 - opts->beta1);
    const float beta2 = (float)opts->beta2, rest2 = (float)(1.0 - opts->beta2);
    const float keep = (float)(1.0 - update.lr * opts->weight_decay);
    const float root = (float)scale_of_root(opts, update.t);
    const float step = (float)(-update.lr / (1.0 - pow(opts->beta1, (double)update.t)));
    float *restrict param = arrays.param, *restrict m = arrays.m, *restrict v = arrays.v;
    const float *restrict grad = arrays.grad;
    for (int64_t i = slice.begin; i < slice.end; i++) {
        const float g = scale * grad[i];
        m[i] = PSW_FMAF(rest1, g, beta1 * m[i]);
        v[i] = PSW_FMAF(rest2 * g, g, beta2 * v[i]);
        param[i] = PSW_FMAF(step, m[i] / PSW_FMAF(sqrtf(v[i]), root, eps), keep * param[i]);
    }
}

void psw_sgd_step(const struct psw_optimizer_opts *opts, struct psw_update update,
                  struct psw_slice slice, struct psw_optimizer_arrays arrays)
{
    const float step = (float)(-update.lr * update.grad_scale);
    const float keep = (float)(1.0 - update.lr * opts->weight_decay);
    float *restrict param = arrays.param;
    const float *restrict grad = arrays.grad;
    for (int64_t i = slice.begin; i < slice.end; i++)
        param[i] = PSW_FMAF(step, grad[i], keep * param[i]);
}

void psw_optimizer_step(const struct psw_optimizer_opts *opts, struct psw_update update,
                        struct psw_slice slice, struct psw_optimizer_arrays arrays)
{
    static void (*const STEPS[])(const struct psw_optimizer_opts *, struct psw_update,
                                 struct psw_slice, struct psw_optimizer_arrays) = {
        [PSW_OPTIMIZER_ADAMW] = psw_adamw_step, [PSW_OPTIMIZER_SGD] = psw_sgd_step};
    STEPS[opts->kind](opts, update, slice, arrays);
}

void psw_optimizer_precondition(const struct psw_optimizer_opts *opts, int64_t t,
                                struct psw_slice slice, const float *v, const float *x,
                                float *out)
{
    const float eps = (float)opts->eps, root = (float)scale_of_root(opts, t);
    if (opts->kind == PSW_OPTIMIZER_SGD) {
        for (int64_t i = slice.begin; i < slice.end; i++) out[i] = x[i];
        return;
    }
    for (int64_t i = slice.begin; i < slice.end; i++)
        out[i] = x[i] / PSW_FMAF(sqrtf(v[i]), root, eps);
}
