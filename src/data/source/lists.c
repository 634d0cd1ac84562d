/* The generator decides first which qualities shall be wrong and then builds an answer with
 * exactly those faults. */
#include "source/generated.h"
#include "source/lists_grammar.h"

static struct psw_lists_request request_of(const struct psw_drawn *prompt)
{
    struct psw_lists_request ask = {0};
    const int is_ours = psw_lists_parse(psw_drawn_tokens(prompt), &ask);
    PSW_ASSERT(is_ours);
    return ask;
}

/** A count near the right one, but not it; at least two, so that repeats remain possible. */
static int wrong_count(struct psw_draws *d, int count)
{
    int choice[4], n = 0;
    for (int c = count - 2; c <= count + 2; c++)
        if (c != count && c >= 2 && c <= LIST_MAX_ITEMS) choice[n++] = c;
    return choice[psw_draw_below(d, n)];
}

/** n different places of a category; `avoid` is none of them (-1: nothing to avoid).
 *  Shapes: place: [LIST_N_IN_CATEGORY]. */
static void draw_places(struct psw_draws *d, int n, int avoid, int *place)
{
    int n_left = 0;
    for (int i = 0; i < LIST_N_IN_CATEGORY; i++)
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
static int32_t draw_intruder(struct psw_draws *d, struct psw_lists_request ask)
{
    if (ask.except >= 0 && psw_draw_below(d, 2))
        return psw_lists_item(ask.category, ask.except);
    const int category =
        (ask.category + 1 + psw_draw_below(d, LIST_N_CATEGORY - 1)) % LIST_N_CATEGORY;
    return psw_lists_item(category, psw_draw_below(d, LIST_N_IN_CATEGORY));
}

/** Words of the list with exactly the faults asked for; n >= 2. Shapes: item: [n]. */
static void draw_items(struct psw_draws *d, struct psw_lists_request ask, unsigned right, int n,
                       int32_t *item)
{
    int place[LIST_N_IN_CATEGORY], intruder = -1;
    draw_places(d, n, ask.except, place);
    for (int i = 0; i < n; i++) item[i] = psw_lists_item(ask.category, place[i]);
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

static void draw_answer(struct psw_draws *d, const struct psw_generated_opts *opts,
                        const struct psw_drawn *prompt, struct psw_drawn *out)
{
    const struct psw_lists_request ask = request_of(prompt);
    unsigned right = 0;
    for (unsigned bit = PSW_LISTS_CATEGORY; bit <= PSW_LISTS_POLITE; bit <<= 1)
        if (!psw_draw_hit(d, opts->error)) right |= bit;
    const int count = right & PSW_LISTS_COUNT ? ask.count : wrong_count(d, ask.count);
    int32_t item[LIST_MAX_ITEMS], n = 0;
    draw_items(d, ask, right, count, item);
    out->id[n++] = right & PSW_LISTS_POLITE ? LIST_POLITE + psw_draw_below(d, LIST_N_POLITE)
                                            : LIST_RUDE + psw_draw_below(d, LIST_N_RUDE);
    for (int i = 0; i < count; i++) {
        if (i > 0) out->id[n++] = LIST_COMMA;
        out->id[n++] = item[i];
    }
    out->id[n++] = LIST_STOP;
    out->id[n++] = LIST_EOS;
    out->n = n;
}

/** clause: with an `except` clause. */
static void draw_from(struct psw_draws *d, int clause, enum psw_split split,
                      struct psw_drawn *out)
{
    do {
        out->index = clause ? LIST_N_BASE + psw_draw_below(d, LIST_N_BASE * LIST_N_IN_CATEGORY)
                            : psw_draw_below(d, LIST_N_BASE);
        out->n = psw_lists_prompt(out->index, out->id);
    } while (psw_split_of(out->id, out->n) != split);
}

static void draw_prompt(struct psw_draws *d, const struct psw_generated_opts *opts,
                        enum psw_split split, struct psw_drawn *out)
{
    draw_from(d, psw_draw_hit(d, opts->except), split, out);
}

static double score_of(const struct psw_drawn *prompt, const struct psw_drawn *answer)
{
    const struct psw_scored what = {.prompt = psw_drawn_tokens(prompt),
                                    .response = psw_drawn_tokens(answer)};
    return PSW_LISTS_SCORER.score(&what);
}

/** Two answers of different score. */
static psw_status draw_pair(struct psw_draws *d, const struct psw_generated_opts *opts,
                            const struct psw_drawn *prompt, struct psw_drawn *answer,
                            int64_t *n_tie, struct psw_error *err)
{
    enum { N_TRY = 1000 };
    for (int i = 0; i < N_TRY; i++) {
        double value[2];
        for (int s = 0; s < 2; s++) {
            draw_answer(d, opts, prompt, &answer[s]);
            value[s] = score_of(prompt, &answer[s]);
        }
        if (value[0] == value[1]) continue;
        if (value[0] < value[1]) {
            const struct psw_drawn worse = answer[0];
            answer[0] = answer[1];
            answer[1] = worse;
        }
        *n_tie += i;
        return PSW_OK;
    }
    return psw_fail(err, PSW_EINVAL,
                    "lists.error: %g makes all answers alike, so no pair has a better one; "
                    "choose a value such as 0.3",
                    opts->error);
}

/** Whether it has the clause is decided before, and once: there are ten times as many prompts
 *  with it, so who draws again whatever was met gets more and more of them. */
static int draw_new_prompt(struct psw_draws *d, const struct psw_generated_opts *opts,
                           const unsigned char *seen, struct psw_drawn *out)
{
    enum { N_TRY = 10000 };
    const int clause = psw_draw_hit(d, opts->except);
    for (int i = 0; i < N_TRY; i++) {
        draw_from(d, clause, PSW_SPLIT_HELDOUT, out);
        if (!seen[out->index]) return 1;
    }
    return -1;
}

static int64_t n_prompt(const struct psw_generated_opts *opts)
{
    (void)opts;
    return psw_lists_n_prompt();
}

static struct psw_generated_opts opts_of(const struct psw_config *config)
{
    return (struct psw_generated_opts){.seed = (uint64_t)config->seed,
                                       .n_sft = config->lists.sft,
                                       .n_pairs = config->lists.pairs,
                                       .error = config->lists.error,
                                       .flip = config->lists.flip,
                                       .except = config->lists.except};
}

static const struct psw_generator GENERATOR = {.tokenizer = &PSW_LISTS_TOKENIZER,
                                               .max_prompt = PSW_LISTS_MAX_PROMPT,
                                               .max_response = PSW_LISTS_MAX_RESPONSE,
                                               .sample = {.seed = 1,
                                                          .n_sft = 256,
                                                          .n_pairs = 256,
                                                          .n_pairs_heldout = 64,
                                                          .n_prompts_heldout = 64,
                                                          .error = 0.3,
                                                          .flip = 0.1,
                                                          .except = 0.3},
                                               .opts = opts_of,
                                               .n_prompt = n_prompt,
                                               .prompt = draw_prompt,
                                               .answer = draw_answer,
                                               .pair = draw_pair,
                                               .new_prompt = draw_new_prompt};

const struct psw_data_source PSW_LISTS_SOURCE = {.scorer = &PSW_LISTS_SCORER,
                                                 .generator = &GENERATOR};
