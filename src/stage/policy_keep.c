/* What stays of a run when it is done (limits.keep): models as folders in the form of Hugging
 * Face, below kept/RUN in the work folder, where `posweep export` looks for them. The SFT and
 * the reward model are kept once, under their keys; a run has links to them. */
#include "policy_internal.h"

#include <posweep/comm/agree.h>
#include <posweep/config/leaves.h>
#include <posweep/stage/weights.h>
#include <posweep/util/folder.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* WORK/kept/RUN, which is made. */
static psw_status run_folder(const struct psw_policy *p, char out[PSW_PATH_BYTES],
                             struct psw_error *err)
{
    char run[PSW_HASH_TEXT_BYTES];
    const struct psw_stage *stage = p->work->stage;
    psw_hash_text(psw_config_hash(stage->config, PSW_CFG_IN_RUN), run);
    return psw_path(out, PSW_PATH_BYTES, err, "%s/kept/%s", stage->work_dir, run);
}

/* Rank 0 writes the parameters that all hold. */
static psw_status write_model(struct psw_policy *p, const struct psw_weights *weights,
                              const char *dir, struct psw_error *err)
{
    const struct psw_stage *stage = p->work->stage;
    psw_status rc = PSW_OK;
    if (p->trainer.team.rank == 0)
        rc = psw_weights_write(dir, stage->config, weights, stage->data->tokenizer->eos,
                               stage->config->data.tokenizer, err);
    return psw_agree(p->trainer.team.comm, rc, err);
}

static psw_status keep_step(struct psw_policy *p, int64_t step, const char *dir,
                            struct psw_error *err)
{
    const struct psw_weights weights = {
        .model = p->trainer.model, .exec = &p->trainer.exec, .param = p->trainer.param};
    const psw_status rc = psw_policy_load_checkpoint(p, step, err);
    return rc == PSW_OK ? write_model(p, &weights, dir, err) : rc;
}

/* A model of several runs: its folder is WORK/kept/NAME-KEY, and RUN/NAME leads to it. */
struct shared {
    enum psw_stage_kind kind;
    char dir[PSW_PATH_BYTES];
};

static psw_status find_shared(const struct psw_policy *p, enum psw_stage_kind kind,
                              struct shared *out, struct psw_error *err)
{
    char key[PSW_HASH_TEXT_BYTES];
    out->kind = kind;
    return psw_path(out->dir, sizeof out->dir, err, "%s/kept/%s-%s", p->work->stage->work_dir,
                    psw_stage_name(kind), psw_hash_text(p->work->place[kind].key, key));
}

static psw_status link_shared(const struct psw_policy *p, const struct shared *s,
                              struct psw_error *err)
{
    char run[PSW_PATH_BYTES], link[PSW_PATH_BYTES], target[PSW_PATH_BYTES];
    psw_status rc = run_folder(p, run, err);
    if (rc == PSW_OK)
        rc = psw_path(link, sizeof link, err, "%s/%s", run, psw_stage_name(s->kind));
    if (rc == PSW_OK) rc = psw_path(target, sizeof target, err, "..%s", strrchr(s->dir, '/'));
    if (rc != PSW_OK) return rc;
    unlink(link);
    if (symlink(target, link) == 0) return PSW_OK;
    return psw_fail(err, psw_status_from_errno(errno), "%s: cannot link: %s", link,
                    strerror(errno));
}

static psw_status keep_sft(struct psw_policy *p, struct psw_error *err)
{
    struct shared s;
    psw_status rc = find_shared(p, PSW_STAGE_SFT, &s, err);
    if (rc == PSW_OK && !psw_comm_file_exists(p->trainer.team.comm, s.dir))
        rc = keep_step(p, 0, s.dir, err); /* a run begins with the SFT model */
    if (rc == PSW_OK && p->trainer.team.rank == 0) rc = link_shared(p, &s, err);
    return psw_agree(p->trainer.team.comm, rc, err);
}

static psw_status keep_reward(struct psw_policy *p, struct psw_error *err)
{
    struct shared s;
    if (!p->reward.model) return PSW_OK;
    psw_status rc = find_shared(p, PSW_STAGE_REWARD, &s, err);
    if (rc == PSW_OK && !psw_comm_file_exists(p->trainer.team.comm, s.dir)) {
        const struct psw_weights weights = {.model = p->reward.model,
                                            .exec = &p->trainer.exec,
                                            .param = p->reward.param,
                                            .is_classifier = 1};
        rc = psw_load_reward(p->work, p->reward.model, p->reward.param, NULL, err);
        if (rc == PSW_OK) rc = write_model(p, &weights, s.dir, err);
    }
    if (rc == PSW_OK && p->trainer.team.rank == 0) rc = link_shared(p, &s, err);
    return psw_agree(p->trainer.team.comm, rc, err);
}

static psw_status keep_policy(struct psw_policy *p, const char *run, struct psw_error *err)
{
    const struct psw_config *c = p->work->stage->config;
    const int64_t n = psw_stage_n_checkpoint(c);
    psw_status rc = PSW_OK;
    for (int64_t i = c->limits.keep == PSW_KEEP_CHECKPOINTS ? 0 : n - 1; i < n && rc == PSW_OK;
         i++) {
        char dir[PSW_PATH_BYTES];
        const int64_t step = psw_policy_checkpoint_step(c, i);
        rc = psw_path(dir, sizeof dir, err, "%s/policy-%06lld", run, (long long)step);
        if (rc == PSW_OK) rc = keep_step(p, step, dir, err);
    }
    return rc;
}

psw_status psw_policy_keep_models(struct psw_policy *p, struct psw_error *err)
{
    char run[PSW_PATH_BYTES];
    if (p->work->stage->config->limits.keep == PSW_KEEP_NONE) return PSW_OK;
    psw_status rc = run_folder(p, run, err);
    if (rc == PSW_OK && p->trainer.team.rank == 0) rc = psw_file_make_dir(run, err);
    rc = psw_agree(p->trainer.team.comm, rc, err);
    if (rc == PSW_OK) rc = keep_sft(p, err);
    if (rc == PSW_OK) rc = keep_reward(p, err);
    return rc == PSW_OK ? keep_policy(p, run, err) : rc;
}
