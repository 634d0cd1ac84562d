/* posweep export: a results file as tables for programs that do not read HDF5; or the model of
 * a run for programs that go on with it. */
#include "cli_internal.h"
#include "export_model.h"
#include <errno.h>
#include <posweep/analyze/tidy.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct export_args {
    const char *path, *table;
    char *out;
    enum psw_tidy_format format;
    int has_format;
    struct psw_export_model model;
    struct psw_export_replay replay;
    int is_replay;
};

enum {
    KEY_CSV = 256,
    KEY_JSON,
    KEY_STAGE,
    KEY_STEP,
    KEY_DTYPE,
    KEY_WORK,
    KEY_REPLAY,
    KEY_SWEEP_DIR,
    KEY_ACCEPT_CPU
};

static const struct argp_option OPTIONS[] = {
    {"csv", KEY_CSV, NULL, 0, "RFC 4180, with a header; missing values are empty (default)", 0},
    {"json", KEY_JSON, NULL, 0, "one object per line; missing values are null", 0},
    {"what", 'w', "TABLE", 0, "runs (default), traces, directions, training, samples or tokens",
     0},
    {"output", 'o', "FILE", 0,
     "write there, whole or not at all, rather than to stdout; of a RUN: the folder to make",
     0},
    {NULL, 0, NULL, 0, "The model of a RUN:", 1},
    {"stage", KEY_STAGE, "STAGE", 0, "sft, reward or policy (default)", 1},
    {"step", KEY_STEP, "N", 0, "the policy after N steps (default: at its end)", 1},
    {"dtype", KEY_DTYPE, "TYPE", 0, "f32 (default: no bit is lost) or bf16", 1},
    {"work-dir", KEY_WORK, "DIR", 0, "where the sweep kept it (default: FILE.work)", 1},
    {NULL, 0, NULL, 0, "A model that was not kept:", 2},
    {"replay", KEY_REPLAY, NULL, 0,
     "train the run again with the same bits; under mpirun, on its ranks", 2},
    {"sweep-dir", KEY_SWEEP_DIR, "DIR", 0,
     "where relative paths of the sweep file start, the folder it lies in (default: here)", 2},
    {"accept-changed-cpu", KEY_ACCEPT_CPU, NULL, 0,
     "export it though another CPU type or BLAS gave it other bits; the difference is told", 2},
    {0},
};

/** The place of a word in a list that NULL ends; another one ends the command. */
static int word_of(const char *option, const char *arg, const char *const *words,
                   struct argp_state *state)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(arg, words[i])) return i;
    argp_error(state, "%s: '%s' is none of %s, %s%s%s", option, arg, words[0], words[1],
               words[2] ? ", " : "", words[2] ? words[2] : "");
    return 0;
}

static error_t parse_model(int key, char *arg, struct argp_state *state)
{
    static const char *const STAGES[] = {"policy", "sft", "reward", NULL};
    static const char *const TYPES[] = {"f32", "bf16", NULL};
    struct export_args *a = state->input;
    struct psw_export_model *m = &a->model;
    switch (key) {
    case KEY_STAGE:
        m->stage = STAGES[word_of("--stage", arg, STAGES, state)];
        return 0;
    case KEY_STEP:
        m->step = strcmp(arg, "0") == 0 ? 0 : psw_cli_count("--step", arg, state);
        return 0;
    case KEY_DTYPE:
        m->type = word_of("--dtype", arg, TYPES, state) ? PSW_STORED_BF16 : PSW_STORED_F32;
        return 0;
    case KEY_WORK:
        m->work_dir = psw_cli_path("--work-dir", arg, state);
        return 0;
    case KEY_REPLAY:
        a->is_replay = 1;
        return 0;
    case KEY_SWEEP_DIR:
        a->replay.sweep_dir = psw_cli_path("--sweep-dir", arg, state);
        return 0;
    case KEY_ACCEPT_CPU:
        a->replay.accept_cpu = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/** Options of tables with a run, or of models without one, are mistakes. */
static void check_args(const struct export_args *a, struct argp_state *state)
{
    const struct psw_export_model *m = &a->model;
    const int is_step_of_other = m->step >= 0 && strcmp(m->stage, "policy") != 0;
    if (!m->run && (m->step >= 0 || m->type != PSW_STORED_F32 || m->work_dir ||
                    strcmp(m->stage, "policy") != 0))
        argp_error(state,
                   "which run? --stage, --step, --dtype and --work-dir are of its model");
    if (!m->run && a->is_replay) argp_error(state, "--replay: of which run?");
    if (!a->is_replay && (a->replay.sweep_dir || a->replay.accept_cpu))
        argp_error(state, "--sweep-dir and --accept-changed-cpu are of --replay");
    if (m->run && (a->has_format || a->table))
        argp_error(state, "--csv, --json and --what are of tables, and '%s' is a run", m->run);
    if (m->run && !a->out) argp_error(state, "where to? -o names the folder to make");
    if (is_step_of_other)
        argp_error(state, "--step is of the policy; the %s model has one", m->stage);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct export_args *a = state->input;
    const enum psw_tidy_format format = key == KEY_JSON ? PSW_TIDY_JSON : PSW_TIDY_CSV;
    switch (key) {
    case KEY_CSV:
    case KEY_JSON:
        if (a->has_format && a->format != format)
            argp_error(state, "--csv and --json: one of the two");
        a->format = format;
        a->has_format = 1;
        return 0;
    case 'w':
        a->table = arg;
        return 0;
    case 'o':
        psw_cli_path("output", arg, state);
        a->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->path && a->model.run) argp_error(state, "'%s' is too much", arg);
        *(a->path ? &a->model.run : &a->path) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->path) argp_error(state, "which results file?");
        check_args(a, state);
        return 0;
    default:
        return parse_model(key, arg, state);
    }
}

/** Into a file beside a->out that then takes its place. */
static psw_status write_file(const struct export_args *a, struct psw_results *results,
                             struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    int fd = -1;
    psw_status rc = psw_file_begin(a->out, temporary, &fd, err);
    if (rc != PSW_OK) return rc;
    FILE *out = fdopen(fd, "w");
    if (!out) {
        close(fd);
        rc = psw_fail(err, PSW_ENOMEM, "%s: no buffer", a->out);
    } else {
        rc = psw_tidy_write(out, results, a->table, a->format, err);
        if (rc == PSW_OK && (fflush(out) != 0 || fsync(fd) != 0))
            rc = psw_fail(err, psw_status_from_errno(errno), "%s: cannot write: %s", a->out,
                          strerror(errno));
        fclose(out);
    }
    if (rc == PSW_OK) rc = psw_results_fault(results, err);
    if (rc == PSW_OK) rc = psw_file_commit(temporary, a->out, err);
    if (rc != PSW_OK) unlink(temporary);
    return rc;
}

static psw_status export_table(struct psw_results *results, void *ctx, struct psw_error *err)
{
    const struct export_args *a = ctx;
    return a->out ? write_file(a, results, err)
                  : psw_tidy_write(stdout, results, a->table, a->format, err);
}

/** A folder's name without slashes at its end, in place. */
static const char *without_slash(char *path)
{
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
    return path;
}

int psw_cmd_export(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS,
        .parser = parse,
        .args_doc = "FILE [RUN]",
        .doc =
            "Write a table of a results file as CSV or as JSON lines, for a spreadsheet, a "
            "database or a language without HDF5. With a RUN (as `posweep why` takes it): make "
            "a folder of its model in the form of Hugging Face, which loads there as it is: "
            "config.json, model.safetensors, and the tokenizer that the run had."
            "\vTables: `runs` has a row per run, with its settings and all that is one number "
            "per run; `traces` one per run, checkpoint and component (G, its errors, and "
            "what is measured at the checkpoint); `directions` the same of G along other "
            "directions than v; `training` one per line of the training log; `samples` one "
            "per evaluation prompt whose responses are kept; `tokens` one "
            "per token of the probe. Each begins with run, method, variant, seed and the "
            "swept settings, then has the file's datasets as columns of the same name: "
            "`posweep help results` says what they are. `config` of `runs` holds all "
            "settings, swept or not, as JSON. pandas reads the very same numbers with "
            "read_csv(..., float_precision='round_trip').\n\n"
            "  posweep export demo.h5 --what traces -o traces.csv\n"
            "  posweep export demo.h5 --json | jq 'select(.score > 2) | .variant'\n\n"
            "Models are there where the sweep file says limits: {keep: final}, or checkpoints, "
            "before the run. Numbers are kept as float32; a reward model has one label, its "
            "head \"score\".\n\n"
            "  posweep export demo.h5 'vanilla seed 1' -o policy\n"
            "  posweep export demo.h5 3f2a --stage sft --dtype bf16 -o sft\n\n"
            "--replay trains a run whose models were not kept again, beside the folder to make "
            "(DIR.replay), with all of its stages and its trace, and holds what comes out "
            "against the results file: every number that is there, bit for bit. On another CPU "
            "type or BLAS bits differ; then it refuses before it begins, unless "
            "--accept-changed-cpu is given. Stopped or killed, it goes on by the same "
            "command.\n\n"
            "  mpirun -n 5 posweep export demo.h5 'vanilla seed 1' --step 200 --replay -o "
            "at200"};
    struct export_args a = {.model = {.stage = "policy", .step = -1, .type = PSW_STORED_F32}};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    if (a.model.run) {
        a.model.path = a.path;
        a.model.out = without_slash(a.out);
        a.replay.model = &a.model;
        return a.is_replay ? psw_cli_export_replay(&a.replay) : psw_cli_export_model(&a.model);
    }
    if (!a.table) a.table = "runs";
    return psw_cli_read("export", a.path, export_table, &a);
}
