/* What more ranks bring to one run: the step rate of all ranks together over that of one rank
 * alone, with the same work per rank. */
#ifndef POSWEEP_BENCH_RANKS_H
#define POSWEEP_BENCH_RANKS_H

#include <mpi.h>
#include <posweep/model/model.h>

struct psw_bench_ranks_opts {
    struct psw_model_dims dims;
    int64_t T, B;  /* one shard of B sequences of T tokens on each rank */
    int64_t n_rep; /* measured repetitions, after one to warm up */
};

/** Medians over the repetitions, as the slowest rank saw them. */
struct psw_bench_ranks_result {
    double alone_s, together_s;               /* of a step */
    double alone_update_s, together_update_s; /* of that: reduce, clip, AdamW, gather */
    double ratio;        /* median of size * alone / together of the same repetition */
    double tok_per_s;    /* of all ranks together */
    size_t memory_bytes; /* of the rank that needs most */
};

/** Time forward + backward + update on rank 0 alone, then on all ranks, in turn; ranks that
 * wait sleep. MPI: Collective (comm). Same on all ranks: opts, and the result. Errors:
 * PSW_EINVAL when the number of ranks is no power of two, PSW_ENOMEM. */
psw_status psw_bench_ranks(MPI_Comm comm, const struct psw_bench_ranks_opts *opts,
                           struct psw_bench_ranks_result *out,
                           struct psw_error *err) PSW_MUST_CHECK;

#endif
