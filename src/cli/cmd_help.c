/* The commands, and what explains them: the overview, posweep help, how a misspelt command is
 * met. Only commands that work stand here; the order is that of the overview. */
#include "cli_internal.h"
#include "help_texts.h"
#include <posweep/config/leaves.h>
#include <posweep/config/nearest.h>
#include <posweep/store/schema.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const struct psw_cmd COMMANDS[] = {
    {"plan", "Sweeps", "SWEEP.yaml", "say what a sweep would do, and what it would cost",
     psw_cmd_plan},
    {"run", "Sweeps", "SWEEP.yaml [-o FILE]",
     "perform a sweep on the ranks it was started with", psw_cmd_run},
    {"submit", "Sweeps", "SWEEP.yaml [--yes]",
     "write the Slurm job that performs a sweep, and submit it", psw_cmd_submit},
    {"merge", "Sweeps", "FILE... -o FILE", "join sweeps: their runs in one file",
     psw_cmd_merge},
    {"prune", "Sweeps", "FILE [RUN...] [--yes]",
     "take runs out of a sweep, files out of its work folder", psw_cmd_prune},
    {"status", "Results", "FILE [--watch] [--json]",
     "how a sweep stands: done, running, failed, time left", psw_cmd_status},
    {"why", "Results", "FILE RUN", "one run: attempts, settings, and what is conspicuous",
     psw_cmd_why},
    {"show", "Results", "FILE", "G of each component along training, as text or picture",
     psw_cmd_show},
    {"compare", "Results", "FILE --baseline VALUE", "what differs across seeds, and how sure",
     psw_cmd_compare},
    {"claims", "Results", "FILE", "the paper's claims, each with its control and a verdict",
     psw_cmd_claims},
    {"judge", "Results", "FILE --responses OUT",
     "pairs of responses for a judge from outside, and its verdicts", psw_cmd_judge},
    {"report", "Results", "FILE [-o PAGE.html]",
     "one page of HTML with everything, to read and to share", psw_cmd_report},
    {"rescore", "Results", "FILE --objective KEY",
     "G of an objective that was not trained, from token tables", psw_cmd_rescore},
    {"influence", "Results", "FILE [RUN]", "the pairs and tokens that G is made of, with text",
     psw_cmd_influence},
    {"export", "Results", "FILE [RUN]", "tidy tables as CSV or JSON lines; a run's model",
     psw_cmd_export},
    {"spectrum", "Results", "FILE", "how directions lie to one another, on all ranks",
     psw_cmd_spectrum},
    {"snippet", "Results", "FILE [--lang LANGUAGE]",
     "Python, R or Julia code that loads this file", psw_cmd_snippet},
    {"check", "Results", "FILE...", "hold results files against their schema", psw_cmd_check},
    {"data", "Models and data", "FILE [--tokenizer DIR]",
     "what is in a data file: form, counts, lengths, records", psw_cmd_data},
    {"sample", "Models and data", "FILE RUN | --model DIR",
     "what a run's model answers, at a terminal or line by line", psw_cmd_sample},
    {"tokenize", "Models and data", "DIR|FILE",
     "token ids of text by a model's tokenizer, and back", psw_cmd_tokenize},
    {"doctor", "This build", "[SWEEP.yaml] [-o FILE]",
     "are nodes, ranks, files and libraries fit for a sweep?", psw_cmd_doctor},
    {"selftest", "This build", "", "does the tangent pass agree with explicit gradients?",
     psw_cmd_selftest},
    {"bench", "This build", "NAME", "how fast it is here, beside yardsticks", psw_cmd_bench},
    {"help", "Help", "[COMMAND|TOPIC]", "explain a command or a topic", psw_cmd_help},
    {NULL, NULL, NULL, NULL, NULL},
};

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
    "  posweep report demo.h5                               the same as a page, demo.html\n"
    "\n"
    "'posweep help COMMAND' explains a command, 'posweep --version' tells what this build is.\n"
    "A sweep that is stopped or killed is continued by the same command.\n"
    "\n"
    "Exit statuses, those of sysexits.h\n"
    "   0 done                           71 too little memory\n"
    "  64 wrong command line             73 another posweep holds the output\n"
    "  65 broken data                    74 reading or writing failed, or the disk is full\n"
    "  66 no such file                   75 stopped early, all is saved: run it again\n"
    "  69 data of an unsupported form    77 no permission\n"
    "  70 runs failed, or a bug          78 wrong sweep file, setting, output or launcher\n";

/* What can be explained besides the commands: a text of src/cli/help, what is made from a
 * table, or first one and then the other. */
static const struct {
    const char *name, *what;
    void (*print)(FILE *out);
    const char *text;
} TOPICS[] = {
    {"config", "every setting of a sweep file", psw_config_help, NULL},
    {"results", "every dataset of a results file", psw_schema_markdown, NULL},
    {"measurement", "G, its errors, and how to read them", NULL, HELP_MEASUREMENT},
    {"geometry", "posweep spectrum: what it tells, and its file", psw_schema_spectrum_markdown,
     HELP_GEOMETRY},
    {"comparison", "what posweep compare --write keeps", psw_schema_compare_markdown, NULL},
    {"methods", "objectives, rewards, interventions", psw_methods_help, HELP_METHODS},
    {"data", "generated tasks and files of your own", NULL, HELP_DATA},
    {"models", "models of others to start from, and back to them", NULL, HELP_MODELS},
    {"running", "ranks, stopping and going on, Slurm", NULL, HELP_RUNNING},
};
enum { N_TOPIC = sizeof TOPICS / sizeof *TOPICS };

void psw_cli_overview(void)
{
    const char *group = "";
    fputs(OVERVIEW_HEAD, stdout);
    for (const struct psw_cmd *c = COMMANDS; c->name; c++) {
        if (strcmp(group, c->group)) printf("\n%s\n", c->group);
        group = c->group;
        printf("  %-9s %-25s %s\n", c->name, c->args, c->help);
    }
    printf("\nTopics of 'posweep help'\n");
    for (int i = 0; i < N_TOPIC; i++) printf("  %-12s %s\n", TOPICS[i].name, TOPICS[i].what);
    fputs(OVERVIEW_TAIL, stdout);
}

/* A command, a topic or a setting. */
static const char *nearest_subject(const char *name)
{
    const char *topic[N_TOPIC], *found = psw_cmd_nearest(name);
    for (int i = 0; i < N_TOPIC; i++) topic[i] = TOPICS[i].name;
    if (!found) found = psw_nearest(name, topic, N_TOPIC);
    const struct psw_leaf *leaf = found ? NULL : psw_leaf_nearest(name);
    return leaf ? leaf->path : found;
}

static int help_topic(const char *name)
{
    int is_topic = psw_config_help_one(stdout, name);
    for (int i = 0; i < N_TOPIC; i++)
        if (!strcmp(name, TOPICS[i].name)) {
            if (TOPICS[i].text) fputs(TOPICS[i].text, stdout);
            if (TOPICS[i].print) TOPICS[i].print(stdout);
            is_topic = 1;
        }
    const struct psw_cmd *cmd = psw_cmd_find(name);
    if (is_topic && !cmd) return EX_OK;
    if (is_topic) putchar('\n'); /* a command of that name, too */
    if (!cmd) {
        const char *nearest = nearest_subject(name);
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
        .args_doc = "[COMMAND|TOPIC]",
        .doc = "Explain a command or a topic; without an argument, list both."};
    const char *topic = NULL;
    const int rc = argp_parse(&ARGP, argc, argv, 0, NULL, &topic);
    if (rc) return EX_USAGE;
    if (topic) return help_topic(topic);
    psw_cli_overview();
    return EX_OK;
}
