/* What can end an attempt, and what follows. Every row is bounded: nothing is tried for ever.
 */
#include "fault.h"

static const struct psw_fault_policy POLICIES[PSW_N_FAULT] = {
    [PSW_FAULT_NONE] = {"none", PSW_TASK_FINISHED, 0, 1, 1},
    [PSW_FAULT_RUN] = {"error", PSW_TASK_BROKE, 0, 1, 1},
    [PSW_FAULT_DIVERGED] = {"diverged", PSW_TASK_BLEW_UP, 0, 1, 1},
    [PSW_FAULT_TIMEOUT] = {"timeout", PSW_TASK_OVERRAN, 0, 1, 1},
    [PSW_FAULT_CENSORED] = {"censored", PSW_TASK_CUT_SHORT, 0, 1, 1},
    [PSW_FAULT_DATA] = {"data", PSW_TASK_LOST, 0, 0, 0},
    [PSW_FAULT_MEMORY] = {"memory", PSW_TASK_LOST, 0, 0, 0},
    [PSW_FAULT_MACHINE] = {"machine", PSW_TASK_LOST, 0, 0, 0},
    [PSW_FAULT_FULL] = {"full", PSW_TASK_STOPPED, 1, 1, 0},
    [PSW_FAULT_STOPPED] = {"stopped", PSW_TASK_STOPPED, 0, 1, 0},
    [PSW_FAULT_WIDENED] = {"widened", PSW_TASK_WIDENED, 0, 1, 0},
    [PSW_FAULT_DEATH] = {"death", PSW_TASK_GIVEN_UP, 0, 2, 1},
    [PSW_FAULT_HUNG] = {"hung", PSW_TASK_GIVEN_UP, 0, 2, 1},
};

static const enum psw_fault FAULTS[PSW_N_STATUS] = {
    [PSW_OK] = PSW_FAULT_NONE,       [PSW_EINVAL] = PSW_FAULT_RUN,
    [PSW_ENOENT] = PSW_FAULT_DATA,   [PSW_EDATA] = PSW_FAULT_DATA,
    [PSW_EIO] = PSW_FAULT_MACHINE,   [PSW_ENOSPC] = PSW_FAULT_FULL,
    [PSW_EPERM] = PSW_FAULT_MACHINE, [PSW_ENOMEM] = PSW_FAULT_MEMORY,
    [PSW_EBUSY] = PSW_FAULT_MACHINE, [PSW_EDIVERGED] = PSW_FAULT_DIVERGED,
    [PSW_ESTOP] = PSW_FAULT_STOPPED, [PSW_EUNSUP] = PSW_FAULT_RUN,
    [PSW_EINTERNAL] = PSW_FAULT_RUN,
};

const struct psw_fault_policy *psw_fault_policy(enum psw_fault fault)
{
    return &POLICIES[fault];
}

enum psw_fault psw_fault_of(psw_status code)
{
    return FAULTS[code];
}

int32_t psw_fault_attempts(enum psw_fault fault, int32_t max_attempts)
{
    const int32_t n = POLICIES[fault].n_attempt;
    return n > 0 && n < max_attempts ? n : max_attempts;
}
