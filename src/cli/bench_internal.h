/* What the benchmarks of `posweep bench` share: options, shapes and printing. */
#ifndef PSW_CLI_BENCH_INTERNAL_H
#define PSW_CLI_BENCH_INTERNAL_H

#include <posweep/data/dataset.h>
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
psw_status psw_cli_bench_trace(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_dpo(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_ppo(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_ranks(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_spectrum(const struct psw_bench_args *args, struct psw_error *err);
psw_status psw_cli_bench_makespan(const struct psw_bench_args *args, struct psw_error *err);
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

enum { PSW_BENCH_CONTEXT = 512, PSW_BENCH_SHARDS = 8 };

/** Preference pairs on bytes, prompts cut to 256 tokens and paths to PSW_BENCH_CONTEXT. */
struct psw_bench_pairs {
    int64_t n;
    const struct psw_example **pair;         /* [n] owned */
    const struct psw_example *const *chosen; /* [n] the same with the chosen response only */
    struct psw_example *item;                /* owned */
    int32_t *token;                          /* owned, of generated pairs */
    struct psw_dataset *data;                /* owned, of pairs from a file */
};

/** The first n pairs of a file, or generated ones when path is NULL. Owns: the caller clears.
 *  Errors: as psw_files_open; PSW_EINVAL when the file has too few. */
psw_status psw_bench_pairs_open(const char *path, int64_t n, struct psw_bench_pairs *out,
                                struct psw_error *err);
void psw_bench_pairs_clear(struct psw_bench_pairs *pairs);

/** The model that speed on pairs is quoted for: 4 layers of width 256, 4 heads, bytes. */
struct psw_model_dims psw_bench_pairs_dims(void);

#endif
