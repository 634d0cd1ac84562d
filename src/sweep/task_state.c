/* States of a task, and what moves it from one to another. */
#include <posweep/sweep/ledger.h>

static const struct {
    enum psw_task_state from;
    enum psw_task_event event;
    enum psw_task_state to;
} MOVES[] = {
    {PSW_TASK_QUEUED, PSW_TASK_ASSIGNED, PSW_TASK_ACTIVE},
    {PSW_TASK_QUEUED, PSW_TASK_FOUND, PSW_TASK_DONE},
    {PSW_TASK_QUEUED, PSW_TASK_BLOCKED, PSW_TASK_FAILED},
    {PSW_TASK_QUEUED, PSW_TASK_BROKE, PSW_TASK_FAILED},     /* restored */
    {PSW_TASK_QUEUED, PSW_TASK_BLEW_UP, PSW_TASK_DIVERGED}, /* restored or blocked */
    {PSW_TASK_QUEUED, PSW_TASK_GIVEN_UP,
     PSW_TASK_FAILED}, /* lost too often by earlier starts */
    {PSW_TASK_ACTIVE, PSW_TASK_FINISHED, PSW_TASK_DONE},
    {PSW_TASK_ACTIVE, PSW_TASK_BROKE, PSW_TASK_FAILED},
    {PSW_TASK_ACTIVE, PSW_TASK_BLEW_UP, PSW_TASK_DIVERGED},
    {PSW_TASK_ACTIVE, PSW_TASK_STOPPED, PSW_TASK_INTERRUPTED},
    {PSW_TASK_ACTIVE, PSW_TASK_OVERRAN, PSW_TASK_TIMED_OUT},
    {PSW_TASK_QUEUED, PSW_TASK_OVERRAN, PSW_TASK_TIMED_OUT}, /* restored */
    {PSW_TASK_ACTIVE, PSW_TASK_CUT_SHORT, PSW_TASK_CENSORED},
    {PSW_TASK_QUEUED, PSW_TASK_CUT_SHORT, PSW_TASK_CENSORED}, /* restored */
    {PSW_TASK_ACTIVE, PSW_TASK_LOST, PSW_TASK_QUEUED},
    {PSW_TASK_ACTIVE, PSW_TASK_WIDENED, PSW_TASK_QUEUED},
    {PSW_TASK_ACTIVE, PSW_TASK_GIVEN_UP, PSW_TASK_FAILED},
    {PSW_TASK_ACTIVE, PSW_TASK_SET_ASIDE, PSW_TASK_INTERRUPTED},
    {PSW_TASK_DONE, PSW_TASK_REDO, PSW_TASK_QUEUED},
    {PSW_TASK_INTERRUPTED, PSW_TASK_BLOCKED, PSW_TASK_FAILED},
    {PSW_TASK_INTERRUPTED, PSW_TASK_BLEW_UP, PSW_TASK_DIVERGED}, /* blocked */
    {PSW_TASK_FAILED, PSW_TASK_FOUND, PSW_TASK_DONE}, /* blocked, but its own result exists */
    {PSW_TASK_DIVERGED, PSW_TASK_FOUND, PSW_TASK_DONE},
};

static const char *const STATE_NAMES[PSW_N_TASK_STATES] = {
    "queued", "active", "done", "failed", "diverged", "interrupted", "timeout", "censored",
};

int psw_task_move(enum psw_task_state state, enum psw_task_event event)
{
    for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
        if (MOVES[i].from == state && MOVES[i].event == event) return (int)MOVES[i].to;
    return -1;
}

const char *psw_task_state_name(enum psw_task_state state)
{
    return (unsigned)state < PSW_N_TASK_STATES ? STATE_NAMES[state] : "unknown";
}
