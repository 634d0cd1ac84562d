/* How fast a trace checkpoint is, beside the work it replaces.
 *
 * Timed in turn, because shared machines drift: v over D'; one tangent pass over the probe and
 * G of K components, for several K; one forward and backward over the same probe; the
 * explicit way, one backward per component from one retained forward; v_soft over D'; and the
 * error through D', gradients of two components and tangents along them over D'. */
#ifndef POSWEEP_BENCH_TRACE_H
#define POSWEEP_BENCH_TRACE_H

#include <posweep/model/model.h>

enum { PSW_BENCH_TRACE_N_K = 3, PSW_BENCH_TRACE_EXPLICIT = 8 };

/** Numbers of components that the tangent way is timed with: 1, 4, 16. */
extern const int64_t PSW_BENCH_TRACE_K[PSW_BENCH_TRACE_N_K];

struct psw_bench_trace_opts {
    struct psw_model_dims dims;
    const struct psw_example *const *pair;  /* [n_pair] the probe */
    const struct psw_example *const *final; /* [n_final] stands for D', one response each */
    int64_t n_pair, n_final;
    int n_shard;
    int64_t n_rep; /* measured repetitions, after one to warm up */
};

/** Medians over the repetitions; ratios are taken within a repetition. */
struct psw_bench_trace_result {
    int64_t n_tok, n_row;           /* of the probe, prompts shared */
    double v_s, step_s, explicit_s; /* explicit: of PSW_BENCH_TRACE_EXPLICIT */
    struct {
        double s;              /* with all that follows it */
        double ratio;          /* to step_s */
        double explicit_ratio; /* explicit_s to s */
        double with_v_ratio;   /* the same, v added to both sides */
    } tangent[PSW_BENCH_TRACE_N_K];
    /* Ratios are to a checkpoint: v and its tangent pass with the most components. */
    struct {
        double v_s, v_ratio; /* v_soft alone */
        double ratio;        /* with a tangent pass of its own */
    } soft;
    struct {
        double s, ratio;
    } error;           /* through D' */
    double difference; /* largest |G tangent - G explicit| over sum |coefficient kappa| */
    size_t memory_bytes;
};

/** MPI:    Local, after MPI_Init. Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_bench_trace(const struct psw_bench_trace_opts *opts,
                           struct psw_bench_trace_result *out,
                           struct psw_error *err) PSW_MUST_CHECK;

#endif
