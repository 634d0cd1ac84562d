/* From a sweep to tasks. Data sets are opened and checked once per distinct sft and ref key,
 * one at a time. Memory is predicted once per group (a configuration without its seed); what a
 * run costs in operations is a function of the run alone, as the results file keeps it. */
#include "work_plan_internal.h"

#include <posweep/stage/weights.h>
#include <posweep/trace/final.h>
#include <posweep/util/alike.h>
#include <posweep/util/log.h>

#include <limits.h>
#include <posweep/config/leaves.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void psw_stage_cache_clear(struct psw_stage_cache *cache)
{
    psw_dataset_destroy(cache->data);
    psw_model_destroy(cache->model);
    *cache = (struct psw_stage_cache){0};
}

psw_status psw_stage_cache_get(struct psw_stage_cache *cache, const struct psw_config *config,
                               struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_model_dims dims;
    const uint64_t key = psw_config_hash(config, PSW_CFG_IN_SFT | PSW_CFG_IN_REF);
    if (cache->filled && cache->key == key) return PSW_OK;
    psw_stage_cache_clear(cache);
    PSW_TRY(psw_dataset_open(config, &cache->data, err));
    PSW_TRY(psw_stage_model_dims(config, cache->data->tokenizer->n_vocab, &dims, err));
    PSW_TRY(psw_model_create(&dims, &cache->model, err));
    cache->key = key;
    cache->filled = 1;
    return PSW_OK;
fail:
    psw_stage_cache_clear(cache);
    return rc;
}

/* Every item must fit the context: a prompt, its response, and nothing cut behind the user's
 * back. */
static psw_status check_context(const struct psw_config *config, const struct psw_dataset *data,
                                struct psw_error *err)
{
    const struct psw_examples *const lists[] = {&data->sft, &data->pairs, &data->pairs_heldout};
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (int64_t i = 0; i < lists[l]->n; i++) {
            const struct psw_example e = psw_examples_at(lists[l], i);
            for (int s = 0; s < e.n_seq; s++)
                if (e.n_prompt + e.n_response[s] > config->model.context)
                    return psw_fail(err, PSW_EINVAL,
                                    "a prompt of %d and a response of %d tokens exceed "
                                    "model.context %lld; raise it%s",
                                    e.n_prompt, e.n_response[s],
                                    (long long)config->model.context,
                                    !psw_config_is_generated(config)
                                        ? ", or lower data.max_prompt and data.max_response"
                                        : "");
        }
    return PSW_OK;
}

static struct psw_stage stage_of(const struct psw_config *config,
                                 const struct psw_stage_cache *cache)
{
    return (struct psw_stage){.config = config,
                              .data = cache->data,
                              .model = cache->model,
                              .comm = MPI_COMM_NULL,
                              .work_dir = ""};
}

/* Memory and disk: the dry walk is long, and a seed changes little. */
static psw_status predict(const struct psw_config *config, const struct psw_stage_cache *cache,
                          struct psw_plan_run *out, struct psw_error *err)
{
    const struct psw_stage stage = stage_of(config, cache);
    psw_status rc = PSW_OK;
    for (int k = 0; k < PSW_N_STAGE && rc == PSW_OK; k++)
        rc = psw_stage_predict((enum psw_stage_kind)k, &stage,
                               (int)config->limits.ranks_per_run, &out->cost[k], err);
    out->n_weight = psw_model_n_weight(cache->model);
    return rc;
}

/* Operations are a result: of the run's own data, whatever else is planned. */
static void count_flops(const struct psw_config *config, const struct psw_stage_cache *cache,
                        struct psw_plan_run *out)
{
    const struct psw_stage stage = stage_of(config, cache);
    for (int k = 0; k < PSW_N_STAGE; k++)
        out->cost[k].flops = psw_stage_flops((enum psw_stage_kind)k, &stage);
}

static const struct psw_data_origin *origin_of(const struct psw_dataset *data,
                                               enum psw_data_role role)
{
    for (int64_t i = 0; i < data->files.origins.n; i++)
        if (data->files.origins.item[i].role == (int32_t)role)
            return &data->files.origins.item[i];
    return NULL;
}

/* The first data set, and the first that was much cut. */
static void describe_data(struct psw_work_plan *plan, const struct psw_config *config,
                          const struct psw_dataset *data)
{
    if (!plan->cut_text[0])
        psw_dataset_cut_text(data, config, plan->cut_text, sizeof plan->cut_text);
    if (plan->data_text[0]) return;
    size_t at = (size_t)snprintf(
        plan->data_text, sizeof plan->data_text,
        "%lld sft items, %lld pairs, %lld held-out pairs, %lld held-out prompts, vocabulary %d",
        (long long)data->sft.n, (long long)data->pairs.n, (long long)data->pairs_heldout.n,
        (long long)data->prompts_heldout.n, data->tokenizer->n_vocab);
    char words[PSW_CFG_STR + 64];
    const struct psw_data_origin *words_of = origin_of(data, PSW_ROLE_TOKENIZER);
    if (words_of && at < sizeof plan->data_text)
        at += (size_t)snprintf(plan->data_text + at, sizeof plan->data_text - at, " (%s)",
                               psw_data_origin_text(words_of, words, sizeof words));
    for (int l = 0; l < PSW_N_DATA_LIST && at < sizeof plan->data_text; l++) {
        char text[512];
        const struct psw_data_counts *counts = &data->counts[l];
        static const enum psw_data_role ROLE_OF[PSW_N_DATA_LIST] = {
            [PSW_DATA_PAIRS] = PSW_ROLE_PAIRS,
            [PSW_DATA_SFT] = PSW_ROLE_SFT,
            [PSW_DATA_HELDOUT] = PSW_ROLE_HELDOUT,
            [PSW_DATA_PROMPTS] = PSW_ROLE_PROMPTS,
            [PSW_DATA_FINAL_PROMPTS] = PSW_ROLE_FINAL_PROMPTS};
        const char *form = data->files.form[ROLE_OF[l]].name;
        const int as_pairs =
            l == PSW_DATA_SFT && data->pairs.n > 0 && !origin_of(data, PSW_ROLE_SFT);
        if (counts->n_row == 0 || as_pairs) continue;
        at +=
            (size_t)snprintf(plan->data_text + at, sizeof plan->data_text - at, "; %s: %s%s%s",
                             psw_data_list_name((enum psw_data_list)l), form ? form : "",
                             form ? ", " : "", psw_data_counts_text(counts, text, sizeof text));
    }
}

/* Tokens behind the longest prompt that a policy samples from. */
static int64_t rollout_limit(const struct psw_config *c, const struct psw_dataset *data)
{
    const struct psw_examples *list = psw_dataset_rollout_prompts(data);
    int64_t room = c->model.context;
    for (int64_t i = 0; i < list->n; i++) {
        const int64_t n = c->model.context - psw_examples_at(list, i).n_prompt;
        if (n < room) room = n;
    }
    return room;
}

/* What is asked for beyond what there is would else be less without a word. The first run with
 * such a setting is told of. */
static void describe_less(struct psw_work_plan *plan, const struct psw_config *c,
                          const struct psw_dataset *data)
{
    const struct psw_examples *probe =
        c->trace.probe_from == PSW_PROBE_TRAIN ? &data->pairs : &data->pairs_heldout;
    const int own = psw_config_is_onpolicy(c); /* its probe is its own samples */
    const struct {
        const char *key, *what;
        int64_t wanted, there;
    } rows[] = {{"final.prompts", "held-out prompts for D'", c->final.prompts,
                 psw_final_n_prompt(c, data, PSW_PROMPTS_FINAL)},
                {"eval.prompts", "others for the evaluation", c->eval.prompts,
                 psw_final_n_prompt(c, data, PSW_PROMPTS_EVAL)},
                {"trace.probe", "such pairs", own ? 0 : c->trace.probe, probe->n},
                {"rollout.max_new", "tokens of room behind its longest prompt",
                 own ? c->rollout.max_new : 0, rollout_limit(c, data)}};
    size_t at = 0;
    if (plan->less_text[0]) return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && at < sizeof plan->less_text; i++)
        if (rows[i].wanted > rows[i].there)
            at += (size_t)snprintf(plan->less_text + at, sizeof plan->less_text - at,
                                   "%s%s is %lld, the data has %lld %s and all are used",
                                   at ? "; " : "", rows[i].key, (long long)rows[i].wanted,
                                   (long long)rows[i].there, rows[i].what);
}

/* Which runs have the same data, which differ in the seed alone, and which run of a group was
 * predicted. */
struct kin {
    struct psw_alike data, group;
    int64_t *predicted; /* [n_run] owned: at the first run of a group; -1: none yet */
};

static void kin_clear(struct kin *kin)
{
    psw_alike_clear(&kin->data);
    psw_alike_clear(&kin->group);
    free(kin->predicted);
}

/* Neighbours differ in the seed alone, mostly. */
static int is_in_group(const struct psw_sweep *sweep, int64_t i, int64_t other)
{
    return other >= 0 && sweep->run[i].group == sweep->run[other].group;
}

/* What of every wanted run decides which data it has. */
static void set_data_keys(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                          uint64_t *key)
{
    struct psw_identity identity;
    struct psw_config_reader reader = {0};
    int64_t written = -1; /* the run whose identity that is */
    for (int64_t i = 0; i < sweep->n_run; i++) {
        if (!plan->run[i].wanted) continue;
        if (!is_in_group(sweep, i, written))
            psw_identity_init(psw_sweep_config(sweep, i, &reader),
                              PSW_CFG_IN_SFT | PSW_CFG_IN_REF, &identity);
        written = i;
        key[i] = psw_identity_hash(&identity, sweep->run[i].seed);
    }
}

static void set_stage_keys(const struct psw_sweep *sweep, enum psw_stage_kind kind,
                           struct psw_work_plan *plan)
{
    struct psw_stage_identity identity;
    struct psw_config_reader reader = {0};
    int64_t written = -1;
    for (int64_t i = 0; i < sweep->n_run; i++) {
        if (!plan->run[i].wanted) continue;
        if (!is_in_group(sweep, i, written))
            psw_stage_identity_init(kind, psw_sweep_config(sweep, i, &reader), &identity);
        written = i;
        plan->run[i].key[kind] =
            psw_stage_identity_key(&identity, sweep->run[i].seed, plan->run[i].data_hash);
    }
}

static psw_status kin_init(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                           struct kin *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n = sweep->n_run;
    uint64_t *key = calloc((size_t)n + 1, sizeof *key);
    out->predicted = calloc((size_t)n + 1, sizeof *out->predicted);
    if (!key || !out->predicted)
        PSW_TRY(psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)n));
    for (int64_t i = 0; i < n; i++) {
        out->predicted[i] = -1;
        key[i] = sweep->run[i].group;
    }
    PSW_TRY(psw_alike_init(key, n, &out->group, err));
    set_data_keys(sweep, plan, key);
    PSW_TRY(psw_alike_init(key, n, &out->data, err));
fail:
    free(key);
    return rc;
}

/* Keys and predictions of a run whose data and model the cache holds. */
static psw_status survey_run(const struct psw_config *config, int64_t i,
                             const struct psw_stage_cache *cache, struct kin *kin,
                             struct psw_work_plan *plan, struct psw_error *err)
{
    struct psw_plan_run *p = &plan->run[i];
    int64_t *same = &kin->predicted[kin->group.first[i]];
    psw_status rc = PSW_OK;
    if (*same >= 0) {
        memcpy(p->cost, plan->run[*same].cost, sizeof p->cost);
        p->n_weight = plan->run[*same].n_weight;
    } else {
        *same = i;
        describe_less(plan, config, cache->data);
        rc = predict(config, cache, p, err);
    }
    count_flops(config, cache, p);
    p->data_hash = cache->data->content_hash;
    p->origins_hash = psw_data_origins_hash(&cache->data->files.origins);
    for (int l = 0; l < PSW_N_CUT_LIST; l++)
        p->cut[l] = psw_dataset_cut(cache->data, (enum psw_data_list)l);
    p->wanted = 2; /* surveyed */
    return rc;
}

/* Data, keys and predictions of every wanted run. Each data set is opened once, and all runs on
 * it are surveyed then. */
static psw_status survey(const struct psw_sweep *sweep, struct psw_work_plan *plan,
                         struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const struct psw_run *run = NULL; /* the one that is looked at */
    struct psw_stage_cache cache = {0};
    struct kin kin = {0};
    struct psw_config_reader reader = {0};
    PSW_TRY(kin_init(sweep, plan, &kin, err));
    for (int64_t first = 0; first < sweep->n_run; first++) {
        if (plan->run[first].wanted != 1) continue;
        const struct psw_config *config = psw_sweep_config(sweep, first, &reader);
        run = &sweep->run[first];
        PSW_TRY(psw_stage_cache_get(&cache, config, err));
        PSW_TRY(psw_weights_fit(config, cache.model, err));
        describe_data(plan, config, cache.data);
        PSW_TRY(psw_data_sets_add(&plan->data, &cache.data->files.origins, err));
        PSW_TRY(check_context(config, cache.data, err));
        for (int64_t i = first; i < sweep->n_run; i = kin.data.next[i]) {
            if (plan->run[i].wanted != 1) continue;
            run = &sweep->run[i];
            PSW_TRY(
                survey_run(psw_sweep_config(sweep, i, &reader), i, &cache, &kin, plan, err));
        }
    }
    for (int64_t i = 0; i < sweep->n_run; i++) plan->run[i].wanted = plan->run[i].wanted != 0;
    for (int k = 0; k < PSW_N_STAGE; k++) set_stage_keys(sweep, (enum psw_stage_kind)k, plan);
fail:
    if (rc != PSW_OK && run) psw_work_plan_name_run(sweep, run, err);
    psw_stage_cache_clear(&cache);
    kin_clear(&kin);
    return rc;
}

/* The task of a stage, and before it those of what it needs. */
static int32_t add_task(const struct psw_run *run, const struct psw_config *config,
                        int64_t index, enum psw_stage_kind kind, struct psw_work_plan *plan)
{
    struct psw_plan_run *p = &plan->run[index];
    const unsigned needs = psw_stage_needs(kind, config);
    if (p->task[kind] >= 0) return p->task[kind];
    struct psw_task t = {.kind = kind,
                         .run = (int32_t)index,
                         .n_rank = (int32_t)config->limits.ranks_per_run,
                         .n_rank_most = psw_stage_most_ranks(kind, config),
                         .key = p->key[kind],
                         .cost = p->cost[kind].flops};
    snprintf(t.name, sizeof t.name, "%s %.12s %.20s seed %lld", psw_stage_name(kind),
             run->method, run->variant, (long long)run->seed);
    for (int k = 0; k < PSW_N_STAGE; k++)
        if (needs >> k & 1)
            t.dep[t.n_dep++] = add_task(run, config, index, (enum psw_stage_kind)k, plan);
    plan->task[plan->n_task] = t;
    return p->task[kind] = plan->n_task++;
}

static void add_tasks(const struct psw_run *run, const struct psw_config *config, int64_t index,
                      struct psw_work_plan *plan)
{
    const unsigned stages = psw_stages_of(config);
    for (int k = 0; k < PSW_N_STAGE; k++)
        if (stages >> k & 1) add_task(run, config, index, (enum psw_stage_kind)k, plan);
}

static psw_status set_index(void *folder, struct psw_config *config, struct psw_error *err)
{
    if (config->limits.index[0]) return PSW_OK;
    return psw_path(config->limits.index, sizeof config->limits.index, err, "%s",
                    (const char *)folder);
}

psw_status psw_work_plan_keep_index(struct psw_sweep *sweep, const char *out_path,
                                    struct psw_error *err)
{
    char folder[PSW_CFG_PATH], whole[PATH_MAX];
    const char *slash = strrchr(out_path, '/');
    const psw_status rc =
        psw_path(folder, sizeof folder, err, "%.*s", slash ? (int)(slash - out_path) + 1 : 1,
                 slash ? out_path : ".");
    if (rc != PSW_OK || !realpath(folder, whole)) return rc; /* writing the results says why */
    return psw_sweep_change(sweep, set_index, whole, err);
}

psw_status psw_work_plan_init(const struct psw_sweep *sweep, const uint8_t *ended,
                              struct psw_work_plan *out, struct psw_error *err)
{
    *out = (struct psw_work_plan){.n_run = sweep->n_run};
    out->run = calloc((size_t)sweep->n_run + 1, sizeof *out->run);
    out->task = calloc(PSW_N_STAGE * (size_t)sweep->n_run + 1, sizeof *out->task);
    if (!out->run || !out->task) {
        psw_work_plan_clear(out);
        return psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)sweep->n_run);
    }
    for (int64_t i = 0; i < sweep->n_run; i++) {
        out->run[i].wanted = !ended || !ended[i];
        for (int k = 0; k < PSW_N_STAGE; k++) out->run[i].task[k] = -1;
    }
    psw_status rc = survey(sweep, out, err);
    if (rc != PSW_OK) {
        psw_work_plan_clear(out);
        return rc;
    }
    struct psw_config_reader reader = {0};
    for (int64_t i = 0; i < sweep->n_run; i++)
        if (out->run[i].wanted)
            add_tasks(&sweep->run[i], psw_sweep_config(sweep, i, &reader), i, out);
    return PSW_OK;
}

void psw_work_plan_clear(struct psw_work_plan *plan)
{
    psw_data_sets_clear(&plan->data);
    free(plan->task);
    free(plan->run);
    *plan = (struct psw_work_plan){0};
}
