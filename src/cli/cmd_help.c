/* posweep help: the overview, a command, or the settings of a sweep file. */
#include "cli_internal.h"
#include <posweep/config/schema.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char OVERVIEW_HEAD[] =
    "posweep runs sweeps of preference-optimisation experiments on MPI ranks and measures "
    "which\n"
    "part of each loss moves the model towards what it finally says.\n"
    "\n"
    "Usage: posweep COMMAND [ARGUMENTS]\n";

static const char OVERVIEW_TAIL[] =
    "\n"
    "Examples\n"
    "  mpirun -n 3 posweep run sweeps/demo.yaml -o demo.h5   one coordinator, two workers\n"
    "  posweep show demo.h5                                  what came out, as text\n"
    "\n"
    "'posweep help COMMAND' explains a command, 'posweep --version' tells what this build is.\n"
    "A run that is stopped or killed is continued by the same command. Exit statuses are "
    "those\n"
    "of sysexits.h: 0 done, 64 wrong command line, 65 broken data, 66 no such file, 69 data "
    "of\n"
    "an unsupported form, 70 a bug of posweep, 71 too little memory, 73 another posweep holds\n"
    "the output, 74 reading or writing failed or the disk is full, 75 stopped early (run it\n"
    "again), 77 no permission, 78 wrong sweep file, setting or output.\n";

void psw_cli_overview(void)
{
    const char *group = "";
    fputs(OVERVIEW_HEAD, stdout);
    for (const struct psw_cmd *c = psw_cmd_table(); c->name; c++) {
        if (strcmp(group, c->group)) printf("\n%s\n", c->group);
        group = c->group;
        printf("  %-9s %-25s %s\n", c->name, c->args, c->help);
    }
    fputs(OVERVIEW_TAIL, stdout);
}

/* What can be explained besides the commands. */
static const struct {
    const char *name;
    void (*print)(FILE *out);
} TOPICS[] = {
    {"config", psw_config_help},
    {"results", psw_schema_markdown},
};

static int help_topic(const char *name)
{
    for (size_t i = 0; i < sizeof TOPICS / sizeof *TOPICS; i++)
        if (!strcmp(name, TOPICS[i].name)) {
            TOPICS[i].print(stdout);
            return EX_OK;
        }
    const struct psw_cmd *cmd = psw_cmd_find(name);
    if (!cmd) {
        const char *nearest = psw_cmd_nearest(name);
        return psw_cli_usage(NULL, "no help on '%s'%s%s%s", name,
                             nearest ? ". Did you mean '" : "", nearest ? nearest : "",
                             nearest ? "'?" : "");
    }
    char title[64], option[] = "--help";
    snprintf(title, sizeof title, "posweep %s", cmd->name);
    char *argv[] = {title, option, NULL};
    return cmd->run(2, argv);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **topic = state->input;
    if (key != ARGP_KEY_ARG) return ARGP_ERR_UNKNOWN;
    if (*topic) argp_error(state, "one topic at a time: '%s' is too much", arg);
    *topic = arg;
    return 0;
}

int psw_cmd_help(int argc, char **argv)
{
    static const struct argp ARGP = {
        .parser = parse,
        .args_doc = "[COMMAND|config|results]",
        .doc = "Explain a command, the settings of a sweep file (config) or the datasets of a "
               "results file (results); without an argument, list the commands."};
    const char *topic = NULL;
    const int rc = argp_parse(&ARGP, argc, argv, 0, NULL, &topic);
    if (rc) return EX_USAGE;
    if (topic) return help_topic(topic);
    psw_cli_overview();
    return EX_OK;
}
