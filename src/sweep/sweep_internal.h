/* What the coordinator and the workers share: the tag table, the messages, sleeping between
 * them, and the job, which looks the same to a task whether its coordinator is another rank or
 * its own. */
#ifndef POSWEEP_SRC_SWEEP_INTERNAL_H
#define POSWEEP_SRC_SWEEP_INTERNAL_H

#include <mpi.h>
#include <posweep/sweep/ledger.h>
#include <posweep/sweep/worker.h>
#include <stdint.h>

enum { PSW_HOST_BYTES = 64 };

/** Every tag on the control communicator; psw_tag_name has the table. */
enum psw_tag {
    PSW_TAG_PROGRESS = 1, /* leader -> 0: how far */
    PSW_TAG_PAYLOAD,      /* leader -> 0: this many bytes follow */
    PSW_TAG_BYTES,        /* leader -> 0: the bytes, in pieces */
    PSW_TAG_REPORT,       /* leader -> 0: how the attempt ended; the group is idle */
    PSW_TAG_NOTE,    /* any -> 0: a signal to stop came; kills for memory, ranks seen dead */
    PSW_TAG_BYE,     /* any -> 0: dismissed */
    PSW_TAG_BEAT,    /* any at work -> 0: alive */
    PSW_TAG_ASSIGN,  /* 0 -> group: a task */
    PSW_TAG_STOP,    /* 0 -> leader: save yourself */
    PSW_TAG_DISMISS, /* 0 -> all: no more work */
    PSW_TAG_RUNG,    /* leader -> 0: came to a rung of early stopping */
    PSW_TAG_ALIVE,   /* 0 -> all: alive; a double: who hears no more for so long ends the job, s
                      */
    PSW_TAG_GROUP    /* within a group that is being made */
};
const char *psw_tag_name(int tag);

struct psw_msg_progress {
    int32_t task;
    double done, total;
};

struct psw_msg_rung {
    int32_t task;
    double step_value[2];
};

struct psw_msg_payload {
    int32_t task;
    int64_t n_bytes;
};

/** Sent with as much of the text as there is. */
struct psw_msg_report {
    int32_t task;
    int32_t code;
    int32_t culprit; /* rank that a failure comes from */
    double duration_s;
    char text[PSW_ERROR_TEXT_BYTES];
};

struct psw_msg_stop {
    int32_t task; /* ignored by a leader that has gone on to another one */
};

/** Sent with n_rank entries of rank, the leader first, then n_note bytes. */
struct psw_msg_assign {
    struct psw_task task;
    double beat_s; /* so often a rank at work says that it is alive */
    int32_t index, attempt, n_rank, n_note;
    int32_t rank[];
};

size_t psw_msg_assign_bytes(int32_t n_rank, int32_t n_note);
void *psw_msg_assign_note(struct psw_msg_assign *assign);

/** Who is there. On rank 0 all of it, elsewhere n_rank only. */
struct psw_roster {
    int32_t n_rank;               /* of comm, rank 0 included */
    int32_t *node;                /* owned, [n_rank]: lowest rank on the same machine */
    char (*host)[PSW_HOST_BYTES]; /* owned, [n_rank] */
};

/** A rank on the same machine. */
struct psw_mate {
    int32_t rank;
    int32_t pid;
};

/** The ranks of a sweep. */
struct psw_link {
    MPI_Comm control; /* owned: a duplicate, so that nothing of the caller's mixes in */
    MPI_Comm self;    /* owned: the group of every one-rank task */
    int rank;
    struct psw_roster roster;
    int32_t n_mate;
    struct psw_mate *mate; /* owned, [n_mate] ranks on this machine */
    double n_oom;          /* processes killed for memory here before; -1: nobody tells */
    long timer_slack;      /* to be put back */
};

/** MPI: Collective (comm). Errors: PSW_ENOMEM on all ranks. */
psw_status psw_link_open(MPI_Comm comm, struct psw_link *link, struct psw_error *err);

/** Agree on how the sweep ended and part. MPI: Collective (comm). */
psw_status psw_link_close(struct psw_link *link, psw_status local, struct psw_error *err);

/** Ranks on this machine whose processes are gone: when a job is being ended because a rank
 * died, the others hear of it a second later, and can tell which it was. Shapes: dead [n_mate].
 * MPI: Local. */
int32_t psw_link_dead(const struct psw_link *link, int32_t *dead);

/** Processes killed for memory on this machine, or in its part of it, since the link was
 * opened. MPI: Local. */
int32_t psw_link_oom_kills(const struct psw_link *link);

/** How the system has the process of a rank on this machine: 'R', 'S', 'T' (stopped), 'D'
 * (waits for a disk), ... as /proc does; 'X': it is gone; '?': another machine's. MPI: Local.
 */
char psw_link_state(const struct psw_link *link, int32_t rank);

/** Sleep a little; longer each time in a row, up to longest_s. *n_miss counts, 0 = fresh. */
void psw_back_off(int *n_miss, double longest_s);

/** Send a small message that is received without delay. MPI: Paired with the loops below. */
void psw_link_send(struct psw_link *link, int rank, enum psw_tag tag, const void *data,
                   size_t n_bytes);

/** Bytes of any number to rank 0, and from a rank; in pieces that fit an int. */
void psw_link_send_bytes(struct psw_link *link, const void *data, size_t n_bytes);
void psw_link_recv_bytes(struct psw_link *link, int source, void *data, size_t n_bytes);

/** How a job reaches its coordinator. */
struct psw_job_ops {
    void (*progress)(struct psw_job *job, double done, double total);
    void (*emit)(struct psw_job *job, const void *bytes, size_t n_bytes);
    int (*stop_seen)(struct psw_job *job);
    void (*rung)(struct psw_job *job, const double step_value[2]);
    void (*beat)(struct psw_job *job); /* NULL: nobody asks */
};

struct psw_job {
    const struct psw_job_ops *ops;
    void *self;     /* borrowed: of the ops */
    MPI_Comm group; /* borrowed */
    int is_leader;
    int32_t task, attempt;
    const void *note; /* borrowed: what came with the assignment */
    int32_t n_note;
    int stopping;
    double next_progress_s, beat_s, next_beat_s;
};

#endif
