/* Ranks that hang: stopped, cut off, or waiting for a file system that does not answer.
 *
 * Every rank at work is heard of: by its leader's progress, by beats between the layers of a
 * model and after every step. So a healthy rank is silent for as long as it reads data, writes
 * a checkpoint or computes one layer; the longest such silence is measured as it goes. One of a
 * rank that lasts for silent_s, and for many times the longest, is no such thing. The job then
 * ends at once, to be started again, instead of at the end of its walltime. Who hung is charged
 * for it, not the run.
 *
 * The coordinator may hang as well. It gives signs of life to all ranks, and who hears none for
 * twice as long ends the job (worker.c). */
#include "coordinator_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/util/clock.h>
#include <posweep/util/log.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A silence is told of after this part of the bound; the bound is never less than so many
 * healthy silences. */
static const double TOLD = 0.25, HEALTHY = 10;
/* Between two looks the coordinator itself was held up if they are so far apart. */
static const double HELD_UP_S = 1, LOOK_EVERY_S = 0.1;
/* Signs of life are given after this part of the bound. The coordinator itself is given twice
 * the bound, for it also writes the results file: a large one takes some milliseconds a run. */
static const double TELL = 0.1, COORDINATOR = 2, WRITING_S = 10e-3;

static double bound_s(const struct psw_coordinator *c)
{
    return fmax(c->plan.silence.bound_s, HEALTHY * c->silence.longest_s);
}

void psw_silence_heard(struct psw_coordinator *c, int32_t r)
{
    if (r < 0 || r >= c->team.n_rank || c->team.rank[r].task < 0) return;
    struct psw_active *a = &c->team.active[r];
    const double now_s = psw_clock_s(), silent_s = now_s - a->heard_s;
    if (silent_s > c->silence.longest_s) c->silence.longest_s = silent_s;
    a->heard_s = now_s;
    if (!a->is_silent) return;
    a->is_silent = 0;
    psw_commit_remark(c, "rank %d on %s is heard of again, after %.0f s",
                      c->team.first_rank + r, c->link.roster.host[c->team.first_rank + r],
                      silent_s);
}

/* What the system says of a rank, where it can be asked; "" elsewhere. */
static const char *state_of(const struct psw_coordinator *c, int32_t r)
{
    switch (psw_link_state(&c->link, c->team.first_rank + r)) {
    case 'T':
    case 't':
        return ", which is stopped";
    case 'D':
        return ", which waits for a disk or a file system";
    default:
        return "";
    }
}

/* "rank 2 on node7 has not been heard of for 61 s, at work on policy dpo vanilla seed 1" */
static void describe(const struct psw_coordinator *c, int32_t r, char *out, size_t n_bytes)
{
    const int32_t rank = c->team.first_rank + r;
    const struct psw_task *task = psw_ledger_task(c->plan.ledger, c->team.rank[r].task);
    const char *state = state_of(c, r);
    snprintf(out, n_bytes, "rank %d on %s%s%s has not been heard of for %.0f s, at work on %s",
             rank, c->link.roster.host[rank], state,
             state[0]                       ? ","
             : c->team.active[r].n_rank > 1 ? " (or one of its group)"
                                            : "",
             psw_clock_s() - c->team.active[r].heard_s, task->name);
}

/* Of a group, only one may hang, and the others wait for it: the one that the system knows to
 * be stuck, else the one that fell silent first. */
static int32_t culprit_of(const struct psw_coordinator *c, int32_t silent)
{
    int32_t first = silent;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        if (c->team.rank[r].task != c->team.rank[silent].task) continue;
        if (state_of(c, r)[0]) return r;
        if (c->team.active[r].heard_s < c->team.active[first].heard_s) first = r;
    }
    return first;
}

/* Everything told is made safe, also in the results file, and the job ends. */
static _Noreturn void end_job(struct psw_coordinator *c)
{
    psw_commit_sync(c);
    if (c->plan.hooks.at_end.given_up && c->fatal == PSW_OK)
        c->plan.hooks.at_end.given_up(c->plan.hooks.ctx);
    psw_mpi_give_up(psw_status_exit(c->fatal != PSW_OK ? c->fatal : PSW_ESTOP));
}

/* Every task with a silent rank is told of once, by its culprit. */
static _Noreturn void end_without_silent(struct psw_coordinator *c, double bound)
{
    const double now_s = psw_clock_s();
    psw_commit_ends(c, 1);
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        char text[PSW_ERROR_TEXT_BYTES];
        if (c->team.rank[r].task < 0 || now_s - c->team.active[r].heard_s <= bound ||
            culprit_of(c, r) != r)
            continue;
        describe(c, r, text, sizeof text);
        psw_commit_remark(c, "%.800s: the job ends without it (limits.silent_s)", text);
        psw_commit_silent(c, r, text);
        psw_left_out_failed(c, r, text);
    }
    end_job(c);
}

void psw_silence_look(struct psw_coordinator *c)
{
    const double now_s = psw_clock_s(), away_s = now_s - c->silence.looked_s;
    const double bound = bound_s(c);
    int is_over = 0;
    if (away_s < LOOK_EVERY_S || c->halt.is_on || c->team.is_alone) return;
    c->silence.looked_s = now_s;
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        struct psw_active *a = &c->team.active[r];
        char text[PSW_ERROR_TEXT_BYTES];
        if (c->team.rank[r].task < 0) continue;
        if (away_s > HELD_UP_S) a->heard_s = fmin(a->heard_s + away_s, now_s);
        const double silent_s = now_s - a->heard_s;
        if (silent_s > TOLD * bound && !a->is_silent) {
            a->is_silent = 1;
            if (culprit_of(c, r) != r) continue;
            describe(c, r, text, sizeof text);
            psw_commit_remark(c, "%.800s; after %.0f s the job ends without it", text, bound);
        }
        is_over |= silent_s > bound && culprit_of(c, r) == r;
    }
    if (is_over) end_without_silent(c, bound);
}

void psw_silence_tell(struct psw_coordinator *c)
{
    struct psw_silence *s = &c->silence;
    const double now_s = psw_clock_s(), since_s = s->told_s > 0 ? now_s - s->told_s : 0;
    if (c->team.is_alone || (s->told_s > 0 && since_s < TELL * c->plan.silence.bound_s)) return;
    s->told_s = now_s;
    s->own_s = fmax(s->own_s, since_s);
    const double writing_s = WRITING_S * psw_ledger_n_task(c->plan.ledger);
    const double bound = COORDINATOR * fmax(c->plan.silence.bound_s, fmax(s->own_s, writing_s));
    for (int32_t r = 0; r < c->team.n_rank; r++)
        psw_link_send(&c->link, c->team.first_rank + r, PSW_TAG_ALIVE, &bound, sizeof bound);
}

void psw_silence_give_up(struct psw_coordinator *c, int is_dismissed)
{
    if (c->fatal != PSW_OK) psw_log(PSW_LOG_ERROR, "%s", c->err.text); /* nobody else will */
    psw_commit_ends(c, 1);
    for (int32_t r = 0; r < c->team.n_rank; r++) {
        const int32_t rank = c->team.first_rank + r, task = c->team.rank[r].task;
        if (is_dismissed ? c->lost.is_gone[rank] : task < 0) continue;
        psw_commit_remark(c, "rank %d on %s did not answer %s within %.0f s%s%s", rank,
                          c->link.roster.host[rank],
                          is_dismissed ? "its dismissal" : "the request to stop",
                          c->plan.stop_s, task >= 0 ? ", at work on " : "",
                          task >= 0 ? psw_ledger_task(c->plan.ledger, task)->name : "");
    }
    end_job(c);
}
