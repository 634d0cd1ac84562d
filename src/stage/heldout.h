/* Loss and accuracy of a policy on the held-out pairs, as many as a run is judged by; the trace
 * watches fewer of them at every checkpoint. */
#ifndef POSWEEP_STAGE_HELDOUT_H
#define POSWEEP_STAGE_HELDOUT_H

#include <posweep/objective/metrics.h>
#include <posweep/optim/trainer.h>

/** What is measured, and with what. Borrowed. */
struct psw_heldout {
    const struct psw_examples *list; /* the first n_pair of it */
    const double *ref;               /* [n_pair][2]; not read by a layout */
    int64_t n_pair;
    struct psw_pair_opts opts;
    double temperature; /* of the policy */
    int share_prefix;
};

/** Measure the trainer's parameters. Pairs go through in blocks of fixed size, each cut into
 * the shards of the trainer, so the bits do not depend on the ranks. MPI: Collective
 * (trainer->team.comm). Same on all ranks: everything. Errors: PSW_ENOMEM. */
psw_status psw_heldout_measure(const struct psw_heldout *what, struct psw_trainer *trainer,
                               struct psw_pair_metrics *out, struct psw_error *err);

/** Walk through the same work in a measuring arena. MPI: Local. */
void psw_heldout_layout(const struct psw_heldout *what, struct psw_trainer *trainer,
                        struct psw_arena *arena);

#endif
