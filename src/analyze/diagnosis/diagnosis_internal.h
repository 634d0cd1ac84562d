/* The rules of a diagnosis, and the facts of one run that they are tests of. */
#ifndef PSW_ANALYZE_DIAGNOSIS_INTERNAL_H
#define PSW_ANALYZE_DIAGNOSIS_INTERNAL_H

#include <posweep/analyze/diagnosis.h>
#include <posweep/analyze/traces.h>

/** The run that is looked at. */
struct psw_patient {
    struct psw_results *results; /* borrowed */
    int64_t run;
    int64_t n_checkpoint; /* of this run */
    int method;           /* enum psw_method; -1: one that this version does not know */
    int has_trace;
    struct psw_traces traces;
};

/** Whom a rule is for. */
enum psw_rule_for {
    PSW_FOR_ALL,
    PSW_FOR_PAIRS,     /* pairwise methods that compare two responses */
    PSW_FOR_REFERENCE, /* of those, the ones with a reference */
    PSW_FOR_ROLLOUTS,
    PSW_FOR_GROUPS, /* grpo, dapo */
    PSW_FOR_CRITIC  /* ppo */
};

/** A row of the table. */
struct psw_diagnosis_rule {
    const char *name;
    enum psw_rule_for who;
    const char *needs; /* datasets with a value of this run, separated by blanks */
    const char *stored_by;
    double limit; /* the number that decides */
    /** Whether it fires, and then what it says. Not called where data are missing. */
    int (*test)(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,
                char says[PSW_DIAGNOSIS_BYTES]);
    const char *advice;
};

/* --- diagnosis_facts.c --- */

/** A number of the run; NaN: there is none. */
double psw_fact(const struct psw_patient *p, const char *name);
/** Of a checkpoint, and of a component at a checkpoint. */
double psw_fact_at(const struct psw_patient *p, const char *name, int64_t checkpoint);
double psw_fact_of(const struct psw_patient *p, const char *name, int64_t checkpoint,
                   const char *component);
/** G along another direction. */
double psw_fact_along(const struct psw_patient *p, const char *direction, int64_t checkpoint,
                      const char *component);
/** A setting, swept or not; NaN: not known, or no number. */
double psw_fact_setting(const struct psw_patient *p, const char *path);
/** Training step of a checkpoint. */
double psw_fact_step(const struct psw_patient *p, int64_t checkpoint);
/** Whether the run has a finite value of a dataset. */
int psw_fact_is_there(const struct psw_patient *p, const char *name);

/** A training metric: the mean of the first quarter of its log lines, of the last, and of all;
 *  the error of last - first from the scatter within the quarters. */
struct psw_course {
    int64_t n;
    double first, last, mean, least, most;
    double se; /* NaN with fewer than 8 lines */
};
struct psw_course psw_fact_course(const struct psw_patient *p, const char *name);

/** The gradients of the positive and the negative part at a checkpoint. */
struct psw_entanglement {
    double pos, neg; /* norms */
    double cosine;   /* of s+ and s-, the directions that raise the chosen and the rejected */
    double ratio;    /* |pos| / |neg|: weights over their ratio that is in balance, r / r* */
    int is_known;
};
struct psw_entanglement psw_fact_entanglement(const struct psw_patient *p, int64_t checkpoint);

/* --- the tests; each stands beside those it resembles --- */

#define PSW_RULE_TEST(name)                                                                    \
    int psw_rule_##name(const struct psw_patient *p, const struct psw_diagnosis_rule *rule,    \
                        char says[PSW_DIAGNOSIS_BYTES])

PSW_RULE_TEST(ended_badly); /* rules_end.c */
PSW_RULE_TEST(ran_away);
PSW_RULE_TEST(unmoved);
PSW_RULE_TEST(cut);
PSW_RULE_TEST(repeats);
PSW_RULE_TEST(length);
PSW_RULE_TEST(overoptimised);
PSW_RULE_TEST(worse);
PSW_RULE_TEST(both_fall); /* rules_pairs.c */
PSW_RULE_TEST(displaced);
PSW_RULE_TEST(pushed_down);
PSW_RULE_TEST(entangled);
PSW_RULE_TEST(out_of_band);
PSW_RULE_TEST(not_learning);
PSW_RULE_TEST(overfits);
PSW_RULE_TEST(clip_idle); /* rules_rollouts.c */
PSW_RULE_TEST(clip_everywhere);
PSW_RULE_TEST(equal_groups);
PSW_RULE_TEST(blind_critic);
PSW_RULE_TEST(entropy_gone);
PSW_RULE_TEST(against_the_end); /* rules_trace.c */
PSW_RULE_TEST(unclear);
PSW_RULE_TEST(few_finals);
PSW_RULE_TEST(long_trial);

#endif
