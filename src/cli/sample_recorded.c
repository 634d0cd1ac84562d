/* The samples that stand in the results file: no model is asked, so none has to be kept. */
#include "sample_internal.h"

#include <posweep/analyze/run_find.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/** Who says something to a prompt, and where that stands. The data say nothing to a prompt that
 *  is of no pair; whoever says the empty text has the id of its end. */
static const struct {
    const char *name, *text, *ids, *score, *reward;
    int is_of_data;
} SIDES[] = {
    {"sft", "sample_response_sft", NULL, "sample_score_sft", "sample_reward_sft", 0},
    {"policy", "sample_response", NULL, "sample_score", "sample_reward", 0},
    {"chosen", "sample_chosen", "sample_chosen_ids", NULL, "sample_reward_chosen", 1},
    {"rejected", "sample_rejected", "sample_rejected_ids", NULL, "sample_reward_rejected", 1},
};
enum { N_SIDE = sizeof SIDES / sizeof *SIDES };

/** What side s says at a place of the table; NULL: nothing is there. Borrowed. */
static const char *said(struct psw_results *results, size_t s, int64_t at)
{
    if (!psw_results_has(results, SIDES[s].text)) return NULL;
    if (SIDES[s].is_of_data && !psw_results_text(results, SIDES[s].ids, at)[0]) return NULL;
    return psw_results_text(results, SIDES[s].text, at);
}

/** A number of a place; NaN: not known. */
static double worth(struct psw_results *results, const char *name, int64_t at)
{
    const double *value = name ? psw_results_f64(results, name) : NULL;
    return value ? value[at] : NAN;
}

static void print_side(struct psw_results *results, size_t s, int64_t at)
{
    const char *text = said(results, s, at);
    const double score = worth(results, SIDES[s].score, at);
    const double reward = worth(results, SIDES[s].reward, at);
    if (!text) return;
    fputs(SIDES[s].name, stdout);
    if (isfinite(score)) printf(" (score %.3g)", score);
    if (isfinite(reward)) printf(" (reward %.3g)", reward);
    fputs(": ", stdout);
    psw_sample_print_text(text, strlen(text));
    putchar('\n');
}

static void print_sample(struct psw_results *results, const char *prompt, int64_t at)
{
    fputs("> ", stdout);
    psw_sample_print_text(prompt, strlen(prompt));
    putchar('\n');
    for (size_t s = 0; s < N_SIDE; s++) print_side(results, s, at);
}

static void put_worth(json_t *side, const char *key, double value)
{
    if (isfinite(value)) json_object_set_new(side, key, json_real(value));
}

static psw_status print_object(struct psw_results *results, const char *prompt, int64_t at,
                               struct psw_error *err)
{
    json_t *object = json_pack("{ss}", "prompt", prompt);
    int is_whole = object != NULL;
    for (size_t s = 0; s < N_SIDE && is_whole; s++) {
        const char *text = said(results, s, at);
        if (!text) continue;
        json_t *side = json_pack("{ss}", "text", text);
        put_worth(side, "score", worth(results, SIDES[s].score, at));
        put_worth(side, "reward", worth(results, SIDES[s].reward, at));
        is_whole = side && json_object_set_new(object, SIDES[s].name, side) == 0;
    }
    char *line = is_whole ? json_dumps(object, JSON_REAL_PRECISION(9)) : NULL;
    if (line) puts(line);
    free(line);
    json_decref(object);
    return line ? PSW_OK
                : psw_fail(err, PSW_EDATA, "sample %lld is not UTF-8, which --json needs",
                           (long long)at);
}

psw_status psw_sample_print_recorded(struct psw_results *results, void *ctx,
                                     struct psw_error *err)
{
    const struct psw_sample_recorded *of = ctx;
    char name[PSW_RUN_NAME_BYTES];
    const int64_t n_sample = psw_results_dim(results, "sample");
    int64_t row = -1, n = 0;
    psw_status rc = psw_run_find(results, of->run, &row, name, err);
    for (int64_t k = 0; k < n_sample && rc == PSW_OK; k++) {
        const int64_t at = row * n_sample + k;
        const char *prompt = psw_results_text(results, "sample_prompt", at);
        if (!prompt[0]) continue; /* the run has fewer */
        if (n++ > 0 && !of->as_json) putchar('\n');
        if (of->as_json)
            rc = print_object(results, prompt, at, err);
        else
            print_sample(results, prompt, at);
    }
    if (rc == PSW_OK && n == 0)
        rc = psw_fail(err, PSW_EDATA,
                      "no samples of the run %s: `eval: {prompts: N, samples: N}` in the sweep "
                      "file keeps those to the first prompts of the evaluation, once a run is "
                      "done",
                      name);
    return rc;
}
