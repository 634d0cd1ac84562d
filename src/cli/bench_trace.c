/* posweep bench trace: what a trace checkpoint costs, for several numbers of components, beside
 * one forward and backward over the same tokens and beside one backward per component, and what
 * soft targets and the error through D' add. */
#include "bench_internal.h"
#include <posweep/bench/trace.h>
#include <stdio.h>

static void print(const struct psw_bench_trace_result *r)
{
    printf("probe: %lld tokens, %lld of them predict; %.0f MiB\n", (long long)r->n_tok,
           (long long)r->n_row, (double)r->memory_bytes / 1048576.0);
    printf("v over D' %.3f s; forward + backward over the probe %.3f s; %d components "
           "explicitly %.3f s\n",
           r->v_s, r->step_s, PSW_BENCH_TRACE_EXPLICIT, r->explicit_s);
    printf("%-10s %10s %16s %18s %20s\n", "components", "tangent s", "x fwd+bwd (<=1.3)",
           "explicit / tangent", "the same, v in both");
    for (int i = 0; i < PSW_BENCH_TRACE_N_K; i++)
        printf("%-10lld %10.3f %17.2f %18.2f %20.2f\n", (long long)PSW_BENCH_TRACE_K[i],
               r->tangent[i].s, r->tangent[i].ratio, r->tangent[i].explicit_ratio,
               r->tangent[i].with_v_ratio);
    printf(
        "v_soft over D' %.3f s; to a checkpoint of v and one tangent pass: v_soft %.2f, with a "
        "tangent pass of its own %.2f\n",
        r->soft.v_s, r->soft.v_ratio, r->soft.ratio);
    printf("error through D' of two components %.3f s: %.2f of a checkpoint\n", r->error.s,
           r->error.ratio);
    printf("largest difference between the two: %.1e of sum |w kappa|\n", r->difference);
}

psw_status psw_cli_bench_trace(const struct psw_bench_args *args, struct psw_error *err)
{
    struct psw_bench_pairs pairs;
    struct psw_bench_trace_result result;
    const int64_t n = args->n_item ? args->n_item : 16;
    if (args->rank > 0) return PSW_OK;
    psw_status rc = psw_bench_pairs_open(args->data, n, &pairs, err);
    if (rc != PSW_OK) return rc;
    const struct psw_bench_trace_opts opts = {.dims = psw_bench_pairs_dims(),
                                              .pair = pairs.pair,
                                              .final = pairs.chosen,
                                              .n_pair = n,
                                              .n_final = n,
                                              .n_shard = PSW_BENCH_SHARDS,
                                              .n_rep = args->n_rep ? args->n_rep : 3};
    rc = psw_bench_trace(&opts, &result, err);
    if (rc == PSW_OK) print(&result);
    psw_bench_pairs_clear(&pairs);
    return rc;
}
