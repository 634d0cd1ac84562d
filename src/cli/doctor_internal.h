/* What the files of posweep doctor share. A check looks at what its rank sees and says one
 * line; rank 0 hears the worst of them. */
#ifndef PSW_DOCTOR_INTERNAL_H
#define PSW_DOCTOR_INTERNAL_H

#include "cli_internal.h"
#include "submit_internal.h"
#include <mpi.h>

/** How a check came out, the worse the higher. NOTE: slower than need be, or not known. */
enum psw_doctor_verdict { PSW_DOCTOR_NONE, PSW_DOCTOR_GOOD, PSW_DOCTOR_NOTE, PSW_DOCTOR_BAD };

enum { PSW_DOCTOR_TEXT_BYTES = 1024 };

/** Plain data: is sent between ranks as bytes. NONE: this rank has nothing to say. */
struct psw_doctor_line {
    int32_t verdict, n_more; /* n_more: further ranks with this verdict */
    char text[PSW_DOCTOR_TEXT_BYTES];
};

/** What the checks look at. All borrowed. */
struct psw_doctor {
    MPI_Comm comm, node; /* node: the ranks of comm on this machine, in order */
    struct {
        int rank, n_rank, rank_node, n_node, n_work; /* n_work: of this node's ranks, those
                                                        that work */
        char host[64];
    } place;
    const struct psw_launch *launch;
    const char *out_path, *work_dir;     /* work_dir may be NULL */
    const char *sweep_path;              /* NULL: no sweep was given */
    const char *sweep_error;             /* why it does not read, on rank 0; or "" */
    const struct psw_sweep_needs *needs; /* the same on all ranks; NULL: none is known */
};

/** The verdict and its text, unless a worse one is there already. */
void psw_doctor_say(struct psw_doctor_line *line, enum psw_doctor_verdict verdict,
                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/** Fill node and place for d->comm. MPI: Collective (d->comm). Owns: the caller frees d->node.
 */
void psw_doctor_place(struct psw_doctor *d);

/** The worst line of all ranks comes to rank 0: that of the first rank that has it.
 *  MPI: Collective (d->comm). */
void psw_doctor_hear(const struct psw_doctor *d, struct psw_doctor_line *line);

/** Make check i, from 0, and hear it. Returns its name, NULL behind the last one.
 *  MPI: Collective (d->comm). Same on all ranks: i. */
const char *psw_doctor_check(const struct psw_doctor *d, int i, struct psw_doctor_line *line);

/** Checks. MPI: Collective (d->comm). */
void psw_doctor_launcher(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_cores(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_blas(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_libraries(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_clocks(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_sweep(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_memory(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_output(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_work(const struct psw_doctor *d, struct psw_doctor_line *line);
void psw_doctor_disk(const struct psw_doctor *d, struct psw_doctor_line *line);

#endif
