/* What generated tasks share: drawing prompts and answers, and reading their words. */
#ifndef POSWEEP_SRC_DATA_SOURCE_GENERATED_H
#define POSWEEP_SRC_DATA_SOURCE_GENERATED_H

#include "data_internal.h"
#include <posweep/data/generated.h>
#include <posweep/util/rng.h>

/** Where the next random number of a generated item comes from. */
struct psw_draws {
    struct psw_rng stream;
    uint64_t item;
    uint32_t position;
};

/** Uniform in [0, n). */
int psw_draw_below(struct psw_draws *draws, int n);

/** True with the given probability. */
int psw_draw_hit(struct psw_draws *draws, double probability);

/** A prompt, or an answer with its EOS. */
enum { PSW_DRAWN_TOKENS = 16 };
struct psw_drawn {
    int32_t id[PSW_DRAWN_TOKENS];
    int32_t n;
    int64_t index; /* of a prompt: its number among all of the task */
};

struct psw_tokens psw_drawn_tokens(const struct psw_drawn *drawn);

/** How a task draws. A prompt comes from one split; a pair has the better answer first. */
struct psw_generator {
    const struct psw_tokenizer *tokenizer;
    int max_prompt, max_response;     /* tokens */
    struct psw_generated_opts sample; /* a small fixed set: its hash tells one program's items
                                         from another's */
    struct psw_generated_opts (*opts)(const struct psw_config *config);
    psw_status (*check)(const struct psw_generated_opts *opts, struct psw_error *err);
    int64_t (*n_prompt)(const struct psw_generated_opts *opts); /* of all splits */
    void (*prompt)(struct psw_draws *d, const struct psw_generated_opts *opts,
                   enum psw_split split, struct psw_drawn *out);
    void (*answer)(struct psw_draws *d, const struct psw_generated_opts *opts,
                   const struct psw_drawn *prompt, struct psw_drawn *out);
    /** Returns how often a tie was drawn again. Errors: PSW_EINVAL where there is no better
     *  answer. Shapes: answer: [2]. */
    psw_status (*pair)(struct psw_draws *d, const struct psw_generated_opts *opts,
                       const struct psw_drawn *prompt, struct psw_drawn *answer, int64_t *n_tie,
                       struct psw_error *err);
    /** A held-out prompt that was not met; the caller marks it. Returns 1, 0 to try other
     * draws, or -1 to give up. Shapes: seen: [n_prompt]. */
    int (*new_prompt)(struct psw_draws *d, const struct psw_generated_opts *opts,
                      const unsigned char *seen, struct psw_drawn *out);
};

/** A sealed data set that remembers what made it. Errors: those of psw_generated_create. */
psw_status psw_generated_make(const struct psw_data_source *source, const char *task,
                              const struct psw_generated_opts *opts, struct psw_dataset **out,
                              struct psw_error *err);

/** Identity of what a generator makes. Errors: PSW_ENOMEM. */
psw_status psw_generated_hash(const struct psw_data_source *source, uint64_t *out,
                              struct psw_error *err);

/** Split the last digit off a mixed-radix number. */
int psw_take_digit(int64_t *number, int radix);

/** Take an id of the class [first, first + n_class) at *at: its place in the class, or -1 and
 *  nothing taken. */
int psw_take_word(const int32_t **at, const int32_t *end, int first, int n_class);

#endif
