/* Responses that are sampled for minutes, kept in files of the run's folder: an attempt that
 * goes on draws only the shards that no earlier one has drawn. What is quickly drawn again is
 * not written. */
#ifndef POSWEEP_STAGE_KEPT_RESPONSES_H
#define POSWEEP_STAGE_KEPT_RESPONSES_H

#include <posweep/parallel/responses.h>
#include <posweep/util/file.h>

struct psw_kept_responses {
    const struct psw_team *team; /* borrowed */
    struct psw_responses *r;     /* borrowed: room for all, with its prompts set */
    const char *path;            /* borrowed: of the files, up to their shard's number */
    char *has;                   /* [n_shard] owned: those that were found */
    int begin, end;              /* shards of this rank that are not written yet */
    double since_s;              /* when the first of them was begun */
};

/** Fill in the shards of this rank that are kept. path: names all that decides the tokens. A
 *  file that is damaged is passed over, which the log says. MPI: Local. Owns: the caller
 * closes. Errors: PSW_ENOMEM. */
psw_status psw_kept_responses_open(const struct psw_team *team, const char *path,
                                   struct psw_responses *r, struct psw_kept_responses *k,
                                   struct psw_error *err);

/** The sampler's side of it. Borrows k. */
struct psw_shard_keeper psw_kept_responses_keeper(struct psw_kept_responses *k);

/** Write what is left, if it took long or the sampling was stopped. A file that cannot be
 *  written costs no more than the time: the log says so. MPI: Local. */
void psw_kept_responses_close(struct psw_kept_responses *k, int is_stopped);

#endif
