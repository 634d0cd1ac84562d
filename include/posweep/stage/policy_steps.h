/* The training steps of the policy stage of an on-policy method one by one, as its benchmark
 * takes them. Nothing is saved or traced. */
#ifndef POSWEEP_STAGE_POLICY_STEPS_H
#define POSWEEP_STAGE_POLICY_STEPS_H

#include <posweep/rollout/onpolicy_step.h>
#include <posweep/stage/stage.h>

struct psw_policy_steps; /* opaque */

/** Stand at the SFT model, which its stage has left.
 *  MPI: Collective (stage->comm). Owns: the caller closes; stage stays borrowed.
 *  Errors: those of the policy stage. */
psw_status psw_policy_steps_open(const struct psw_stage *stage, struct psw_policy_steps **out,
                                 struct psw_error *err);
/** Accepts NULL. */
void psw_policy_steps_close(struct psw_policy_steps *s);

/** Take the next step. MPI: Collective (stage->comm). Errors: PSW_EDIVERGED. */
psw_status psw_policy_steps_next(struct psw_policy_steps *s, struct psw_error *err);

/** What the last step was made of. Borrowed. MPI: Local. */
const struct psw_onpolicy_step *psw_policy_steps_last(const struct psw_policy_steps *s);

/** Bytes that the stage planned. MPI: Local. */
size_t psw_policy_steps_bytes(const struct psw_policy_steps *s);

#endif
