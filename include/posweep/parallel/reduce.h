/* Deterministic reduction: shards are summed in one fixed binary tree, whatever the number of
 * ranks.
 *
 * A group of `size` ranks (a power of two) shares `n_shard` shards (a power of two, a multiple
 * of size); rank r owns the shards [r*n_shard/size, (r+1)*n_shard/size). Node (level, index) of
 * the tree is the element-wise sum of its two children, left + right. Within a rank a stack
 * holds partial sums; across ranks recursive halving follows the same tree, so each element is
 * summed in the same order on 1, 2, 4, ... ranks and the bits are the same.
 *
 * Vectors are buffers of a backend, which does the sums; what ranks send each other goes
 * through host memory, a block at a time. */
#ifndef POSWEEP_PARALLEL_REDUCE_H
#define POSWEEP_PARALLEL_REDUCE_H

#include <mpi.h>
#include <posweep/kernels/exec.h>
#include <posweep/kernels/vector.h>
#include <posweep/util/arena.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Slices are cut at multiples of this many floats; norms are summed per block of this size. */
enum { PSW_BLOCK_FLOATS = PSW_DOT_BLOCK };

/** Elements [begin, end) of a vector. */
struct psw_slice {
    int64_t begin, end;
};

/** The shards of a rank.
 *  MPI:    Local.
 *  Errors: PSW_EINVAL unless both are powers of two and size <= n_shard. */
psw_status psw_shard_range(int rank, int size, int n_shard, int *begin, int *end,
                           struct psw_error *err);

/** Items [begin, end) of a shard: blocks of near-equal length that do not know the ranks.
 *  MPI: Local. */
void psw_shard_items(int64_t n_item, int n_shard, int shard, int64_t *begin, int64_t *end);

/** The slice that a rank owns after psw_tree_reduce: the blocks left by recursive halving. */
struct psw_slice psw_slice_of(int rank, int size, int64_t n_elem);

/** A tree of vectors under way in one rank. */
struct psw_tree; /* opaque; its memory comes from an arena */

/** Reserve the stack of a rank with n_local shards in exec.scratch: (1 + log2 n_local) vectors
 * of n_elem floats, and a block to receive a partner's sum. MPI: Local. */
struct psw_tree *psw_tree_create(struct psw_exec exec, int64_t n_elem, int n_local);

/** The vector for the next shard, cleared. Fill it (add into it), then call psw_tree_push.
 *  MPI: Local. */
float *psw_tree_next(struct psw_tree *tree);
void psw_tree_push(struct psw_tree *tree);

/** After n_local pushes: complete the tree over the ranks of comm. Returns this rank's vector,
 * of which the slice psw_slice_of(rank, size, n_elem) holds the sum; the rest is scratch. The
 * tree is empty again afterwards (the vector stays valid until the next psw_tree_next). MPI:
 * Collective (comm). Same on all ranks: n_elem, n_local. */
float *psw_tree_reduce(MPI_Comm comm, struct psw_tree *tree);

/** Every rank gets all slices of `vector` from their owners.
 *  MPI: Collective (comm). Same on all ranks: n_elem. */
void psw_slices_gather(MPI_Comm comm, struct psw_exec *exec, float *vector, int64_t n_elem);

/** Inner product in double, summed per block in index order over the ranks' slices: same bits
 * on any number of ranks. a and b are read in this rank's slice only. MPI: Collective (comm).
 * Same on all ranks: n_elem, and the result. */
double psw_slices_dot(MPI_Comm comm, struct psw_exec *exec, const float *a, const float *b,
                      int64_t n_elem);

/** Gather per-item scalars of all shards in item order: each rank passes those of its own
 * shards, in order; everyone receives the whole list. Shapes: local [n_local], all [sum of
 * counts]. MPI: Collective (comm). */
void psw_items_gather(MPI_Comm comm, const double *local, int64_t n_local, double *all);

#endif
