/* What the parts of posweep sample share: asking a model, and what it said before. */
#ifndef PSW_SAMPLE_INTERNAL_H
#define PSW_SAMPLE_INTERNAL_H

#include <posweep/config/config.h>
#include <posweep/data/prompt_maker.h>
#include <posweep/stage/respond.h>
#include <posweep/store/results.h>
#include <stdio.h>

/** A model that is asked, and how. Borrowed. */
struct psw_sample_talk {
    struct psw_responder *model;
    struct psw_prompt_maker *maker;
    const struct psw_config *config; /* seed and final.*: how to draw */
    int32_t n_sample;                /* responses to each prompt */
    int as_json;
    int is_bare;      /* responses alone, without their prompts */
    int64_t n_prompt; /* met so far: the place of the next one in the stream of draws */
};

/** Answer one prompt. Errors: those of encoding and sampling, with the prompt's number. */
psw_status psw_sample_answer_one(struct psw_sample_talk *talk, const char *prompt,
                                 struct psw_error *err);

/** Answer all prompts of a stream: a line each, or an object {"prompt": "..."}; blank lines are
 *  none. At a terminal each is answered before the next, and what is wrong with one is said
 *  and not the end. `name` is for messages. Errors: also PSW_EDATA with name and line. */
psw_status psw_sample_answer_all(struct psw_sample_talk *talk, FILE *in, const char *name,
                                 struct psw_error *err);

/** Print text; at a terminal, control characters that could steer it as "?". */
void psw_sample_print_text(const char *at, size_t n);

/** Whose samples, and how they are printed. Borrowed. */
struct psw_sample_recorded {
    const char *run; /* as a user names it */
    int as_json;
};

/** Print the samples that stand in the results file: prompt, what the SFT model and the policy
 *  say, and the chosen and the rejected response where the prompt is of a pair. For
 *  psw_cli_read; ctx: struct psw_sample_recorded. Errors: those of psw_run_find; PSW_EDATA when
 *  there are none. */
psw_status psw_sample_print_recorded(struct psw_results *results, void *ctx,
                                     struct psw_error *err);

#endif
