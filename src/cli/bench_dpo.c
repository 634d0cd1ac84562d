/* posweep bench dpo: preference pairs per second of a DPO step with AdamW, each prompt computed
 * once and computed for both sides. */
#include "bench_internal.h"
#include <posweep/bench/dpo.h>
#include <stdio.h>

static void print_way(const char *name, const struct psw_bench_dpo_way *way)
{
    printf("%-16s %9.2f %9.0f %9.0f %10.0f %9.1f\n", name, way->pairs_per_s, way->step_s * 1e3,
           way->tok, way->tok / way->step_s, 1e-9 * way->flop / way->step_s);
}

static void print(const struct psw_bench_dpo_opts *opts, const struct psw_bench_dpo_result *r)
{
    printf("batches of %lld pairs in %d shards; %.0f MiB\n", (long long)opts->batch,
           opts->n_shard, (double)r->memory_bytes / 1048576.0);
    printf("%-16s %9s %9s %9s %10s %9s\n", "prompt", "pairs/s", "step ms", "tokens", "tokens/s",
           "GFLOP/s");
    print_way("for both sides", &r->copied);
    print_way("once", &r->shared);
    printf("sharing: %.2f x the pairs/s (FLOPs promise %.2f)\n", r->ratio, r->flop_ratio);
}

psw_status psw_cli_bench_dpo(const struct psw_bench_args *args, struct psw_error *err)
{
    struct psw_bench_pairs pairs;
    struct psw_bench_dpo_result result;
    struct psw_bench_dpo_opts opts = {.dims = psw_bench_pairs_dims(),
                                      .batch = args->batch ? args->batch : 16,
                                      .n_rep = args->n_rep ? args->n_rep : 5,
                                      .n_shard = PSW_BENCH_SHARDS};
    if (args->rank > 0) return PSW_OK;
    psw_status rc =
        psw_bench_pairs_open(args->data, opts.batch * (opts.n_rep + 1), &pairs, err);
    if (rc != PSW_OK) return rc;
    opts.pair = pairs.pair;
    rc = psw_bench_dpo(&opts, &result, err);
    if (rc == PSW_OK) print(&opts, &result);
    psw_bench_pairs_clear(&pairs);
    return rc;
}
