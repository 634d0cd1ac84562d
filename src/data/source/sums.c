/* Answers with the right sum, and with a slip. */
#include "source/generated.h"
#include "source/sums_grammar.h"

/** Write a number, first digit first. Returns how many digits. */
static int32_t write_number(int number, int32_t *id)
{
    int32_t n = 0;
    for (int rest = number; n == 0 || rest > 0; rest /= 10) n++;
    for (int32_t i = n; i-- > 0; number /= 10) id[i] = SUM_DIGIT + number % 10;
    return n;
}

static void write_answer(int working, int final, struct psw_drawn *out)
{
    int32_t n = write_number(working, out->id);
    out->id[n++] = SUM_MARK;
    n += write_number(final, out->id + n);
    out->id[n++] = SUM_EOS;
    out->n = n;
}

/** A number near the sum, but not it. */
static int draw_slip(struct psw_draws *d, int sum)
{
    const int size = 1 + psw_draw_below(d, PSW_SUMS_MAX_SLIP);
    return psw_draw_below(d, 2) || sum < size ? sum + size : sum - size;
}

static void draw_prompt(struct psw_draws *d, const struct psw_generated_opts *opts,
                        enum psw_split split, struct psw_drawn *out)
{
    const int terms = (int)opts->terms;
    do {
        out->index = psw_draw_below(d, (int)psw_sums_n_prompt(terms));
        out->n = psw_sums_prompt(terms, out->index, out->id);
    } while (psw_split_of(out->id, out->n) != split);
}

static void draw_answer(struct psw_draws *d, const struct psw_generated_opts *opts,
                        const struct psw_drawn *prompt, struct psw_drawn *out)
{
    const int sum = psw_sums_of(psw_drawn_tokens(prompt));
    write_answer(sum, psw_draw_hit(d, opts->error) ? draw_slip(d, sum) : sum, out);
}

/** A right answer and a slip. */
static psw_status draw_pair(struct psw_draws *d, const struct psw_generated_opts *opts,
                            const struct psw_drawn *prompt, struct psw_drawn *answer,
                            int64_t *n_tie, struct psw_error *err)
{
    const int sum = psw_sums_of(psw_drawn_tokens(prompt));
    (void)opts, (void)n_tie, (void)err;
    write_answer(sum, sum, &answer[0]);
    write_answer(sum, draw_slip(d, sum), &answer[1]);
    return PSW_OK;
}

static int draw_new_prompt(struct psw_draws *d, const struct psw_generated_opts *opts,
                           const unsigned char *seen, struct psw_drawn *out)
{
    draw_prompt(d, opts, PSW_SPLIT_HELDOUT, out);
    return !seen[out->index];
}

static int64_t n_prompt(const struct psw_generated_opts *opts)
{
    return psw_sums_n_prompt((int)opts->terms);
}

static psw_status check(const struct psw_generated_opts *opts, struct psw_error *err)
{
    if (opts->terms >= PSW_SUMS_MIN_TERMS && opts->terms <= PSW_SUMS_MAX_TERMS) return PSW_OK;
    return psw_fail(err, PSW_EINVAL, "sums.terms: %lld is not in [%d, %d]",
                    (long long)opts->terms, PSW_SUMS_MIN_TERMS, PSW_SUMS_MAX_TERMS);
}

static struct psw_generated_opts opts_of(const struct psw_config *config)
{
    return (struct psw_generated_opts){.seed = (uint64_t)config->seed,
                                       .n_sft = config->sums.sft,
                                       .n_pairs = config->sums.pairs,
                                       .terms = config->sums.terms,
                                       .error = config->sums.error,
                                       .flip = config->sums.flip};
}

static const struct psw_generator GENERATOR = {.tokenizer = &PSW_SUMS_TOKENIZER,
                                               .max_prompt = PSW_SUMS_MAX_PROMPT,
                                               .max_response = PSW_SUMS_MAX_RESPONSE,
                                               .sample = {.seed = 1,
                                                          .n_sft = 256,
                                                          .n_pairs = 256,
                                                          .n_pairs_heldout = 64,
                                                          .n_prompts_heldout = 64,
                                                          .terms = 3,
                                                          .error = 0.6,
                                                          .flip = 0.1},
                                               .opts = opts_of,
                                               .check = check,
                                               .n_prompt = n_prompt,
                                               .prompt = draw_prompt,
                                               .answer = draw_answer,
                                               .pair = draw_pair,
                                               .new_prompt = draw_new_prompt};

const struct psw_data_source PSW_SUMS_SOURCE = {.scorer = &PSW_SUMS_SCORER,
                                                .generator = &GENERATOR};
