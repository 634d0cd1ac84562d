/* Finds the faults of an answer from the words alone; source/lists.c puts them there (a test
 * holds the two together). */
#include "source/lists_grammar.h"

#include "source/generated.h"

/** Items of "item , item ... . EOS", or -1 when the words are no such list.
 *  Shapes: item: [n]. */
static int64_t parse_items(const int32_t *at, const int32_t *end, int32_t *item, int64_t n_max)
{
    int64_t n = 0;
    do {
        const int i = psw_take_word(&at, end, LIST_ITEM, LIST_N_CATEGORY * LIST_N_IN_CATEGORY);
        if (i < 0 || n == n_max) return -1;
        item[n++] = i;
    } while (psw_take_word(&at, end, LIST_COMMA, 1) == 0);
    if (psw_take_word(&at, end, LIST_STOP, 1) < 0 || psw_take_word(&at, end, LIST_EOS, 1) < 0)
        return -1;
    return at == end ? n : -1;
}

unsigned psw_lists_judge(const int32_t *prompt, int64_t n_prompt, const int32_t *response,
                         int64_t n_response)
{
    enum { N_MAX = 64 };
    struct psw_lists_request ask;
    if (!psw_lists_parse((struct psw_tokens){prompt, n_prompt}, &ask)) return 0;
    const int32_t *at = response, *end = response + n_response;
    unsigned right = 0;
    if (psw_take_word(&at, end, LIST_POLITE, LIST_N_POLITE) >= 0)
        right |= PSW_LISTS_POLITE;
    else
        (void)psw_take_word(&at, end, LIST_RUDE, LIST_N_RUDE);

    int32_t item[N_MAX];
    const int64_t n = parse_items(at, end, item, N_MAX);
    if (n < 0) return right;
    uint64_t seen = 0;
    int fits = 1, repeats = 0;
    for (int64_t i = 0; i < n; i++) {
        const int place = item[i] % LIST_N_IN_CATEGORY;
        fits &= item[i] / LIST_N_IN_CATEGORY == ask.category && place != ask.except;
        repeats |= (int)(seen >> item[i] & 1);
        seen |= (uint64_t)1 << item[i];
    }
    if (fits) right |= PSW_LISTS_CATEGORY;
    if (n == ask.count) right |= PSW_LISTS_COUNT;
    if (!repeats) right |= PSW_LISTS_NO_REPEAT;
    return right;
}

static double score(const struct psw_scored *what)
{
    const unsigned right =
        psw_lists_judge(what->prompt.id, what->prompt.n, what->response.id, what->response.n);
    return 2.0 * __builtin_popcount(right) - 4.0;
}

const struct psw_data_scorer PSW_LISTS_SCORER = {"lists", -4.0, 4.0, score};
