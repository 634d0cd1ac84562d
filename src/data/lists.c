/* Words have contiguous ids by class, so grammar and judgement are comparisons of ranges. The
 * generator decides first which qualities shall be wrong and then builds an answer with exactly
 * those faults; the judge finds them again from the words alone (a test holds the two
 * together).
 */
#include <posweep/data/lists.h>

#include "data_internal.h"
#include <posweep/util/hash.h>
#include <posweep/util/rng.h>
#include <stdio.h>
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

/** What a prompt asks for. */
struct request {
    int count, category, except; /* except: place in the category, -1 for none */
};

/** Where the next random number of an item comes from. */
struct draws {
    struct psw_rng stream;
    uint64_t item;
    uint32_t position;
};

static int draw_below(struct draws *d, int n)
{
    return (int)psw_rng_below(d->stream, d->item, d->position++, (uint64_t)n);
}

static int32_t item_of(int category, int place)
{
    return W_ITEM + category * N_IN_CATEGORY + place;
}

static int draw_hit(struct draws *d, double probability)
{
    return psw_rng_uniform(d->stream, d->item, d->position++) < probability;
}

enum { N_BASE = (1 + N_POLITENESS) * N_VERB * (1 + N_WHOM) * N_COUNT * N_CATEGORY };

int64_t psw_lists_n_prompt(void)
{
    return (int64_t)N_BASE * (1 + N_IN_CATEGORY); /* those without the clause come first */
}

/** Split the last digit off a mixed-radix number. */
static int digit(int64_t *number, int radix)
{
    const int d = (int)(*number % radix);
    *number /= radix;
    return d;
}

int32_t psw_lists_prompt(int64_t index, int32_t *prompt)
{
    PSW_ASSERT(index >= 0 && index < psw_lists_n_prompt());
    const int politeness = digit(&index, 1 + N_POLITENESS), verb = digit(&index, N_VERB);
    const int whom = digit(&index, 1 + N_WHOM), count = digit(&index, N_COUNT);
    const int category = digit(&index, N_CATEGORY), except = (int)index;
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

/** Take an id of the class [first, first + n_class): its place, or -1 and nothing taken. */
static int take(const int32_t **at, const int32_t *end, int first, int n_class)
{
    if (*at == end || **at < first || **at >= first + n_class) return -1;
    return (int)(*(*at)++ - first);
}

static int parse_prompt(const int32_t *prompt, int64_t n, struct request *out)
{
    const int32_t *at = prompt, *end = prompt + n;
    (void)take(&at, end, W_POLITENESS, N_POLITENESS);
    if (take(&at, end, W_VERB, N_VERB) < 0) return 0;
    if (take(&at, end, W_FOR, 1) == 0 && take(&at, end, W_WHOM, N_WHOM) < 0) return 0;
    const int count = take(&at, end, W_COUNT, N_COUNT);
    const int category = take(&at, end, W_CATEGORY, N_CATEGORY);
    if (count < 0 || category < 0) return 0;
    int except = -1;
    if (take(&at, end, W_EXCEPT, 1) == 0) {
        except = take(&at, end, item_of(category, 0), N_IN_CATEGORY);
        if (except < 0) return 0;
    }
    *out = (struct request){.count = MIN_COUNT + count, .category = category, .except = except};
    return at == end;
}

enum psw_lists_part psw_lists_part_of(const int32_t *prompt, int64_t n_prompt)
{
    static const enum psw_lists_part part[] = {
        /* of ten */
        PSW_LISTS_TRAIN,   PSW_LISTS_TRAIN,  PSW_LISTS_TRAIN, PSW_LISTS_TRAIN,
        PSW_LISTS_TRAIN,   PSW_LISTS_TRAIN,  PSW_LISTS_TRAIN, PSW_LISTS_PROBE,
        PSW_LISTS_HELDOUT, PSW_LISTS_HELDOUT};
    return part[psw_hash_bytes(prompt, (size_t)n_prompt * sizeof *prompt, 0) % 10];
}

int32_t psw_lists_word(const char *word)
{
    for (int32_t i = 0; i < N_WORD; i++)
        if (!strcmp(word, WORD[i])) return i;
    return -1;
}

/** Items of "item , item ... . EOS", or -1 when the words are no such list.
 *  Shapes: item: [n]. */
static int64_t parse_items(const int32_t *at, const int32_t *end, int32_t *item, int64_t n_max)
{
    int64_t n = 0;
    do {
        const int i = take(&at, end, W_ITEM, N_CATEGORY * N_IN_CATEGORY);
        if (i < 0 || n == n_max) return -1;
        item[n++] = i;
    } while (take(&at, end, W_COMMA, 1) == 0);
    if (take(&at, end, W_STOP, 1) < 0 || take(&at, end, W_EOS, 1) < 0) return -1;
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
    if (take(&at, end, W_POLITE, N_POLITE) >= 0)
        right |= PSW_LISTS_POLITE;
    else
        (void)take(&at, end, W_RUDE, N_RUDE);

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

static double score(const int32_t *prompt, int64_t n_prompt, const int32_t *response,
                    int64_t n_response)
{
    const unsigned right = psw_lists_judge(prompt, n_prompt, response, n_response);
    return 2.0 * __builtin_popcount(right) - 4.0;
}

static void text(const int32_t *id, int64_t n, char *out, size_t n_bytes)
{
    size_t used = 0;
    out[0] = 0;
    for (int64_t i = 0; i < n && id[i] != W_EOS; i++) {
        const char *word = id[i] > 0 && id[i] < N_WORD ? WORD[id[i]] : "<unknown>";
        const size_t length = strlen(word) + (i > 0);
        if (used + length >= n_bytes) return;
        snprintf(out + used, n_bytes - used, "%s%s", i > 0 ? " " : "", word);
        used += length;
    }
}

static const struct psw_data_source SOURCE = {.name = "lists",
                                              .n_vocab = N_WORD,
                                              .eos = W_EOS,
                                              .score_lo = -4.0,
                                              .score_hi = 4.0,
                                              .score = score,
                                              .text = text};

/** A count near the right one, but not it; at least two, so that repeats remain possible. */
static int wrong_count(struct draws *d, int count)
{
    int choice[4], n = 0;
    for (int c = count - 2; c <= count + 2; c++)
        if (c != count && c >= 2 && c <= MAX_ITEMS) choice[n++] = c;
    return choice[draw_below(d, n)];
}

/** n different places of a category; `avoid` is none of them (-1: nothing to avoid).
 *  Shapes: place: [N_IN_CATEGORY]. */
static void draw_places(struct draws *d, int n, int avoid, int *place)
{
    int n_left = 0;
    for (int i = 0; i < N_IN_CATEGORY; i++)
        if (i != avoid) place[n_left++] = i;
    PSW_ASSERT(n <= n_left);
    for (int i = 0; i < n; i++) {
        const int j = i + draw_below(d, n_left - i), t = place[i];
        place[i] = place[j];
        place[j] = t;
    }
}

/** A word that does not belong: the excepted one half of the times, if there is one, else any
 * of another category. */
static int32_t draw_intruder(struct draws *d, struct request ask)
{
    if (ask.except >= 0 && draw_below(d, 2)) return item_of(ask.category, ask.except);
    const int category = (ask.category + 1 + draw_below(d, N_CATEGORY - 1)) % N_CATEGORY;
    return item_of(category, draw_below(d, N_IN_CATEGORY));
}

/** Words of the list with exactly the faults asked for; n >= 2. Shapes: item: [n]. */
static void draw_items(struct draws *d, struct request ask, unsigned right, int n,
                       int32_t *item)
{
    int place[N_IN_CATEGORY], intruder = -1;
    draw_places(d, n, ask.except, place);
    for (int i = 0; i < n; i++) item[i] = item_of(ask.category, place[i]);
    if (!(right & PSW_LISTS_CATEGORY)) {
        intruder = draw_below(d, n);
        item[intruder] = draw_intruder(d, ask);
    }
    if (!(right & PSW_LISTS_NO_REPEAT)) { /* the intruder must survive */
        const int later = 1 + draw_below(d, n - 1), earlier = draw_below(d, later);
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

static void draw_answer(struct draws *d, struct request ask, double error, struct answer *out)
{
    unsigned right = 0;
    for (unsigned bit = PSW_LISTS_CATEGORY; bit <= PSW_LISTS_POLITE; bit <<= 1)
        if (!draw_hit(d, error)) right |= bit;
    const int count = right & PSW_LISTS_COUNT ? ask.count : wrong_count(d, ask.count);
    int32_t item[MAX_ITEMS], n = 0;
    draw_items(d, ask, right, count, item);
    out->id[n++] = right & PSW_LISTS_POLITE ? W_POLITE + draw_below(d, N_POLITE)
                                            : W_RUDE + draw_below(d, N_RUDE);
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

static void draw_prompt(struct draws *d, double except, enum psw_lists_part part,
                        struct prompt *out)
{
    const int clause = draw_hit(d, except);
    do {
        out->index =
            clause ? N_BASE + draw_below(d, N_BASE * N_IN_CATEGORY) : draw_below(d, N_BASE);
        out->n = psw_lists_prompt(out->index, out->id);
    } while (psw_lists_part_of(out->id, out->n) != part);
    const int is_ours = parse_prompt(out->id, out->n, &out->ask);
    PSW_ASSERT(is_ours);
}

/** Append a prompt with its answers to a list. Shapes: answer: [n_answer]. */
static psw_status push(struct psw_dataset *data, struct psw_examples *list,
                       const struct prompt *prompt, const struct answer *answer,
                       int32_t n_answer, struct psw_error *err)
{
    struct psw_example e = {.n_prompt = prompt->n, .n_seq = n_answer};
    e.prompt_key = psw_hash_bytes(prompt->id, (size_t)prompt->n * sizeof prompt->id[0], 0);
    psw_status rc = psw_dataset_keep(data, prompt->id, prompt->n, &e.prompt, err);
    for (int32_t s = 0; s < n_answer && rc == PSW_OK; s++) {
        e.n_response[s] = answer[s].n;
        rc = psw_dataset_keep(data, answer[s].id, answer[s].n, &e.response[s], err);
    }
    return rc == PSW_OK ? psw_examples_push(list, &e, err) : rc;
}

static psw_status build_sft(const struct psw_lists_opts *opts, struct psw_dataset *data,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < opts->n_sft && rc == PSW_OK; i++) {
        struct draws d = {.stream = {.seed = opts->seed, .use = PSW_RNG_TASK},
                          .item = (uint64_t)i};
        struct prompt prompt;
        struct answer answer;
        draw_prompt(&d, opts->except, PSW_LISTS_TRAIN, &prompt);
        draw_answer(&d, prompt.ask, opts->error, &answer);
        rc = push(data, &data->sft, &prompt, &answer, 1, err);
    }
    return rc;
}

/** Two answers of different score, the better first. Returns how often a tie was drawn again,
 *  -1 when nothing but ties came. Shapes: answer: [2]. */
static int draw_pair(struct draws *d, const struct prompt *prompt, double error,
                     struct answer *answer)
{
    enum { N_TRY = 1000 };
    for (int n_tie = 0; n_tie < N_TRY; n_tie++) {
        double value[2];
        for (int s = 0; s < 2; s++) {
            draw_answer(d, prompt->ask, error, &answer[s]);
            value[s] = score(prompt->id, prompt->n, answer[s].id, answer[s].n);
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
static psw_status build_pairs(const struct psw_lists_opts *opts, enum psw_lists_part part,
                              struct psw_dataset *data, struct psw_error *err)
{
    const int train = part == PSW_LISTS_TRAIN;
    struct psw_examples *list = train ? &data->pairs : &data->pairs_heldout;
    struct psw_data_counts *counts = train ? &data->counts : &data->counts_heldout;
    const int64_t n_pair = train ? opts->n_pairs : opts->n_pairs_heldout;
    psw_status rc = PSW_OK;
    for (int64_t i = 0; i < n_pair && rc == PSW_OK; i++) {
        struct draws d = {
            .stream = {.seed = opts->seed, .use = PSW_RNG_PAIRS, .step = (uint32_t)part},
            .item = (uint64_t)i};
        struct prompt prompt;
        struct answer answer[2];
        draw_prompt(&d, opts->except, part, &prompt);
        const int flip = train && draw_hit(&d, opts->flip);
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

/** Distinct held-out prompts, in the same mixture as in training. */
static psw_status build_prompts(const struct psw_lists_opts *opts, unsigned char *seen,
                                struct psw_dataset *data, struct psw_error *err)
{
    const int64_t n_prompt = opts->n_prompts_heldout, n_try = 50 * n_prompt;
    const int64_t n_most = psw_lists_n_prompt() / 4; /* more than the held-out part has */
    psw_status rc = PSW_OK;
    for (int64_t i = 0; data->prompts_heldout.n < n_prompt && rc == PSW_OK; i++) {
        if (i == n_try || n_prompt > n_most)
            return psw_fail(
                err, PSW_EINVAL,
                "lists: only %lld different held-out prompts were found, %lld asked",
                (long long)data->prompts_heldout.n, (long long)n_prompt);
        struct draws d = {
            .stream = {.seed = opts->seed, .use = PSW_RNG_TASK, .step = PSW_LISTS_HELDOUT},
            .item = (uint64_t)i};
        struct prompt prompt;
        draw_prompt(&d, opts->except, PSW_LISTS_HELDOUT, &prompt);
        if (seen[prompt.index]) continue;
        seen[prompt.index] = 1;
        rc = push(data, &data->prompts_heldout, &prompt, NULL, 0, err);
    }
    return rc;
}

static psw_status check_opts(const struct psw_lists_opts *opts, struct psw_error *err)
{
    const struct {
        const char *name;
        double value;
    } share[] = {{"error", opts->error}, {"flip", opts->flip}, {"except", opts->except}};
    for (size_t i = 0; i < sizeof share / sizeof *share; i++)
        if (!(share[i].value >= 0.0 && share[i].value <= 1.0))
            return psw_fail(err, PSW_EINVAL, "lists.%s: %g is not in [0, 1]", share[i].name,
                            share[i].value);
    if (opts->n_sft < 0 || opts->n_pairs < 0 || opts->n_pairs_heldout < 0 ||
        opts->n_prompts_heldout < 0)
        return psw_fail(err, PSW_EINVAL, "lists: a number of items is negative");
    return PSW_OK;
}

psw_status psw_lists_create(const struct psw_lists_opts *opts, struct psw_dataset **out,
                            struct psw_error *err)
{
    struct psw_dataset *data = NULL;
    struct psw_lists_opts full = *opts;
    if (full.n_pairs_heldout == 0 && full.n_pairs > 0)
        full.n_pairs_heldout = PSW_LISTS_PAIRS_HELDOUT;
    if (full.n_prompts_heldout == 0) full.n_prompts_heldout = PSW_LISTS_PROMPTS_HELDOUT;
    psw_status rc = check_opts(&full, err);
    if (rc != PSW_OK) return rc;
    unsigned char *seen = calloc((size_t)psw_lists_n_prompt(), 1);
    if (!seen) return psw_fail(err, PSW_ENOMEM, "lists: a table of all prompts");
    PSW_TRY(psw_dataset_create(&SOURCE, &data, err));
    PSW_TRY(build_sft(&full, data, err));
    PSW_TRY(build_pairs(&full, PSW_LISTS_TRAIN, data, err));
    PSW_TRY(build_pairs(&full, PSW_LISTS_PROBE, data, err));
    PSW_TRY(build_prompts(&full, seen, data, err));
    psw_dataset_seal(data);
    free(seen);
    *out = data;
    return PSW_OK;
fail:
    free(seen);
    psw_dataset_destroy(data);
    return rc;
}
