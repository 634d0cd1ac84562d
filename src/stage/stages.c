/* The table of stages, and what reads it. The stages themselves do not know it: what they need
 * of each other's rows, keys and paths, they are told. */
#include "stage_internal.h"
#include "training.h"

#include <posweep/comm/agree.h>
#include <posweep/config/leaves.h>
#include <posweep/kernels/backend.h>
#include <posweep/util/hash.h>
#include <posweep/util/log.h>

#include <dirent.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static int has_pairs(const struct psw_config *c)
{
    return !psw_config_is_onpolicy(c);
}

static const struct stage {
    const char *name, *suffix;                   /* the result is NAME-KEY.SUFFIX */
    unsigned in_key;                             /* settings that decide it */
    unsigned needs;                              /* stages whose results it reads */
    int (*is_wanted)(const struct psw_config *); /* by a run; NULL: by all */
    size_t train; /* offset of the settings that say in how many shards it works */
    double (*flops)(const struct psw_stage *);
    size_t (*disk)(const struct psw_stage *);
    const struct psw_stage_code *code;
} STAGES[PSW_N_STAGE] = {
    [PSW_STAGE_SFT] = {"sft", "state", PSW_CFG_IN_SFT, 0, NULL,
                       offsetof(struct psw_config, sft), psw_sft_flops, psw_model_disk,
                       &PSW_SFT},
    [PSW_STAGE_REF] = {"ref", "bin", PSW_CFG_IN_SFT | PSW_CFG_IN_REF, 1u << PSW_STAGE_SFT,
                       has_pairs, offsetof(struct psw_config, sft), psw_ref_flops, psw_ref_disk,
                       &PSW_REF},
    [PSW_STAGE_REWARD] = {"reward", "state", PSW_CFG_IN_SFT | PSW_CFG_IN_REWARD,
                          1u << PSW_STAGE_SFT, psw_config_needs_reward_model,
                          offsetof(struct psw_config, reward.train), psw_reward_flops,
                          psw_model_disk, &PSW_REWARD},
    [PSW_STAGE_POLICY] = {"policy", "d", PSW_CFG_IN_RUN,
                          1u << PSW_STAGE_SFT | 1u << PSW_STAGE_REF | 1u << PSW_STAGE_REWARD,
                          NULL, offsetof(struct psw_config, policy.train), psw_policy_flops,
                          psw_policy_disk, &PSW_POLICY},
};

const char *psw_stage_name(enum psw_stage_kind kind)
{
    return STAGES[kind].name;
}

unsigned psw_stages_of(const struct psw_config *config)
{
    unsigned stages = 0;
    for (int k = 0; k < PSW_N_STAGE; k++)
        if (!STAGES[k].is_wanted || STAGES[k].is_wanted(config)) stages |= 1u << k;
    return stages;
}

unsigned psw_stage_needs(enum psw_stage_kind kind, const struct psw_config *config)
{
    return STAGES[kind].needs & psw_stages_of(config);
}

int psw_stage_is_shared(enum psw_stage_kind kind)
{
    return STAGES[kind].in_key != PSW_CFG_IN_RUN;
}

/* ---- where results lie ---- */

/* A given model that is not trained is the same for every seed, and so are its
 * log-probabilities: both are made once, not once per seed. */
static int has_no_seed(enum psw_stage_kind kind, const struct psw_config *config)
{
    return (kind == PSW_STAGE_SFT || kind == PSW_STAGE_REF) && config->model.from[0] &&
           config->sft.steps == 0;
}

void psw_stage_identity_init(enum psw_stage_kind kind, const struct psw_config *config,
                             struct psw_stage_identity *out)
{
    out->kind = kind;
    out->has_no_seed = has_no_seed(kind, config);
    psw_identity_init(config, STAGES[kind].in_key, &out->identity);
}

uint64_t psw_stage_identity_key(const struct psw_stage_identity *identity, int64_t seed,
                                uint64_t data_hash)
{
    if (identity->has_no_seed) seed = (int64_t)psw_leaf_find("seed")->fallback;
    const uint64_t part[3] = {(uint64_t)identity->kind,
                              psw_identity_hash(&identity->identity, seed), data_hash};
    return psw_hash_bytes(part, sizeof part, 0);
}

uint64_t psw_stage_key(enum psw_stage_kind kind, const struct psw_config *config,
                       uint64_t data_hash)
{
    struct psw_stage_identity identity;
    psw_stage_identity_init(kind, config, &identity);
    return psw_stage_identity_key(&identity, config->seed, data_hash);
}

static psw_status path_of(const char *work_dir, enum psw_stage_kind kind, uint64_t key,
                          char out[PSW_PATH_BYTES], struct psw_error *err)
{
    char text[PSW_HASH_TEXT_BYTES];
    return psw_path(out, PSW_PATH_BYTES, err, "%s/%s-%s.%s", work_dir, STAGES[kind].name,
                    psw_hash_text(key, text), STAGES[kind].suffix);
}

psw_status psw_stage_path(const struct psw_stage *stage, enum psw_stage_kind kind,
                          char out[PSW_PATH_BYTES], struct psw_error *err)
{
    return path_of(stage->work_dir, kind,
                   psw_stage_key(kind, stage->config, stage->data->content_hash), out, err);
}

psw_status psw_stage_forget_key(const char *work_dir, uint64_t key, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    const psw_status rc = path_of(work_dir, PSW_STAGE_POLICY, key, path, err);
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}

/* With no number of steps: no run has 0. */
static uint64_t training_key(const struct psw_config *config, uint64_t data_hash)
{
    struct psw_config any = *config;
    if (psw_training_has_no_end(config)) any.policy.train.steps = 0;
    return psw_stage_key(PSW_STAGE_POLICY, &any, data_hash);
}

psw_status psw_stage_end_run(const char *work_dir, const struct psw_config *config,
                             uint64_t data_hash, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    if (!config->limits.keep_training || !psw_training_has_no_end(config))
        return psw_stage_forget(work_dir, config, data_hash, err);
    const struct psw_training training = {.path = path,
                                          .key = training_key(config, data_hash),
                                          .n_step = config->policy.train.steps,
                                          .run = psw_config_hash(config, PSW_CFG_IN_RUN)};
    const psw_status rc =
        path_of(work_dir, PSW_STAGE_POLICY, psw_stage_key(PSW_STAGE_POLICY, config, data_hash),
                path, err);
    return rc == PSW_OK ? psw_training_keep(work_dir, &training, err) : rc;
}

psw_status psw_stage_forget(const char *work_dir, const struct psw_config *config,
                            uint64_t data_hash, struct psw_error *err)
{
    return psw_stage_forget_key(work_dir, psw_stage_key(PSW_STAGE_POLICY, config, data_hash),
                                err);
}

int64_t psw_stage_goes_on_from(const char *work_dir, const struct psw_config *config,
                               const struct psw_stop_rule *stop, uint64_t data_hash)
{
    char path[PSW_PATH_BYTES];
    const int64_t n = psw_training_find(work_dir, training_key(config, data_hash),
                                        psw_training_most_steps(config, stop));
    if (n == 0) return 0; /* mostly: without a second key */
    const uint64_t key = psw_stage_key(PSW_STAGE_POLICY, config, data_hash);
    if (path_of(work_dir, PSW_STAGE_POLICY, key, path, NULL) != PSW_OK || psw_file_exists(path))
        return 0;
    return n;
}

int psw_stage_has_trainings(const char *work_dir)
{
    return psw_training_is_any(work_dir);
}

psw_status psw_stage_forget_kept(const char *work_dir, uint64_t run, struct psw_error *err)
{
    char path[PSW_PATH_BYTES], text[PSW_HASH_TEXT_BYTES];
    psw_status rc = psw_training_remove(work_dir, run, err);
    if (rc == PSW_OK)
        rc = psw_path(path, sizeof path, err, "%s/kept/%s", work_dir, psw_hash_text(run, text));
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}

psw_status psw_stage_forget_trainings(const char *work_dir, struct psw_error *err)
{
    return psw_training_remove_all(work_dir, err);
}

/* "sft-0123456789abcdef.state", also with something behind it (.partial, temporary names). */
static int is_stage_name(const char *name)
{
    for (int k = 0; k < PSW_N_STAGE; k++) {
        const size_t n = strlen(STAGES[k].name);
        if (strncmp(name, STAGES[k].name, n) != 0 || name[n] != '-') continue;
        const char *rest = name + n + 1 + strspn(name + n + 1, "0123456789abcdef");
        if (rest == name + n + PSW_HASH_TEXT_BYTES && rest[0] == '.' &&
            strncmp(rest + 1, STAGES[k].suffix, strlen(STAGES[k].suffix)) == 0)
            return 1;
    }
    return 0;
}

psw_status psw_stage_clean(const char *work_dir, struct psw_error *err)
{
    DIR *dir = opendir(work_dir);
    if (!dir) return PSW_OK;
    psw_status rc = PSW_OK;
    for (const struct dirent *e; rc == PSW_OK && (e = readdir(dir));) {
        char path[PSW_PATH_BYTES];
        if (!is_stage_name(e->d_name) && strcmp(e->d_name, PSW_STAGE_LOGS) != 0) continue;
        rc = psw_path(path, sizeof path, err, "%s/%s", work_dir, e->d_name);
        if (rc == PSW_OK) rc = psw_file_remove_tree(path, err);
    }
    closedir(dir);
    rmdir(work_dir); /* stays when something else is in it */
    return rc;
}

/* ---- performing and planning ---- */

int psw_stage_most_ranks(enum psw_stage_kind kind, const struct psw_config *config)
{
    const char *train = (const char *)config + STAGES[kind].train;
    return (int)((const struct psw_config_train *)train)->shards;
}

/* A layout, and what went wrong in it. */
struct plan {
    struct psw_stage_work *work;
    psw_status rc;
    struct psw_error *err;
};

static void layout(void *ctx, struct psw_arena *arena)
{
    struct plan *plan = ctx;
    plan->rc = STAGES[plan->work->kind].code->layout(plan->work, arena, plan->err);
}

static psw_status peak(struct psw_stage_work *w, struct psw_error *err)
{
    struct plan plan = {.work = w, .err = err};
    psw_status rc = psw_arena_create_measuring("frozen", &w->frozen, err);
    if (rc != PSW_OK) return rc;
    rc = psw_arena_plan(layout, &plan, &w->planned, err);
    w->frozen_bytes = psw_arena_peak_bytes(w->frozen);
    psw_arena_destroy(w->frozen);
    w->frozen = NULL;
    return rc != PSW_OK ? rc : plan.rc;
}

/* The arenas, on one rank; frozen weights once per node where that can be. */
static psw_status take_memory(struct psw_stage_work *w, struct psw_error *err)
{
    const struct psw_arena_memory *memory = psw_stage_backend(w->stage)->buffer->memory;
    const struct psw_arena_bytes frozen = {.buffer = w->frozen_bytes};
    psw_status rc = psw_arena_create_over(w->name, memory, w->planned, &w->arena, err);
    if (rc != PSW_OK) return rc;
    if (!w->node) return psw_arena_create_over("frozen", memory, frozen, &w->frozen, err);
    return psw_arena_create_in("frozen", psw_node_memory_base(w->node), w->frozen_bytes,
                               &w->frozen, err);
}

/* Once per node where that was decided, and where buffers are host memory. */
static psw_status open_node(struct psw_stage_work *w, struct psw_error *err)
{
    char why[160];
    if (w->stage->config->limits.frozen_weights != PSW_FROZEN_NODE ||
        psw_stage_backend(w->stage)->buffer->memory != &psw_host_memory)
        return PSW_OK;
    const psw_status rc =
        psw_node_memory_open(w->stage->comm, w->frozen_bytes, &w->node, why, sizeof why, err);
    if (rc == PSW_OK && why[0])
        psw_log(PSW_LOG_INFO, "%s: every rank keeps frozen weights of its own: %s", w->name,
                why);
    return rc;
}

static psw_status find_places(struct psw_stage_work *w, struct psw_error *err)
{
    const struct psw_stage *s = w->stage;
    psw_status rc = PSW_OK;
    for (int k = 0; k < PSW_N_STAGE && rc == PSW_OK; k++) {
        w->place[k].key =
            psw_stage_key((enum psw_stage_kind)k, s->config, s->data->content_hash);
        rc = path_of(s->work_dir, (enum psw_stage_kind)k, w->place[k].key, w->place[k].path,
                     err);
    }
    w->training_key = training_key(s->config, s->data->content_hash);
    return rc;
}

psw_status psw_stage_open(enum psw_stage_kind kind, const struct psw_stage *stage,
                          struct psw_stage_work *w, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    *w = (struct psw_stage_work){.stage = stage, .kind = kind, .name = STAGES[kind].name};
    PSW_TRY(
        psw_team_init(stage->comm, psw_stage_most_ranks(kind, stage->config), &w->team, err));
    PSW_TRY(find_places(w, err));
    PSW_TRY(psw_agree(stage->comm, STAGES[kind].code->open(w, err), err));
    PSW_TRY(psw_agree(stage->comm, peak(w, err), err));
    PSW_TRY(open_node(w, err));
    PSW_TRY(psw_agree(stage->comm, take_memory(w, err), err));
    rc = STAGES[kind].code->layout(w, w->arena, err);
fail:
    return rc;
}

size_t psw_stage_bytes(const struct psw_stage_work *w)
{
    return w->planned.buffer + w->planned.host + w->frozen_bytes;
}

void psw_stage_close(struct psw_stage_work *w)
{
    const struct psw_stage_hooks *hooks = &w->stage->hooks;
    if (w->frozen && hooks->memory)
        hooks->memory(hooks->ctx, psw_stage_bytes(w),
                      psw_arena_peak_bytes(w->arena) + psw_arena_peak_bytes(w->frozen));
    psw_arena_destroy(w->arena);
    psw_arena_destroy(w->frozen);
    psw_node_memory_close(w->node);
    w->arena = w->frozen = NULL;
    w->node = NULL;
    if (w->own) STAGES[w->kind].code->close(w);
    w->own = NULL;
}

psw_status psw_stage_perform(enum psw_stage_kind kind, const struct psw_stage *stage,
                             struct psw_error *err)
{
    struct psw_stage_work w;
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, kind, path, err);
    if (rc != PSW_OK) return rc;
    if (psw_stage_is_shared(kind) && psw_comm_file_exists(stage->comm, path)) return PSW_OK;
    rc = psw_stage_open(kind, stage, &w, err);
    if (rc == PSW_OK) rc = STAGES[kind].code->run(&w, err);
    psw_stage_close(&w);
    return rc;
}

double psw_stage_flops(enum psw_stage_kind kind, const struct psw_stage *stage)
{
    return psw_stages_of(stage->config) >> kind & 1 ? STAGES[kind].flops(stage) : 0;
}

psw_status psw_stage_predict(enum psw_stage_kind kind, const struct psw_stage *stage, int size,
                             struct psw_stage_cost *out, struct psw_error *err)
{
    struct psw_stage_work w = {.stage = stage, .kind = kind, .name = STAGES[kind].name};
    *out = (struct psw_stage_cost){0};
    if (!(psw_stages_of(stage->config) >> kind & 1)) return PSW_OK;
    psw_status rc = PSW_OK;
    PSW_TRY(psw_team_pretend(size, psw_stage_most_ranks(kind, stage->config), &w.team, err));
    PSW_TRY(STAGES[kind].code->open(&w, err));
    PSW_TRY(peak(&w, err));
    const size_t log_bytes = kind == PSW_STAGE_POLICY ? psw_policy_log_bytes(&w) : 0;
    *out = (struct psw_stage_cost){
        .peak_bytes = psw_stage_bytes(&w) + psw_dataset_bytes(stage->data) + log_bytes,
        .frozen_bytes = w.frozen_bytes,
        .disk_bytes = STAGES[kind].disk(stage) + log_bytes, /* a saved training has it */
        .training_bytes =
            kind == PSW_STAGE_POLICY ? psw_policy_training_disk(stage, log_bytes) : 0,
        .sketch_bytes = kind == PSW_STAGE_POLICY ? psw_policy_sketches(stage) : 0,
        .n_rank = size};
fail:
    psw_stage_close(&w);
    return rc;
}
