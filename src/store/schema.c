/* The schema table and what is derived from it. Rows are written in this order. */
#include <posweep/store/schema.h>

#include <math.h>
#include <string.h>

#define ANY -INFINITY, INFINITY
#define SHARE 0, 1
#define POSITIVE 0, INFINITY
#define LABELS (PSW_S_SCALE | PSW_S_WRITER)
#define PER_RUN (PSW_S_ALWAYS | PSW_S_WRITER)

#define RUN "run"
#define RC "run checkpoint"
#define RCC "run checkpoint component"
#define RCDC "run checkpoint direction component"
#define RL "run log_step"
#define RCS "run checkpoint sketch"
#define RCCS "run checkpoint component sketch"
#define RS "run sample"
#define RP "run eval_prompt"

static const struct psw_schema_row ROWS[] = {
    /* dimensions */
    {"run", PSW_TEXT, RUN, "", "hash of the resolved configuration", LABELS | PSW_S_ALWAYS, ANY,
     "16 hexadecimal digits; rows stand in the order of the sweep file."},
    {"checkpoint", PSW_I64, "checkpoint", "1", "index of the kept checkpoint", LABELS, ANY,
     "Its training step is `step`."},
    {"component", PSW_TEXT, "component", "", "part of the gradient", LABELS, ANY,
     "total, pos, neg, their flat versions, weight groups, controls."},
    {"direction", PSW_TEXT, "direction", "", "direction that replaces v", LABELS, ANY, NULL},
    {"log_step", PSW_I64, "log_step", "1", "index of the logged training step", LABELS, ANY,
     "Its training step is `train_step`."},
    {"sample", PSW_I64, "sample", "1", "one evaluation prompt whose responses are kept", LABELS,
     ANY, "The first eval.samples of them."},
    {"eval_prompt", PSW_I64, "eval_prompt", "1", "one evaluation prompt", LABELS, ANY,
     "Runs of one seed and the same data have the same ones; all of a run's are below its "
     "`eval_prompts`."},
    {"sequence", PSW_I64, "sequence", "1", "one response in the token table", LABELS, ANY,
     NULL},
    {"token", PSW_I64, "token", "1", "one response token in the token table", LABELS, ANY,
     "Tokens of a sequence follow each other; `row_size` counts them."},

    {"sketch", PSW_I64, "sketch", "1", "index of the random projection", LABELS, ANY,
     "A run has its first trace.sketch of them; inner products of rows are those of the "
     "vectors, with an error of about 1 / sqrt(trace.sketch) of their norms."},

    {"config_char", PSW_I64, "config_char", "1", "one byte of the settings",
     LABELS | PSW_S_BARE, ANY, NULL},

    /* what a run is and what came of it */
    {"method", PSW_TEXT, RUN, "", "objective", PER_RUN, ANY, NULL},
    {"variant", PSW_TEXT, RUN, "", "intervention; vanilla is the base", PER_RUN, ANY, NULL},
    {"seed", PSW_I64, RUN, "1", "seed of the replicate", PER_RUN, ANY, NULL},
    {"group", PSW_TEXT, RUN, "", "hash of the configuration without its seed", PER_RUN, ANY,
     "Equal for replicates."},
    {"block", PSW_I64, RUN, "1", "block of the sweep file", PER_RUN, POSITIVE, NULL},
    {"config", PSW_TEXT, "run config_char", "", "all settings of the run",
     PSW_S_WRITER | PSW_S_CHARS, ANY,
     "One byte of UTF-8 in each element, zeros behind the end; h5py: "
     "json.loads(f[\"config\"][i].tobytes().rstrip(b\"\\0\")). A JSON object from setting to "
     "value, defaults too, as in {\"policy.beta\": 0.1}: what "
     "`run` is the hash of. The limits.*, which change no result, stand in spec_text of "
     "`provenance`."},
    {"status", PSW_I8, RUN, "1", "what came of the run", PER_RUN | PSW_S_FLAGS, ANY,
     "flag_meanings names the values."},
    {"message", PSW_TEXT, RUN, "", "why the run did not finish", PER_RUN, ANY, NULL},
    {"attempts", PSW_I64, RUN, "1", "times the run was started", PER_RUN | PSW_S_VOLATILE,
     POSITIVE, NULL},
    {"hosts", PSW_TEXT, RUN, "", "machines of the last attempt", PER_RUN | PSW_S_VOLATILE, ANY,
     NULL},

    {"data_hash", PSW_TEXT, RUN, "", "hash of the data of the run", 0, ANY,
     "Equal: the same files by content, or the same generator; the attribute data_HASH of "
     "`provenance` lists them."},
    {"data_cut_prompts_pairs", PSW_F64, RUN, "1", "training pairs whose prompt lost its start",
     0, SHARE, "Longer than data.max_prompt."},
    {"data_cut_responses_pairs", PSW_F64, RUN, "1", "responses of training pairs that were cut",
     0, SHARE, "Longer than data.max_response; what is cut has no end token."},
    {"data_cut_prompts_sft", PSW_F64, RUN, "1", "SFT items whose prompt lost its start", 0,
     SHARE, NULL},
    {"data_cut_responses_sft", PSW_F64, RUN, "1", "responses of SFT items that were cut", 0,
     SHARE, NULL},
    {"data_cut_prompts_heldout", PSW_F64, RUN, "1",
     "held-out items whose prompt lost its start", 0, SHARE, NULL},
    {"data_cut_responses_heldout", PSW_F64, RUN, "1",
     "responses of held-out pairs that were cut", 0, SHARE, NULL},

    /* the trace */
    {"step", PSW_I64, RC, "1", "training step of the checkpoint", PSW_S_ALWAYS | PSW_S_FINITE,
     -1, INFINITY, "After that many updates; 0 is the SFT model."},
    {"G", PSW_F64, RCC, "1", "gradient alignment with the final responses, in nat squared",
     PSW_S_ALWAYS | PSW_S_FINITE, ANY,
     "A step of minus eta times the gradient changes the mean log-probability of the "
     "final responses by eta G."},
    {"G_se", PSW_F64, RCC, "1",
     "standard error of G given v, clustered by prompt, in nat squared", PSW_S_ALWAYS, POSITIVE,
     "From the spread over the probe items."},
    {"G_se_final", PSW_F64, RCC, "1",
     "standard error of G from the final responses, in nat squared", 0, POSITIVE,
     "From the spread over the prompts of D', the gradient held fixed. Of total, pos, neg and "
     "pos_minus_neg at the cadence of trace.final_error_every; the error of G is the root of "
     "G_se squared plus G_se_final squared."},
    {"G_soft", PSW_F64, RCC, "1", "gradient alignment with the final policy, in nat squared", 0,
     ANY,
     "G along v_soft: at every prefix of D' the expectation over the next token stands in for "
     "the one that was drawn. The same expectation as G (final.norm sequence), less noise; "
     "exactly 0 at the end "
     "where "
     "D' is drawn at temperature 1 from all tokens."},
    {"G_soft_se", PSW_F64, RCC, "1", "standard error of G_soft given v_soft, in nat squared", 0,
     POSITIVE, "From the spread over the probe items, clustered by prompt."},
    {"G_soft_se_final", PSW_F64, RCC, "1",
     "standard error of G_soft from the final responses, in nat squared", 0, POSITIVE,
     "As G_se_final, for v_soft: what is left of the noise of D', that of its prefixes."},
    {"cosine", PSW_F64, RCC, "1", "cosine of v and the gradient", 0, -1.000001, 1.000001,
     "G over grad_norm_component and the root of v_halves, v's norm without the noise of D'. "
     "Missing where that is not positive or too small for a cosine within 1, and where the "
     "gradient is 0 but for rounding."},
    {"grad_norm_component", PSW_F64, RCC, "1", "norm of the component's gradient, in nat", 0,
     POSITIVE, NULL},
    {"G_explicit", PSW_F64, RCC, "1", "G from explicit gradients, in nat squared", 0, ANY,
     "At the cosine cadence. Equal to G up to rounding: the check of the tangent on this run."},
    {"G_dir", PSW_F64, RCDC, "1", "G along another direction than v, in nat squared", 0, ANY,
     "final_a and final_b: halves of D'; chosen: the chosen responses; adam: preconditioned."},
    {"v_norm", PSW_F64, RC, "1", "norm of v, in nat", 0, POSITIVE,
     "With the noise of a finite D'; see v_halves."},
    {"v_soft_norm", PSW_F64, RC, "1", "norm of v_soft, in nat", 0, POSITIVE,
     "v_soft: mean over D' of the gradient of the cross-entropy between the distribution that "
     "D' was drawn from and the policy, summed over prefixes."},
    {"v_halves", PSW_F64, RC, "1", "inner product of v over the halves of D', in nat squared",
     0, ANY,
     "What v_norm squared is without the noise of a finite D'; below 0 where noise is all "
     "there is."},
    {"logp_final", PSW_F64, RC, "1", "mean log-probability of the final responses, in nat", 0,
     ANY, NULL},
    {"logp_greedy_sft", PSW_F64, RC, "1",
     "mean log-probability of the SFT model's greedy responses, in nat", 0, ANY,
     "To the prompts of D', drawn once at temperature 0 (trace.greedy). Where it falls by more "
     "than logp_final rises, probability leaves what the model said best."},
    {"kappa_chosen", PSW_F64, RC, "1",
     "mean over pairs of the chosen response's kappa, summed, in nat squared", 0, ANY,
     "kappa = minus the derivative of the token's log-probability along v."},
    {"kappa_rejected", PSW_F64, RC, "1",
     "mean over pairs of the rejected response's kappa, summed, in nat squared", 0, ANY, NULL},
    {"kappa_chosen_positive", PSW_F64, RC, "1", "share of chosen tokens with kappa > 0", 0,
     SHARE, NULL},
    {"kappa_rejected_positive", PSW_F64, RC, "1", "share of rejected tokens with kappa > 0", 0,
     SHARE, NULL},
    {"omega", PSW_F64, RC, "1", "mean weight of the probe pairs", 0, ANY, NULL},
    {"kappa_pos_positive", PSW_F64, RC, "1", "share of tokens with kappa > 0 where A >= 0", 0,
     SHARE, "Of the rollouts of that step."},
    {"kappa_neg_positive", PSW_F64, RC, "1", "share of tokens with kappa > 0 where A < 0", 0,
     SHARE, NULL},
    {"probe_entropy", PSW_F64, RC, "1", "mean entropy of the probe's tokens, in nat", 0,
     POSITIVE, "Where the loss has an entropy term."},
    {"probe_loss", PSW_F64, RC, "1", "mean loss on the probe pairs, in nat", 0, ANY, NULL},
    {"probe_margin", PSW_F64, RC, "1", "mean reward margin on the probe pairs, in nat", 0, ANY,
     NULL},
    {"probe_accuracy", PSW_F64, RC, "1", "share of probe pairs with a positive margin", 0,
     SHARE, NULL},
    {"trace_heldout_loss", PSW_F64, RC, "1", "mean loss on held-out pairs, in nat", 0, ANY,
     NULL},
    {"trace_heldout_margin", PSW_F64, RC, "1", "mean reward margin on held-out pairs, in nat",
     0, ANY, NULL},
    {"trace_heldout_accuracy", PSW_F64, RC, "1",
     "share of held-out pairs with a positive margin", 0, SHARE, NULL},
    {"trace_score", PSW_F64, RC, "1", "mean score of the evaluation responses", 0, ANY,
     "At every eval.every-th checkpoint, to the prompts of `score` and with its random "
     "numbers; "
     "by the task's own scorer, where it has one."},
    {"trace_reward", PSW_F64, RC, "1", "the same by the reward model", 0, ANY, NULL},
    {"trace_length", PSW_F64, RC, "1", "mean tokens of the evaluation responses", 0, POSITIVE,
     NULL},
    {"trace_eos_rate", PSW_F64, RC, "1", "evaluation responses that end by themselves", 0,
     SHARE, NULL},
    {"trace_repetition_rate", PSW_F64, RC, "1", "evaluation responses that repeat themselves",
     0, SHARE, "As `final_repetition_rate` counts them."},
    {"trace_kl", PSW_F64, RC, "1", "estimated KL from the SFT model, per response, in nat", 0,
     ANY,
     "Mean of the log-ratio over the evaluation responses; only where they are drawn as the "
     "policy is (temperature 1, no top_p or top_k)."},
    {"eta", PSW_F64, RC, "1", "factor on the gradient in the trial step", 0, POSITIVE,
     "It is eta times as long as the gradient."},
    {"realised", PSW_F64, RCC, "1", "change of logp_final by a trial step, in nat", 0, ANY,
     "On a throw-away copy, along the component alone."},
    {"predicted", PSW_F64, RCC, "1", "eta G, its first-order prediction, in nat", 0, ANY, NULL},
    {"interaction", PSW_F64, RC, "1", "realised total minus its parts, in nat", 0, ANY,
     "Parts: pos, neg, and nll, kl, entropy and value where the objective has them. 0 if steps "
     "along them did not interact."},

    /* random projections: psw_sketch_add says which */
    {"sketch_v", PSW_F32, RCS, "1", "random projections of v, in nat", 0, ANY,
     "The same projections for all runs, so rows can be compared with one another."},
    {"sketch_v_half", PSW_F32, RCS, "1",
     "random projections of the share of the first half of D' in v, in nat", 0, ANY,
     "The rest of sketch_v is that of the second half: their inner product has no noise of "
     "D'."},
    {"sketch_displacement", PSW_F32, RCS, "1",
     "random projections of the parameters less those at checkpoint 0", 0, ANY, NULL},
    {"sketch_component", PSW_F32, RCCS, "1",
     "random projections of the component's gradient, in nat", 0, ANY,
     "At the cosine cadence."},

    /* training */
    {"train_step", PSW_I64, RL, "1", "training step of the log line", 0, -1, INFINITY, NULL},
    {"train_loss", PSW_F64, RL, "1", "mean loss of the batch, in nat", PSW_S_FINITE, ANY, NULL},
    {"reward_margin", PSW_F64, RL, "1", "mean implicit reward of chosen minus rejected, in nat",
     0, ANY, "beta times the difference of the log-ratios to the reference."},
    {"reward_accuracy", PSW_F64, RL, "1", "share of pairs with a positive margin", 0, SHARE,
     NULL},
    {"reward_chosen", PSW_F64, RL, "1", "mean implicit reward of chosen, in nat", 0, ANY, NULL},
    {"reward_rejected", PSW_F64, RL, "1", "mean implicit reward of rejected, in nat", 0, ANY,
     NULL},
    {"logp_chosen", PSW_F64, RL, "1", "mean log-probability of chosen responses, in nat", 0,
     ANY, NULL},
    {"logp_rejected", PSW_F64, RL, "1", "mean log-probability of rejected responses, in nat", 0,
     ANY, NULL},
    {"train_omega", PSW_F64, RL, "1", "mean pair weight of the batch", 0, ANY, NULL},
    {"grad_norm", PSW_F64, RL, "1", "norm of the gradient before clipping, in nat", 0, POSITIVE,
     NULL},
    {"param_norm", PSW_F64, RL, "1", "norm of the parameters after the step", 0, POSITIVE,
     "Of a policy with a shared critic: with its head."},
    {"lr", PSW_F64, RL, "1", "learning rate", 0, POSITIVE, NULL},
    {"train_score", PSW_F64, RL, "1", "mean reward of a step's rollouts", 0, ANY,
     "What on-policy methods are rewarded with: noise and penalties included, ppo's KL not."},
    {"train_score_deviation", PSW_F64, RL, "1", "standard deviation of it over responses", 0,
     POSITIVE, NULL},
    {"mixed_groups", PSW_F64, RL, "1", "share of prompts whose rewards are not all equal", 0,
     SHARE, "The others teach grpo and dapo nothing."},
    {"train_kl", PSW_F64, RL, "1", "estimated KL from the SFT model, per response, in nat", 0,
     ANY, "Mean over the rollouts of the summed log-ratio (k1)."},
    {"kl_coef", PSW_F64, RL, "1", "coefficient of the KL", 0, POSITIVE, NULL},
    {"train_entropy", PSW_F64, RL, "1",
     "mean entropy of the policy over rollout tokens, in nat", 0, POSITIVE, NULL},
    {"clip_fraction", PSW_F64, RL, "1", "share of tokens whose ratio was clipped", 0, SHARE,
     "Mean over the updates of the step."},
    {"approx_kl", PSW_F64, RL, "1",
     "mean squared log-ratio to the sampling policy, halved, in nat squared", 0, POSITIVE,
     "Mean over the updates of the step."},
    {"value_loss", PSW_F64, RL, "1", "loss of the critic", 0, POSITIVE, NULL},
    {"explained_variance", PSW_F64, RL, "1",
     "share of the returns' variance that values explain", 0, -INFINITY, 1,
     "Before the step's updates."},
    {"advantage_mean", PSW_F64, RL, "1", "mean advantage over tokens", 0, ANY,
     "Before whitening, scaling and interventions."},
    {"advantage_deviation", PSW_F64, RL, "1", "standard deviation of the advantages", 0,
     POSITIVE, NULL},
    {"train_length", PSW_F64, RL, "1", "mean tokens of rollouts", 0, POSITIVE, NULL},
    {"train_eos_rate", PSW_F64, RL, "1", "rollouts that end by themselves", 0, SHARE, NULL},
    {"rollout_share", PSW_F64, RL, "1", "share of a step's time spent sampling", PSW_S_VOLATILE,
     SHARE, NULL},
    {"tokens_per_s", PSW_F64, RL, "s-1", "tokens trained per second", PSW_S_VOLATILE, POSITIVE,
     NULL},

    /* what it says */
    {"sample_prompt", PSW_TEXT, RS, "", "evaluation prompt", 0, ANY,
     "Texts are cut at 2,047 bytes."},
    {"sample_response", PSW_TEXT, RS, "", "what the final policy says to it", 0, ANY, NULL},
    {"sample_response_sft", PSW_TEXT, RS, "", "what the SFT model says to it", 0, ANY,
     "Drawn with the same random numbers."},
    {"sample_chosen", PSW_TEXT, RS, "", "chosen response of the pair that the prompt is of", 0,
     ANY,
     "Of the first held-out pair with this prompt. Empty, and absent where that is so of all "
     "runs: prompts of generated tasks and of files without pairs have none."},
    {"sample_rejected", PSW_TEXT, RS, "", "rejected response of that pair", 0, ANY, NULL},
    {"sample_prompt_ids", PSW_TEXT, RS, "", "token ids of the prompt", 0, ANY,
     "Numbers with a space between, all of them: the text may be cut, these are not. A "
     "response that ended has its end token. Absent from files that older versions wrote."},
    {"sample_response_ids", PSW_TEXT, RS, "", "token ids of the policy's response", 0, ANY,
     NULL},
    {"sample_response_sft_ids", PSW_TEXT, RS, "", "token ids of the SFT model's response", 0,
     ANY, NULL},
    {"sample_chosen_ids", PSW_TEXT, RS, "", "token ids of the chosen response", 0, ANY,
     "As they are trained on: cut to data.max_response."},
    {"sample_rejected_ids", PSW_TEXT, RS, "", "token ids of the rejected response", 0, ANY,
     NULL},
    {"sample_score", PSW_F64, RS, "1", "score of the policy's response", 0, ANY,
     "By the task's own scorer, where it has one."},
    {"sample_score_sft", PSW_F64, RS, "1", "score of the SFT model's response", 0, ANY, NULL},
    {"sample_reward", PSW_F64, RS, "1", "the reward model's score of the policy's response", 0,
     ANY, NULL},
    {"sample_reward_sft", PSW_F64, RS, "1",
     "the reward model's score of the SFT model's response", 0, ANY, NULL},
    {"sample_reward_chosen", PSW_F64, RS, "1",
     "the reward model's score of the chosen response", 0, ANY, NULL},
    {"sample_reward_rejected", PSW_F64, RS, "1",
     "the reward model's score of the rejected response", 0, ANY, NULL},

    {"eval_outcome", PSW_I8, RP, "1", "twice what the response counts in win_rate", 0, -1, 2,
     "0: a loss against the SFT model, 1: a tie, 2: a win, by the judge of win_rate."},
    {"eval_score", PSW_F32, RP, "1", "score of the response", 0, ANY,
     "By the task's own scorer: `score` is their mean."},
    {"eval_reward", PSW_F32, RP, "1", "the reward model's score of the response", 0, ANY,
     "`reward_final` is their mean."},

    /* the final policy */
    {"eval_prompts", PSW_I64, RUN, "1", "held-out prompts of the evaluation", 0, -1, INFINITY,
     "One response each; none of them is a prompt of D'."},
    {"score", PSW_F64, RUN, "1", "mean score of the evaluation responses", 0, ANY,
     "By the task's own scorer, which knows no reward.missing_eos; missing where there is "
     "none. "
     "`final_score` is that of D'."},
    {"score_sft", PSW_F64, RUN, "1", "the same of the SFT model", 0, ANY,
     "To the same prompts."},
    {"win_rate", PSW_F64, RUN, "1", "wins against the SFT model, ties counted half", 0, SHARE,
     "Paired by evaluation prompt. The task's scorer judges as in `score`, the reward model as "
     "in "
     "`reward_final`."},
    {"win_rate_low", PSW_F64, RUN, "1", "lower end of its 95 % score interval", 0, SHARE,
     "Of a share whose ties count half (Tango 1998); without ties it is Wilson's."},
    {"win_rate_high", PSW_F64, RUN, "1", "upper end of its 95 % score interval", 0, SHARE,
     NULL},
    {"tie_rate", PSW_F64, RUN, "1", "ties with the SFT model", 0, SHARE, NULL},
    {"loss_rate", PSW_F64, RUN, "1", "losses against the SFT model", 0, SHARE, NULL},
    {"reward_final", PSW_F64, RUN, "1",
     "mean score of the evaluation responses by the reward model", 0, ANY,
     "At most reward.missing_eos without end. Beside `score`, the true one, where the task has "
     "a "
     "scorer."},
    {"reward_sft", PSW_F64, RUN, "1", "the same of the SFT model's responses", 0, ANY, NULL},
    {"reward_model_accuracy", PSW_F64, RUN, "1",
     "held-out pairs the reward model ranks rightly", 0, SHARE, "A tie counts half."},
    {"reward_model_loss", PSW_F64, RUN, "1", "its mean loss on held-out pairs, in nat", 0,
     POSITIVE, NULL},
    {"reward_model_calibration", PSW_F64, RUN, "1", "its expected calibration error", 0, SHARE,
     "Of sigma of the margin's magnitude, in ten bins."},
    {"reward_model_shift", PSW_F64, RUN, "1", "taken off its scores", 0, ANY,
     "The mean score of the SFT model's responses."},
    {"heldout_accuracy", PSW_F64, RUN, "1", "share of held-out pairs with a positive margin", 0,
     SHARE, "At the last checkpoint; a tie counts half."},
    {"heldout_accuracy_low", PSW_F64, RUN, "1", "lower end of its 95 % score interval", 0,
     SHARE, "As `win_rate_low`."},
    {"heldout_accuracy_high", PSW_F64, RUN, "1", "upper end of its 95 % score interval", 0,
     SHARE, NULL},
    {"heldout_loss", PSW_F64, RUN, "1", "mean loss on held-out pairs, in nat", 0, ANY, NULL},
    {"heldout_pairs", PSW_I64, RUN, "1", "number of held-out pairs that were used", 0, -1,
     INFINITY, "The first `eval.pairs`, or all. `trace_heldout_accuracy` is of fewer."},
    {"kl_ref", PSW_F64, RUN, "1", "estimated KL from the SFT model, per response, in nat", 0,
     ANY,
     "Mean of the log-ratio over D'; only where D' is drawn as the policy is (temperature 1, "
     "no "
     "top_p or top_k, final.norm sequence)."},
    {"length", PSW_F64, RUN, "1", "mean tokens of the evaluation responses", 0, POSITIVE, NULL},
    {"length_sft", PSW_F64, RUN, "1", "the same of the SFT model", 0, POSITIVE, NULL},
    {"eos_rate", PSW_F64, RUN, "1", "evaluation responses that end by themselves", 0, SHARE,
     "The others were cut at final.max_new or at the end of the context."},
    {"eos_rate_sft", PSW_F64, RUN, "1", "the same of the SFT model", 0, SHARE, NULL},
    {"repetition_rate", PSW_F64, RUN, "1", "evaluation responses that repeat themselves", 0,
     SHARE, "As `final_repetition_rate` counts them."},
    {"repetition_rate_sft", PSW_F64, RUN, "1", "the same of the SFT model", 0, SHARE, NULL},
    {"sft_loss", PSW_F64, RUN, "1",
     "loss of the SFT model on held-out chosen responses, in nat", 0, ANY,
     "Mean per response token."},
    {"final_prompts", PSW_I64, RUN, "1", "held-out prompts of D'", 0, -1, INFINITY, NULL},
    {"final_score", PSW_F64, RUN, "1", "mean score of D'", 0, ANY, NULL},
    {"final_eos_rate", PSW_F64, RUN, "1", "responses of D' that end by themselves", 0, SHARE,
     NULL},
    {"final_distinct_1", PSW_F64, RUN, "1", "distinct tokens of D' over all", 0, SHARE, NULL},
    {"final_distinct_2", PSW_F64, RUN, "1", "distinct token pairs of D' over all", 0, SHARE,
     NULL},
    {"final_length", PSW_F64, RUN, "1", "mean tokens of D'", 0, POSITIVE, NULL},
    {"final_cut_rate", PSW_F64, RUN, "1", "responses of D' that were cut", 0, SHARE,
     "At final.max_new, or at the end of the context: they have no end token."},
    {"final_repetition_rate", PSW_F64, RUN, "1", "responses of D' that repeat themselves", 0,
     SHARE, "Some phrase of two tokens or more stands in them three times in a row."},
    {"final_degenerate", PSW_I8, RUN, "1", "what is wrong with D'", PSW_S_MASKS, -1, 3,
     "0: nothing. cut: more than a tenth of its responses; v is that of their beginnings. "
     "repeats: more than a tenth of them repeat themselves; G along it says little."},
    {"final_hash", PSW_TEXT, RUN, "", "hash of the final parameters", 0, ANY, NULL},
    {"n_param", PSW_I64, RUN, "1", "parameters of the language model", 0, -1, INFINITY,
     "No critic, no reward model, nor a shared critic's head."},
    {"flops", PSW_F64, RUN, "1", "floating-point operations of the policy stage, predicted", 0,
     POSITIVE,
     "Training, sampling and trace of this run, from its configuration and data; the shared "
     "stages (SFT, reference, reward model) are not in it."},

    /* costs */
    {"wall_s", PSW_F64, RUN, "s", "wall time of the last attempt", PSW_S_VOLATILE, POSITIVE,
     NULL},
    {"train_s", PSW_F64, RUN, "s", "of it, training the policy", PSW_S_VOLATILE, POSITIVE,
     NULL},
    {"sample_s", PSW_F64, RUN, "s", "of it, sampling", PSW_S_VOLATILE, POSITIVE, NULL},
    {"trace_s", PSW_F64, RUN, "s", "of it, tracing", PSW_S_VOLATILE, POSITIVE, NULL},
    {"energy_j", PSW_F64, RUN, "J", "energy of the last attempt's nodes while it ran",
     PSW_S_VOLATILE, POSITIVE,
     "Of processors and memory, with whatever else ran there; where the kernel lets it be "
     "read."},
    {"n_rank", PSW_I64, RUN, "1", "ranks of the last attempt", PSW_S_VOLATILE, -1, INFINITY,
     NULL},
    {"peak_bytes", PSW_I64, RUN, "byte", "largest resident memory of the first rank",
     PSW_S_VOLATILE, -1, INFINITY,
     "Of the whole process since it began, with its libraries and data."},
    {"planned_bytes", PSW_I64, RUN, "byte", "planned work memory of a rank", PSW_S_VOLATILE, -1,
     INFINITY, "Parameters, gradients, optimiser and activations, as `posweep plan` says."},

    /* the token table: a contiguous ragged array (CF 9.3.3) */
    {"row_size", PSW_I64, "sequence", "1", "tokens of the sequence", 0, POSITIVE, NULL},
    {"sequence_run", PSW_I64, "sequence", "1", "row of `run`", PSW_S_WRITER, POSITIVE, NULL},
    {"sequence_checkpoint", PSW_I64, "sequence", "1", "row of `checkpoint`", PSW_S_WRITER,
     POSITIVE, NULL},
    {"sequence_item", PSW_I64, "sequence", "1", "place of the pair or prompt in the probe", 0,
     POSITIVE, NULL},
    {"sequence_role", PSW_I8, "sequence", "1",
     "0 chosen, 1 rejected; of rollouts, place among the prompt's responses", 0, POSITIVE,
     NULL},
    {"sequence_cluster", PSW_I64, "sequence", "1",
     "place of the first pair or prompt of the probe with the same prompt", 0, POSITIVE,
     "What G_se is clustered by."},
    {"sequence_prompt", PSW_TEXT, "sequence", "", "the prompt", 0, ANY,
     "Of pairs at checkpoint 0 alone: theirs stay the same."},
    {"sequence_response", PSW_TEXT, "sequence", "", "the response", 0, ANY,
     "Likewise; without the names of end tokens and their like."},
    {"token_id", PSW_I32, "token", "1", "token", 0, POSITIVE, NULL},
    {"token_kappa", PSW_F32, "token", "1", "kappa, in nat squared", 0, ANY, NULL},
    {"token_logp", PSW_F32, "token", "1", "log-probability, in nat", 0, ANY, NULL},
    {"token_weight", PSW_F32, "token", "1", "weight in the objective, mean over the probe", 0,
     ANY,
     "The sum of weight times kappa over a checkpoint's tokens is its G of total, without "
     "those of entropy and value."},
    {"token_end", PSW_I32, "token", "byte", "bytes of sequence_response up to its end", 0, -1,
     INFINITY, "What the token says is between the end of the one before it and its own."},
    {"token_advantage", PSW_F32, "token", "1", "advantage, without interventions", 0, ANY,
     "Of rollouts."},
    {"token_ref", PSW_F32, "token", "1", "log-probability by the reference, in nat", 0, ANY,
     "Of rollouts. That of pairs is token_logp at checkpoint 0."},
};

const struct psw_schema_row *psw_schema_rows_of(enum psw_schema_kind kind, int *n_row)
{
    if (kind == PSW_SCHEMA_SPECTRUM) return psw_schema_spectrum_rows(n_row);
    if (kind == PSW_SCHEMA_COMPARE) return psw_schema_compare_rows(n_row);
    if (kind == PSW_SCHEMA_TENSORS) return psw_schema_tensors_rows(n_row);
    *n_row = (int)(sizeof ROWS / sizeof *ROWS);
    return ROWS;
}

const struct psw_schema_row *psw_schema_find(enum psw_schema_kind kind, const char *name)
{
    int n_row = 0;
    const struct psw_schema_row *rows = psw_schema_rows_of(kind, &n_row);
    for (int i = 0; i < n_row; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

const struct psw_schema_row *psw_schema_rows(int *n_row)
{
    return psw_schema_rows_of(PSW_SCHEMA_RESULTS, n_row);
}

const struct psw_schema_row *psw_schema_row_find(const char *name)
{
    return psw_schema_find(PSW_SCHEMA_RESULTS, name);
}

int psw_schema_unit_is_known(const char *unit)
{
    static const char *const UNITS[] = {"1", "s", "s-1", "byte", "J"};
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++)
        if (strcmp(UNITS[i], unit) == 0) return 1;
    return 0;
}

int psw_schema_dims(const struct psw_schema_row *row, char out[PSW_MAX_DIMS][PSW_FIELD_BYTES])
{
    int n = 0;
    for (const char *at = row->dims; *at && n < PSW_MAX_DIMS; n++) {
        const size_t length = strcspn(at, " ");
        memcpy(out[n], at, length);
        out[n][length] = 0;
        at += length;
        at += strspn(at, " ");
    }
    return n;
}
