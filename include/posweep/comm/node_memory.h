/* Memory that one rank of a node writes and the others of the same node read: an MPI
 * shared-memory window. What is the same on all ranks of a group, and changes seldom, stands
 * there once per node.
 *
 * Such windows are files in memory (/dev/shm), which may be small: no more than half of what is
 * free there is taken, and pages are taken before anything is written, so that a file system
 * that fills up in the meantime is noticed and not a signal. Where a node has no room, or one
 * rank of the group only, there is no node memory there, and its ranks keep copies of their
 * own. */
#ifndef POSWEEP_COMM_NODE_MEMORY_H
#define POSWEEP_COMM_NODE_MEMORY_H

#include <mpi.h>
#include <posweep/util/status.h>
#include <stddef.h>

struct psw_node_memory; /* opaque, owns a window and a communicator */

/** Take n_bytes for the ranks of comm on every node. *out is NULL on nodes where each rank has
 *  to keep its own; why says so in words when there were others to share with, else "".
 *  Shapes: why [n_why].
 *  MPI:    Collective (comm). Same on all ranks: n_bytes. May differ: *out, per node.
 *  Owns:   the caller closes.
 *  Errors: PSW_ENOMEM, on all ranks. */
psw_status psw_node_memory_open(MPI_Comm comm, size_t n_bytes, struct psw_node_memory **out,
                                char *why, size_t n_why, struct psw_error *err);

/** Accepts NULL. MPI: Collective (comm). */
void psw_node_memory_close(struct psw_node_memory *memory);

/** 64-byte aligned, at another address on every rank. Borrowed. MPI: Local. */
void *psw_node_memory_base(const struct psw_node_memory *memory);

/** Whether an address lies in it; NULL holds nothing. MPI: Local. */
int psw_node_memory_holds(const struct psw_node_memory *memory, const void *address);

/** What is written between the two, by the one rank of the node for which begin returns 1, is
 *  there for all ranks after end; nobody reads in between.
 *  MPI: Collective (ranks of comm on this node). */
int psw_node_memory_begin(struct psw_node_memory *memory);
void psw_node_memory_end(struct psw_node_memory *memory);

/** Whether this node has room for n_bytes. MPI: Local. */
int psw_node_memory_has_room(double n_bytes);

#endif
