/* One resolved configuration: everything that decides what a run computes.
 *
 * struct psw_config is plain data without pointers: it may be copied, compared and sent between
 * ranks as bytes. One nested member stands for each section of the sweep file, one member in it
 * for each setting; which there are, what they mean, their defaults and ranges stand in one
 * table (leaves.def). Text is padded with zeros, so equal configurations are equal bytes. Make
 * one with psw_config_default(), never by hand. */
#ifndef POSWEEP_CONFIG_CONFIG_H
#define POSWEEP_CONFIG_CONFIG_H

#include <posweep/config/leaf_groups.h>
#include <posweep/config/method.h>
#include <posweep/model/families.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

enum {
    PSW_CFG_STR = 256,        /* text as written in a sweep file */
    PSW_CFG_PATH = 512,       /* the same path, made absolute */
    PSW_CFG_MAX_SAMPLES = 16, /* responses per prompt */
    PSW_CFG_EPOCH = 2 /* seed of the identity hash: raise it when old results lose meaning */
};

/* Choices of the sweep file, as words there. */
#define BEGIN(name)                                                                            \
    enum psw_##name                                                                            \
    {
#define CHOICE(id, word) id,
#define END(name)                                                                              \
    }                                                                                          \
    ;
#include <posweep/config/choices.def>
#undef BEGIN
#undef CHOICE
#undef END

/* Members by type: whole numbers, truth values and choices take 8 bytes, so nothing is padded.
 */
#define INT_AT(p, m, k, ...) int64_t k;
#define REAL_AT(p, m, k, ...) double k;
#define INT(p, k, ...) int64_t k;
#define REAL(p, k, ...) double k;
#define BOOL(p, k, ...) int64_t k;
#define ENUM(p, k, ...) int64_t k;
#define ENUM_AS(path, p, k, ...) int64_t k;
/* What is opened, absolute; and what the sweep file says, which is hashed and shown. Empty: not
 * given. */
#define PATH(p, k, ...) char k[PSW_CFG_PATH], k##_written[PSW_CFG_STR];
#define HASH(p, k, ...) int64_t k;
#define PATH_OR(p, k, ...)                                                                     \
    char k[PSW_CFG_PATH], k##_written[PSW_CFG_STR]; /* a word: no path                         \
                                                     */
#define STAGE(p, m, k, ...) struct psw_config_train k;
#define EMPHASIS(p, m, k, ...) struct psw_config_emphasis k;
#define GROUP(s, title)
#define SECTION(s, title) struct psw_config_##s {
#define END(s)                                                                                 \
    }                                                                                          \
    s;

struct psw_config_train {
    PSW_STAGE_LEAVES(INT_AT, REAL_AT, INT_AT, , , , , , , , , )
};

struct psw_config_emphasis {
    PSW_EMPHASIS_LEAVES(INT_AT, REAL_AT, INT_AT, , , "", )
};

struct psw_config {
#include <posweep/config/leaves.def>
};

#undef INT_AT
#undef REAL_AT
#undef INT
#undef REAL
#undef BOOL
#undef ENUM
#undef ENUM_AS
#undef PATH
#undef HASH
#undef PATH_OR
#undef STAGE
#undef EMPHASIS
#undef GROUP
#undef SECTION
#undef END

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
 *  leaves.h) and differ from their default, in order of path. Neither the order of keys in a
 *  file, nor its blocks, nor its place count; different flags never give the same hash.
 * Example: psw_config_hash(c, PSW_CFG_IN_SFT). */
uint64_t psw_config_hash(const struct psw_config *config, unsigned flags);

/** Hash of what decides how much work and memory a run is: of all settings but the seed; of the
 *  real numbers that decide neither data nor reference (PSW_CFG_IN_SFT, _IN_REF), whether they
 *  are 0, above or below, as some switch something on. */
uint64_t psw_config_size_hash(const struct psw_config *config);

enum { PSW_IDENTITY_BYTES = 32768 };

/** The hashes of configurations that differ in the seed alone, whose text is written once. */
struct psw_identity {
    char text[PSW_IDENTITY_BYTES]; /* without the seed */
    size_t n_bytes, seed_at;       /* where the line of the seed belongs */
    unsigned flags;
};

/** Prepare the hashes of a configuration with any seed; flags as psw_config_hash. */
void psw_identity_init(const struct psw_config *config, unsigned flags,
                       struct psw_identity *out);

/** psw_config_hash of the configuration with this seed. */
uint64_t psw_identity_hash(const struct psw_identity *identity, int64_t seed);

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

/** Write the settings of a run's identity, defaults too, as one JSON object on one line:
 *  {"seed": 1, "task": "lists", "policy.beta": 0.1, ...}, paths as written. It is YAML as well,
 *  and as the `base` of a sweep file gives the same identity. */
void psw_config_json(FILE *out, const struct psw_config *config);

#endif
