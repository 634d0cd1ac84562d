/* The training loop: from the beginning or from a saved state, step by step to the end.
 *
 * One stop rule for every training: the state is saved when a stop is asked for and every
 * checkpoint_s seconds; a stop ends the loop behind the step that is under way. Performed again
 * it goes on from the state and ends with the same bits. */
#ifndef POSWEEP_OPTIM_LOOP_H
#define POSWEEP_OPTIM_LOOP_H

#include <posweep/optim/train_log.h>
#include <posweep/optim/trainer.h>

/** What a training is made of. All but step and start may be NULL. MPI: start, step, keep,
 *  save, load, should_stop: Collective (trainer->team.comm). */
struct psw_loop_code {
    /* Stand at the beginning; a saved state is then loaded over it. */
    psw_status (*start)(void *ctx, struct psw_error *err);
    /* One step: gradients and updates of the trainer. metric [PSW_MAX_METRICS]: what is logged,
     * NaN before; also of a step that diverges, as far as it came; n_tok: tokens computed by
     * all ranks. */
    psw_status (*step)(void *ctx, int64_t step, double *metric, double *n_tok,
                       struct psw_error *err);
    /* Move the controller's state in the log, given what a step measured. */
    void (*control)(void *ctx, const double *metric);
    /* n_step steps are done, at the beginning, after a load and after each step: keep the
     * parameters if somebody is to see them later. */
    psw_status (*keep)(void *ctx, int64_t n_step, struct psw_error *err);
    /* What is needed beside the trainer's state to go on: written before it, read after it. */
    psw_status (*save)(void *ctx, struct psw_error *err);
    psw_status (*load)(void *ctx, struct psw_error *err);
    void (*progress)(void *ctx, int64_t n_step);
    int (*should_stop)(void *ctx);
};

/** A training. Everything is borrowed. */
struct psw_loop {
    const struct psw_loop_code *code;
    void *ctx;
    struct psw_trainer *trainer;
    struct psw_train_log *log; /* NULL: nothing is logged */
    const char *name;          /* of what is trained, for messages */
    const char *path;          /* of the saved state; "": there is none */
    uint64_t key;              /* what the state belongs to */
    int64_t n_step;
    double checkpoint_s;
    int saves_end; /* the end is saved, too: what follows may take long */
};

/** Stand where training begins or goes on.
 *  MPI:    Collective (trainer->team.comm). Errors: those of start and load. */
psw_status psw_loop_start(const struct psw_loop *loop, struct psw_error *err);

/** Start and train.
 *  MPI:    Collective (trainer->team.comm). Same on all ranks: everything.
 *  Errors: PSW_ESTOP (saved, can be resumed); those of the steps and of files. After
 *          PSW_EDIVERGED the log has the step that diverged, if it measured anything. */
psw_status psw_loop_run(const struct psw_loop *loop, struct psw_error *err);

#endif
