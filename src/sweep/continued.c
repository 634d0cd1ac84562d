/* Which runs find a kept training. */
#include <posweep/sweep/continued.h>

#include <posweep/util/minmax.h>

#include <stdio.h>

struct psw_continued psw_plan_continued(const struct psw_sweep *sweep,
                                        const struct psw_work_plan *plan, const char *work_dir,
                                        struct psw_ledger *ledger)
{
    struct psw_continued c = {0};
    struct psw_config_reader reader = {0};
    if (!psw_stage_has_trainings(work_dir)) return c;
    for (int64_t i = 0; i < sweep->n_run; i++) {
        if (!plan->run[i].wanted) continue;
        const struct psw_plan_run *run = &plan->run[i];
        const struct psw_config *config = psw_sweep_config(sweep, i, &reader);
        const int64_t n = psw_stage_goes_on_from(work_dir, config, &sweep->stop,
                                                 psw_plan_data_of(plan, i)->hash);
        if (n == 0) continue;
        const double done = (double)n / (double)config->policy.train.steps,
                     whole = run->flops[PSW_STAGE_POLICY];
        if (whole > 0)
            psw_ledger_resume(ledger, run->task[PSW_STAGE_POLICY],
                              done * run->train_flops / whole, 0);
        c.first = c.n_run > 0 ? psw_min(c.first, n) : n;
        c.last = psw_max(c.last, n);
        c.n_run++;
    }
    return c;
}

char *psw_continued_text(const struct psw_continued *c, char *out, size_t n_bytes)
{
    char last[32] = "";
    out[0] = 0;
    if (c->last > c->first) snprintf(last, sizeof last, " to %lld", (long long)c->last);
    if (c->n_run > 0)
        snprintf(out, n_bytes, "%lld run%s can go on from step %lld%s of finished ones",
                 (long long)c->n_run, c->n_run == 1 ? "" : "s", (long long)c->first, last);
    return out;
}
