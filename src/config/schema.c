/* The schema table and look-ups in it. A new key is a member of struct psw_config and one row
 * here; defaults are frozen, because identities leave defaults out: a changed default would
 * give old results a new meaning (then raise PSW_CFG_EPOCH). */
#include <posweep/config/schema.h>
#include <posweep/config/source.h>

#include <stdlib.h>
#include <string.h>

#define SOURCE_NAME(NAME, name, ...) name,
static const char *const TASKS[] = {"none", PSW_GENERATED_SOURCES(SOURCE_NAME) NULL};
static const char *const FORMATS[] = {PSW_FILE_SOURCES(SOURCE_NAME) NULL};
static const char *const TOO_LONG[] = {"truncate", "drop", NULL};
static const char *const FAMILIES[] = {"gpt_neox", NULL};
static const char *const DECAYS[] = {"constant", "linear", "cosine", NULL};
static const char *const OPTIMIZERS[] = {"adamw", "sgd", NULL};
static const char *const METHODS[] = {
    "dpo",  "ipo", "hinge", "simpo", "dpo_norm", "dpo_smooth", "dpo_robust", "dpop",
    "orpo", "cpo", "rpo",   "sft",   "ppo",      "grpo",       "dapo",       NULL};
static const char *const SCHEDULES[] = {"constant", "step", "linear", "cosine", NULL};
static const char *const DROPS[] = {"none", "top", "mid", "bot", NULL};
static const char *const NORMS[] = {"sequence", "token", NULL};
static const char *const KL_KINDS[] = {"k1", "k2", "k3", NULL};
static const char *const CRITICS[] = {"separate", "shared", NULL};
static const char *const DAMPS[] = {"none", "below", "scale", NULL};
static const char *const REWARDS[] = {"model", "scorer", NULL};
static const char *const JUDGES[] = {"auto", "scorer", "reward", "none", NULL};
static const char *const PROBES[] = {"train", "heldout", NULL};

#define BIG 9007199254740991.0 /* 2^53 - 1: integers that a double holds exactly */
#define MANY 1e9
#define AT(member) offsetof(struct psw_config, member)
/* What a leaf takes part in. */
#define RUN (PSW_CFG_IN_RUN | PSW_CFG_IN_GROUP | PSW_CFG_AXIS)
#define SFT (RUN | PSW_CFG_IN_SFT | PSW_CFG_IN_REF | PSW_CFG_IN_REWARD)
#define REF (RUN | PSW_CFG_IN_REF)
#define REWARD (RUN | PSW_CFG_IN_REWARD)
#define SEED (PSW_CFG_IN_RUN | PSW_CFG_IN_SFT | PSW_CFG_IN_REF | PSW_CFG_IN_REWARD)
#define LIMIT 0
/* A row by type: path, member, default, range, flags, unit, help. */
#define INT(p, m, d, lo, hi, f, u, h)                                                          \
    {                                                                                          \
        p, PSW_LEAF_INT, AT(m), d, lo, hi, "[]", NULL, 0, f, u, h                              \
    }
#define REAL(p, m, d, lo, hi, b, f, u, h)                                                      \
    {                                                                                          \
        p, PSW_LEAF_REAL, AT(m), d, lo, hi, b, NULL, 0, f, u, h                                \
    }
#define BOOL(p, m, d, f, h)                                                                    \
    {                                                                                          \
        p, PSW_LEAF_BOOL, AT(m), d, 0, 1, "[]", NULL, 0, f, "", h                              \
    }
#define ENUM(p, m, d, n, f, h)                                                                 \
    {                                                                                          \
        p, PSW_LEAF_ENUM, AT(m), d, 0, sizeof n / sizeof n[0] - 2, "[]", n, 0, f, "", h        \
    }
#define PATH(p, k, f, h)                                                                       \
    {                                                                                          \
        p, PSW_LEAF_PATH, AT(data.written.k), 0, 0, 0, "[]", NULL, AT(data.k), f, "", h        \
    }
/* The keys every training stage has; only these defaults differ between stages. `bits` are the
 * flags of what decides how items are packed, and so the last bits of every result. */
#define STAGE(p, m, f, bits, steps_, lr_, decay_, clip_)                                       \
    INT(p ".steps", m.steps, steps_, 0, MANY, f, "step", "optimiser steps"),                   \
        INT(p ".batch", m.batch, 32, 1, MANY, bits, "item", "items per step, over all ranks"), \
        REAL(p ".lr", m.lr, lr_, 0, 1e3, "[]", f, "", "peak learning rate"),                   \
        INT(p ".warmup", m.warmup, 0, 0, MANY, f, "step", "steps of linear warm-up from 0"),   \
        ENUM(p ".decay", m.decay, decay_, DECAYS, f,                                           \
             "learning rate after the warm-up, down to 0 at the end"),                         \
        ENUM(p ".optimizer", m.optimizer, PSW_OPTIMIZER_ADAMW, OPTIMIZERS, f,                  \
             "how a gradient becomes a step"),                                                 \
        REAL(p ".beta1", m.beta1, 0.9, 0, 1, "[)", f, "",                                      \
             "decay of the first moment (adamw)"),                                             \
        REAL(p ".beta2", m.beta2, 0.999, 0, 1, "[)", f, "", "decay of the second moment"),     \
        REAL(p ".eps", m.eps, 1e-8, 0, 1, "(]", f, "", "added to the root of the moment"),     \
        REAL(p ".weight_decay", m.weight_decay, 0, 0, 1e3, "[]", f, "", "decoupled decay"),    \
        REAL(p ".clip", m.clip, clip_, 0, 1e9, "[]", f, "", "largest gradient norm; 0 = any"), \
        INT(p ".shards", m.shards, 8, 1, 64, bits, "",                                         \
            "parts of a step, a power of two: bits depend on it, not on the ranks")
/* A schedule of emphasis, a(s) with s = step / steps. */
#define EMPHASIS(p, m, what)                                                                   \
    ENUM(p ".schedule", m.schedule, PSW_EMPHASIS_CONSTANT, SCHEDULES, RUN,                     \
         "factor on " what " learning along the run"),                                         \
        REAL(p ".from", m.from, 1, 0, 1e3, "[]", RUN, "", "the factor at the start"),          \
        REAL(p ".to", m.to, 1, 0, 1e3, "[]", RUN, "", "the factor at the end"),                \
        REAL(p ".at", m.at, 0.5, 0, 1, "[]", RUN, "", "share of the run at which step jumps"), \
        INT(p ".off_until", m.off_until, 0, 0, MANY, RUN, "step",                              \
            "no " what " learning before this step")

static const struct psw_leaf SCHEMA[] = {
    INT("seed", seed, 1, 0, BIG, SEED, "", "everything random; replicates are seeds 1..n"),
    ENUM("task", task, 1 + PSW_SOURCE_LISTS, TASKS, SFT,
         "generated data, or none: then files are read"),

    PATH("data.pairs", pairs, SFT, "preference pairs, JSON lines, may be gzip"),
    PATH("data.heldout", heldout, SFT, "held-out rows; default: split off by prompt"),
    PATH("data.sft", sft, SFT, "answers for SFT; default: the chosen ones; gsm8k: the rows"),
    ENUM("data.format", data.format, 0, FORMATS, SFT, "how the files are laid out"),
    BOOL("data.drop_equal", data.drop_equal, 0, SFT, "drop pairs with chosen = rejected"),
    BOOL("data.drop_prompt_mismatch", data.drop_prompt_mismatch, 1, SFT,
         "drop pairs whose prompts differ"),
    INT("data.max_prompt", data.max_prompt, 256, 1, MANY, SFT, "token",
        "longest prompt; longer ones lose their start"),
    INT("data.max_response", data.max_response, 256, 1, MANY, SFT, "token",
        "longest response, end token counted"),
    ENUM("data.long", data.too_long, PSW_LONG_TRUNCATE, TOO_LONG, SFT,
         "longer items: cut (a cut response has no end token), or left out"),
    INT("data.limit", data.limit, 0, 0, BIG, SFT, "row", "rows read of each file; 0 = all"),

    INT("lists.sft", lists.sft, 4000, 1, MANY, SFT, "item", "SFT items"),
    INT("lists.pairs", lists.pairs, 2000, 1, MANY, SFT, "pair", "preference pairs"),
    REAL("lists.error", lists.error, 0.3, 0, 1, "[]", SFT, "",
         "probability that an aspect of an answer is wrong"),
    REAL("lists.flip", lists.flip, 0, 0, 1, "[]", SFT, "",
         "probability that a preference label is flipped"),
    REAL("lists.except", lists.except, 0.3, 0, 1, "[]", SFT, "",
         "share of prompts with an except clause"),

    INT("sums.sft", sums.sft, 32000, 1, MANY, SFT, "item", "SFT items"),
    INT("sums.pairs", sums.pairs, 2000, 1, MANY, SFT, "pair", "preference pairs"),
    INT("sums.terms", sums.terms, 3, 2, 4, SFT, "", "numbers to add"),
    REAL("sums.error", sums.error, 0.6, 0, 1, "[]", SFT, "",
         "probability that the final answer of an SFT item is a slip"),
    REAL("sums.flip", sums.flip, 0, 0, 1, "[]", SFT, "",
         "probability that a preference label is flipped"),

    ENUM("model.family", model.family, PSW_FAMILY_GPT_NEOX, FAMILIES, SFT, "architecture"),
    INT("model.layers", model.layers, 3, 1, 1024, SFT, "", "blocks"),
    INT("model.width", model.width, 64, 1, 65536, SFT, "", "of the residual stream"),
    INT("model.heads", model.heads, 4, 1, 1024, SFT, "", "attention heads; divide the width"),
    INT("model.hidden", model.hidden, 0, 0, 1048576, SFT, "", "of the MLP; 0 = 4 x width"),
    INT("model.context", model.context, 64, 2, 1048576, SFT, "token", "longest sequence"),
    REAL("model.rotary_pct", model.rotary_pct, 0.25, 0, 1, "[]", SFT, "",
         "share of a head's width that is rotated"),
    REAL("model.rotary_base", model.rotary_base, 10000, 1, 1e9, "(]", SFT, "", "rotary base"),
    REAL("model.norm_eps", model.norm_eps, 1e-5, 0, 1, "(]", SFT, "", "of LayerNorm"),
    BOOL("model.tied", model.tied, 0, SFT, "the vocabulary head is the embedding"),
    REAL("model.init_std", model.init_std, 0.02, 0, 10, "(]", SFT, "",
         "of the initial weights"),

    INT("model.vocab", model.vocab, 0, 0, 1048576, SFT, "",
        "rows of the embedding; 0 = as many as the data has tokens"),

    STAGE("sft", sft, SFT, SFT, 1200, 2e-3, PSW_DECAY_LINEAR, 1),

    ENUM("reward.source", reward.source, PSW_REWARD_MODEL, REWARDS, RUN,
         "of on-policy methods: a model of the pairs, or the task's scorer"),
    STAGE("reward", reward.train, REWARD, REWARD, 300, 5e-4, PSW_DECAY_LINEAR, 1),
    INT("reward.pairs", reward.pairs, 0, 0, MANY, REWARD, "pair",
        "pairs the model learns from; 0 = all"),
    REAL("reward.flip", reward.flip, 0, 0, 1, "[]", REWARD, "",
         "probability that the model sees a pair the wrong way round"),
    REAL("reward.noise", reward.noise, 0, 0, 1e3, "[]", RUN, "",
         "standard deviation of what is added to each score"),
    REAL("reward.missing_eos", reward.missing_eos, -1, -1e6, 1e6, "[]", RUN, "",
         "most that a response without end earns; the judge scorer ignores it"),
    BOOL("reward.center", reward.center, 1, REWARD,
         "shift scores so that the SFT model's responses have 0 on average"),

    ENUM("policy.method", policy.method, PSW_METHOD_DPO, METHODS, RUN, "the objective"),
    STAGE("policy", policy.train, RUN, REF, 400, 5e-5, PSW_DECAY_CONSTANT, 10),
    REAL("policy.beta", policy.beta, 0.1, 0, 1e3, "(]", RUN, "1/nat", "inverse temperature"),
    REAL("policy.gamma", policy.gamma, 0.5, 0, 1e3, "[]", RUN, "", "margin of simpo"),
    REAL("policy.epsilon", policy.epsilon, 0.1, 0, 0.5, "[)", RUN, "",
         "label noise of dpo_smooth and dpo_robust"),
    REAL("policy.lambda", policy.lambda, 50, 0, 1e6, "[]", RUN, "", "penalty of dpop"),
    REAL("policy.alpha", policy.alpha, 1, 0, 1e6, "[]", RUN, "",
         "weight of the added term of orpo, cpo and rpo"),
    REAL("policy.temperature", policy.temperature, 1, 0, 100, "(]", REF, "",
         "of the log-probabilities in the objective"),
    EMPHASIS("policy.positive", policy.positive, "positive"),
    EMPHASIS("policy.negative", policy.negative, "negative"),
    BOOL("policy.reweight", policy.reweight, 1, RUN,
         "off: weights at the objective's own zero margin"),
    INT("policy.flat_from", policy.flat_from, 0, 0, MANY, RUN, "step",
        "reweight: off acts from this step"),
    INT("policy.flat_until", policy.flat_until, 0, 0, MANY, RUN, "step",
        "reweight: off acts before this step; 0 = to the end"),
    ENUM("policy.drop", policy.drop, PSW_DROP_NONE, DROPS, RUN,
         "third by weight left out of a step; by place where weights are equal"),
    BOOL("policy.share_prefix", policy.share_prefix, 1, REF,
         "compute the prompt of a pair once"),

    INT("policy.epochs", policy.epochs, 4, 1, 1000, RUN, "", "passes over a step's rollouts"),
    INT("policy.minibatches", policy.minibatches, 1, 1, 1000, RUN, "",
        "updates per pass over a step's rollouts"),
    REAL("policy.clip_low", policy.clip_low, 0.2, 0, 1, "(]", RUN, "",
         "the ratio is clipped below 1 minus this"),
    REAL("policy.clip_high", policy.clip_high, 0, 0, 1e3, "[]", RUN, "",
         "and above 1 plus this; 0 = 0.28 for dapo, else clip_low"),
    REAL("policy.kl_coef", policy.kl_coef, -1, -1, 1e3, "[]", RUN, "",
         "of the KL to the SFT model; -1 = ppo 0.05, grpo 0.04, dapo 0"),
    ENUM("policy.kl_kind", policy.kl_kind, PSW_KL_K1, KL_KINDS, RUN,
         "estimator of the KL in ppo's reward (grpo: always k3)"),
    REAL("policy.kl_target", policy.kl_target, 0, 0, 1e6, "[]", RUN, "nat",
         "KL per response that ppo's coefficient adapts to; 0 = it stays"),
    REAL("policy.kl_horizon", policy.kl_horizon, 10000, 0, 1e9, "(]", RUN, "",
         "responses over which the coefficient adapts; above 0.2 policy.batch"),
    REAL("policy.discount", policy.discount, 1, 0, 1, "[]", RUN, "", "gamma of GAE"),
    REAL("policy.gae_lambda", policy.gae_lambda, 0.95, 0, 1, "[]", RUN, "", "lambda of GAE"),
    BOOL("policy.whiten", policy.whiten, 1, RUN,
         "advantages to deviation 1: ppo over a step, grpo and dapo by prompt"),
    REAL("policy.entropy_coef", policy.entropy_coef, 0, 0, 1e3, "[]", RUN, "",
         "of the mean entropy, which is rewarded"),
    ENUM("policy.critic", policy.critic, PSW_CRITIC_SEPARATE, CRITICS, RUN,
         "ppo's critic: a model of its own, or a head on the policy"),
    REAL("policy.critic_lr", policy.critic_lr, 0, 0, 1e3, "[]", RUN, "",
         "of the separate critic; 0 = policy.lr"),
    REAL("policy.value_coef", policy.value_coef, 0.1, 0, 1e3, "[]", RUN, "",
         "of the value loss"),
    REAL("policy.value_clip", policy.value_clip, 0.2, 0, 1e6, "[]", RUN, "",
         "values move at most this far from the old ones; 0 = any"),
    ENUM("policy.damp", policy.damp, PSW_DAMP_NONE, DAMPS, RUN,
         "hppo: drop negative tokens above a quantile of |A|, or scale them"),
    REAL("policy.tau", policy.tau, 0, 0, 1, "[]", RUN, "",
         "strength of policy.damp: 0 = none, 1 = no negative learning"),

    INT("rollout.samples", rollout.samples, 0, 0, PSW_CFG_MAX_SAMPLES, RUN, "",
        "responses per prompt; 0 = 1 for ppo, 8 for grpo and dapo"),
    REAL("rollout.top_p", rollout.top_p, 1, 0, 1, "(]", RUN, "", "nucleus of rollouts"),
    INT("rollout.top_k", rollout.top_k, 0, 0, MANY, RUN, "",
        "most likely tokens kept; 0 = all"),
    INT("rollout.max_new", rollout.max_new, 0, 0, MANY, RUN, "token",
        "longest response; 0 = the rest of the context"),
    INT("rollout.redraws", rollout.redraws, 10, 0, 1000, RUN, "",
        "dapo: most rounds in which prompts with equal rewards are replaced"),
    INT("rollout.overlong", rollout.overlong, 0, 0, MANY, RUN, "token",
        "dapo: soft penalty up to 1 over the last tokens; 0 = none"),

    INT("final.prompts", final.prompts, 256, 1, MANY, RUN, "", "held-out prompts of D'"),
    INT("final.samples", final.samples, 1, 1, 16, RUN, "", "responses per prompt"),
    REAL("final.temperature", final.temperature, 1, 0, 100, "[]", RUN, "",
         "of sampling D'; 0 = greedy"),
    REAL("final.top_p", final.top_p, 1, 0, 1, "(]", RUN, "", "nucleus of sampling D'"),
    INT("final.top_k", final.top_k, 0, 0, MANY, RUN, "", "most likely tokens kept; 0 = all"),
    INT("final.max_new", final.max_new, 0, 0, MANY, RUN, "token",
        "longest response; 0 = the rest of the context"),
    ENUM("final.norm", final.norm, PSW_NORM_SEQUENCE, NORMS, RUN,
         "log-probability of D' summed over, or averaged per, token"),

    INT("trace.every", trace.every, 20, 1, MANY, RUN, "step", "between checkpoints"),
    INT("trace.probe", trace.probe, 128, 1, MANY, RUN, "pair", "pairs that G is taken on"),
    ENUM("trace.probe_from", trace.probe_from, PSW_PROBE_TRAIN, PROBES, RUN,
         "where the probe pairs come from"),
    INT("trace.cosine_every", trace.cosine_every, 0, 0, MANY, RUN, "step",
        "cosines and interactions, a multiple of trace.every; 0 = never"),
    INT("trace.final_error_every", trace.final_error_every, 4, 0, MANY, RUN, "",
        "checkpoints between errors through D', last two too; 0 = with cosines"),
    BOOL("trace.soft", trace.soft, 1, RUN,
         "also G along v_soft: v expected under the final policy, less noisy"),
    REAL("trace.eta", trace.eta, 1e-3, 0, 1, "(]", RUN, "",
         "length of the throw-away steps over the norm of the parameters"),
    BOOL("trace.directions", trace.directions, 0, RUN,
         "also along both halves of D', the chosen responses and the Adam step"),
    BOOL("trace.tokens", trace.tokens, 0, RUN,
         "store kappa, log-probability and weight of each token"),
    INT("log.every", log.every, 10, 1, MANY, RUN, "step", "between rows of training metrics"),

    INT("eval.prompts", eval.prompts, 256, 0, MANY, RUN, "",
        "held-out prompts of the evaluation, none of D'; 0 = no evaluation"),
    INT("eval.pairs", eval.pairs, 1024, 0, MANY, RUN, "pair",
        "held-out pairs of the final loss and accuracy; 0 = all"),
    ENUM("eval.judge", eval.judge, PSW_JUDGE_AUTO, JUDGES, RUN,
         "of win_rate; auto = the task's scorer as it is, else the reward model"),

    INT("limits.ranks_per_run", limits.ranks_per_run, 1, 1, 65536, LIMIT, "",
        "a power of two that divides the shards"),
    REAL("limits.checkpoint_s", limits.checkpoint_s, 60, 0, 1e6, "(]", LIMIT, "s",
         "between checkpoints for restarts"),
    REAL("limits.stop_s", limits.stop_s, 60, 0, 1e6, "(]", LIMIT, "s",
         "after a request to stop, for saving; then the job is ended"),
    REAL("limits.memory_gib", limits.memory_gib, 0, 0, 1e6, "[]", LIMIT, "GiB",
         "per rank; 0 = what the node has"),
    INT("limits.max_attempts", limits.max_attempts, 3, 1, 1000, LIMIT, "",
        "times a run is tried when the machine fails it or dies"),
};
enum { N_LEAF = sizeof SCHEMA / sizeof SCHEMA[0] };

const struct psw_leaf *psw_schema(int *n_leaf)
{
    *n_leaf = N_LEAF;
    return SCHEMA;
}

const struct psw_leaf *psw_schema_find(const char *path)
{
    for (int i = 0; i < N_LEAF; i++)
        if (strcmp(SCHEMA[i].path, path) == 0) return &SCHEMA[i];
    return NULL;
}
