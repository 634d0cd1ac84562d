/* A digit's id is its value plus one constant, so numbers are read and written by arithmetic.
 * The scorer adds up what stands in the prompt; no answer is kept anywhere. */
#include <posweep/data/sums.h>

#include "data_internal.h"
#include <stdlib.h>

enum { N_POLITENESS = 3, N_VERB = 8, N_WHOM = 4, N_DIGIT = 10 };
enum { N_PHRASE = (1 + N_POLITENESS) * N_VERB * (1 + N_WHOM) };

enum {
    W_EOS,
    W_FOR,
    W_PLUS,
    W_MARK,
    W_POLITENESS,
    W_VERB = W_POLITENESS + N_POLITENESS,
    W_WHOM = W_VERB + N_VERB,
    W_DIGIT = W_WHOM + N_WHOM,
    N_WORD = W_DIGIT + N_DIGIT
};

/* clang-format off */
static const char *const WORD[N_WORD] = {
    "<eos>", "for", "+", "#",
    "please", "kindly", "now",
    "add", "find", "compute", "solve", "tell", "give", "state", "say",
    "me", "us", "him", "them",
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
};
/* clang-format on */

static const struct psw_vocabulary VOCABULARY = {WORD, N_WORD};

int32_t psw_sums_word(const char *word)
{
    return psw_vocabulary_find(&VOCABULARY, word);
}

/** Write a number, first digit first. Returns how many digits. */
static int32_t write_number(int number, int32_t *id)
{
    int32_t n = 0;
    for (int rest = number; n == 0 || rest > 0; rest /= 10) n++;
    for (int32_t i = n; i-- > 0; number /= 10) id[i] = W_DIGIT + number % 10;
    return n;
}

/** Take the digits at *at: their number, or -1 for none, a leading zero, or too many to be a
 *  sum. */
static int take_number(const int32_t **at, const int32_t *end)
{
    enum { MAX_DIGITS = 3 };
    const int32_t *first = *at;
    int number = 0, digit;
    while ((digit = psw_take_word(at, end, W_DIGIT, N_DIGIT)) >= 0) {
        if (*at - first > MAX_DIGITS) return -1;
        number = 10 * number + digit;
    }
    if (*at == first || (*at - first > 1 && *first == W_DIGIT)) return -1;
    return number;
}

int64_t psw_sums_n_prompt(int terms)
{
    int64_t n = N_PHRASE;
    for (int i = 0; i < terms; i++) n *= N_DIGIT;
    return n;
}

int32_t psw_sums_prompt(int terms, int64_t index, int32_t *prompt)
{
    PSW_ASSERT(index >= 0 && index < psw_sums_n_prompt(terms));
    const int politeness = psw_take_digit(&index, 1 + N_POLITENESS);
    const int verb = psw_take_digit(&index, N_VERB), whom = psw_take_digit(&index, 1 + N_WHOM);
    int32_t n = 0;
    if (politeness) prompt[n++] = W_POLITENESS + politeness - 1;
    prompt[n++] = W_VERB + verb;
    if (whom) {
        prompt[n++] = W_FOR;
        prompt[n++] = W_WHOM + whom - 1;
    }
    for (int i = 0; i < terms; i++) {
        if (i > 0) prompt[n++] = W_PLUS;
        prompt[n++] = W_DIGIT + psw_take_digit(&index, N_DIGIT);
    }
    return n;
}

/** The right answer to a prompt, or -1 for a prompt that is none of ours. */
static int sum_of(struct psw_words prompt)
{
    const int32_t *at = prompt.id, *end = prompt.id + prompt.n;
    (void)psw_take_word(&at, end, W_POLITENESS, N_POLITENESS);
    if (psw_take_word(&at, end, W_VERB, N_VERB) < 0) return -1;
    if (psw_take_word(&at, end, W_FOR, 1) == 0 && psw_take_word(&at, end, W_WHOM, N_WHOM) < 0)
        return -1;
    int sum = 0, n_term = 0;
    do {
        const int term = psw_take_word(&at, end, W_DIGIT, N_DIGIT);
        if (term < 0) return -1;
        sum += term;
        n_term++;
    } while (psw_take_word(&at, end, W_PLUS, 1) == 0);
    return at == end && n_term <= PSW_SUMS_MAX_TERMS ? sum : -1;
}

/** What stands between the last "#" and the EOS, or -1 when that is no number. */
static int final_answer(struct psw_words response)
{
    const int32_t *end = response.id + response.n, *at = end;
    while (at > response.id && at[-1] != W_MARK) at--;
    if (at == response.id) return -1;
    const int number = take_number(&at, end);
    return psw_take_word(&at, end, W_EOS, 1) == 0 && at == end ? number : -1;
}

static double score(const struct psw_dataset *data, struct psw_words prompt,
                    struct psw_words response)
{
    (void)data;
    const int sum = sum_of(prompt);
    return sum >= 0 && final_answer(response) == sum;
}

static void text(const int32_t *id, int64_t n, char *out, size_t n_bytes)
{
    psw_vocabulary_text(&VOCABULARY, id, n, out, n_bytes);
}

static const struct psw_data_source SOURCE = {.name = "sums",
                                              .n_vocab = N_WORD,
                                              .eos = W_EOS,
                                              .score_lo = 0.0,
                                              .score_hi = 1.0,
                                              .score = score,
                                              .text = text};

/** One prompt: its words, its number among all prompts, the right answer. */
struct prompt {
    int32_t id[PSW_SUMS_MAX_PROMPT];
    struct psw_words words; /* borrows id */
    int64_t index;
    int sum;
};

static void draw_prompt(struct psw_draws *d, int64_t terms, enum psw_part part,
                        struct prompt *out)
{
    const int64_t n_prompt = psw_sums_n_prompt((int)terms);
    out->words.id = out->id;
    do {
        out->index = psw_draw_below(d, (int)n_prompt);
        out->words.n = psw_sums_prompt((int)terms, out->index, out->id);
    } while (psw_part_of(out->id, out->words.n) != part);
    out->sum = sum_of(out->words);
}

/** One answer. */
struct answer {
    int32_t id[PSW_SUMS_MAX_RESPONSE];
    struct psw_words words; /* borrows id */
};

static void write_answer(int working, int final, struct answer *out)
{
    int32_t n = write_number(working, out->id);
    out->id[n++] = W_MARK;
    n += write_number(final, out->id + n);
    out->id[n++] = W_EOS;
    out->words = (struct psw_words){out->id, n};
}

/** A number near the sum, but not it. */
static int draw_slip(struct psw_draws *d, int sum)
{
    const int size = 1 + psw_draw_below(d, PSW_SUMS_MAX_SLIP);
    return psw_draw_below(d, 2) || sum < size ? sum + size : sum - size;
}

static psw_status build_sft(const struct psw_sums_opts *opts, struct psw_dataset *data,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < opts->n_sft && rc == PSW_OK; i++) {
        struct psw_draws d = {.stream = {.seed = opts->seed, .use = PSW_RNG_TASK},
                              .item = (uint64_t)i};
        struct prompt prompt;
        struct answer answer;
        draw_prompt(&d, opts->terms, PSW_PART_TRAIN, &prompt);
        const int slips = psw_draw_hit(&d, opts->error);
        write_answer(prompt.sum, slips ? draw_slip(&d, prompt.sum) : prompt.sum, &answer);
        rc = psw_generated_push(data, &data->sft, prompt.words, &answer.words, 1, err);
    }
    return rc;
}

/** Training pairs (may be flipped) or probe pairs (never): a right answer and a slip. */
static psw_status build_pairs(const struct psw_sums_opts *opts, enum psw_part part,
                              struct psw_dataset *data, struct psw_error *err)
{
    const int train = part == PSW_PART_TRAIN;
    struct psw_examples *list = train ? &data->pairs : &data->pairs_heldout;
    struct psw_data_counts *counts = train ? &data->counts : &data->counts_heldout;
    const int64_t n_pair = train ? opts->n_pairs : opts->n_pairs_heldout;
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n_pair && rc == PSW_OK; i++) {
        struct psw_draws d = {
            .stream = {.seed = opts->seed, .use = PSW_RNG_PAIRS, .step = (uint32_t)part},
            .item = (uint64_t)i};
        struct prompt prompt;
        struct answer answer[2];
        draw_prompt(&d, opts->terms, part, &prompt);
        const int flip = train && psw_draw_hit(&d, opts->flip);
        write_answer(prompt.sum, prompt.sum, &answer[flip]);
        write_answer(prompt.sum, draw_slip(&d, prompt.sum), &answer[1 - flip]);
        const struct psw_words labelled[2] = {answer[0].words, answer[1].words};
        rc = psw_generated_push(data, list, prompt.words, labelled, 2, err);
        counts->n_flipped += flip;
        counts->n_row = counts->n_kept = i + 1;
    }
    return rc;
}

/** Distinct held-out prompts. Shapes: seen: [psw_sums_n_prompt], zeros. */
static psw_status build_prompts(const struct psw_sums_opts *opts, unsigned char *seen,
                                struct psw_dataset *data, struct psw_error *err)
{
    const int64_t n_prompt = opts->n_prompts_heldout, n_try = 50 * n_prompt;
    psw_status rc = PSW_OK;
    for (int64_t i = 0; data->prompts_heldout.n < n_prompt && rc == PSW_OK; i++) {
        if (i == n_try || n_prompt > psw_sums_n_prompt((int)opts->terms) / 4)
            return psw_fail(err, PSW_EINVAL,
                            "sums: only %lld different held-out prompts were found, %lld asked",
                            (long long)data->prompts_heldout.n, (long long)n_prompt);
        struct psw_draws d = {
            .stream = {.seed = opts->seed, .use = PSW_RNG_TASK, .step = PSW_PART_HELDOUT},
            .item = (uint64_t)i};
        struct prompt prompt;
        draw_prompt(&d, opts->terms, PSW_PART_HELDOUT, &prompt);
        if (seen[prompt.index]) continue;
        seen[prompt.index] = 1;
        rc = psw_generated_push(data, &data->prompts_heldout, prompt.words, NULL, 0, err);
    }
    return rc;
}

static psw_status check_opts(const struct psw_sums_opts *opts, struct psw_error *err)
{
    const struct psw_share share[] = {{"error", opts->error}, {"flip", opts->flip}};
    const psw_status rc = psw_shares_check("sums", share, 2, err);
    if (rc != PSW_OK) return rc;
    if (opts->terms < PSW_SUMS_MIN_TERMS || opts->terms > PSW_SUMS_MAX_TERMS)
        return psw_fail(err, PSW_EINVAL, "sums.terms: %lld is not in [%d, %d]",
                        (long long)opts->terms, PSW_SUMS_MIN_TERMS, PSW_SUMS_MAX_TERMS);
    if (opts->n_sft < 0 || opts->n_pairs < 0 || opts->n_pairs_heldout < 0 ||
        opts->n_prompts_heldout < 0)
        return psw_fail(err, PSW_EINVAL, "sums: a number of items is negative");
    return PSW_OK;
}

/** All lists, not sealed yet. */
static psw_status build(const void *opts, struct psw_dataset **out, struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    struct psw_sums_opts full = *(const struct psw_sums_opts *)opts;
    if (full.n_pairs_heldout == 0 && full.n_pairs > 0)
        full.n_pairs_heldout = PSW_SUMS_PAIRS_HELDOUT;
    if (full.n_prompts_heldout == 0) full.n_prompts_heldout = PSW_SUMS_PROMPTS_HELDOUT;
    psw_status rc = check_opts(&full, err);
    if (rc != PSW_OK) return rc;
    unsigned char *seen = calloc((size_t)psw_sums_n_prompt((int)full.terms), 1);
    if (!seen) return psw_fail(err, PSW_ENOMEM, "sums: a table of all prompts");
    PSW_TRY(psw_dataset_create(&SOURCE, &data, err));
    PSW_TRY(build_sft(&full, data, err));
    PSW_TRY(build_pairs(&full, PSW_PART_TRAIN, data, err));
    PSW_TRY(build_pairs(&full, PSW_PART_PROBE, data, err));
    PSW_TRY(build_prompts(&full, seen, data, err));
    free(seen);
    *out = data;
    return PSW_OK;
fail:
    free(seen);
    psw_dataset_destroy(data);
    return rc;
}

static const struct psw_sums_opts SAMPLE = {.seed = 1,
                                            .n_sft = 256,
                                            .n_pairs = 256,
                                            .n_pairs_heldout = 64,
                                            .n_prompts_heldout = 64,
                                            .terms = 3,
                                            .error = 0.6,
                                            .flip = 0.1};

const struct psw_generator PSW_SUMS_GENERATOR = {"sums", build, &SAMPLE};

psw_status psw_sums_create(const struct psw_sums_opts *opts, struct psw_dataset **out,
                           struct psw_error *err)
{
    return psw_generator_make(&PSW_SUMS_GENERATOR, opts, out, err);
}
