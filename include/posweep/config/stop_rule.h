/* Early stopping: the rule that a sweep file asks for with `stop:`, and where along training it
 * looks at a run. The rule is no setting of a run: it is in no run's identity, and a run that
 * it lets go on is the same to the bit as without it. */
#ifndef POSWEEP_CONFIG_STOP_RULE_H
#define POSWEEP_CONFIG_STOP_RULE_H

#include <stdint.h>

enum psw_stop_kind { PSW_STOP_NEVER, PSW_STOP_MEDIAN, PSW_STOP_ASHA, PSW_N_STOP_KIND };

/** What is compared at a rung; the mean of a training metric is taken since the rung before. */
enum psw_stop_metric {
    PSW_STOP_SCORE,
    PSW_STOP_TRAIN_LOSS,
    PSW_STOP_TRAIN_ACCURACY,
    PSW_STOP_TRAIN_MARGIN,
    PSW_N_STOP_METRIC
};

/** `stop: {rule, metric, mode, grace, reduction, min_runs}`. Plain data, sent as bytes. */
struct psw_stop_rule {
    enum psw_stop_kind kind;
    enum psw_stop_metric metric;
    int32_t is_min;    /* less is better */
    int64_t grace;     /* steps before the first rung, which is there */
    int64_t reduction; /* asha: one of so many goes on, and the next rung is so much later */
    int64_t min_runs;  /* median: finished runs that it takes */
};

/** "median", "asha"; "" for none. "score", "train_loss", ... MPI: Local. */
const char *psw_stop_kind_name(enum psw_stop_kind kind);
const char *psw_stop_metric_name(enum psw_stop_metric metric);

/** Whether the two stop the same runs at the same rungs. MPI: Local. */
int psw_stop_rule_equal(const struct psw_stop_rule *a, const struct psw_stop_rule *b);

/** The rung after this many steps of training: grace * reduction^k of asha, every `grace` steps
 *  of median; 0: there is none within n_step steps. The end of a run is no rung. MPI: Local. */
int64_t psw_stop_next_rung(const struct psw_stop_rule *rule, int64_t step, int64_t n_step);

#endif
