/* The commands, and how a misspelt one is met. Only commands that work stand here; the order is
 * that of the overview. */
#include "cli_internal.h"
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

/* Edit distance (insert, delete, replace, swap of neighbours counts 2) on one rolling row. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MAX = 64 };
    size_t row[MAX + 1];
    const size_t n = strlen(a), m = strlen(b);
    if (n > MAX || m > MAX) return MAX;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            const size_t shorter = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = replace < shorter + 1 ? replace : shorter + 1;
        }
    }
    return row[m];
}

const char *psw_cmd_nearest(const char *name)
{
    const char *best = NULL;
    size_t best_distance = strlen(name) < 4 ? 2 : 3; /* farther away is no misspelling */
    for (const struct psw_cmd *c = COMMANDS; c->name; c++) {
        const size_t distance = edit_distance(name, c->name);
        if (distance < best_distance) {
            best_distance = distance;
            best = c->name;
        }
    }
    return best;
}
