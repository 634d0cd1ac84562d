/* The registry: every training method is one row of one table. A row says how a response is
 * scored, how the margin between the two scores turns into loss and weight, which options it
 * reads, and which paper it comes from.
 *
 * To add a method of a known shape, add its name to the configuration and a row here. */
#ifndef POSWEEP_OBJECTIVE_REGISTRY_H
#define POSWEEP_OBJECTIVE_REGISTRY_H

#include <posweep/config/config.h>
#include <posweep/util/status.h>
#include <stdint.h>

/** Options that a method may read, as bits. */
enum psw_pair_option {
    PSW_READS_BETA = 1,
    PSW_READS_GAMMA = 2,
    PSW_READS_EPSILON = 4,
    PSW_READS_LAMBDA = 8,
    PSW_READS_ALPHA = 16
};

/** What a row tells other modules. */
struct psw_method_info {
    const char *name;   /* lower case, as in the configuration and the results file */
    unsigned reads;     /* bits of enum psw_pair_option */
    int has_pairs;      /* 0: only the chosen response is used (sft) */
    int has_reference;  /* reads the reference model's log-probabilities */
    int has_nll;        /* adds an NLL term on the chosen response */
    const char *loss;   /* formula, for help texts; z, n, r, Delta as in SCIENCE */
    const char *source; /* paper and equation */
    int is_onpolicy;    /* learns from its own samples (onpolicy.h), not from pairs */
};

/** Never NULL; `method` must be one of enum psw_method. */
const struct psw_method_info *psw_method_info(int method);

/** -1 when no row has this name. */
int psw_method_find(const char *name);

/** Options of the pairwise objectives; each method reads those its row names. */
struct psw_pair_opts {
    int method;     /* enum psw_method */
    double beta;    /* > 0; strength of the margin */
    double gamma;   /* target margin of simpo, >= 0 */
    double epsilon; /* assumed share of flipped labels, in [0, 0.5) */
    double lambda;  /* penalty of dpop, >= 0 */
    double alpha; /* weight of the NLL term (cpo, rpo) or of the odds-ratio term (orpo), >= 0 */
};

/** The options of a configured run. */
struct psw_pair_opts psw_pair_opts_of(const struct psw_config *config);

/** Errors: PSW_EINVAL with the option's name and value when the method reads an option that is
 *  out of its range. */
psw_status psw_pair_opts_check(const struct psw_pair_opts *opts, struct psw_error *err);

#endif
