/* posweep bench ppo: one step of PPO of the demo's size, its parts, and the share that is
 * arithmetic. */
#include "bench_internal.h"
#include <posweep/bench/ppo.h>
#include <stdio.h>
#include <unistd.h>

static const struct psw_bench_shape DEMO = {
    .name = "demo", .n_layer = 3, .width = 64, .n_head = 4};

static void print(const struct psw_bench_ppo_opts *o, const struct psw_bench_ppo_result *r)
{
    printf(
        "%lld responses of %.1f tokens, %.0f tokens through a pass, %lld epochs; %lld layers "
        "of width %lld, %lld parameters, a critic as large; %.0f MiB\n",
        (long long)o->batch, r->mean_tok, r->tok, (long long)o->epochs, (long long)o->n_layer,
        (long long)o->width, (long long)r->n_param, (double)r->memory_bytes / 1048576.0);
    printf("%-22s %9s %7s\n", "part", "ms", "share");
    for (int i = 0; i < PSW_BENCH_PPO_PARTS; i++)
        printf("%-22s %9.2f %7.3f\n", PSW_BENCH_PPO_PART[i], r->part_s[i] * 1e3,
               r->part_s[i] / r->step_s);
    printf("%-22s %9.2f %7.3f\n", "step", r->step_s * 1e3, 1.0);
    printf("matrix products alone %.2f ms, sampling's linear maps and attention alone %.2f ms: "
           "%.3f of the step (>= 0.6)\n",
           r->products_s * 1e3, r->sampling_s * 1e3, r->share);
}

psw_status psw_cli_bench_ppo(const struct psw_bench_args *args, struct psw_error *err)
{
    struct psw_bench_ppo_result result;
    char work_dir[64];
    const struct psw_bench_shape *shape = &DEMO;
    if (args->rank > 0) return PSW_OK;
    for (const struct psw_bench_shape *s = psw_bench_shapes(); args->shape && s->name; s++)
        if (psw_bench_wants(args, s)) shape = s;
    snprintf(work_dir, sizeof work_dir, "posweep-bench-%ld.work", (long)getpid());
    const struct psw_bench_ppo_opts opts = {.n_layer = shape->n_layer,
                                            .width = shape->width,
                                            .n_head = shape->n_head,
                                            .context = 64,
                                            .batch = args->batch ? args->batch : 64,
                                            .max_new = 24,
                                            .epochs = 4,
                                            .n_sft = args->n_item ? args->n_item : 300,
                                            .n_rep = args->n_rep ? args->n_rep : 9,
                                            .work_dir = work_dir};
    const psw_status rc = psw_bench_ppo(&opts, &result, err);
    if (rc == PSW_OK) print(&opts, &result);
    return rc;
}
