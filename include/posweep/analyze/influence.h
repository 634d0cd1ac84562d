/* What contributes most to G: pairs or prompts, and tokens, at one checkpoint of one run.
 *
 * The contribution of a token is its weight in a component times its kappa; over all tokens
 * they add up to the component's G (of total: to that of log pi; entropy and value terms act on
 * other quantities). Weights of total are stored; those of other components are computed by the
 * code that trains (rescore.h). */
#ifndef POSWEEP_ANALYZE_INFLUENCE_H
#define POSWEEP_ANALYZE_INFLUENCE_H

#include <posweep/analyze/run_find.h>
#include <posweep/analyze/tokens.h>
#include <posweep/store/results.h>
#include <posweep/util/status.h>
#include <stdint.h>
#include <stdio.h>

/** What is asked for. */
struct psw_influence_opts {
    const char *run;       /* as psw_run_find takes it; NULL: the first run with tokens */
    const char *component; /* NULL: total */
    int64_t checkpoint;    /* -1: where |G| over the norm of v is largest, but for the last */
    int64_t n_top;         /* rows of each table */
};

/** The tokens of a checkpoint with what they contribute. */
struct psw_influence {
    struct psw_results *results;  /* borrowed */
    struct psw_token_table table; /* owned */
    struct psw_token_span span;   /* the checkpoint's */
    struct psw_token_span text;   /* of the same responses, where the file has their texts */
    double *weight;               /* owned [tokens of the span] */
    double g;                     /* as it was measured */
    int64_t run, checkpoint;
    int64_t n_other; /* further runs that have tokens, where none was named */
    const char *component;
    char name[PSW_RUN_NAME_BYTES];
};

/** Owns: the caller clears. Errors: PSW_ENOENT when no run fits; PSW_EINVAL for a component or
 *  checkpoint that the run does not have, with those that there are, or one whose weights the
 *  table cannot tell, with the reason; PSW_EDATA when there is no token table, with the setting
 *  that stores it; PSW_ENOMEM. */
psw_status psw_influence_init(struct psw_results *results,
                              const struct psw_influence_opts *opts, struct psw_influence *out,
                              struct psw_error *err);
void psw_influence_clear(struct psw_influence *influence);

/** Contribution of a token, counted from the first of the span. */
double psw_influence_of(const struct psw_influence *f, int64_t token);

/** What tokens are put together by. */
enum psw_influence_by {
    PSW_BY_ITEM,    /* a pair, or a prompt with its rollouts */
    PSW_BY_CLUSTER, /* items with the same prompt */
    PSW_BY_ID       /* the same token of the vocabulary */
};

/** Tokens put together. */
struct psw_influence_group {
    int64_t key;   /* item, first item of the cluster, or id */
    int64_t first; /* its first token, counted from the first of the span */
    int64_t n_token;
    double sum, magnitude; /* of contributions, and of their absolute values */
};

/** Groups by falling |sum|, ties by key. Owns: the caller frees *out. Returns how many in *n.
 *  Errors: PSW_ENOMEM. */
psw_status psw_influence_groups(const struct psw_influence *f, enum psw_influence_by by,
                                struct psw_influence_group **out, int64_t *n,
                                struct psw_error *err);

/** What a token says, "" where the file does not have it; it is cut to n_bytes, with a
 *  terminator. Returns out. */
char *psw_influence_text(const struct psw_influence *f, int64_t token, char *out,
                         size_t n_bytes);

/** Tables of the n_top pairs, prompts and tokens. Errors: PSW_ENOMEM, PSW_EIO. */
psw_status psw_influence_show(FILE *out, const struct psw_influence *f, int64_t n_top,
                              struct psw_error *err);
/** Every token, as CSV or as an object per line. Errors: PSW_EIO. */
psw_status psw_influence_csv(FILE *out, const struct psw_influence *f, struct psw_error *err);
psw_status psw_influence_json(FILE *out, const struct psw_influence *f, struct psw_error *err);

#endif
