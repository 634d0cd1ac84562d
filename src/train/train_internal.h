/* What the stages share inside this module: work memory and small helpers. */
#ifndef POSWEEP_TRAIN_INTERNAL_H
#define POSWEEP_TRAIN_INTERNAL_H

#include <posweep/train/stage.h>
#include <posweep/train/trainer.h>

/** Forget nothing when asked: hooks that may be NULL. */
void psw_stage_progress(const struct psw_stage *stage, double done, double total);
int psw_stage_stopped(const struct psw_stage *stage);
void psw_stage_memory(const struct psw_stage *stage, size_t planned_bytes,
                      const struct psw_arena *arena);

/** Pointers to the items of a list that an optimiser step uses, in order. index and out: [n].
 */
void psw_stage_pick(const struct psw_examples *from, const int64_t *index, int64_t n,
                    const struct psw_example **out);

/** A layout walks through the largest work of a stage. It runs on a measuring arena first; the
 *  real arena then has just the size it needed. */
typedef void (*psw_layout_fn)(void *ctx, struct psw_arena *arena);

/** Peak of a layout in bytes. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_layout_peak(psw_layout_fn layout, void *ctx, size_t *peak_bytes,
                           struct psw_error *err);

/** Log-probabilities of pairs, [n][2] each, chosen first. */
struct psw_ref {
    int64_t n_train, n_heldout;
    double *train, *heldout; /* owned by whoever loaded them: free(train), one block */
};

/** Arena bytes that the stages need on a rank of a team that only measures. MPI: Local. */
size_t psw_sft_peak(const struct psw_stage *stage, const struct psw_team *team);
size_t psw_ref_peak(const struct psw_stage *stage, const struct psw_team *team);
size_t psw_policy_peak(const struct psw_stage *stage, const struct psw_team *team);

/** Load what the ref stage left. MPI: Collective. Owns: free(out->train). */
psw_status psw_ref_load(const struct psw_stage *stage, struct psw_ref *out,
                        struct psw_error *err);

/** Whether a file is there, as rank 0 sees it. MPI: Collective (comm). */
int psw_stage_have(MPI_Comm comm, const char *path);

/** A writable copy of a team for a configuration's shards. */
psw_status psw_stage_team(const struct psw_stage *stage, int64_t n_shard, struct psw_team *out,
                          struct psw_error *err);

#endif
