/* How well the scheduler keeps many ranks busy, and what it costs: sweeps in simulated time,
 * decided by the same functions as real ones. */
#ifndef POSWEEP_BENCH_MAKESPAN_H
#define POSWEEP_BENCH_MAKESPAN_H

#include <posweep/util/status.h>
#include <stdint.h>

/** How long the runs take, relative to a minute at least. */
enum psw_bench_tail {
    PSW_TAIL_MINUTES, /* all alike */
    PSW_TAIL_CUT,     /* Pareto of exponent 1.5, none longer than work / ranks */
    PSW_TAIL_PARETO,  /* Pareto of exponent 1.5: the longest chain decides */
    PSW_N_TAIL
};
const char *psw_bench_tail_name(enum psw_bench_tail tail);

/** A sweep: eight runs share a stage that each needs first. */
struct psw_bench_makespan_opts {
    int64_t n_run, n_rank;
    enum psw_bench_tail tail;
    double error; /* predictions are wrong by a factor of up to 1 + error, either way */
    /* Ranks that a run can use, a power of two; 0: one, no run is widened. What is left of each
     * doubling's speed, in truth: 0.9 is what the scheduler takes for granted at first. */
    int32_t n_rank_most;
    double efficiency;
};

struct psw_bench_makespan_result {
    double makespan_s, bound_s; /* simulated; bound: max(work / ranks, longest chain) */
    double cpu_s;               /* of the decisions and the ledger, real */
    double n_byte_run;          /* memory of tasks and ledger per run */
};

/** Counter-based: the same options give the same sweep. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_bench_makespan(const struct psw_bench_makespan_opts *opts,
                              struct psw_bench_makespan_result *out, struct psw_error *err);

#endif
