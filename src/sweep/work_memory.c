/* What a plan takes of memory: held against what there is, before anything runs. */
#include "work_plan_internal.h"

#include <posweep/comm/node_memory.h>
#include <posweep/util/machine.h>
#include <posweep/util/text.h>

#include <stdio.h>
#include <string.h>

void psw_work_plan_name_run(const struct psw_sweep *sweep, const struct psw_run *run,
                            struct psw_error *err)
{
    enum { LONGEST = 120 };
    const size_t n = strlen(sweep->path);
    psw_error_prefix(err, "%s%s:%d: %s %s seed %lld", n > LONGEST ? "..." : "",
                     sweep->path + (n > LONGEST ? n - LONGEST : 0), run->line, run->method,
                     run->variant, (long long)run->seed);
}

size_t psw_plan_run_bytes(const struct psw_work_plan *plan, int64_t run, int kind,
                          int n_rank_node)
{
    if (!plan->run[run].wanted) return 0;
    const struct psw_stage_cost *cost = psw_plan_cost(plan, run, kind);
    const int n = plan->run[run].frozen_on_node ? psw_stage_n_sharing(cost, n_rank_node) : 1;
    const double of_node = (double)cost->frozen_bytes * n_rank_node / n;
    return psw_stage_rank_bytes(cost, n > 1 && psw_node_memory_has_room(of_node) ? n : 1);
}

/* Of the memory that a rank may take: how much of it may be filled before weights are shared.
 */
static const double SHARE_OF_COPIES = 0.5;

/* Memory that a rank may take, and what says so. */
struct allowance {
    double bytes;
    const char *by, *verb;
};

static const char *const OF_NODE = "memory of this node per working rank";

/* share_bytes: share_of_rank, asked of the system once for all runs. */
static struct allowance allowance_of(const struct psw_config *config, double share_bytes)
{
    const double gib = config->limits.memory_gib;
    if (gib > 0) return (struct allowance){gib * 0x1p30, "limits.memory_gib", "raise"};
    return (struct allowance){share_bytes, OF_NODE, "set"};
}

static double share_of_rank(int n_rank_node)
{
    return psw_machine_bytes() / (n_rank_node > 0 ? n_rank_node : 1);
}

void psw_work_plan_place_frozen(const struct psw_sweep *sweep, struct psw_work_plan *plan,
                                int n_rank_node)
{
    const double share_bytes = share_of_rank(n_rank_node);
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < plan->n_run; i++) {
        if (!plan->run[i].wanted) continue;
        const struct psw_config *c = psw_sweep_config(sweep, i, &reader);
        const double enough = SHARE_OF_COPIES * allowance_of(c, share_bytes).bytes;
        int is_tight = 0;
        for (int k = 0; k < PSW_N_STAGE; k++)
            is_tight |= (double)psw_plan_cost(plan, i, k)->peak_bytes > enough;
        plan->run[i].frozen_on_node = c->limits.frozen_weights == PSW_FROZEN_AUTO
                                          ? is_tight
                                          : c->limits.frozen_weights == PSW_FROZEN_NODE;
    }
}

psw_status psw_work_plan_check_generated(const struct psw_sweep *sweep, const uint8_t *ended,
                                         int n_rank_node, struct psw_error *err)
{
    const double share_bytes = share_of_rank(n_rank_node);
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < sweep->n_run; i++) {
        char setting[64], need[PSW_SIZE_BYTES], has[PSW_SIZE_BYTES];
        const struct psw_config *c = psw_sweep_config(sweep, i, &reader);
        const struct allowance limit = allowance_of(c, share_bytes);
        const double n_bytes = psw_dataset_generated_bytes(c, setting, sizeof setting);
        if ((ended && ended[i]) || n_bytes <= limit.bytes) continue;
        const psw_status rc =
            psw_fail(err, PSW_ENOMEM,
                     "%s: the generated data need %s per rank, there are %s (%s); "
                     "ask for fewer items or use fewer ranks per node, or %s limits.memory_gib "
                     "to what a rank may take",
                     setting, psw_size_text(n_bytes, need), psw_size_text(limit.bytes, has),
                     limit.by, limit.verb);
        psw_work_plan_name_run(sweep, &sweep->run[i], err);
        return rc;
    }
    return PSW_OK;
}

psw_status psw_work_plan_check_memory(const struct psw_sweep *sweep,
                                      const struct psw_work_plan *plan, int n_rank_node,
                                      struct psw_error *err)
{
    const double share_bytes = share_of_rank(n_rank_node);
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < plan->n_run; i++) {
        const struct allowance limit =
            allowance_of(psw_sweep_config(sweep, i, &reader), share_bytes);
        for (int k = 0; k < PSW_N_STAGE; k++) {
            const double n_bytes = (double)psw_plan_run_bytes(plan, i, k, n_rank_node);
            char need[PSW_SIZE_BYTES], has[PSW_SIZE_BYTES];
            if (n_bytes > limit.bytes) {
                const psw_status rc = psw_fail(
                    err, PSW_ENOMEM,
                    "its %s stage needs %s per rank, there are %s (%s); use more "
                    "ranks per run, smaller batches, a shorter model.context or fewer ranks "
                    "per "
                    "node, or %s "
                    "limits.memory_gib to what a rank may take",
                    psw_stage_name((enum psw_stage_kind)k), psw_size_text(n_bytes, need),
                    psw_size_text(limit.bytes, has), limit.by, limit.verb);
                psw_work_plan_name_run(sweep, &sweep->run[i], err);
                return rc;
            }
        }
    }
    return PSW_OK;
}

char *psw_work_plan_memory_text(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                                int32_t task, char *out, size_t n_bytes)
{
    const struct psw_task *t = &plan->task[task];
    struct psw_config_reader reader = {0};
    const double share_bytes = share_of_rank(plan->n_rank_node);
    const struct allowance limit =
        allowance_of(psw_sweep_config(sweep, t->run, &reader), share_bytes);
    const double need = (double)psw_plan_run_bytes(plan, t->run, t->kind, plan->n_rank_node);
    char text[3][PSW_SIZE_BYTES], share[96] = "";
    if (share_bytes < limit.bytes) /* what the setting hides */
        snprintf(share, sizeof share, "; %s: %s", OF_NODE, psw_size_text(share_bytes, text[2]));
    snprintf(out, n_bytes, "the plan is %s per rank, there are %s (%s%s)",
             psw_size_text(need, text[0]), psw_size_text(limit.bytes, text[1]), limit.by,
             share);
    return out;
}
