/* The lists of a generated task: its items one after the other, each from random numbers of its
 * own. */
#include "source/generator.h"

#include <posweep/util/hash.h>
#include <stdlib.h>

int psw_draw_below(struct psw_draws *draws, int n)
{
    return (int)psw_rng_below(draws->stream, draws->item, draws->position++, (uint64_t)n);
}

int psw_draw_hit(struct psw_draws *draws, double probability)
{
    return psw_rng_uniform(draws->stream, draws->item, draws->position++) < probability;
}

struct psw_tokens psw_drawn_tokens(const struct psw_drawn *drawn)
{
    return (struct psw_tokens){drawn->id, drawn->n};
}

int psw_take_digit(int64_t *number, int radix)
{
    const int d = (int)(*number % radix);
    *number /= radix;
    return d;
}

int psw_take_word(const int32_t **at, const int32_t *end, int first, int n_class)
{
    if (*at == end || **at < first || **at >= first + n_class) return -1;
    return (int)(*(*at)++ - first);
}

/** What is being made. */
struct generation {
    const char *task;
    const struct psw_generator *by;
    struct psw_generated_opts opts;
    struct psw_dataset *data;
};

static struct psw_draws draws_of(const struct generation *w, enum psw_rng_use use,
                                 uint32_t step, int64_t item)
{
    return (struct psw_draws){.stream = {.seed = w->opts.seed, .use = use, .step = step},
                              .item = (uint64_t)item};
}

/** Append a prompt with its answers to a list. Shapes: answer: [n_answer]. */
static psw_status push(const struct generation *w, struct psw_examples *list,
                       const struct psw_drawn *prompt, const struct psw_drawn *answer,
                       int32_t n_answer, struct psw_error *err)
{
    struct psw_example e = {.n_prompt = prompt->n, .n_seq = n_answer};
    e.prompt_key = psw_tokens_hash(psw_drawn_tokens(prompt));
    e.prompt = prompt->id;
    for (int32_t s = 0; s < n_answer; s++) {
        e.response[s] = answer[s].id;
        e.n_response[s] = answer[s].n;
    }
    return psw_dataset_push(w->data, list, &e, err);
}

static psw_status make_sft(struct generation *w, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < w->opts.n_sft && rc == PSW_OK; i++) {
        struct psw_draws d = draws_of(w, PSW_RNG_TASK, 0, i);
        struct psw_drawn prompt, answer;
        w->by->prompt(&d, &w->opts, PSW_SPLIT_TRAIN, &prompt);
        w->by->answer(&d, &w->opts, &prompt, &answer);
        rc = push(w, &w->data->sft, &prompt, &answer, 1, err);
    }
    return rc;
}

/** Training pairs (may be flipped) or probe pairs (never). */
static psw_status make_pairs(struct generation *w, enum psw_split split, struct psw_error *err)
{
    const int train = split == PSW_SPLIT_TRAIN;
    struct psw_examples *list = train ? &w->data->pairs : &w->data->pairs_heldout;
    struct psw_data_counts *counts =
        train ? &w->data->counts[PSW_DATA_PAIRS] : &w->data->counts[PSW_DATA_HELDOUT];
    const int64_t n_pair = train ? w->opts.n_pairs : w->opts.n_pairs_heldout;
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n_pair && rc == PSW_OK; i++) {
        struct psw_draws d = draws_of(w, PSW_RNG_PAIRS, (uint32_t)split, i);
        struct psw_drawn prompt, answer[2];
        w->by->prompt(&d, &w->opts, split, &prompt);
        const int flip = train && psw_draw_hit(&d, w->opts.flip);
        rc = w->by->pair(&d, &w->opts, &prompt, answer, &counts->made.n_redrawn, err);
        if (rc != PSW_OK) return rc;
        const struct psw_drawn labelled[2] = {answer[flip], answer[1 - flip]};
        rc = push(w, list, &prompt, labelled, 2, err);
        counts->made.n_flipped += flip;
        counts->n_row = counts->n_kept = i + 1;
    }
    return rc;
}

/** Distinct held-out prompts. Shapes: seen: [n_prompt], zeros. */
static psw_status make_prompts(struct generation *w, unsigned char *seen, struct psw_error *err)
{
    const int64_t n = w->opts.n_prompts_heldout, n_try = 50 * n;
    const int64_t n_most = w->by->n_prompt(&w->opts) / 4; /* more than the split has */
    struct psw_examples *list = &w->data->prompts_heldout;
    psw_status rc = PSW_OK;
    for (int64_t i = 0; list->n < n && rc == PSW_OK; i++) {
        struct psw_draws d = draws_of(w, PSW_RNG_TASK, PSW_SPLIT_HELDOUT, i);
        struct psw_drawn prompt;
        const int found =
            i < n_try && n <= n_most ? w->by->new_prompt(&d, &w->opts, seen, &prompt) : -1;
        if (found < 0)
            return psw_fail(err, PSW_EINVAL,
                            "%s: only %lld different held-out prompts were found, %lld asked",
                            w->task, (long long)list->n, (long long)n);
        if (!found) continue;
        seen[prompt.index] = 1;
        rc = push(w, list, &prompt, NULL, 0, err);
    }
    return rc;
}

static psw_status check(const struct generation *w, struct psw_error *err)
{
    const struct {
        const char *name;
        double value;
    } share[] = {{"error", w->opts.error}, {"flip", w->opts.flip}, {"except", w->opts.except}};
    for (size_t i = 0; i < sizeof share / sizeof *share; i++)
        if (!(share[i].value >= 0.0 && share[i].value <= 1.0))
            return psw_fail(err, PSW_EINVAL, "%s.%s: %g is not in [0, 1]", w->task,
                            share[i].name, share[i].value);
    if (w->opts.n_sft < 0 || w->opts.n_pairs < 0 || w->opts.n_pairs_heldout < 0 ||
        w->opts.n_prompts_heldout < 0)
        return psw_fail(err, PSW_EINVAL, "%s: a number of items is negative", w->task);
    return w->by->check ? w->by->check(&w->opts, err) : PSW_OK;
}

/** All lists, not sealed yet. */
static psw_status make(const struct psw_data_source *source, const char *task,
                       const struct psw_generated_opts *opts, struct psw_dataset **out,
                       struct psw_error *err)
{
    struct generation w = {.task = task, .by = source->generator, .opts = *opts};
    unsigned char *seen = NULL;
    if (w.opts.n_pairs_heldout == 0 && w.opts.n_pairs > 0)
        w.opts.n_pairs_heldout = PSW_GENERATED_PAIRS_HELDOUT;
    if (w.opts.n_prompts_heldout == 0) w.opts.n_prompts_heldout = PSW_GENERATED_PROMPTS_HELDOUT;
    psw_status rc = check(&w, err);
    if (rc != PSW_OK) return rc;
    PSW_TRY(psw_dataset_create(source, w.by->tokenizer, &w.data, err));
    seen = calloc((size_t)w.by->n_prompt(&w.opts), 1);
    if (!seen) PSW_TRY(psw_fail(err, PSW_ENOMEM, "data: a table of all prompts"));
    PSW_TRY(make_sft(&w, err));
    PSW_TRY(make_pairs(&w, PSW_SPLIT_TRAIN, err));
    PSW_TRY(make_pairs(&w, PSW_SPLIT_PROBE, err));
    PSW_TRY(make_prompts(&w, seen, err));
    PSW_TRY(psw_dataset_finish(w.data, err));
    free(seen);
    *out = w.data;
    return PSW_OK;
fail:
    free(seen);
    psw_dataset_destroy(w.data);
    return rc;
}

psw_status psw_generated_hash(const struct psw_data_source *source, uint64_t *out,
                              struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    psw_status rc = make(source, "", &source->generator->sample, &data, err);
    if (rc == PSW_OK) rc = psw_dataset_seal(data, err);
    if (rc == PSW_OK) *out = data->content_hash;
    psw_dataset_destroy(data);
    return rc;
}

psw_status psw_generated_make(const struct psw_data_source *source, const char *task,
                              const struct psw_generated_opts *opts, struct psw_dataset **out,
                              struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    uint64_t hash = 0;
    psw_status rc = psw_generated_hash(source, &hash, err);
    if (rc == PSW_OK) rc = make(source, task, opts, &data, err);
    if (rc != PSW_OK) return rc;
    psw_dataset_made_by(data, task, hash);
    rc = psw_dataset_seal(data, err);
    if (rc == PSW_OK)
        *out = data;
    else
        psw_dataset_destroy(data);
    return rc;
}
