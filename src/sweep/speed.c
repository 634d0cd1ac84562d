/* Speeds, learnt. A kind is seen on few numbers of ranks; what lies between is assumed. */
#include <posweep/sweep/speed.h>

#include <math.h>

/* Two ranks are promised to be 1.8 times one; the same loss is assumed per further doubling. */
static const double EFFICIENCY_PER_DOUBLING = 0.9;
/* The weight of what was learnt before, each time a task ends: about the last 20 tasks count.
 */
static const double FADE = 0.95;

static int log2_of(int32_t n)
{
    int k = 0;
    while (n >>= 1) k++;
    return k;
}

/* How many times one rank so many doublings are. */
static double gain_of(int n_doubling)
{
    return pow(2 * EFFICIENCY_PER_DOUBLING, n_doubling);
}

static void see(struct psw_speed_seen *seen, double flops, double s)
{
    seen->flops = seen->flops * FADE + flops;
    seen->s = seen->s * FADE + s;
}

void psw_speed_learn(struct psw_speed *speed, const struct psw_task *task, int32_t n_rank,
                     double duration_s)
{
    if (!(task->cost > 0) || !(duration_s > 0)) return;
    const int32_t k = task->kind % PSW_SPEED_KINDS;
    const int width = log2_of(n_rank);
    const double rank_s = duration_s * gain_of(width);
    see(&speed->kind[k], task->cost, rank_s);
    see(&speed->all, task->cost, rank_s);
    if (width < PSW_SPEED_WIDTHS) see(&speed->group[k][width], task->cost, duration_s);
}

double psw_speed_flops_per_s(const struct psw_speed *speed, int32_t kind)
{
    const int32_t k = kind >= 0 ? kind % PSW_SPEED_KINDS : 0;
    if (kind >= 0 && speed->kind[k].s > 0) return speed->kind[k].flops / speed->kind[k].s;
    if (speed->all.s > 0) return speed->all.flops / speed->all.s;
    return speed->prior_flops_per_s;
}

/* FLOP/s of a group of 2^width ranks; 0 = unknown. */
static double group_flops_per_s(const struct psw_speed *speed, int32_t kind, int width)
{
    const struct psw_speed_seen *seen = speed->group[kind % PSW_SPEED_KINDS];
    for (int apart = 0; apart < PSW_SPEED_WIDTHS; apart++)
        for (int sign = -1; sign <= 1; sign += 2) { /* fewer ranks first */
            const int at = width + sign * apart;
            if (at < 0 || at >= PSW_SPEED_WIDTHS || !(seen[at].s > 0)) continue;
            return seen[at].flops / seen[at].s * gain_of(width - at);
        }
    return psw_speed_flops_per_s(speed, kind) * gain_of(width);
}

double psw_speed_predict_s(const struct psw_speed *speed, const struct psw_task *task,
                           int32_t n_rank)
{
    const double flops_per_s = group_flops_per_s(speed, task->kind, log2_of(n_rank));
    return flops_per_s > 0 ? task->cost / flops_per_s : 0;
}

double psw_speed_left_s(const struct psw_speed *speed, const struct psw_ledger *ledger,
                        int32_t task, int32_t n_rank)
{
    return psw_ledger_left(ledger, task) *
           psw_speed_predict_s(speed, psw_ledger_task(ledger, task), n_rank);
}
