/* Methods: every fact of a training method, in one row of one table (methods.def). To add a
 * pairwise method, write its row, and its rule in objective; to add one that samples and is
 * made of the known parts, its row alone. */
#ifndef POSWEEP_CONFIG_METHOD_H
#define POSWEEP_CONFIG_METHOD_H

#include <stdint.h>

enum psw_method {
#define PAIRWISE(id, ...) PSW_METHOD_##id,
#define ONPOLICY(id, ...)
#include <posweep/config/methods.def>
#undef PAIRWISE
#undef ONPOLICY
    PSW_N_PAIRWISE, /* from here on: methods that learn from their own samples */
    PSW_LAST_PAIRWISE = PSW_N_PAIRWISE - 1,
#define PAIRWISE(id, ...)
#define ONPOLICY(id, ...) PSW_METHOD_##id,
#include <posweep/config/methods.def>
#undef PAIRWISE
#undef ONPOLICY
    PSW_N_METHOD
};

/** When a setting matters: always, with methods that read it, or by other settings. */
enum psw_use {
    PSW_USE_ALWAYS,

    PSW_USE_PAIRS, /* all pairwise methods */
    PSW_USE_BETA,
    PSW_USE_GAMMA,
    PSW_USE_EPSILON,
    PSW_USE_LAMBDA,
    PSW_USE_ALPHA,
    PSW_USE_ROLLOUTS,  /* all methods that learn from their own samples */
    PSW_USE_KL,        /* a KL to the SFT model, in the loss or in the reward */
    PSW_USE_KL_REWARD, /* it is in the reward */
    PSW_USE_CRITIC,    /* advantages from values; else from the other responses to a prompt */
    PSW_USE_REDRAWS,   /* prompts whose responses all earn the same are drawn again */
    PSW_N_USE_OF_METHOD,

    PSW_USE_FILES = PSW_N_USE_OF_METHOD,
    PSW_USE_FILE_PAIRS,
#define GENERATED(ID, ...) PSW_USE_##ID,
#define FILES(...)
#include <posweep/config/sources.def>
    PSW_USE_GROUPED_HEADS,
    PSW_USE_PARTIAL_ROTARY,
    PSW_USE_SCALED_ROTARY,
    PSW_USE_LLAMA3_ROTARY,
    PSW_USE_FLAT,
    PSW_USE_POSITIVE_MOVES,
    PSW_USE_POSITIVE_STEPS,
    PSW_USE_NEGATIVE_MOVES,
    PSW_USE_NEGATIVE_STEPS,
    PSW_USE_DAMPING,
    PSW_USE_REWARD_MODEL,
    PSW_USE_REWARDED,
    PSW_N_USE
};

/** A row. Plain data. */
struct psw_method_row {
    const char *name;  /* lower case, as in the sweep file and the results file */
    unsigned reads;    /* bits 1 << enum psw_use, below PSW_N_USE_OF_METHOD */
    int compares;      /* the rejected response counts too; 0: the chosen one alone (sft) */
    int has_reference; /* the loss has the reference's log-probabilities; pairwise */
    int has_nll;       /* the loss has an NLL term on the chosen response; pairwise */
    int per_response; /* on-policy: the mean over responses of their token means; 0: over tokens
                       */
    int64_t samples;  /* on-policy, the default: responses per prompt */
    double clip_high; /* on-policy, the default; 0: clip_low */
    double kl_coef;   /* on-policy, the default */
    const char *loss; /* formula, for readers; z, n, r, Delta as in SCIENCE */
    const char *source; /* paper and equation */
};

/** Never NULL; `method` must be one of enum psw_method. */
const struct psw_method_row *psw_method_row(int64_t method);

/** -1 when no method has this name. */
int psw_method_find(const char *name);

/** Whether a method reads the settings of a use: psw_method_reads(m, PSW_USE_CRITIC). */
int psw_method_reads(int64_t method, enum psw_use use);

#endif
