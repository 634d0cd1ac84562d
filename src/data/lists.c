/* Words have contiguous ids by class, so grammar and judgement are comparisons of ranges. The
 * generator decides first which qualities shall be wrong and then builds an answer with exactly
 * those faults; the judge finds them again from the words alone (a test holds the two
 * together).
 */
#include <posweep/data/lists.h>

#include "data_internal.h"
#include <stdlib.h>
#include <string.h>

enum {
    N_POLITENESS = 3,
    N_VERB = 12,
    N_WHOM = 4,
    N_COUNT = 4,
    N_POLITE = 3,
    N_RUDE = 3,
    N_CATEGORY = 6,
    N_IN_CATEGORY = 10,
    MIN_COUNT = 2, /* what the word W_COUNT means */
    MAX_ITEMS = 7
};

enum {
    W_EOS,
    W_COMMA,
    W_STOP,
    W_FOR,
    W_EXCEPT,
    W_POLITENESS,
    W_VERB = W_POLITENESS + N_POLITENESS,
    W_WHOM = W_VERB + N_VERB,
    W_COUNT = W_WHOM + N_WHOM,
    W_POLITE = W_COUNT + N_COUNT,
    W_RUDE = W_POLITE + N_POLITE,
    W_CATEGORY = W_RUDE + N_RUDE,
    W_ITEM = W_CATEGORY + N_CATEGORY,
    N_WORD = W_ITEM + N_CATEGORY * N_IN_CATEGORY
};

/* clang-format off */
static const char *const WORD[N_WORD] = {
    "<eos>", ",", ".", "for", "except",
    "please", "kindly", "now",
    "give", "list", "name", "show", "write", "say", "find", "bring", "offer", "state", "pick", "choose",
    "me", "us", "him", "them",
    "two", "three", "four", "five",
    "sure", "certainly", "gladly",
    "fine", "whatever", "ugh",
    "metal", "colour", "animal", "fruit", "tool", "tree",
    "iron", "gold", "silver", "tin", "copper", "zinc", "nickel", "lead", "cobalt", "bronze",
    "red", "blue", "green", "yellow", "white", "black", "brown", "pink", "grey", "purple",
    "dog", "cat", "horse", "cow", "sheep", "goat", "pig", "hen", "duck", "rabbit",
    "apple", "pear", "plum", "grape", "lemon", "melon", "cherry", "fig", "peach", "mango",
    "hammer", "saw", "drill", "wrench", "chisel", "file", "axe", "rake", "spade", "knife",
    "oak", "pine", "elm", "birch", "maple", "cedar", "willow", "ash", "beech", "larch",
};
/* clang-format on */

static const struct psw_vocabulary VOCABULARY = {WORD, N_WORD};

/** What a prompt asks for. */
struct request {
    int count, category, except; /* except: place in the category, -1 for none */
};

static int32_t item_of(int category, int place)
{
    return W_ITEM + category * N_IN_CATEGORY + place;
}

enum { N_BASE = (1 + N_POLITENESS) * N_VERB * (1 + N_WHOM) * N_COUNT * N_CATEGORY };

int64_t psw_lists_n_prompt(void)
{
    return (int64_t)N_BASE * (1 + N_IN_CATEGORY); /* those without the clause come first */
}

int32_t psw_lists_prompt(int64_t index, int32_t *prompt)
{
    PSW_ASSERT(index >= 0 && index < psw_lists_n_prompt());
    const int politeness = psw_take_digit(&index, 1 + N_POLITENESS),
              verb = psw_take_digit(&index, N_VERB);
    const int whom = psw_take_digit(&index, 1 + N_WHOM),
              count = psw_take_digit(&index, N_COUNT);
    const int category = psw_take_digit(&index, N_CATEGORY), except = (int)index;
    int32_t n = 0;
    if (politeness) prompt[n++] = W_POLITENESS + politeness - 1;
    prompt[n++] = W_VERB + verb;
    if (whom) {
        prompt[n++] = W_FOR;
        prompt[n++] = W_WHOM + whom - 1;
    }
    prompt[n++] = W_COUNT + count;
    prompt[n++] = W_CATEGORY + category;
    if (except) {
        prompt[n++] = W_EXCEPT;
        prompt[n++] = item_of(category, except - 1);
    }
    return n;
}

static int parse_prompt(const int32_t *prompt, int64_t n, struct request *out)
{
    const int32_t *at = prompt, *end = prompt + n;
    (void)psw_take_word(&at, end, W_POLITENESS, N_POLITENESS);
    if (psw_take_word(&at, end, W_VERB, N_VERB) < 0) return 0;
    if (psw_take_word(&at, end, W_FOR, 1) == 0 && psw_take_word(&at, end, W_WHOM, N_WHOM) < 0)
        return 0;
    const int count = psw_take_word(&at, end, W_COUNT, N_COUNT);
    const int category = psw_take_word(&at, end, W_CATEGORY, N_CATEGORY);
    if (count < 0 || category < 0) return 0;
    int except = -1;
    if (psw_take_word(&at, end, W_EXCEPT, 1) == 0) {
        except = psw_take_word(&at, end, item_of(category, 0), N_IN_CATEGORY);
        if (except < 0) return 0;
    }
    *out = (struct request){.count = MIN_COUNT + count, .category = category, .except = except};
    return at == end;
}

int32_t psw_lists_word(const char *word)
{
    return psw_vocabulary_find(&VOCABULARY, word);
}

/** Items of "item , item ... . EOS", or -1 when the words are no such list.
 *  Shapes: item: [n]. */
static int64_t parse_items(const int32_t *at, const int32_t *end, int32_t *item, int64_t n_max)
{
    int64_t n = 0;
    do {
        const int i = psw_take_word(&at, end, W_ITEM, N_CATEGORY * N_IN_CATEGORY);
        if (i < 0 || n == n_max) return -1;
        item[n++] = i;
    } while (psw_take_word(&at, end, W_COMMA, 1) == 0);
    if (psw_take_word(&at, end, W_STOP, 1) < 0 || psw_take_word(&at, end, W_EOS, 1) < 0)
        return -1;
    return at == end ? n : -1;
}

unsigned psw_lists_judge(const int32_t *prompt, int64_t n_prompt, const int32_t *response,
                         int64_t n_response)
{
    enum { N_MAX = 64 };
    struct request ask;
    if (!parse_prompt(prompt, n_prompt, &ask)) return 0;
    const int32_t *at = response, *end = response + n_response;
    unsigned right = 0;
    if (psw_take_word(&at, end, W_POLITE, N_POLITE) >= 0)
        right |= PSW_LISTS_POLITE;
    else
        (void)psw_take_word(&at, end, W_RUDE, N_RUDE);

    int32_t item[N_MAX];
    const int64_t n = parse_items(at, end, item, N_MAX);
    if (n < 0) return right;
    uint64_t seen = 0;
    int fits = 1, repeats = 0;
    for (int64_t i = 0; i < n; i++) {
        const int place = item[i] % N_IN_CATEGORY;
        fits &= item[i] / N_IN_CATEGORY == ask.category && place != ask.except;
        repeats |= (int)(seen >> item[i] & 1);
        seen |= (uint64_t)1 << item[i];
    }
    if (fits) right |= PSW_LISTS_CATEGORY;
    if (n == ask.count) right |= PSW_LISTS_COUNT;
    if (!repeats) right |= PSW_LISTS_NO_REPEAT;
    return right;
}

static double value_of(struct psw_words prompt, struct psw_words response)
{
    const unsigned right = psw_lists_judge(prompt.id, prompt.n, response.id, response.n);
    return 2.0 * __builtin_popcount(right) - 4.0;
}

static double score(const struct psw_dataset *data, struct psw_words prompt,
                    struct psw_words response)
{
    (void)data;
    return value_of(prompt, response);
}

static void text(const int32_t *id, int64_t n, char *out, size_t n_bytes)
{
    psw_vocabulary_text(&VOCABULARY, id, n, out, n_bytes);
}

static const struct psw_data_source SOURCE = {.name = "lists",
                                              .n_vocab = N_WORD,
                                              .eos = W_EOS,
                                              .score_lo = -4.0,
                                              .score_hi = 4.0,
                                              .score = score,
                                              .text = text};

/** A count near the right one, but not it; at least two, so that repeats remain possible. */
static int wrong_count(struct psw_draws *d, int count)
{
    int choice[4], n = 0;
    for (int c = count - 2; c <= count + 2; c++)
        if (c != count && c >= 2 && c <= MAX_ITEMS) choice[n++] = c;
    return choice[psw_draw_below(d, n)];
}

/** n different places of a category; `avoid` is none of them (-1: nothing to avoid).
 *  Shapes: place: [N_IN_CATEGORY]. */
static void draw_places(struct psw_draws *d, int n, int avoid, int *place)
{
    int n_left = 0;
    for (int i = 0; i < N_IN_CATEGORY; i++)
        if (i != avoid) place[n_left++] = i;
    PSW_ASSERT(n <= n_left);
    for (int i = 0; i < n; i++) {
        const int j = i + psw_draw_below(d, n_left - i), t = place[i];
        place[i] = place[j];
        place[j] = t;
    }
}

/** A word that does not belong: the excepted one half of the times, if there is one, else any
 * of another category. */
static int32_t draw_intruder(struct psw_draws *d, struct request ask)
{
    if (ask.except >= 0 && psw_draw_below(d, 2)) return item_of(ask.category, ask.except);
    const int category = (ask.category + 1 + psw_draw_below(d, N_CATEGORY - 1)) % N_CATEGORY;
    return item_of(category, psw_draw_below(d, N_IN_CATEGORY));
}

/** Words of the list with exactly the faults asked for; n >= 2. Shapes: item: [n]. */
static void draw_items(struct psw_draws *d, struct request ask, unsigned right, int n,
                       int32_t *item)
{
    int place[N_IN_CATEGORY], intruder = -1;
    draw_places(d, n, ask.except, place);
    for (int i = 0; i < n; i++) item[i] = item_of(ask.category, place[i]);
    if (!(right & PSW_LISTS_CATEGORY)) {
        intruder = psw_draw_below(d, n);
        item[intruder] = draw_intruder(d, ask);
    }
    if (!(right & PSW_LISTS_NO_REPEAT)) { /* the intruder must survive */
        const int later = 1 + psw_draw_below(d, n - 1), earlier = psw_draw_below(d, later);
        if (later == intruder)
            item[earlier] = item[later];
        else
            item[later] = item[earlier];
    }
}

/** One answer. */
struct answer {
    int32_t id[PSW_LISTS_MAX_RESPONSE];
    int32_t n;
};

static void draw_answer(struct psw_draws *d, struct request ask, double error,
                        struct answer *out)
{
    unsigned right = 0;
    for (unsigned bit = PSW_LISTS_CATEGORY; bit <= PSW_LISTS_POLITE; bit <<= 1)
        if (!psw_draw_hit(d, error)) right |= bit;
    const int count = right & PSW_LISTS_COUNT ? ask.count : wrong_count(d, ask.count);
    int32_t item[MAX_ITEMS], n = 0;
    draw_items(d, ask, right, count, item);
    out->id[n++] = right & PSW_LISTS_POLITE ? W_POLITE + psw_draw_below(d, N_POLITE)
                                            : W_RUDE + psw_draw_below(d, N_RUDE);
    for (int i = 0; i < count; i++) {
        if (i > 0) out->id[n++] = W_COMMA;
        out->id[n++] = item[i];
    }
    out->id[n++] = W_STOP;
    out->id[n++] = W_EOS;
    out->n = n;
}

/** One prompt: its words, what they ask, its number among all prompts. */
struct prompt {
    int32_t id[PSW_LISTS_MAX_PROMPT];
    int32_t n;
    int64_t index;
    struct request ask;
};

/** clause: with an `except` clause. */
static void draw_prompt(struct psw_draws *d, int clause, enum psw_part part, struct prompt *out)
{
    do {
        out->index = clause ? N_BASE + psw_draw_below(d, N_BASE * N_IN_CATEGORY)
                            : psw_draw_below(d, N_BASE);
        out->n = psw_lists_prompt(out->index, out->id);
    } while (psw_part_of(out->id, out->n) != part);
    const int is_ours = parse_prompt(out->id, out->n, &out->ask);
    PSW_ASSERT(is_ours);
}

/** Append a prompt with its answers to a list. Shapes: answer: [n_answer], two at most. */
static psw_status push(struct psw_dataset *data, struct psw_examples *list,
                       const struct prompt *prompt, const struct answer *answer,
                       int32_t n_answer, struct psw_error *err)
{
    const struct psw_words asked = {prompt->id, prompt->n};
    struct psw_words given[2];
    for (int32_t s = 0; s < n_answer; s++)
        given[s] = (struct psw_words){answer[s].id, answer[s].n};
    return psw_generated_push(data, list, asked, given, n_answer, err);
}

static psw_status build_sft(const struct psw_lists_opts *opts, struct psw_dataset *data,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < opts->n_sft && rc == PSW_OK; i++) {
        struct psw_draws d = {.stream = {.seed = opts->seed, .use = PSW_RNG_TASK},
                              .item = (uint64_t)i};
        struct prompt prompt;
        struct answer answer;
        draw_prompt(&d, psw_draw_hit(&d, opts->except), PSW_PART_TRAIN, &prompt);
        draw_answer(&d, prompt.ask, opts->error, &answer);
        rc = push(data, &data->sft, &prompt, &answer, 1, err);
    }
    return rc;
}

/** Two answers of different score, the better first. Returns how often a tie was drawn again,
 *  -1 when nothing but ties came. Shapes: answer: [2]. */
static int draw_pair(struct psw_draws *d, const struct prompt *prompt, double error,
                     struct answer *answer)
{
    enum { N_TRY = 1000 };
    for (int n_tie = 0; n_tie < N_TRY; n_tie++) {
        double value[2];
        for (int s = 0; s < 2; s++) {
            draw_answer(d, prompt->ask, error, &answer[s]);
            const struct psw_words asked = {prompt->id, prompt->n};
            value[s] = value_of(asked, (struct psw_words){answer[s].id, answer[s].n});
        }
        if (value[0] == value[1]) continue;
        if (value[0] < value[1]) {
            const struct answer worse = answer[0];
            answer[0] = answer[1];
            answer[1] = worse;
        }
        return n_tie;
    }
    return -1;
}

/** Training pairs (may be flipped) or probe pairs (never). */
static psw_status build_pairs(const struct psw_lists_opts *opts, enum psw_part part,
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
        draw_prompt(&d, psw_draw_hit(&d, opts->except), part, &prompt);
        const int flip = train && psw_draw_hit(&d, opts->flip);
        const int n_tie = draw_pair(&d, &prompt, opts->error, answer);
        if (n_tie < 0)
            return psw_fail(err, PSW_EINVAL,
                            "lists.error: %g makes all answers alike, so no pair has a better "
                            "one; choose a value such as 0.3",
                            opts->error);
        const struct answer labelled[2] = {answer[flip], answer[1 - flip]};
        rc = push(data, list, &prompt, labelled, 2, err);
        counts->n_redrawn += n_tie;
        counts->n_flipped += flip;
        counts->n_row = counts->n_kept = i + 1;
    }
    return rc;
}

/** A prompt that was not drawn before. Whether it has the clause is decided before, and once:
 *  there are ten times as many prompts with it, so who draws again whatever was met gets more
 *  and more of them. Returns 0 when none is found. Shapes: seen: [psw_lists_n_prompt]. */
static int draw_new_prompt(struct psw_draws *d, double except, unsigned char *seen,
                           struct prompt *out)
{
    enum { N_TRY = 10000 };
    const int clause = psw_draw_hit(d, except);
    for (int i = 0; i < N_TRY; i++) {
        draw_prompt(d, clause, PSW_PART_HELDOUT, out);
        if (!seen[out->index]) return seen[out->index] = 1;
    }
    return 0;
}

/** Distinct held-out prompts, in the same mixture as in training. */
static psw_status build_prompts(const struct psw_lists_opts *opts, unsigned char *seen,
                                struct psw_dataset *data, struct psw_error *err)
{
    const int64_t n_prompt = opts->n_prompts_heldout;
    const int64_t n_most = psw_lists_n_prompt() / 4; /* more than the held-out part has */
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n_prompt && rc == PSW_OK; i++) {
        struct psw_draws d = {
            .stream = {.seed = opts->seed, .use = PSW_RNG_TASK, .step = PSW_PART_HELDOUT},
            .item = (uint64_t)i};
        struct prompt prompt;
        if (n_prompt > n_most || !draw_new_prompt(&d, opts->except, seen, &prompt))
            return psw_fail(
                err, PSW_EINVAL,
                "lists: only %lld different held-out prompts were found, %lld asked",
                (long long)i, (long long)n_prompt);
        rc = push(data, &data->prompts_heldout, &prompt, NULL, 0, err);
    }
    return rc;
}

static psw_status check_opts(const struct psw_lists_opts *opts, struct psw_error *err)
{
    const struct psw_share share[] = {
        {"error", opts->error}, {"flip", opts->flip}, {"except", opts->except}};
    const psw_status rc =
        psw_shares_check("lists", share, (int)(sizeof share / sizeof *share), err);
    if (rc != PSW_OK) return rc;
    if (opts->n_sft < 0 || opts->n_pairs < 0 || opts->n_pairs_heldout < 0 ||
        opts->n_prompts_heldout < 0)
        return psw_fail(err, PSW_EINVAL, "lists: a number of items is negative");
    return PSW_OK;
}

/** All lists, not sealed yet. */
static psw_status build(const void *opts, struct psw_dataset **out, struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    struct psw_lists_opts full = *(const struct psw_lists_opts *)opts;
    if (full.n_pairs_heldout == 0 && full.n_pairs > 0)
        full.n_pairs_heldout = PSW_LISTS_PAIRS_HELDOUT;
    if (full.n_prompts_heldout == 0) full.n_prompts_heldout = PSW_LISTS_PROMPTS_HELDOUT;
    psw_status rc = check_opts(&full, err);
    if (rc != PSW_OK) return rc;
    unsigned char *seen = calloc((size_t)psw_lists_n_prompt(), 1);
    if (!seen) return psw_fail(err, PSW_ENOMEM, "lists: a table of all prompts");
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

static const struct psw_lists_opts SAMPLE = {.seed = 1,
                                             .n_sft = 256,
                                             .n_pairs = 256,
                                             .n_pairs_heldout = 64,
                                             .n_prompts_heldout = 64,
                                             .error = 0.3,
                                             .flip = 0.1,
                                             .except = 0.3};

const struct psw_generator PSW_LISTS_GENERATOR = {"lists", build, &SAMPLE};

psw_status psw_lists_create(const struct psw_lists_opts *opts, struct psw_dataset **out,
                            struct psw_error *err)
{
    return psw_generator_make(&PSW_LISTS_GENERATOR, opts, out, err);
}
