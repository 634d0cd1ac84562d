/* The commands, and how a misspelt one is met. Only commands that work stand here; the order is
 * that of the overview. */
#include "cli_internal.h"
#include <posweep/config/nearest.h>
#include <string.h>

static const struct psw_cmd COMMANDS[] = {
    {"plan", "Sweeps", "SWEEP.yaml", "say what a sweep would do, and what it would cost",
     psw_cmd_plan},
    {"run", "Sweeps", "SWEEP.yaml [-o FILE]",
     "perform a sweep on the ranks it was started with", psw_cmd_run},
    {"status", "Results", "FILE", "how a sweep stands: done, running, failed, time left",
     psw_cmd_status},
    {"why", "Results", "FILE RUN", "the life of one run: settings, attempts, errors",
     psw_cmd_why},
    {"show", "Results", "FILE", "G of each component along training, as text or picture",
     psw_cmd_show},
    {"check", "Results", "FILE...", "hold results files against their schema", psw_cmd_check},
    {"selftest", "This build", "", "does the tangent pass agree with explicit gradients?",
     psw_cmd_selftest},
    {"bench", "This build", "NAME", "how fast it is here, beside yardsticks", psw_cmd_bench},
    {"help", "Help", "[COMMAND|TOPIC]", "explain a command or a topic", psw_cmd_help},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct psw_cmd *psw_cmd_table(void)
{
    return COMMANDS;
}

const struct psw_cmd *psw_cmd_find(const char *name)
{
    for (const struct psw_cmd *c = COMMANDS; c->name; c++)
        if (!strcmp(c->name, name)) return c;
    return NULL;
}

const char *psw_cmd_nearest(const char *name)
{
    const char *names[sizeof COMMANDS / sizeof *COMMANDS];
    int n = 0;
    for (const struct psw_cmd *c = COMMANDS; c->name; c++) names[n++] = c->name;
    return psw_nearest(name, names, n);
}
