/* What the two halves of a step on rollouts share: passes and the time they take. */
#ifndef POSWEEP_ROLLOUT_INTERNAL_H
#define POSWEEP_ROLLOUT_INTERNAL_H

#include <posweep/rollout/onpolicy_step.h>

/** A pass over a step's responses. */
struct psw_shards psw_onpolicy_pass(struct psw_onpolicy_step *s, const struct psw_model *model,
                                    unsigned want, struct psw_arena *arena);

/** What the policy's updates want of a row. */
unsigned psw_onpolicy_want(const struct psw_onpolicy_step *s);

/** The policy's forward pass, kept open for its backward; returns tokens of this rank. */
int64_t psw_onpolicy_forward(struct psw_onpolicy_step *s, const struct psw_example *const *item,
                             int64_t n_item, unsigned want, struct psw_arena *arena);
/** Give its memory back; nothing where none is open. */
void psw_onpolicy_drop(struct psw_onpolicy_step *s);

/** Add the time since *since_s to a phase. */
void psw_onpolicy_lap(struct psw_onpolicy_step *s, enum psw_step_phase phase, double *since_s);

#endif
