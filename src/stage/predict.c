/* What a stage will cost: floating-point operations from token counts, memory from the dry walk
 * of the stage's own code, disk from the parameters it keeps. */
#include "policy_internal.h"
#include "training.h"

#include <posweep/util/minmax.h>

/* An item of a list of examples, on average. */
static struct psw_load load_of(const struct psw_examples *list, int share_prefix)
{
    struct psw_load l = {0};
    double path = 0;                                 /* mean length that attention sees */
    const int64_t n = list->n < 512 ? list->n : 512; /* a sample is enough for a prediction */
    if (n == 0) return l;
    for (int64_t i = 0; i < n; i++) {
        const struct psw_example e = psw_examples_at(list, i * (list->n / n));
        const struct psw_example *const one[1] = {&e};
        struct psw_batch b;
        psw_batch_measure(one, 1, share_prefix, &b);
        l.n_tok += (double)b.n_tok / (double)n;
        l.n_row += (double)b.n_row / (double)n;
        path += 0.5 * (double)b.max_path / (double)n;
    }
    l.n_seen = l.n_tok * path;
    return l;
}

void psw_stage_loads_of(const struct psw_dataset *data, struct psw_stage_loads *out)
{
    *out = (struct psw_stage_loads){load_of(&data->sft, 1),
                                    {load_of(&data->pairs, 0), load_of(&data->pairs, 1)}};
}

static struct psw_load sft_load(const struct psw_stage *stage)
{
    return stage->loads ? stage->loads->sft : load_of(&stage->data->sft, 1);
}

static struct psw_load pair_load(const struct psw_stage *stage, int share_prefix)
{
    return stage->loads ? stage->loads->pair[share_prefix != 0]
                        : load_of(&stage->data->pairs, share_prefix);
}

/* Sampling, evaluations and the passes over them, of every step. With one minibatch the
 * policy's evaluation is its first pass. */
static double rollout_flops(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    const double response = psw_model_flops(stage->model, sft_load(stage));
    const double n_critic = psw_method_reads(c->policy.method, PSW_USE_CRITIC) &&
                            c->policy.critic == PSW_CRITIC_SEPARATE;
    const double n_model = c->reward.source == PSW_REWARD_MODEL;
    const double per_step = 1 + 1 + (c->policy.minibatches > 1) + n_critic + n_model +
                            3.0 * (1 + n_critic) * (double)c->policy.epochs;
    return per_step * response * (double)(c->policy.train.steps * c->policy.train.batch);
}

/* Of a pair, or of a response where there are none. */
static double sample_flops(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    return psw_config_is_onpolicy(c)
               ? psw_model_flops(stage->model, sft_load(stage))
               : psw_model_flops(stage->model, pair_load(stage, (int)c->policy.share_prefix));
}

double psw_policy_train_flops(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    if (psw_config_is_onpolicy(c)) return rollout_flops(stage);
    return 3.0 * sample_flops(stage) * (double)(c->policy.train.steps * c->policy.train.batch);
}

double psw_policy_flops(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    const struct psw_dataset *data = stage->data;
    const double response = psw_model_flops(stage->model, sft_load(stage)),
                 pair = sample_flops(stage);
    const double n_final =
        (double)(psw_final_n_prompt(c, data, PSW_PROMPTS_FINAL) * c->final.samples);
    const double n_eval = (double)psw_final_n_prompt(c, data, PSW_PROMPTS_EVAL);
    const int own = psw_config_is_onpolicy(c);
    const double n_probe = own ? (double)c->policy.train.batch : (double)c->trace.probe,
                 n_point = (double)psw_stage_n_checkpoint(c);
    const double n_cosine =
        c->trace.cosine_every
            ? (double)c->policy.train.steps / (double)c->trace.cosine_every + 1
            : 0;
    /* v: forward and backward over D'; kappa: about three forwards; held-out pairs: one. */
    double point = 3.0 * response * n_final + 4.0 * pair * n_probe;
    if (c->trace.directions) point += 6.0 * response * n_final + 12.0 * pair * n_probe;
    /* v_soft: the same as v, against two heads; its kappa. Once: the target's hidden rows. */
    if (c->trace.soft) point += 3.0 * response * n_final + 4.0 * pair * n_probe;
    if (c->trace.greedy) point += response * n_final;
    const double once = (c->trace.soft ? response * n_final : 0) +
                        (c->trace.greedy ? 2.0 * response * n_final : 0);
    /* pos and neg: a gradient on the probe and a tangent pass over D' each. */
    const double error = 6.0 * pair * n_probe + 8.0 * response * n_final;
    const double every = (double)c->trace.final_error_every;
    const double n_error = every > 0 ? n_point / every + 2 : 0;
    const double cosine = 2.0 * pair * n_probe * 14 + 6.0 * response * n_final;
    /* D', and the evaluation by two models */
    const double sampling = 2.0 * response * (n_final + 2.0 * n_eval);
    /* along training: a response, its log-probability by two models, its reward */
    const double n_along = (double)psw_policy_n_eval_point(stage);
    const double along = (2 + 2.0 * psw_final_is_policy(c) + psw_config_needs_reward_model(c)) *
                         response * n_eval * n_along;
    const int64_t n_pair = data->pairs_heldout.n;
    const double n_heldout =
        own ? 0 : (double)(c->eval.pairs && c->eval.pairs < n_pair ? c->eval.pairs : n_pair);
    return psw_policy_train_flops(stage) + n_point * point + n_cosine * cosine +
           n_error * error + once + sampling + along + n_heldout * pair;
}

double psw_sft_flops(const struct psw_stage *stage)
{
    const struct psw_config_train *c = &stage->config->sft;
    return 3.0 * psw_model_flops(stage->model, sft_load(stage)) * (double)(c->steps * c->batch);
}

static double pair_flops(const struct psw_stage *stage)
{
    return psw_model_flops(stage->model, pair_load(stage, 1));
}

double psw_ref_flops(const struct psw_stage *stage)
{
    return pair_flops(stage) * (double)(stage->data->pairs.n + stage->data->pairs_heldout.n);
}

double psw_reward_flops(const struct psw_stage *stage)
{
    const struct psw_config_train *c = &stage->config->reward.train;
    return pair_flops(stage) *
           (3.0 * (double)(c->steps * c->batch) + (double)stage->data->pairs_heldout.n);
}

static size_t param_bytes(const struct psw_stage *stage)
{
    return sizeof(float) * (size_t)psw_model_n_param(stage->model);
}

size_t psw_model_disk(const struct psw_stage *stage)
{
    return 4 * param_bytes(stage);
}

size_t psw_ref_disk(const struct psw_stage *stage)
{
    return 16 * (size_t)(stage->data->pairs.n + stage->data->pairs_heldout.n);
}

/* limits.keep; the shared models are counted with every run that may be the first. */
static size_t kept_bytes(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    const size_t n_model = 2 + psw_config_needs_reward_model(c);
    if (c->limits.keep == PSW_KEEP_NONE) return 0;
    return param_bytes(stage) * (c->limits.keep == PSW_KEEP_FINAL
                                     ? n_model
                                     : n_model - 1 + (size_t)psw_stage_n_checkpoint(c));
}

/* Parameters and optimiser at the end, critics likewise, and the checkpoints. */
static size_t training_bytes(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    const size_t kept = (size_t)psw_stage_n_checkpoint(c);
    const size_t critics = psw_method_reads(c->policy.method, PSW_USE_CRITIC) ? 6 : 0;
    return param_bytes(stage) * (3 + critics + kept * (c->trace.directions ? 3 : 1));
}

size_t psw_policy_disk(const struct psw_stage *stage)
{
    return training_bytes(stage) + kept_bytes(stage);
}

size_t psw_policy_training_disk(const struct psw_stage *stage, size_t log_bytes)
{
    const struct psw_config *c = stage->config;
    if (!c->limits.keep_training || !psw_training_has_no_end(c)) return 0;
    return training_bytes(stage) + log_bytes;
}

size_t psw_policy_log_bytes(const struct psw_stage_work *w)
{
    return psw_train_log_room(&((const struct psw_policy *)w->own)->log);
}

/* v, its half and the displacement at every checkpoint; gradients at the cosine cadence. */
size_t psw_policy_sketches(const struct psw_stage *stage)
{
    const struct psw_config *c = stage->config;
    const int64_t kept = psw_stage_n_checkpoint(c), every = c->trace.cosine_every;
    const int64_t n_cosine = every > 0 ? c->policy.train.steps / every + 2 : 0;
    return sizeof(float) * (size_t)(c->trace.sketch * (3 * kept + PSW_N_COMPONENT * n_cosine));
}

int psw_stage_n_sharing(const struct psw_stage_cost *cost, int n_rank_node)
{
    const int fewer = (int)psw_min(cost->n_rank, n_rank_node);
    const int more = (int)psw_max(cost->n_rank, n_rank_node);
    return fewer > 0 && more % fewer == 0 ? fewer : 1;
}

size_t psw_stage_rank_bytes(const struct psw_stage_cost *cost, int n_sharing)
{
    const size_t n = (size_t)n_sharing;
    return cost->peak_bytes - cost->frozen_bytes + (cost->frozen_bytes + n - 1) / n;
}
