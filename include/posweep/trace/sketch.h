/* Sketches: random projections of the vectors of a trace, v and gradients and displacements of
 * P numbers, to k numbers that keep their inner products.
 *
 * Every coordinate goes with a random sign into one bucket of each of PSW_SKETCH_BLOCKS blocks
 * of k / PSW_SKETCH_BLOCKS buckets (sparse Johnson-Lindenstrauss transform, block construction;
 * each block is a CountSketch), which costs 4 P additions whatever k is. Buckets and signs
 * depend on the place of the coordinate alone: neither on the run nor on its seed. So inner
 * products survive between checkpoints, runs, methods, seeds and files of models with as many
 * parameters, and a sketch of a sum is the sum of the sketches.
 *
 * Error. The inner product of two sketches has the expectation <x, y> and the variance
 *     (|x|^2 |y|^2 + <x, y>^2 - 2 sum_i x_i^2 y_i^2) / k,
 * that of a dense projection of random signs: a cosine has a standard error of at most
 * sqrt(2 / k), and 1 / sqrt(k) where it is near 0.
 *
 * Source: Charikar, Chen & Farach-Colton 2002 (CountSketch); Weinberger et al. 2009, lemma 2
 * (the variance of one block); Kane & Nelson 2014, section 3 (blocks). */
#ifndef POSWEEP_TRACE_SKETCH_H
#define POSWEEP_TRACE_SKETCH_H

#include <posweep/trace/point.h>

enum { PSW_SKETCH_BLOCKS = 4 };

/** Add the coordinates [first, first + n) of a vector to its sketch.
 *  Shapes: x [n] of those coordinates, host memory; sum [k], k a multiple of PSW_SKETCH_BLOCKS.
 *  MPI: Local. */
void psw_sketch_add(int64_t k, int64_t first, int64_t n, const float *x, double *sum);

/** The sketch of a vector. Each shard sums a range of coordinates that does not know the ranks,
 *  and the shards are summed in order: the same bits on any number of ranks.
 *  Shapes: x [P], whole on every rank; out [k].
 *  MPI: Collective (t->team->comm). Same on all ranks: k, x, out. */
void psw_trace_sketch_take(const struct psw_tracer *t, int64_t k, const float *x, double *out);

/** Sketches of one checkpoint. float32 is far finer than the error of a sketch. */
struct psw_trace_sketch {
    int64_t k;
    const double *start; /* [k] of the parameters at checkpoint 0; borrowed */
    double *scratch;     /* [k] */
    float *v, *v_half;   /* [k] v; the share of the first half of D' in it */
    float *displacement; /* [k] parameters less those at checkpoint 0 */
    float *component;    /* [PSW_N_COMPONENT][k] gradients; NaN where none was formed */
};

/** Room for the sketches of a checkpoint. Owns: t->arena. MPI: Local. */
void psw_trace_sketch_init(const struct psw_tracer *t, int64_t k, const double *start,
                           struct psw_trace_sketch *out);

/** The row of a component; NULL in a dry walk. */
float *psw_trace_sketch_row(const struct psw_trace_sketch *sketch,
                            enum psw_component component);

/** Take one of them: `place` is v, v_half or a row of component. NULL sketch: nothing.
 *  MPI: Collective (t->team->comm). */
void psw_trace_sketch_put(const struct psw_tracer *t, struct psw_trace_sketch *sketch,
                          const float *x, float *place);

/** Take the displacement. NULL sketch: nothing. MPI: Collective (t->team->comm). */
void psw_trace_sketch_move(const struct psw_tracer *t, struct psw_trace_sketch *sketch,
                           const float *param);

#endif
