/* posweep sample: what a run's model, or any other, answers. */
#include "cli_internal.h"
#include "export_model.h"
#include "sample_internal.h"

#include <posweep/config/leaf.h>
#include <posweep/config/source.h>

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

enum {
    KEY_STAGE = 256,
    KEY_STEP,
    KEY_WORK,
    KEY_MODEL,
    KEY_PROMPTS,
    KEY_JSON,
    KEY_RECORDED,
    KEY_SETTING /* and following: rows of SETTINGS */
};

/** Options that stand for a setting of the run, checked as that is. */
static const struct {
    const char *option, *leaf;
} SETTINGS[] = {
    {"--temperature", "final.temperature"},
    {"--top-p", "final.top_p"},
    {"--top-k", "final.top_k"},
    {"--max-new", "final.max_new"},
    {"--seed", "seed"},
    {"--tokenizer", "data.tokenizer"},
    {"--template", "data.template"},
    {"--task", "task"},
};
enum { N_SETTING = sizeof SETTINGS / sizeof *SETTINGS };

struct sample_args {
    struct psw_export_model model; /* which model of which run */
    const char *dir;               /* --model */
    const char *prompt, *prompts;
    const char *setting[N_SETTING]; /* NULL: as the run has it */
    int64_t n_sample;               /* 0: not said, one */
    int as_json, is_recorded;
};

static const struct argp_option OPTIONS[] = {
    {"prompt", 'p', "TEXT", 0, "what to answer", 0},
    {"prompts", KEY_PROMPTS, "FILE", 0,
     "answer each line of a file: text, or {\"prompt\": \"...\"} (default: standard input)", 0},
    {"number", 'n', "N", 0, "responses to each prompt (default 1)", 0},
    {"json", KEY_JSON, NULL, 0,
     "an object for each response: prompt, response, tokens, logp, ended", 0},
    {"recorded", KEY_RECORDED, NULL, 0,
     "ask no model: print the samples in FILE, with what the data chose and rejected", 0},
    {NULL, 0, NULL, 0, "Which model:", 1},
    {"stage", KEY_STAGE, "STAGE", 0, "sft or policy (default)", 1},
    {"step", KEY_STEP, "N", 0, "the policy after N steps (default: at its end)", 1},
    {"work-dir", KEY_WORK, "DIR", 0, "where the sweep kept it (default: FILE.work)", 1},
    {"model", KEY_MODEL, "DIR", 0,
     "a folder in the form of Hugging Face, such as posweep export makes, instead", 1},
    {NULL, 0, NULL, 0, "How to draw (default: as the run draws its evaluation responses):", 2},
    {"temperature", KEY_SETTING, "T", 0, "0 is greedy", 2},
    {"top-p", KEY_SETTING + 1, "P", 0, "nucleus", 2},
    {"top-k", KEY_SETTING + 2, "K", 0, "most likely tokens kept; 0: all", 2},
    {"max-new", KEY_SETTING + 3, "N", 0, "longest response; 0: the rest of the context", 2},
    {"seed", KEY_SETTING + 4, "N", 0, "of the draws", 2},
    {NULL, 0, NULL, 0, "What a prompt is:", 3},
    {"tokenizer", KEY_SETTING + 5, "DIR", 0,
     "a folder or tokenizer.json (default: the run's; of --model alone, the folder's)", 3},
    {"template", KEY_SETTING + 6, "NAME|FILE", 0, "chat template (default: the run's, or hh)",
     3},
    {"task", KEY_SETTING + 7, "TASK", 0,
     "lists or sums: words of a generated task (default: the run's, or none)", 3},
    {0},
};

static void check_args(const struct sample_args *a, struct argp_state *state)
{
    const struct psw_export_model *m = &a->model;
    const int is_sft = !strcmp(m->stage, "sft");
    if (!m->path && !a->dir)
        argp_error(state, "whose answers? Name a results file and a run, or --model DIR");
    if (m->path && !m->run) argp_error(state, "which run of %s?", m->path);
    if (a->dir && (is_sft || m->step >= 0 || m->work_dir))
        argp_error(state,
                   "--stage, --step and --work-dir are of a run's model, not of --model");
    if (is_sft && m->step >= 0) argp_error(state, "--step is of the policy");
    if (a->prompt && a->prompts) argp_error(state, "--prompt and --prompts: one of the two");
}

/** What stands in the file was said by the run's own models, drawn as it draws. */
static void check_recorded(const struct sample_args *a, struct argp_state *state)
{
    const struct psw_export_model *m = &a->model;
    int is_asking = a->prompt || a->prompts || a->n_sample > 0 || a->dir || m->work_dir ||
                    m->step >= 0 || strcmp(m->stage, "policy") != 0;
    for (int i = 0; i < N_SETTING; i++) is_asking |= a->setting[i] != NULL;
    if (is_asking)
        argp_error(state, "--recorded asks no model: it goes with FILE, RUN and --json alone");
}

static error_t parse_model(int key, char *arg, struct argp_state *state)
{
    struct sample_args *a = state->input;
    switch (key) {
    case KEY_STAGE:
        if (strcmp(arg, "sft") != 0 && strcmp(arg, "policy") != 0)
            argp_error(state, "--stage: '%s' is none of sft, policy", arg);
        a->model.stage = arg;
        return 0;
    case KEY_STEP:
        a->model.step = strcmp(arg, "0") == 0 ? 0 : psw_cli_count("--step", arg, state);
        return 0;
    case KEY_WORK:
        a->model.work_dir = psw_cli_path("--work-dir", arg, state);
        return 0;
    case KEY_MODEL:
        a->dir = psw_cli_path("--model", arg, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct sample_args *a = state->input;
    if (key >= KEY_SETTING && key < KEY_SETTING + N_SETTING) {
        a->setting[key - KEY_SETTING] =
            psw_cli_path(SETTINGS[key - KEY_SETTING].option, arg, state);
        return 0;
    }
    switch (key) {
    case 'p':
        a->prompt = arg;
        return 0;
    case KEY_PROMPTS:
        a->prompts = psw_cli_path("--prompts", arg, state);
        return 0;
    case 'n':
        a->n_sample = psw_cli_count("--number", arg, state);
        return 0;
    case KEY_JSON:
        a->as_json = 1;
        return 0;
    case KEY_RECORDED:
        a->is_recorded = 1;
        return 0;
    case ARGP_KEY_ARG:
        if (a->model.run) argp_error(state, "'%s' is too much", arg);
        *(a->model.path ? &a->model.run : &a->model.path) = arg;
        return 0;
    case ARGP_KEY_END:
        check_args(a, state);
        if (a->is_recorded) check_recorded(a, state);
        return 0;
    default:
        return parse_model(key, arg, state);
    }
}

/* ---- settings ---- */

/** Settings that say what a prompt is and how a run draws. */
static int is_of_sampling(const char *path)
{
    return !strcmp(path, "task") || !strcmp(path, "seed") || !strncmp(path, "data.", 5) ||
           !strncmp(path, "final.", 6);
}

static psw_status set_from_json(const char *path, const json_t *value, const char *folder,
                                struct psw_config *config, struct psw_error *err)
{
    const struct psw_leaf *leaf = is_of_sampling(path) ? psw_leaf_find(path) : NULL;
    if (!leaf) return PSW_OK;
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY);
    if (!text) return psw_fail(err, PSW_ENOMEM, "%s", path);
    const psw_status rc = psw_leaf_set(leaf, text, folder, config, err);
    free(text);
    return rc;
}

/** The settings of a run; relative paths start where the results are. */
static psw_status read_settings(const struct sample_args *a, const struct psw_kept_run *run,
                                struct psw_config *config, struct psw_error *err)
{
    json_error_t fault;
    char folder[PSW_PATH_BYTES], *slash;
    const char *path;
    json_t *value, *all = json_loads(run->config, 0, &fault);
    psw_status rc = psw_path(folder, sizeof folder, err, "%s", a->model.path);
    if (rc == PSW_OK && !all)
        rc = psw_fail(err, PSW_EDATA, "%s: config of the run %s: %s", a->model.path, run->name,
                      fault.text);
    slash = rc == PSW_OK ? strrchr(folder, '/') : NULL;
    if (slash) *slash = 0;
    json_object_foreach(all, path, value)
    {
        if (rc == PSW_OK) rc = set_from_json(path, value, slash ? folder : NULL, config, err);
    }
    json_decref(all);
    return rc;
}

static int has_tokenizer(const char *dir)
{
    static const char *const FILES[] = {"tokenizer.json", "vocab.json", "encoder.json"};
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char path[PSW_PATH_BYTES];
        if (psw_path(path, sizeof path, NULL, "%s/%s", dir, FILES[i]) == PSW_OK &&
            psw_file_exists(path))
            return 1;
    }
    return 0;
}

/** Settings by what was given, the later wins: defaults, the run's, the tokenizer that lies
 *  beside the model, options. run: NULL for none. */
static psw_status settle(const struct sample_args *a, const struct psw_kept_run *run,
                         const char *dir, struct psw_config *config, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    psw_config_default(config);
    if (run)
        rc = read_settings(a, run, config, err);
    else if ((rc = psw_config_set(config, "final.max_new", "256", err)) == PSW_OK)
        rc = psw_config_set(config, "task", "none", err);
    const int is_asked = !run || config->data.tokenizer[0];
    if (rc == PSW_OK && is_asked && has_tokenizer(dir))
        rc = psw_config_set(config, "data.tokenizer", dir, err);
    for (int i = 0; i < N_SETTING && rc == PSW_OK; i++)
        if (a->setting[i]) rc = psw_config_set(config, SETTINGS[i].leaf, a->setting[i], err);
    return rc;
}

/* ---- the whole ---- */

static psw_status talk(const struct sample_args *a, struct psw_sample_talk *t,
                       struct psw_error *err)
{
    t->is_bare = a->prompt || (!a->prompts && isatty(STDIN_FILENO));
    if (a->prompt) return psw_sample_answer_one(t, a->prompt, err);
    if (!a->prompts) return psw_sample_answer_all(t, stdin, "standard input", err);
    FILE *in = fopen(a->prompts, "r");
    if (!in)
        return psw_fail(err, psw_status_from_errno(errno), "%s: %s", a->prompts,
                        strerror(errno));
    const psw_status rc = psw_sample_answer_all(t, in, a->prompts, err);
    fclose(in);
    return rc;
}

static psw_status open_model(const char *dir, struct psw_sample_talk *t, struct psw_error *err)
{
    const struct psw_tokenizer *tokens = psw_prompt_maker_tokenizer(t->maker);
    const psw_status rc = psw_responder_open(dir, tokens->n_vocab, &t->model, err);
    if (rc == PSW_EINVAL)
        psw_error_prefix(err, "%s with tokens that are %s (--tokenizer, --task)", dir,
                         tokens->bpe                          ? t->config->data.tokenizer
                         : psw_config_is_generated(t->config) ? "words of a task"
                                                              : "bytes");
    return rc;
}

static psw_status sample(const struct sample_args *a, const struct psw_kept_run *run,
                         struct psw_error *err)
{
    psw_status rc = PSW_OK;
    char kept[PSW_PATH_BYTES];
    const char *dir = a->dir ? a->dir : kept;
    struct psw_config config;
    struct psw_sample_talk t = {.config = &config,
                                .n_sample = (int32_t)(a->n_sample > 0 ? a->n_sample : 1),
                                .as_json = a->as_json};
    if (!a->dir) PSW_TRY(psw_cli_find_model(&a->model, run, kept, err));
    PSW_TRY(settle(a, run, dir, &config, err));
    PSW_TRY(psw_prompt_maker_create(&config, &t.maker, err));
    PSW_TRY(open_model(dir, &t, err));
    PSW_TRY(talk(a, &t, err));
fail:
    psw_responder_close(t.model);
    psw_prompt_maker_destroy(t.maker);
    return rc;
}

static const char DOC[] =
    "Let a model answer. It is the policy of a run (named as `posweep why` takes it), "
    "or its SFT model, where the sweep kept it (limits: {keep: final}, or "
    "checkpoints); or the model of any folder in the form of Hugging Face. Prompts "
    "come from the command line, a file, or standard input; at a terminal each line "
    "is answered as it is typed."
    "\v"
    "A prompt becomes tokens as a row {\"prompt\": ...} of a file of prompts would: by "
    "the run's tokenizer, with its chat template around it (data.template; the "
    "template hh leaves a text as it stands, so end it as the data do: \"\\n\\nHuman: "
    "... \\n\\nAssistant:\", in JSON lines). Generated tasks know the words of the "
    "task only.\n\n"
    "Draws are counted, not remembered: the same model, seed, place and text of a "
    "prompt give the same response. By default they are those of the run's "
    "evaluation, so its evaluation prompts in their order get the very responses that "
    "stand in the results file (sample_response), unless --max-new or the context "
    "allows them to be longer. --recorded prints those, beside what the SFT model says and, "
    "where the prompt is of a pair, its chosen and rejected response; texts are cut at "
    "2,047 bytes. It needs no kept model.\n\n"
    "  posweep sample lists.h5 'vanilla seed 1' -p 'give four metal'\n"
    "  posweep sample lists.h5 3f2a --recorded         (SFT, policy, chosen, rejected)\n"
    "  posweep sample lists.h5 3f2a --stage sft        (asks at the terminal)\n"
    "  posweep sample lists.h5 3f2a --prompts p.txt -n 4 --temperature 0.7 --json\n"
    "  posweep sample --model policy --template zephyr -p 'Tell me a story.'\n\n"
    "Of --json, `logp` is the log-probability of each token under the temperature "
    "(under 1 when that is 0), before top-k and top-p, in nat; `ended` says whether "
    "the response ended by itself.";

int psw_cmd_sample(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS, .parser = parse, .args_doc = "FILE RUN\n--model DIR", .doc = DOC};
    struct sample_args a = {.model = {.stage = "policy", .step = -1}};
    struct psw_error err = {0};
    struct psw_kept_run *run = NULL;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    if (a.is_recorded) {
        struct psw_sample_recorded of = {a.model.run, a.as_json};
        return psw_cli_read("sample", a.model.path, psw_sample_print_recorded, &of);
    }
    if (a.model.path) {
        const int status = psw_cli_find_run("sample", &a.model, &run);
        if (status != EX_OK) return status;
    }
    const psw_status rc = sample(&a, run, &err);
    psw_cli_kept_run_free(run);
    return rc == PSW_OK ? EX_OK : psw_cli_fail(&err);
}
