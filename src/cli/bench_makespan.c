/* posweep bench schedule: how well thousands of ranks are kept busy, in simulated time. */
#include "bench_internal.h"
#include <posweep/bench/makespan.h>
#include <stdio.h>

enum { MOST_RANKS = 8 }; /* of a run that is widened: as many as it has shards by default */

psw_status psw_cli_bench_makespan(const struct psw_bench_args *args, struct psw_error *err)
{
    static const double ERRORS[] = {0, 0.5};
    struct psw_bench_makespan_opts o = {.n_run = args->n_item ? args->n_item : 20000,
                                        .n_rank = args->batch ? args->batch : 4096,
                                        .efficiency = 0.9};
    if (o.n_run > 10000000 || o.n_rank > 1000000)
        return psw_fail(
            err, PSW_EINVAL,
            "%lld runs on %lld ranks: at most 10,000,000 and 1,000,000 are simulated",
            (long long)o.n_run, (long long)o.n_rank);
    printf("%-10s %10s %9s %8s %6s %12s %10s %12s %14s %10s\n", "durations", "predicted",
           "runs", "ranks", "widen", "makespan", "x bound", "CPU", "of makespan", "bytes/run");
    for (int tail = 0; tail < PSW_N_TAIL; tail++)
        for (int e = 0; e < 2; e++)
            for (int widens = 0; widens < 2; widens++) {
                struct psw_bench_makespan_result r;
                o.tail = (enum psw_bench_tail)tail;
                o.error = ERRORS[e];
                o.n_rank_most = widens ? MOST_RANKS : 0;
                const psw_status rc = psw_bench_makespan(&o, &r, err);
                if (rc != PSW_OK) return rc;
                printf("%-10s %10s %9lld %8lld %6s %10.0f s %10.3f %10.2f s %12.3f %% %10.0f\n",
                       psw_bench_tail_name(o.tail), e ? "/1.5-x1.5" : "exactly",
                       (long long)o.n_run, (long long)o.n_rank, widens ? "to 8" : "no",
                       r.makespan_s, r.makespan_s / r.bound_s, r.cpu_s,
                       100 * r.cpu_s / r.makespan_s, r.n_byte_run);
            }
    return PSW_OK;
}
