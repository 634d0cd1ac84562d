/* D' and the evaluation responses: which prompts, how they are drawn, what they are like. */
#include <posweep/data/quality.h>
#include <posweep/trace/final.h>
#include <posweep/util/minmax.h>

#include <stdlib.h>

int64_t psw_final_n_prompt(const struct psw_config *config, const struct psw_dataset *data,
                           enum psw_prompt_list list)
{
    const int64_t n = data->prompts_heldout.n, n_final = config->final.prompts;
    const int64_t n_left = n > n_final ? n - n_final : 0;
    const int64_t n_eval = psw_min(config->eval.prompts, n_left > n / 2 ? n_left : n / 2);
    return list == PSW_PROMPTS_EVAL ? n_eval : psw_min(n_final, n - n_eval);
}

psw_status psw_final_init(const struct psw_config *config, const struct psw_dataset *data,
                          enum psw_prompt_list list, struct psw_responses *out,
                          struct psw_error *err)
{
    const struct psw_examples *from = &data->prompts_heldout;
    const int64_t n = psw_final_n_prompt(config, data, list);
    const int64_t first =
        list == PSW_PROMPTS_EVAL ? psw_final_n_prompt(config, data, PSW_PROMPTS_FINAL) : 0;
    const int64_t n_sample = list == PSW_PROMPTS_EVAL ? 1 : config->final.samples;
    if (n < 1)
        return psw_fail(err, PSW_EINVAL,
                        "the data has no held-out prompt to respond to; give "
                        "data.heldout a file");
    struct psw_picked prompt;
    psw_status rc = psw_picked_init(&prompt, n, err);
    if (rc != PSW_OK) return rc;
    psw_picked_put_block(&prompt, 0, from, first, n);
    const int64_t stride =
        psw_responses_limit(prompt.at, n, config->model.context, config->final.max_new);
    if (stride < 1)
        rc = psw_fail(err, PSW_EINVAL,
                      "a held-out prompt fills the context of %lld tokens; lower "
                      "data.max_prompt or raise model.context",
                      (long long)config->model.context);
    if (rc == PSW_OK) rc = psw_responses_init(n, n_sample, stride, out, err);
    if (rc == PSW_OK) psw_responses_set_prompts(out, prompt.at);
    psw_picked_clear(&prompt);
    return rc;
}

struct psw_sample_opts psw_final_opts(const struct psw_config *config,
                                      const struct psw_dataset *data, enum psw_prompt_list list)
{
    const enum psw_rng_use use = list == PSW_PROMPTS_EVAL ? PSW_RNG_EVAL : PSW_RNG_SAMPLE;
    return (struct psw_sample_opts){.temperature = config->final.temperature,
                                    .top_p = config->final.top_p,
                                    .top_k = (int32_t)config->final.top_k,
                                    .eos = data->tokenizer->eos,
                                    .rng = {.seed = (uint64_t)config->seed, .use = use}};
}

int psw_final_is_policy(const struct psw_config *config)
{
    return config->final.temperature == 1 && config->final.top_p == 1 &&
           config->final.top_k == 0;
}

void psw_final_scores(const struct psw_responses *final, const struct psw_dataset *data,
                      double *out)
{
    for (int64_t q = 0; q < final->n_seq; q++) {
        const struct psw_example *e = &final->example[q / final->n_sample];
        out[q] = psw_dataset_score(data, e->prompt, e->n_prompt,
                                   final->token + q * final->stride, final->n_token[q]);
    }
}

psw_status psw_final_measure(const struct psw_responses *final, const struct psw_dataset *data,
                             struct psw_final_quality *out, struct psw_error *err)
{
    struct psw_final_quality q = {0};
    double *score = calloc((size_t) final->n_seq, sizeof *score);
    if (!score) return psw_fail(err, PSW_ENOMEM, "final responses: scores");
    psw_final_scores(final, data, score);
    for (int64_t i = 0; i < final->n_seq; i++) {
        const int32_t n = final->n_token[i];
        q.score += score[i];
        q.length_tok += n;
        q.eos_rate += final->token[i * final->stride + n - 1] == data->tokenizer->eos;
    }
    free(score);
    q.score /= (double) final->n_seq;
    q.length_tok /= (double) final->n_seq;
    q.eos_rate /= (double) final->n_seq;
    q.cut_rate = 1 - q.eos_rate;
    const struct psw_token_block block = {.token = final->token,
                                          .n_token = final->n_token,
                                          .n_seq = final->n_seq,
                                          .stride = final->stride};
    psw_status rc = psw_distinct_n(&block, 1, &q.distinct_1, err);
    if (rc == PSW_OK) rc = psw_distinct_n(&block, 2, &q.distinct_2, err);
    q.repetition_rate = psw_repetition_rate(&block);
    if (rc == PSW_OK) *out = q;
    return rc;
}
