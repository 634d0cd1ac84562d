/* One resolved configuration: everything that decides what a run computes.
 *
 * struct psw_config is plain data without pointers: it may be copied, compared and sent between
 * ranks as bytes. One nested member stands for each section of the sweep file; what the keys
 * mean, their defaults and ranges stand in one table (schema.h). Text is padded with zeros, so
 * equal configurations are equal bytes. Make one with psw_config_default(), never by hand. */
#ifndef POSWEEP_CONFIG_CONFIG_H
#define POSWEEP_CONFIG_CONFIG_H

#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

enum {
    PSW_CFG_STR = 256,        /* text as written in a sweep file */
    PSW_CFG_PATH = 512,       /* the same path, made absolute */
    PSW_CFG_MAX_SAMPLES = 16, /* responses per prompt */
    PSW_CFG_EPOCH = 2 /* seed of the identity hash: raise it when old results lose meaning */
};

/* Choices of the sweep file. Values go into results and messages by name, never by number. */
enum psw_too_long { PSW_LONG_TRUNCATE, PSW_LONG_DROP };
enum psw_family { PSW_FAMILY_GPT_NEOX };
enum psw_optimizer { PSW_OPTIMIZER_ADAMW, PSW_OPTIMIZER_SGD };
enum psw_decay { PSW_DECAY_CONSTANT, PSW_DECAY_LINEAR, PSW_DECAY_COSINE };
enum psw_emphasis {
    PSW_EMPHASIS_CONSTANT, /* `from` throughout */
    PSW_EMPHASIS_STEP,     /* `from`, then `to` once s >= at */
    PSW_EMPHASIS_LINEAR,   /* from -> to, linear in s = step / steps */
    PSW_EMPHASIS_COSINE    /* from -> to, half a cosine in s */
};
enum psw_drop { PSW_DROP_NONE, PSW_DROP_TOP, PSW_DROP_MID, PSW_DROP_BOT };
enum psw_norm { PSW_NORM_SEQUENCE, PSW_NORM_TOKEN };
enum psw_probe_from { PSW_PROBE_TRAIN, PSW_PROBE_HELDOUT };
enum psw_method {
    PSW_METHOD_DPO,
    PSW_METHOD_IPO,
    PSW_METHOD_HINGE,
    PSW_METHOD_SIMPO,
    PSW_METHOD_DPO_NORM,
    PSW_METHOD_DPO_SMOOTH,
    PSW_METHOD_DPO_ROBUST,
    PSW_METHOD_DPOP,
    PSW_METHOD_ORPO,
    PSW_METHOD_CPO,
    PSW_METHOD_RPO,
    PSW_METHOD_SFT,
    PSW_N_PAIRWISE,
    PSW_METHOD_PPO =
        PSW_N_PAIRWISE, /* from here on: methods that learn from their own samples */
    PSW_METHOD_GRPO,
    PSW_METHOD_DAPO,
    PSW_N_METHOD
};
enum psw_kl_kind { PSW_KL_K1, PSW_KL_K2, PSW_KL_K3 };
enum psw_critic { PSW_CRITIC_SEPARATE, PSW_CRITIC_SHARED };
enum psw_damp_rule {
    PSW_DAMP_NONE,
    PSW_DAMP_BELOW, /* keep negatives with |A| <= their (1 - tau)-quantile, drop the others */
    PSW_DAMP_SCALE  /* multiply every negative by 1 - tau */
};
enum psw_reward_source { PSW_REWARD_MODEL, PSW_REWARD_SCORER };
enum psw_judge { PSW_JUDGE_AUTO, PSW_JUDGE_SCORER, PSW_JUDGE_REWARD, PSW_JUDGE_NONE };

/** Files of preferences or answers. `pairs`, `heldout`, `sft` are absolute: what is opened.
 * `written` is what the sweep file says: what is hashed and shown. Empty: not given. */
struct psw_config_data {
    char pairs[PSW_CFG_PATH], heldout[PSW_CFG_PATH], sft[PSW_CFG_PATH];
    struct {
        char pairs[PSW_CFG_STR], heldout[PSW_CFG_STR], sft[PSW_CFG_STR];
    } written;
    int64_t max_prompt, max_response; /* tokens */
    int64_t limit;                    /* rows; 0 = all */
    int32_t format;                   /* place among PSW_FILE_SOURCES (source.h) */
    int32_t drop_equal, drop_prompt_mismatch;
    int32_t too_long; /* enum psw_too_long; the key is data.long */
};

/** The generated task `lists`. */
struct psw_config_lists {
    int64_t sft, pairs; /* items */
    double error;       /* probability that an aspect of a sampled answer is wrong */
    double flip;        /* probability that a preference label is flipped */
    double except;      /* share of prompts with an "except" clause */
};

/** The generated task `sums`. */
struct psw_config_sums {
    int64_t sft, pairs; /* items */
    int64_t terms;      /* numbers to add */
    double error;       /* probability that the final answer of an SFT item is a slip */
    double flip;        /* probability that a preference label is flipped */
};

struct psw_config_model {
    int64_t layers, width, heads;
    int64_t hidden; /* 0 = 4 * width */
    int64_t context;
    int64_t vocab; /* rows of the embedding; 0 = as many as the data has tokens */
    double rotary_pct, rotary_base, norm_eps, init_std;
    int32_t family; /* enum psw_family */
    int32_t tied;
};

/** What every training stage needs: steps, batches, optimiser, shards. */
struct psw_config_train {
    int64_t steps, batch;
    int64_t warmup; /* steps */
    int64_t shards; /* power of two: the unit of arithmetic */
    double lr, beta1, beta2, eps, weight_decay;
    double clip;       /* of the gradient norm; 0 = never */
    int32_t decay;     /* enum psw_decay */
    int32_t optimizer; /* enum psw_optimizer */
};

/** a(s), the factor on positive or negative learning (SCIENCE section 4). It is 0 while
 *  step < off_until, whatever the schedule says. */
struct psw_config_emphasis {
    double from, to;
    double at;         /* s at which the schedule `step` switches */
    int64_t off_until; /* step */
    int32_t schedule;  /* enum psw_emphasis */
};

struct psw_config_policy {
    struct psw_config_train train;
    double beta, gamma, epsilon, lambda, alpha;
    double temperature; /* of log pi and log pi_ref in the objective */
    struct psw_config_emphasis positive, negative;
    int64_t flat_from, flat_until; /* steps without reweighting when reweight is off; 0 = end */
    int32_t method;                /* enum psw_method */
    int32_t reweight;              /* 0: weights at the objective's own zero margin */
    int32_t drop;                  /* enum psw_drop */
    int32_t share_prefix;

    /* methods that learn from their own samples */
    int64_t epochs, minibatches;
    double clip_low, clip_high;               /* of the ratio; clip_high 0: the method's own */
    double value_clip, value_coef, critic_lr; /* critic_lr 0: lr */
    double discount, gae_lambda, entropy_coef;
    double kl_coef;               /* -1: the method's own */
    double kl_target, kl_horizon; /* target 0: the coefficient stays */
    double tau;                   /* of damp */
    int32_t kl_kind;              /* enum psw_kl_kind */
    int32_t whiten;
    int32_t critic; /* enum psw_critic */
    int32_t damp;   /* enum psw_damp_rule */
};

/** What on-policy methods sample at every step. A step has policy.batch responses. */
struct psw_config_rollout {
    int64_t samples;        /* per prompt; 0: the method's own */
    int64_t top_k, max_new; /* 0 = all; 0 = the rest of the context */
    int64_t redraws;        /* dapo: most redraws of a prompt whose rewards are all equal */
    int64_t overlong;       /* tokens before max_new over which the soft penalty grows */
    double top_p;
};

/** The reward model, and what a response is worth. */
struct psw_config_reward {
    struct psw_config_train train;
    int64_t pairs;      /* training pairs used; 0 = all */
    double flip;        /* probability that a label is flipped, beyond those of the data */
    double noise;       /* standard deviation of what is added to each score */
    double missing_eos; /* most that a response without EOS is worth */
    int32_t source;     /* enum psw_reward_source */
    int32_t center;     /* shift so that the SFT model's responses are worth 0 on average */
};

/** How D', the final responses, is sampled. */
struct psw_config_final {
    int64_t prompts, samples; /* samples: per prompt */
    int64_t top_k;            /* 0 = all */
    int64_t max_new;          /* tokens; 0 = the rest of the context */
    double temperature, top_p;
    int32_t norm; /* enum psw_norm */
};

/** What a finished run is judged by. */
struct psw_config_eval {
    int64_t prompts; /* held-out prompts, none of them of D' */
    int64_t pairs;   /* held-out pairs of the final loss and accuracy; 0 = all */
    int32_t judge;   /* enum psw_judge */
    int32_t zero;    /* padding, always 0 */
};

struct psw_config_trace {
    int64_t every;             /* steps between checkpoints */
    int64_t probe;             /* pairs */
    int64_t cosine_every;      /* steps; 0 = never; else a multiple of every */
    int64_t final_error_every; /* checkpoints; 0 = only where there are cosines */
    double eta;                /* relative length of the throw-away steps */
    int32_t probe_from;        /* enum psw_probe_from */
    int32_t directions;        /* also G along final_a, final_b, chosen, adam */
    int32_t soft;              /* also G along v_soft */
    int32_t tokens;            /* store kappa, log-probabilities and weights per token */
};

/** Outside the identity of a run: they change when it is done, not what comes out. */
struct psw_config_limits {
    int64_t ranks_per_run; /* power of two that divides shards */
    int64_t max_attempts;
    double checkpoint_s;
    double memory_gib; /* per rank; 0 = what the node has */
    double stop_s;     /* for saving, after a request to stop; then the job is ended */
};

struct psw_config {
    int64_t seed;
    int32_t task; /* 0: none, or 1 + place among PSW_GENERATED_SOURCES (source.h) */
    int32_t zero; /* padding, always 0 */
    struct psw_config_data data;
    struct psw_config_lists lists;
    struct psw_config_sums sums;
    struct psw_config_model model;
    struct psw_config_train sft;
    struct psw_config_reward reward;
    struct psw_config_policy policy;
    struct psw_config_rollout rollout;
    struct psw_config_final final;
    struct psw_config_trace trace;
    struct {
        int64_t every; /* steps */
    } log;
    struct psw_config_eval eval;
    struct psw_config_limits limits;
};

/** Every leaf at its default, padding zero. */
void psw_config_default(struct psw_config *out);

/** Set one leaf from text, e.g. ("policy.beta", "0.1"), type and range checked. Paths are taken
 *  relative to the working directory or $POSWEEP_DATA.
 *  Errors: PSW_EINVAL with what was expected, the value and, for an unknown key, the nearest;
 *  the configuration is then untouched. */
psw_status psw_config_set(struct psw_config *config, const char *path, const char *text,
                          struct psw_error *err);

/** The rules between leaves: heads divide width, shards are a power of two, a path is given
 *  where the task needs one, and the like. Errors: PSW_EINVAL with keys and values. */
psw_status psw_config_validate(const struct psw_config *config, struct psw_error *err);

/** Identity: hash of "path=value\n" of all leaves that carry one of the flags (PSW_CFG_IN_*,
 *  schema.h) and differ from their default, in order of path. Neither the order of keys in a
 *  file, nor its blocks, nor its place count; different flags never give the same hash.
 * Example: psw_config_hash(c, PSW_CFG_IN_SFT). */
uint64_t psw_config_hash(const struct psw_config *config, unsigned flags);

/** "dpo", "ipo", ... Never NULL. */
const char *psw_config_method(const struct psw_config *config);

/** 1 for the methods that learn from their own samples: ppo, grpo, dapo. */
int psw_config_is_onpolicy(const struct psw_config *config);

/** 1 when a run needs a reward model: as its reward, or as its judge. */
int psw_config_needs_reward_model(const struct psw_config *config);

/** Settings whose defaults depend on the method, resolved: responses per prompt (ppo 1, grpo
 *  and dapo 8), upper clip (dapo 0.28, else clip_low), KL coefficient (ppo 0.05 in the reward,
 *  grpo 0.04 in the loss, dapo 0). Sources: SCIENCE section 2; grpo: Shao et al. 2024. */
int64_t psw_config_samples(const struct psw_config *config);
double psw_config_clip_high(const struct psw_config *config);
double psw_config_kl_coef(const struct psw_config *config);

/** Write as YAML that reads back to the same configuration: what differs from the defaults
 *  first, then the defaults as comments of one line each. */
void psw_config_print(FILE *out, const struct psw_config *config);

#endif
