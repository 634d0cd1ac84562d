/* What the benchmarks of `posweep bench` share: options, shapes and printing. */
#ifndef PSW_CLI_BENCH_INTERNAL_H
#define PSW_CLI_BENCH_INTERNAL_H

#include <posweep/model/model.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Options of all benchmarks; each reads what it needs. 0 and NULL: its own default. */
struct psw_bench_args {
    const char *shape; /* of PSW_BENCH_SHAPES */
    const char *data;  /* a file of preference pairs */
    int64_t n_rep, n_thread, n_item, batch;
    int rank; /* in MPI_COMM_WORLD, 0 without MPI: only rank 0 prints */
};

/** A benchmark. run prints its table on stdout. With needs_mpi it is called on every rank,
 * between MPI_Init and MPI_Finalize, and all ranks must return the same status. */
struct psw_bench {
    const char *name, *help;
    psw_status (*run)(const struct psw_bench_args *args, struct psw_error *err);
    int needs_mpi;
};

psw_status psw_cli_bench_step(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_sample(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_dispatch(const struct psw_bench_args *args, struct psw_error *err);

/** A transformer and a batch that speed is quoted for. */
struct psw_bench_shape {
    const char *name;
    int64_t n_layer, width, n_head, n_vocab, T, B;
    int only_by_name; /* too small to say much: for tests */
};
/** The table, ended by a row whose name is NULL; smallest first. */
const struct psw_bench_shape *psw_bench_shapes(void);

/** Rows to be measured: 1 if args ask for this shape, or for none in particular. */
int psw_bench_wants(const struct psw_bench_args *args, const struct psw_bench_shape *shape);

/** Dimensions of the model of a shape, with a tied head, for `context` positions. */
struct psw_model_dims psw_bench_dims(const struct psw_bench_shape *shape, int64_t context);

#endif
