/* From a sweep to tasks. Data sets are opened and checked once per distinct sft and ref key,
 * one at a time. Memory is predicted once per size (psw_config_size_hash); what a
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
    psw_stage_loads_of(cache->data, &cache->loads);
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
                              .loads = &cache->loads,
                              .comm = MPI_COMM_NULL,
                              .work_dir = ""};
}

/* Memory and disk: the dry walk is long, and a seed changes little. */
static psw_status predict(const struct psw_config *config, const struct psw_stage_cache *cache,
                          struct psw_plan_size *out, struct psw_error *err)
{
    const struct psw_stage stage = stage_of(config, cache);
    psw_status rc = PSW_OK;
    for (int k = 0; k < PSW_N_STAGE && rc == PSW_OK; k++)
        rc = psw_stage_predict((enum psw_stage_kind)k, &stage,
                               (int)config->limits.ranks_per_run, &out->cost[k], err);
    return rc;
}

/* Operations are a result: of the run's own data, whatever else is planned. */
static void count_flops(const struct psw_config *config, const struct psw_stage_cache *cache,
                        struct psw_plan_size *size, struct psw_plan_run *out)
{
    const struct psw_stage stage = stage_of(config, cache);
    for (int k = 0; k < PSW_N_STAGE && size->data != out->data; k++)
        size->flops[k] = psw_stage_flops((enum psw_stage_kind)k, &stage);
    if (size->data != out->data) size->train_flops = psw_policy_train_flops(&stage);
    out->train_flops = size->train_flops;
    size->data = out->data;
    memcpy(out->flops, size->flops, sizeof out->flops);
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

/* Which runs have the same data, and which the same size. */
struct kin {
    struct psw_alike data, size;
};

static void kin_clear(struct kin *kin)
{
    psw_alike_clear(&kin->data);
    psw_alike_clear(&kin->size);
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
        plan->run[i].key[kind] = psw_stage_identity_key(&identity, sweep->run[i].seed,
                                                        psw_plan_data_of(plan, i)->hash);
    }
}

static psw_status kin_init(const struct psw_sweep *sweep, const struct psw_work_plan *plan,
                           struct kin *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    const int64_t n = sweep->n_run;
    struct psw_config_reader reader = {0};
    uint64_t *key = calloc((size_t)n + 1, sizeof *key);
    if (!key) PSW_TRY(psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)n));
    for (int64_t i = 0; i < n; i++)
        key[i] = is_in_group(sweep, i, i - 1)
                     ? key[i - 1]
                     : psw_config_size_hash(psw_sweep_config(sweep, i, &reader));
    PSW_TRY(psw_alike_init(key, n, &out->size, err));
    set_data_keys(sweep, plan, key);
    PSW_TRY(psw_alike_init(key, n, &out->data, err));
fail:
    free(key);
    return rc;
}

static void note_data(const struct psw_dataset *data, struct psw_work_plan *plan)
{
    struct psw_plan_data *content = &plan->content[plan->n_content++];
    content->hash = data->content_hash;
    content->origins_hash = psw_data_origins_hash(&data->files.origins);
    for (int l = 0; l < PSW_N_CUT_LIST; l++)
        content->cut[l] = psw_dataset_cut(data, (enum psw_data_list)l);
}

/* A run whose data and model the cache holds; the data are those noted last. first: of its
 * size. */
static psw_status survey_run(const struct psw_config *config, int64_t i, int64_t first,
                             const struct psw_stage_cache *cache, struct psw_work_plan *plan,
                             struct psw_error *err)
{
    struct psw_plan_run *p = &plan->run[i];
    int32_t *size = &plan->run[first].size; /* also where that one is not wanted */
    psw_status rc = PSW_OK;
    if (*size < 0) {
        *size = plan->n_size++;
        plan->size[*size].data = -1;
        describe_less(plan, config, cache->data);
        rc = predict(config, cache, &plan->size[*size], err);
    }
    p->size = *size;
    p->data = plan->n_content - 1;
    count_flops(config, cache, &plan->size[*size], p);
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
        note_data(cache.data, plan);
        for (int64_t i = first; i < sweep->n_run; i = kin.data.next[i]) {
            if (plan->run[i].wanted != 1) continue;
            run = &sweep->run[i];
            config = psw_sweep_config(sweep, i, &reader);
            PSW_TRY(survey_run(config, i, kin.size.first[i], &cache, plan, err));
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

/* Tasks by the content key of what they do: shared stages, each once. */
struct key_table {
    int32_t *slot; /* [mask + 1] owned: task + 1; 0: free */
    size_t mask;
};

static psw_status key_table_init(struct key_table *table, int64_t n_most, struct psw_error *err)
{
    size_t n = 16;
    while (n < 2 * (size_t)n_most) n *= 2;
    *table = (struct key_table){calloc(n, sizeof *table->slot), n - 1};
    return table->slot ? PSW_OK : psw_fail(err, PSW_ENOMEM, "plan of %zu stages", n);
}

/* Where the task of this key stands, or will stand. */
static int32_t *slot_of(const struct key_table *table, const struct psw_task *task,
                        uint64_t key)
{
    size_t at = (size_t)key & table->mask;
    while (table->slot[at] && task[table->slot[at] - 1].key != key) at = (at + 1) & table->mask;
    return &table->slot[at];
}

/* What the making of tasks works on. */
struct tasks {
    const struct psw_run *run;
    const struct psw_config *config; /* its */
    struct key_table table;          /* owned */
    struct psw_work_plan *plan;
};

/* The task of a stage of a run, and before it those of what it needs. */
static int32_t add_task(struct tasks *t, int64_t index, enum psw_stage_kind kind)
{
    struct psw_work_plan *plan = t->plan;
    struct psw_plan_run *p = &plan->run[index];
    const unsigned needs = psw_stage_needs(kind, t->config);
    if (p->task[kind] >= 0) return p->task[kind];
    plan->n_asked++;
    struct psw_task task = {.kind = kind,
                            .run = (int32_t)index,
                            .n_rank = (int32_t)t->config->limits.ranks_per_run,
                            .n_rank_most = t->config->limits.widen_s > 0
                                               ? psw_stage_most_ranks(kind, t->config)
                                               : 0,
                            .key = p->key[kind],
                            .cost = p->flops[kind]};
    for (int k = 0; k < PSW_N_STAGE; k++)
        if (needs >> k & 1) task.dep[task.n_dep++] = add_task(t, index, (enum psw_stage_kind)k);
    int32_t *slot = psw_stage_is_shared(kind) ? slot_of(&t->table, plan->task, task.key) : NULL;
    if (slot && *slot) return p->task[kind] = *slot - 1;
    snprintf(task.name, sizeof task.name, "%s %.12s %.20s seed %lld", psw_stage_name(kind),
             t->run->method, t->run->variant, (long long)t->run->seed);
    plan->task[plan->n_task++] = task;
    if (slot) *slot = plan->n_task;
    return p->task[kind] = plan->n_task - 1;
}

/* The tasks of all wanted runs. Stages with the same key are the same work, done once. */
static psw_status add_tasks(const struct psw_sweep *sweep, struct psw_work_plan *plan,
                            struct psw_error *err)
{
    struct psw_config_reader reader = {0};
    struct tasks t = {.plan = plan};
    const psw_status rc = key_table_init(&t.table, (PSW_N_STAGE - 1) * sweep->n_run, err);
    for (int64_t i = 0; rc == PSW_OK && i < sweep->n_run; i++) {
        if (!plan->run[i].wanted) continue;
        t.run = &sweep->run[i];
        t.config = psw_sweep_config(sweep, i, &reader);
        const unsigned stages = psw_stages_of(t.config);
        for (int k = 0; k < PSW_N_STAGE; k++)
            if (stages >> k & 1) add_task(&t, i, (enum psw_stage_kind)k);
    }
    free(t.table.slot);
    return rc;
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

/* Give back what was not needed of a list. */
static void *shrink(void *list, size_t n, size_t size)
{
    void *smaller = realloc(list, (n + 1) * size);
    return smaller ? smaller : list;
}

static psw_status allocate(struct psw_work_plan *plan, struct psw_error *err)
{
    const size_t n = (size_t)plan->n_run + 1;
    plan->run = calloc(n, sizeof *plan->run);
    plan->size = calloc(n, sizeof *plan->size);
    plan->content = calloc(n, sizeof *plan->content);
    plan->task = calloc(PSW_N_STAGE * n, sizeof *plan->task);
    if (plan->run && plan->size && plan->content && plan->task) return PSW_OK;
    return psw_fail(err, PSW_ENOMEM, "plan of %lld runs", (long long)plan->n_run);
}

psw_status psw_work_plan_init(const struct psw_sweep *sweep, const uint8_t *ended,
                              struct psw_work_plan *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *out = (struct psw_work_plan){.n_run = sweep->n_run};
    PSW_TRY(allocate(out, err));
    for (int64_t i = 0; i < sweep->n_run; i++) {
        out->run[i].wanted = !ended || !ended[i];
        out->run[i].size = out->run[i].data = -1;
        for (int k = 0; k < PSW_N_STAGE; k++) out->run[i].task[k] = -1;
    }
    PSW_TRY(survey(sweep, out, err));
    PSW_TRY(add_tasks(sweep, out, err));
    out->task = shrink(out->task, (size_t)out->n_task, sizeof *out->task);
    out->size = shrink(out->size, (size_t)out->n_size, sizeof *out->size);
    out->content = shrink(out->content, (size_t)out->n_content, sizeof *out->content);
    return PSW_OK;
fail:
    psw_work_plan_clear(out);
    return rc;
}

void psw_work_plan_clear(struct psw_work_plan *plan)
{
    psw_data_sets_clear(&plan->data);
    free(plan->task);
    free(plan->run);
    free(plan->size);
    free(plan->content);
    *plan = (struct psw_work_plan){0};
}
