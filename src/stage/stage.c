/* What all stages share: names, keys, paths, model dimensions, and sizing memory by a dry walk.
 */
#include "stage_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/config/leaves.h>
#include <posweep/util/hash.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name, *suffix;
    unsigned key_flags;
} STAGES[PSW_N_STAGE] = {
    [PSW_STAGE_SFT] = {"sft", "state", PSW_CFG_IN_SFT},
    [PSW_STAGE_REF] = {"ref", "bin", PSW_CFG_IN_SFT | PSW_CFG_IN_REF},
    [PSW_STAGE_POLICY] = {"run", "d", PSW_CFG_IN_RUN},
    [PSW_STAGE_REWARD] = {"reward", "state", PSW_CFG_IN_SFT | PSW_CFG_IN_REWARD},
};

const char *psw_stage_name(enum psw_stage_kind kind)
{
    static const char *const NAMES[PSW_N_STAGE] = {"sft", "ref", "policy", "reward"};
    return NAMES[kind];
}

unsigned psw_stages_of(const struct psw_config *config)
{
    unsigned stages = 1u << PSW_STAGE_SFT | 1u << PSW_STAGE_POLICY;
    if (!psw_config_is_onpolicy(config)) stages |= 1u << PSW_STAGE_REF;
    if (psw_config_needs_reward_model(config)) stages |= 1u << PSW_STAGE_REWARD;
    return stages;
}

uint64_t psw_stage_key(enum psw_stage_kind kind, const struct psw_config *config,
                       uint64_t data_hash)
{
    const uint64_t part[3] = {(uint64_t)kind, psw_config_hash(config, STAGES[kind].key_flags),
                              data_hash};
    return psw_hash_bytes(part, sizeof part, 0);
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

psw_status psw_stage_forget(const char *work_dir, const struct psw_config *config,
                            uint64_t data_hash, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = path_of(work_dir, PSW_STAGE_POLICY,
                            psw_stage_key(PSW_STAGE_POLICY, config, data_hash), path, err);
    return rc == PSW_OK ? psw_file_remove_tree(path, err) : rc;
}

psw_status psw_stage_model_dims(const struct psw_config *config, int32_t n_vocab,
                                struct psw_model_dims *out, struct psw_error *err)
{
    const struct psw_config_model *m = &config->model;
    const int64_t head_width = m->head_width ? m->head_width : m->width / m->heads;
    int64_t rotary_dims = (int64_t)floor((double)head_width * m->rotary_pct);
    rotary_dims -= rotary_dims % 2;
    if (n_vocab < 2)
        return psw_fail(err, PSW_EINVAL, "the data has a vocabulary of %d tokens", n_vocab);
    if (m->vocab != 0 && m->vocab < n_vocab)
        return psw_fail(err, PSW_EINVAL,
                        "model.vocab is %lld, fewer rows than the %d tokens of the data",
                        (long long)m->vocab, n_vocab);
    *out = (struct psw_model_dims){.family = (enum psw_family)m->family,
                                   .n_layer = m->layers,
                                   .width = m->width,
                                   .n_head = m->heads,
                                   .n_kv_head = m->kv_heads,
                                   .head_width = head_width,
                                   .hidden = m->hidden ? m->hidden : 4 * m->width,
                                   .n_vocab = m->vocab ? m->vocab : n_vocab,
                                   .context = m->context,
                                   .rotary_dims = rotary_dims,
                                   .rotary_base = m->rotary_base,
                                   .norm_eps = m->norm_eps,
                                   .init_std = m->init_std,
                                   .tied = m->tied};
    return PSW_OK;
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
        if (!is_stage_name(e->d_name)) continue;
        rc = psw_path(path, sizeof path, err, "%s/%s", work_dir, e->d_name);
        if (rc == PSW_OK) rc = psw_file_remove_tree(path, err);
    }
    closedir(dir);
    rmdir(work_dir); /* stays when something else is in it */
    return rc;
}

void psw_stage_progress(const struct psw_stage *stage, double done, double total)
{
    if (stage->hooks.progress) stage->hooks.progress(stage->hooks.ctx, done, total);
}

int psw_stage_stopped(const struct psw_stage *stage)
{
    return stage->hooks.should_stop && stage->hooks.should_stop(stage->hooks.ctx);
}

void psw_stage_memory(const struct psw_stage *stage, size_t planned_bytes,
                      const struct psw_arena *arena)
{
    if (arena && stage->hooks.memory)
        stage->hooks.memory(stage->hooks.ctx, planned_bytes, psw_arena_peak_bytes(arena));
}

void psw_stage_pick(const struct psw_examples *from, const int64_t *index, int64_t n,
                    const struct psw_example **out)
{
    for (int64_t i = 0; i < n; i++) out[i] = &from->item[index[i]];
}

psw_status psw_stage_team(const struct psw_stage *stage, int64_t n_shard, struct psw_team *out,
                          struct psw_error *err)
{
    return psw_team_init(stage->comm, (int)n_shard, out, err);
}

int psw_stage_have(MPI_Comm comm, const char *path)
{
    int have = psw_comm_rank(comm) == 0 && psw_file_exists(path);
    PSW_MPI(MPI_Bcast(&have, 1, MPI_INT, 0, comm));
    return have;
}
