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
    "A first session\n"
    "  posweep plan sweeps/demo.yaml                        what would be done, and how long\n"
    "  mpirun -n 3 posweep run sweeps/demo.yaml -o demo.h5  one coordinator, two workers\n"
    "  posweep status demo.h5                               meanwhile, from another terminal\n"
    "  posweep show demo.h5                                 what came out, as text\n"
    "\n"
    "'posweep help COMMAND' explains a command, 'posweep help config' every setting of a "
    "sweep\n"
    "file, 'posweep help results' every dataset; 'posweep --version' tells what this build "
    "is.\n"
    "A sweep that is stopped or killed is continued by the same command.\n"
    "\n"
    "Exit statuses, those of sysexits.h\n"
    "   0 done                           71 too little memory\n"
    "  64 wrong command line             73 another posweep holds the output\n"
    "  65 broken data                    74 reading or writing failed, or the disk is full\n"
    "  66 no such file                   75 stopped early, all is saved: run it again\n"
    "  69 data of an unsupported form    77 no permission\n"
    "  70 runs failed, or a bug          78 wrong sweep file, setting, output or launcher\n";

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
