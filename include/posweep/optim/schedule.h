/* Learning rates over a run, and the clip factor. */
#ifndef POSWEEP_OPTIM_SCHEDULE_H
#define POSWEEP_OPTIM_SCHEDULE_H

#include <posweep/config/config.h>
#include <stdint.h>

struct psw_lr_schedule {
    int decay; /* enum psw_decay */
    double lr; /* the peak */
    int64_t warmup, n_step;
};

struct psw_lr_schedule psw_lr_schedule_of(const struct psw_config_train *train);

/** Learning rate of step 0 <= step < n_step: a linear ramp lr (step + 1) / (warmup + 1) over
 * the first `warmup` steps (no step is wasted on 0), then constant, or down towards 0, which is
 *  reached at n_step, along a line or half a cosine. */
double psw_lr_at(const struct psw_lr_schedule *schedule, int64_t step);

/** Whether some of these rates would be others if the training had another end (train->steps).
 */
int psw_lr_depends_on_end(const struct psw_config_train *train);

/** Factor that brings a gradient of this norm down to max_norm; 1 when it is below, or when
 *  max_norm is 0 (no clipping). NaN for a NaN norm.
 *  Source: torch.nn.utils.clip_grad_norm_: min(1, max_norm / (norm + 1e-6)). */
double psw_clip_factor(double norm, double max_norm);

#endif
