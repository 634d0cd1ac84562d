/* posweep judge: pairs of responses for a judge from outside, and its verdicts read back. */
#include "cli_internal.h"
#include <errno.h>
#include <math.h>
#include <posweep/analyze/judge.h>
#include <posweep/util/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

struct judge_args {
    const char *path, *responses, *verdicts;
    struct psw_judge_opts opts;
    const char *word[PSW_N_JUDGE_AGAINST + 1]; /* what --against takes beside values */
    double alpha;
    enum { AS_TEXT, AS_CSV, AS_JSON } as;
};

enum {
    KEY_RESPONSES = 256,
    KEY_VERDICTS,
    KEY_AGAINST,
    KEY_STAGE,
    KEY_ALPHA,
    KEY_MAX_KL,
    KEY_CSV,
    KEY_JSON
};

static const struct argp_option OPTIONS[] = {
    {"responses", KEY_RESPONSES, "OUT.jsonl", 0, "write the pairs that are to be judged", 0},
    {"verdicts", KEY_VERDICTS, "IN.jsonl", 0,
     "read verdicts on them, and say what they come to", 0},
    {NULL, 0, NULL, 0, "What is judged, the same in both:", 1},
    {"against", KEY_AGAINST, "reference|chosen|rejected|VALUE", 0,
     "the run's own SFT model (default), the data's chosen or rejected response to the prompt, "
     "or another variant with the same seed and prompts",
     1},
    {"stage", KEY_STAGE, "STAGE", 0,
     "whose responses: policy (default), or sft, against chosen or rejected ones", 1},
    {"by", 'B', "SETTING", 0,
     "VALUE is one of this setting: variant (default), policy.beta, ...", 1},
    {"where", 'w', "EXPR", 0, "only these runs: method=dpo,policy.beta=0.1 (a comma is 'and')",
     1},
    {"max-kl", KEY_MAX_KL, "NAT", 0,
     "runs with a larger KL to SFT are in no pair, as in show (default 5; inf: keep all)", 1},
    {NULL, 0, NULL, 0, "Of verdicts:", 2},
    {"alpha", KEY_ALPHA, "LEVEL", 0, "1 - level of the intervals (default 0.05)", 2},
    {"csv", KEY_CSV, NULL, 0, "as CSV, with every number", 2},
    {"json", KEY_JSON, NULL, 0, "as JSON", 2},
    {0},
};

/** Words that stand for no variant, unless --by says that they do. */
static void take_against(struct judge_args *a)
{
    const char *said = a->opts.pairing.baseline;
    for (int i = 0; i < PSW_N_JUDGE_AGAINST && !(a->opts.pairing.by && i > PSW_AGAINST_SFT);
         i++) {
        a->word[i] = i == PSW_AGAINST_SFT ? "reference"
                                          : psw_judge_against_name((enum psw_judge_against)i);
        if (!said || strcmp(said, a->word[i]) != 0) continue;
        a->opts.pairing.baseline = NULL;
        a->opts.against = (enum psw_judge_against)i;
    }
    a->opts.pairing.also = a->word;
}

static void check_args(const struct judge_args *a, struct argp_state *state)
{
    if (!a->responses == !a->verdicts)
        argp_error(state, "--responses writes pairs to judge, --verdicts reads what became of "
                          "them: one of the two");
    if (a->opts.pairing.by && !a->opts.pairing.baseline)
        argp_error(state, "--by %s: --against which value of it?", a->opts.pairing.by);
    if (a->opts.of_sft && (a->opts.pairing.baseline || a->opts.against == PSW_AGAINST_SFT))
        argp_error(state, "--stage sft is of --against chosen and --against rejected");
    if (a->responses && a->as != AS_TEXT)
        argp_error(state, "--csv and --json are of --verdicts; pairs are JSON lines");
}

static error_t parse_pairs(int key, char *arg, struct argp_state *state)
{
    struct judge_args *a = state->input;
    switch (key) {
    case KEY_AGAINST:
        a->opts.pairing.baseline = arg;
        return 0;
    case KEY_STAGE:
        if (strcmp(arg, "sft") != 0 && strcmp(arg, "policy") != 0)
            argp_error(state, "--stage: '%s' is none of sft, policy", arg);
        a->opts.of_sft = strcmp(arg, "sft") == 0;
        return 0;
    case 'B':
        a->opts.pairing.by = arg;
        return 0;
    case 'w':
        a->opts.pairing.where = arg;
        return 0;
    case KEY_MAX_KL:
        a->opts.max_kl = psw_cli_positive("--max-kl", arg, state);
        return 0;
    case ARGP_KEY_END:
        take_against(a);
        check_args(a, state);
        return psw_cli_one_file(key, arg, state, &a->path);
    default:
        return psw_cli_one_file(key, arg, state, &a->path);
    }
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct judge_args *a = state->input;
    switch (key) {
    case KEY_RESPONSES:
        a->responses = psw_cli_path("--responses", arg, state);
        return 0;
    case KEY_VERDICTS:
        a->verdicts = psw_cli_path("--verdicts", arg, state);
        return 0;
    case KEY_ALPHA:
        a->alpha = psw_cli_positive("--alpha", arg, state);
        if (!(a->alpha < 1)) argp_error(state, "--alpha %s: a number > 0 and < 1", arg);
        return 0;
    case KEY_CSV:
        a->as = AS_CSV;
        return 0;
    case KEY_JSON:
        a->as = AS_JSON;
        return 0;
    default:
        return parse_pairs(key, arg, state);
    }
}

/** Into a file beside its name that then takes its place. */
static psw_status write_pairs(const char *path, const struct psw_judging *j,
                              struct psw_results *results, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    int fd = -1;
    psw_status rc = psw_file_begin(path, temporary, &fd, err);
    if (rc != PSW_OK) return rc;
    FILE *out = fdopen(fd, "w");
    if (!out) {
        close(fd);
        rc = psw_fail(err, PSW_ENOMEM, "%s: no buffer", path);
    } else {
        rc = psw_judging_write(out, j, err);
        if (rc == PSW_OK && (fflush(out) != 0 || fsync(fd) != 0))
            rc = psw_fail(err, psw_status_from_errno(errno), "%s: cannot write: %s", path,
                          strerror(errno));
        fclose(out);
    }
    if (rc == PSW_OK) rc = psw_results_fault(results, err);
    if (rc == PSW_OK) rc = psw_file_commit(temporary, path, err);
    if (rc != PSW_OK) unlink(temporary);
    return rc;
}

static void say_written(const struct judge_args *a, const struct psw_judging *j)
{
    printf("%s: %lld pairs to judge, of %lld variants", a->responses,
           (long long)(j->n_pair - j->n_same), (long long)j->n_group);
    if (j->n_same > 0)
        printf("; %lld more say the same word by word and are ties", (long long)j->n_same);
    putchar('\n');
    if (j->n_cut > 0)
        printf("%lld of them have a text that is cut at %d bytes\n", (long long)j->n_cut,
               PSW_JUDGE_CUT_BYTES);
    printf("They are the first eval.samples prompts of each run. With verdicts, the same "
           "command with --verdicts.\n");
}

static psw_status judge(struct psw_results *results, void *ctx, struct psw_error *err)
{
    static psw_status (*const PRINT[])(FILE *, const struct psw_judging *, double,
                                       struct psw_error *) = {
        [AS_TEXT] = psw_judging_text, [AS_CSV] = psw_judging_csv, [AS_JSON] = psw_judging_json};
    const struct judge_args *a = ctx;
    struct psw_judging j = {.n_pair = 0};
    psw_status rc = psw_judging_init(results, &a->opts, &j, err);
    if (rc == PSW_OK && a->responses) {
        rc = write_pairs(a->responses, &j, results, err);
        if (rc == PSW_OK) say_written(a, &j);
    } else if (rc == PSW_OK) {
        rc = psw_judging_read(a->verdicts, &j, err);
        if (rc == PSW_OK) rc = PRINT[a->as](stdout, &j, a->alpha, err);
    }
    psw_judging_clear(&j);
    return rc;
}

static const char DOC[] =
    "Ask a judge from outside, a person or a larger model: write pairs of responses, let it "
    "choose, and read its verdicts. What comes out is, for each variant, the judge's win rate "
    "beside the win rate by our own score on the same pairs, both with an interval over seeds "
    "and "
    "prompts, and how far the two agree."
    "\v"
    "A pair is a line {\"id\", \"prompt\", \"response_a\", \"response_b\"}. Which one is the "
    "policy's is drawn and not told; the same command gives the same pairs. A verdict is a "
    "line "
    "{\"id\": ..., \"winner\": \"a\", \"b\" or \"tie\"}, in any order; a \"score\" from 0 (b) "
    "to 1 "
    "(a), such as the judge's probability of a, counts in place of 0, 1/2 and 1. Pairs are of "
    "the responses that the results file keeps, to the first eval.samples prompts: for more, "
    "set "
    "eval: {prompts: 200, samples: 200} before the run. Chosen and rejected responses are "
    "there "
    "where the evaluation prompts came from held-out pairs; our score of them is the reward "
    "model's, where a run has one. A judge of your own, for a server that "
    "speaks OpenAI's protocol:\n\n"
    "  import json, openai\n"
    "  ai = openai.OpenAI(base_url='http://localhost:8000/v1', api_key='-')\n"
    "  ask = '''Which response answers the prompt better? A, B or TIE?\n"
    "  Prompt: {prompt}\\nA: {response_a}\\nB: {response_b}'''\n"
    "  with open('verdicts.jsonl', 'w') as out:\n"
    "      for line in open('pairs.jsonl'):\n"
    "          p = json.loads(line)\n"
    "          question = {'role': 'user', 'content': ask.format(**p)}\n"
    "          answer = ai.chat.completions.create(\n"
    "              model='judge', temperature=0, messages=[question])\n"
    "          said = answer.choices[0].message.content\n"
    "          word = said.strip().lower()\n"
    "          winner = word if word in ('a', 'b') else 'tie'\n"
    "          verdict = {'id': p['id'], 'winner': winner}\n"
    "          print(json.dumps(verdict), file=out)\n\n"
    "  posweep judge demo.h5 --responses pairs.jsonl\n"
    "  python3 judge.py\n"
    "  posweep judge demo.h5 --verdicts verdicts.jsonl\n"
    "  posweep judge demo.h5 --against vanilla --responses pairs.jsonl\n"
    "  posweep judge mine.h5 --against chosen --responses pairs.jsonl";

int psw_cmd_judge(int argc, char **argv)
{
    static const struct argp ARGP = {.options = OPTIONS,
                                     .parser = parse,
                                     .args_doc = "FILE --responses OUT.jsonl\n"
                                                 "FILE --verdicts IN.jsonl",
                                     .doc = DOC};
    struct judge_args a = {.alpha = 0.05, .as = AS_TEXT};
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a)) return EX_USAGE;
    return psw_cli_read("judge", a.path, judge, &a);
}
