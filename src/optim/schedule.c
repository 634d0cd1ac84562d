/* Learning rates and clipping. */
#include <posweep/optim/schedule.h>

#include <math.h>

struct psw_lr_schedule psw_lr_schedule_of(const struct psw_config_train *train)
{
    return (struct psw_lr_schedule){.decay = train->decay,
                                    .lr = train->lr,
                                    .warmup = train->warmup,
                                    .n_step = train->steps};
}

double psw_lr_at(const struct psw_lr_schedule *schedule, int64_t step)
{
    if (step < schedule->warmup)
        return schedule->lr * (double)(step + 1) / (double)(schedule->warmup + 1);
    const double done =
        (double)(step - schedule->warmup) / (double)(schedule->n_step - schedule->warmup);
    if (schedule->decay == PSW_DECAY_LINEAR) return schedule->lr * (1.0 - done);
    if (schedule->decay == PSW_DECAY_COSINE)
        return schedule->lr * 0.5 * (1.0 + cos(3.14159265358979323846 * done));
    return schedule->lr;
}

int psw_lr_depends_on_end(const struct psw_config_train *train)
{
    return train->decay != PSW_DECAY_CONSTANT;
}

double psw_clip_factor(double norm, double max_norm)
{
    if (max_norm <= 0.0) return 1.0;
    const double factor = max_norm / (norm + 1e-6);
    return factor > 1.0 ? 1.0 : factor;
}
