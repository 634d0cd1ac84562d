/* What a policy says to held-out prompts: the final responses D', which G is taken along, and
 * the evaluation responses, which a run is judged by. Their prompts differ: a policy is not
 * judged by the sample that its own trace is about. */
#ifndef POSWEEP_TRACE_FINAL_H
#define POSWEEP_TRACE_FINAL_H

#include <posweep/config/config.h>
#include <posweep/data/dataset.h>
#include <posweep/parallel/responses.h>

/** What the responses are like. */
struct psw_final_quality {
    double score;           /* mean by the task's scorer; NaN without one */
    double eos_rate;        /* share that ended by EOS */
    double length_tok;      /* mean response length, EOS counted */
    double cut_rate;        /* share that did not: cut at final.max_new or the context's end */
    double repetition_rate; /* share that repeats itself (psw_repeats_itself) */
    double distinct_1, distinct_2;
};

/** Share of cut or of repeating responses above which a list of them is found to be cut, or to
 *  repeat itself. Human answers repeat themselves in about one of 100. */
#define PSW_FINAL_TOO_MANY 0.1

/** The two lists of held-out prompts; they have none in common. */
enum psw_prompt_list {
    PSW_PROMPTS_FINAL, /* of D': the first ones, final.samples responses each */
    PSW_PROMPTS_EVAL,  /* of the evaluation: those that follow, one response each */
    PSW_N_PROMPT_LIST
};

/** Prompts of a list: as many as its setting wants, if there are enough. Else the evaluation
 *  has what D' leaves, or half of them where that is more, and D' the rest; of one prompt the
 *  evaluation has none. MPI: Local. */
int64_t psw_final_n_prompt(const struct psw_config *config, const struct psw_dataset *data,
                           enum psw_prompt_list list);

/** Aim at the prompts of a list; nothing is sampled.
 * MPI:    Local. Owns: the caller clears. Errors: PSW_EINVAL when the list is empty, or a
 * prompt fills the context; PSW_ENOMEM. */
psw_status psw_final_init(const struct psw_config *config, const struct psw_dataset *data,
                          enum psw_prompt_list list, struct psw_responses *out,
                          struct psw_error *err);

/** How responses are drawn: D' and evaluation alike, with random numbers of their own.
 *  MPI: Local. */
struct psw_sample_opts psw_final_opts(const struct psw_config *config,
                                      const struct psw_dataset *data,
                                      enum psw_prompt_list list);

/** Measure quality. MPI: Local. Errors: PSW_ENOMEM. */
psw_status psw_final_measure(const struct psw_responses *final, const struct psw_dataset *data,
                             struct psw_final_quality *out, struct psw_error *err);

/** Whether these responses are drawn as the policy is: at temperature 1 from all tokens. MPI:
 * Local.
 */
int psw_final_is_policy(const struct psw_config *config);

/** Score of every response by the task's scorer (NaN without one).
 *  Shapes: out [n_seq]. MPI: Local. */
void psw_final_scores(const struct psw_responses *final, const struct psw_dataset *data,
                      double *out);

#endif
