/* Which responses meet, under which name, and in which order they are shown. */
#include <posweep/analyze/judge.h>

#include "../cell_keys.h"

#include <posweep/util/hash.h>
#include <posweep/util/rng.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/** What a run's own texts meet: by enum psw_judge_against. */
static const struct {
    const char *id, *text, *ids, *reward;
} AGAINST[] = {[PSW_AGAINST_SFT] = {"sft", "sample_response_sft", "sample_response_sft_ids",
                                    "sample_reward_sft"},
               [PSW_AGAINST_CHOSEN] = {"chosen", "sample_chosen", "sample_chosen_ids",
                                       "sample_reward_chosen"},
               [PSW_AGAINST_REJECTED] = {"rejected", "sample_rejected", "sample_rejected_ids",
                                         "sample_reward_rejected"}};

const char *psw_judge_against_name(enum psw_judge_against against)
{
    return AGAINST[against].id;
}

/** The datasets that pairs are made of. Borrowed. */
struct answers {
    struct psw_results *results;
    const struct psw_judge_opts *opts;
    const char *own;                          /* dataset of the responses that are judged */
    const double *own_reward, *record_reward; /* [run][n_sample]; NULL: not there */
    int64_t n_run, n_sample, n_eval;
    const int64_t *outcome;       /* [run][n_eval]; NULL: not there */
    const double *score, *reward; /* likewise */
};

static psw_status open_answers(struct psw_results *results, const struct psw_judge_opts *opts,
                               struct answers *a, struct psw_error *err)
{
    const int is_record = !opts->pairing.baseline && opts->against != PSW_AGAINST_SFT;
    *a = (struct answers){
        .results = results,
        .opts = opts,
        .own = opts->of_sft ? "sample_response_sft" : "sample_response",
        .own_reward =
            psw_results_f64(results, opts->of_sft ? "sample_reward_sft" : "sample_reward"),
        .record_reward = psw_results_f64(results, AGAINST[opts->against].reward),
        .n_run = psw_results_dim(results, "run"),
        .n_sample = psw_results_dim(results, "sample"),
        .n_eval = psw_results_dim(results, "eval_prompt"),
        .outcome = psw_results_i64(results, "eval_outcome"),
        .score = psw_results_f64(results, "eval_score"),
        .reward = psw_results_f64(results, "eval_reward")};
    if (a->n_sample > 0 && psw_results_has(results, "sample_prompt") &&
        psw_results_has(results, "sample_response") &&
        psw_results_has(results, "sample_response_sft") &&
        (!is_record || psw_results_has(results, AGAINST[opts->against].text)))
        return PSW_OK;
    if (is_record && a->n_sample > 0)
        return psw_fail(
            err, PSW_EDATA,
            "the file has no %s responses: those of runs whose evaluation prompts "
            "came from held-out pairs are kept, since this version; generated tasks "
            "and prompts of data.final_prompts have none",
            AGAINST[opts->against].id);
    return psw_fail(
        err, PSW_EDATA,
        "the file has no responses to judge; `eval: {prompts: N, samples: N}` in the "
        "sweep file keeps those to the first prompts of the evaluation");
}

/* ---- a pair ---- */

/** 0, 1/2, 1 by a score that more of is better; NaN: not known. */
static double versus(const double *x, int64_t own, int64_t other)
{
    const double d = x ? x[own] - x[other] : NAN;
    return isnan(d) ? NAN : 0.5 + 0.5 * ((d > 0) - (d < 0));
}

/** Samples are the first evaluation prompts. against: -1: of the run itself. */
static double our_score(const struct answers *a, int64_t run, int64_t against, int64_t k)
{
    if (against < 0 && a->opts->against != PSW_AGAINST_SFT) {
        const int64_t at = run * a->n_sample + k;
        const double d =
            a->own_reward && a->record_reward ? a->own_reward[at] - a->record_reward[at] : NAN;
        return isnan(d) ? NAN : 0.5 + 0.5 * ((d > 0) - (d < 0));
    }
    if (k >= a->n_eval) return NAN;
    const int64_t own = run * a->n_eval + k, other = against * a->n_eval + k;
    if (against < 0)
        return a->outcome && a->outcome[own] >= 0 ? 0.5 * (double)a->outcome[own] : NAN;
    const double by_score = versus(a->score, own, other);
    return isnan(by_score) ? versus(a->reward, own, other) : by_score;
}

static int is_cut(const char *text)
{
    return strlen(text) >= PSW_JUDGE_CUT_BYTES;
}

/** Name and order of a pair, from what it says. */
static void settle(const struct answers *a, int64_t against, struct psw_judge_pair *p)
{
    uint64_t hash = psw_hash_bytes(p->text.prompt, strlen(p->text.prompt), 0);
    hash = psw_hash_bytes(p->text.own, strlen(p->text.own), hash);
    hash = psw_hash_bytes(p->text.other, strlen(p->text.other), hash);
    const struct psw_rng coin = {.seed = hash, .use = PSW_RNG_JUDGE};
    p->is_swapped = (int)psw_rng_below(coin, (uint64_t)p->sample, 0, 2);
    const char *of = psw_results_text(a->results, "run", p->run);
    const char *other = against < 0 ? AGAINST[a->opts->against].id
                                    : psw_results_text(a->results, "run", against);
    snprintf(p->id, sizeof p->id, "%.16s-%.16s-%lld-%08x", of, other, (long long)p->sample,
             (unsigned)(hash & 0xFFFFFFFF));
}

static void add_pairs(const struct answers *a, int64_t run, int64_t against,
                      struct psw_judge_group *group, struct psw_judging *j)
{
    for (int64_t k = 0; k < a->n_sample; k++) {
        const int64_t own = run * a->n_sample + k, other = against * a->n_sample + k;
        struct psw_judge_pair p = {.run = run, .sample = k, .verdict = NAN};
        p.text.prompt = psw_results_text(a->results, "sample_prompt", own);
        if (!p.text.prompt[0]) continue; /* not sampled */
        if (against >= 0 &&
            strcmp(p.text.prompt, psw_results_text(a->results, "sample_prompt", other)) != 0) {
            group->n_unlike++;
            continue;
        }
        p.text.own = psw_results_text(a->results, a->own, own);
        p.text.other = against < 0
                           ? psw_results_text(a->results, AGAINST[a->opts->against].text, own)
                           : psw_results_text(a->results, a->own, other);
        if (against < 0 && a->opts->against != PSW_AGAINST_SFT &&
            !psw_results_text(a->results, AGAINST[a->opts->against].ids, own)[0]) {
            group->n_unlike++; /* the prompt is of no pair; a blank response has an id, its end
                                */
            continue;
        }
        p.is_same = strcmp(p.text.own, p.text.other) == 0;
        p.score = p.is_same ? 0.5 : our_score(a, run, against, k);
        if (p.is_same) p.verdict = 0.5;
        settle(a, against, &p);
        j->n_same += p.is_same;
        j->n_cut +=
            !p.is_same && (is_cut(p.text.prompt) || is_cut(p.text.own) || is_cut(p.text.other));
        j->pair[j->n_pair++] = p;
        group->n++;
    }
}

/* ---- groups ---- */

/** The cells that `where` selects, each against its SFT models. */
static psw_status group_cells(struct psw_results *results, const char *where,
                              struct psw_judging *j, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_cell_keys keys = {0};
    char *is_kept = malloc((size_t)j->cells.n_cell + 1);
    PSW_TRY(psw_cell_keys_init(results, &j->cells, &keys, err));
    if (!is_kept) PSW_TRY(psw_fail(err, PSW_ENOMEM, "cells to judge"));
    memset(is_kept, 1, (size_t)j->cells.n_cell + 1);
    if (where) PSW_TRY(psw_cell_keys_where(&keys, where, -1, -1, is_kept, err));
    for (int64_t c = 0; c < j->cells.n_cell; c++)
        if (is_kept[c]) j->group[j->n_group++].contrast.cell = &j->cells.cell[c];
fail:
    psw_cell_keys_clear(&keys);
    free(is_kept);
    return rc;
}

static psw_status make_groups(struct psw_results *results, const struct psw_judge_opts *opts,
                              struct psw_judging *j, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_traces traces;
    const struct psw_selection all = {.max_kl = opts->max_kl};
    PSW_TRY(psw_traces_init(results, &traces, err));
    PSW_TRY(psw_cells_init(results, &traces, &all, &j->cells, err));
    j->group = calloc((size_t)j->cells.n_cell + 1, sizeof *j->group);
    if (!j->group) PSW_TRY(psw_fail(err, PSW_ENOMEM, "cells to judge"));
    if (!opts->pairing.baseline) return group_cells(results, opts->pairing.where, j, err);
    PSW_TRY(psw_pairing_init(results, &j->cells, &opts->pairing, &j->pairing, err));
    for (int64_t i = 0; i < j->pairing.n_contrast; i++)
        j->group[j->n_group++].contrast = j->pairing.contrast[i];
fail:
    return rc;
}

/** Shapes: zero [n_run]; scratch [2 * n_run]. */
static void fill_group(const struct answers *a, const double *zero, int64_t *scratch,
                       struct psw_judge_group *group, struct psw_judging *j)
{
    const struct psw_contrast *c = &group->contrast;
    const struct psw_contrast with_itself = {c->cell, c->baseline ? c->baseline : c->cell};
    int64_t *of = scratch, *against = scratch + a->n_run;
    group->runs = psw_contrast_runs(a->results, &with_itself, zero, of, against);
    group->first = j->n_pair;
    for (int64_t i = 0; i < group->runs.n; i++)
        add_pairs(a, of[i], c->baseline ? against[i] : -1, group, j);
}

static psw_status check(const struct psw_judging *j, struct psw_error *err)
{
    int64_t n_unlike = 0, n_run = 0;
    for (int64_t i = 0; i < j->n_group; i++) {
        n_unlike += j->group[i].n_unlike;
        n_run += j->group[i].runs.n;
    }
    if (j->n_pair > 0) return PSW_OK;
    if (n_unlike > 0 && j->against != PSW_AGAINST_SFT)
        return psw_fail(err, PSW_EDATA,
                        "no pair to judge: the data have no %s response to any of %lld prompts "
                        "of the selected runs",
                        AGAINST[j->against].id, (long long)n_unlike);
    if (n_unlike > 0)
        return psw_fail(err, PSW_EDATA,
                        "no pair to judge: of %lld samples none has the same prompt in both "
                        "runs; their evaluation prompts must be the same (same data, "
                        "final.prompts and eval.prompts)",
                        (long long)n_unlike);
    return psw_fail(err, PSW_EDATA, "no pair to judge: %lld runs count, and none has responses",
                    (long long)n_run);
}

psw_status psw_judging_init(struct psw_results *results, const struct psw_judge_opts *opts,
                            struct psw_judging *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct answers a;
    struct psw_judging j = {.against = opts->against};
    double *zero = NULL;
    int64_t *scratch = NULL;
    PSW_TRY(open_answers(results, opts, &a, err));
    PSW_TRY(make_groups(results, opts, &j, err));
    zero = calloc((size_t)a.n_run + 1, sizeof *zero);
    scratch = calloc((size_t)a.n_run + 1, 2 * sizeof *scratch);
    j.pair = calloc((size_t)a.n_run + 1, (size_t)a.n_sample * sizeof *j.pair);
    if (!zero || !scratch || !j.pair)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "%lld runs of %lld samples", (long long)a.n_run,
                         (long long)a.n_sample));
    for (int64_t i = 0; i < j.n_group; i++) fill_group(&a, zero, scratch, &j.group[i], &j);
    PSW_TRY(check(&j, err));
fail:
    free(zero);
    free(scratch);
    if (rc == PSW_OK)
        *out = j;
    else
        psw_judging_clear(&j);
    return rc;
}

void psw_judging_clear(struct psw_judging *judging)
{
    free(judging->pair);
    free(judging->group);
    psw_pairing_clear(&judging->pairing);
    psw_cells_clear(&judging->cells);
    *judging = (struct psw_judging){.n_pair = 0};
}

/* ---- what is written ---- */

static psw_status write_pair(FILE *out, const struct psw_judge_pair *p, struct psw_error *err)
{
    const char *first = p->is_swapped ? p->text.other : p->text.own;
    const char *second = p->is_swapped ? p->text.own : p->text.other;
    json_t *object = json_pack("{ssssssss}", "id", p->id, "prompt", p->text.prompt,
                               "response_a", first, "response_b", second);
    if (!object)
        return psw_fail(err, PSW_EDATA, "sample %lld of row %lld is not UTF-8",
                        (long long)p->sample, (long long)p->run);
    const int wrote = json_dumpf(object, out, 0);
    json_decref(object);
    return wrote == 0 && fputc('\n', out) != EOF
               ? PSW_OK
               : psw_fail(err, PSW_EIO, "cannot write the pairs");
}

psw_status psw_judging_write(FILE *out, const struct psw_judging *judging,
                             struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < judging->n_pair && rc == PSW_OK; i++)
        if (!judging->pair[i].is_same) rc = write_pair(out, &judging->pair[i], err);
    return rc;
}
