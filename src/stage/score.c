/* What a response is worth, by the task's scorer or by a reward model. */
#include "stage_internal.h"

#include <posweep/comm/agree.h>

#include <math.h>
#include <string.h>

psw_status psw_value_model(const struct psw_stage *stage, struct psw_model **out,
                           struct psw_error *err)
{
    struct psw_model_dims dims = *psw_model_dims(stage->model);
    dims.value = 1;
    return psw_model_create(&dims, out, err);
}

psw_status psw_load_sft(const struct psw_stage *stage, const struct psw_team *team,
                        float *param, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    psw_status rc = psw_stage_path(stage, PSW_STAGE_SFT, path, err);
    if (rc != PSW_OK) return rc;
    struct psw_state s = {
        .key = psw_stage_key(PSW_STAGE_SFT, stage->config, stage->data->content_hash),
        .n_param = psw_model_n_param(stage->model),
        .param = param};
    rc = psw_state_read(team, path, &s, err);
    return team->rank == 0 ? psw_file_set_aside(path, rc, err) : rc;
}

psw_status psw_scorer_init(const struct psw_stage *stage, int by_model, struct psw_scorer *out,
                           struct psw_error *err)
{
    *out = (struct psw_scorer){.stage = stage};
    return by_model ? psw_value_model(stage, &out->model, err) : PSW_OK;
}

void psw_scorer_clear(struct psw_scorer *s)
{
    psw_model_destroy(s->model);
    *s = (struct psw_scorer){0};
}

void psw_scorer_layout(struct psw_scorer *s, struct psw_arena *arena)
{
    if (s->model) s->param = psw_arena_f32(arena, psw_model_n_param(s->model));
}

psw_status psw_scorer_load(struct psw_scorer *s, const struct psw_team *team,
                           struct psw_reward_info *info, struct psw_error *err)
{
    char path[PSW_PATH_BYTES];
    struct psw_reward_info unused;
    if (!s->model) return PSW_OK;
    psw_status rc = psw_stage_path(s->stage, PSW_STAGE_REWARD, path, err);
    if (rc != PSW_OK) return rc;
    struct psw_state state = {
        .key = psw_stage_key(PSW_STAGE_REWARD, s->stage->config, s->stage->data->content_hash),
        .n_param = psw_model_n_param(s->model),
        .param = s->param,
        .extra = info ? info : &unused,
        .n_extra_bytes = sizeof unused};
    rc = psw_state_read(team, path, &state, err);
    return team->rank == 0 ? psw_file_set_aside(path, rc, err) : rc;
}

void psw_reward_evaluate(const struct psw_reward_pass *with,
                         const struct psw_example *const *example, int64_t n, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(with->arena);
    struct psw_shards pass = {
        .model = with->model,
        .team = with->team,
        .exec = with->exec,
        .arena = with->arena,
        .opts = {.share_prefix = 1, .last_only = 1, .want = PSW_WANT_VALUE}};
    psw_shards_pack(&pass, example, n);
    psw_shards_evaluate(&pass, with->param);
    psw_shards_gather(&pass, PSW_ROW_VALUE, out);
    psw_arena_rewind(with->arena, mark);
}

/* A response that does not end is worth reward.missing_eos at most. */
static void cap_unfinished(const struct psw_stage *stage, const struct psw_responses *r,
                           double *score)
{
    for (int64_t q = 0; q < r->n_seq; q++) {
        const int32_t last = r->token[q * r->stride + r->n_token[q] - 1];
        if (last != stage->data->eos && score[q] > stage->config->reward.missing_eos)
            score[q] = stage->config->reward.missing_eos;
    }
}

void psw_scorer_score(const struct psw_scorer *s, const struct psw_team *team,
                      struct psw_exec *exec, const struct psw_responses *r, double *out)
{
    if (s->model) {
        const struct psw_reward_pass with = {.model = s->model,
                                             .team = team,
                                             .exec = exec,
                                             .arena = exec->scratch,
                                             .param = s->param};
        psw_reward_evaluate(&with, r->pointer, r->n_prompt, out);
    } else if (out) {
        psw_final_scores(r, s->stage->data, out);
    }
    if (out) cap_unfinished(s->stage, r, out);
}
