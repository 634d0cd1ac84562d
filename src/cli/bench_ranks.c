/* posweep bench ranks: tokens per second of one run on all ranks over those of one rank alone,
 * with one shard per rank. Start it under mpirun: `mpirun -n 2 posweep bench ranks`. */
#include "bench_internal.h"
#include <mpi.h>
#include <posweep/bench/ranks.h>
#include <posweep/comm/agree.h>
#include <stdio.h>

static psw_status bench_shape(const struct psw_bench_args *args,
                              const struct psw_bench_shape *shape, struct psw_error *err)
{
    struct psw_bench_ranks_result r;
    const struct psw_bench_ranks_opts opts = {.dims = psw_bench_dims(shape, shape->T + 1),
                                              .T = shape->T,
                                              .B = args->batch ? args->batch : shape->B,
                                              .n_rep = args->n_rep ? args->n_rep : 3};
    const psw_status rc = psw_bench_ranks(MPI_COMM_WORLD, &opts, &r, err);
    if (rc != PSW_OK || args->rank > 0) return rc;
    printf("%-5s %5d %10.0f %6.2f %10.0f %10.0f %12.0f %12.0f %9.0f\n", shape->name,
           psw_comm_size(MPI_COMM_WORLD), r.tok_per_s, r.ratio, r.alone_s * 1e3,
           r.together_s * 1e3, r.alone_update_s * 1e3, r.together_update_s * 1e3,
           (double)r.memory_bytes / 1048576.0);
    fflush(stdout);
    return rc;
}

psw_status psw_cli_bench_ranks(const struct psw_bench_args *args, struct psw_error *err)
{
    if (args->rank == 0)
        printf("%-5s %5s %10s %6s %10s %10s %12s %12s %9s\n", "shape", "ranks", "tokens/s",
               "x one", "one: ms", "all: ms", "one: update", "all: update", "MiB");
    for (const struct psw_bench_shape *s = psw_bench_shapes(); s->name; s++) {
        if (!psw_bench_wants(args, s)) continue;
        const psw_status rc = bench_shape(args, s, err);
        if (rc != PSW_OK) return rc;
    }
    return PSW_OK;
}
