/* What a response is worth, by the task's scorer or by a reward model. */
#include <posweep/rollout/reward_function.h>

#include <posweep/rollout/reward_model.h>

psw_status psw_reward_function_init(const struct psw_config *config,
                                    const struct psw_dataset *data,
                                    const struct psw_model *base,
                                    struct psw_reward_function *out, struct psw_error *err)
{
    *out = (struct psw_reward_function){.config = config, .data = data};
    return base ? psw_value_model(base, &out->model, err) : PSW_OK;
}

void psw_reward_function_clear(struct psw_reward_function *s)
{
    psw_model_destroy(s->model);
    *s = (struct psw_reward_function){0};
}

void psw_reward_function_layout(struct psw_reward_function *s, struct psw_arena *frozen)
{
    if (s->model) s->param = psw_arena_f32(frozen, psw_model_n_param(s->model));
}

static void score_by_task(const struct psw_dataset *data, const struct psw_responses *r,
                          double *out)
{
    for (int64_t q = 0; q < r->n_seq; q++) {
        const struct psw_example *e = &r->example[q / r->n_sample];
        out[q] = psw_dataset_score(data, e->prompt, e->n_prompt, r->token + q * r->stride,
                                   r->n_token[q]);
    }
}

/* A response that does not end is worth reward.missing_eos at most. */
static void cap_unfinished(const struct psw_reward_function *s, const struct psw_responses *r,
                           double *score)
{
    const double most = s->config->reward.missing_eos;
    for (int64_t q = 0; q < r->n_seq; q++) {
        const int32_t last = r->token[q * r->stride + r->n_token[q] - 1];
        if (last != s->data->tokenizer->eos && score[q] > most) score[q] = most;
    }
}

void psw_reward_score(const struct psw_reward_function *s, const struct psw_team *team,
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
        score_by_task(s->data, r, out);
    }
    if (out) cap_unfinished(s, r, out);
}
