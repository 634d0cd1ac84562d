/* Adds up what stands in the prompt; no answer is kept anywhere. */
#include "source/sums_grammar.h"

#include "source/generated.h"

/** Take the digits at *at: their number, or -1 for none, a leading zero, or too many to be a
 *  sum. */
static int take_number(const int32_t **at, const int32_t *end)
{
    enum { MAX_DIGITS = 3 };
    const int32_t *first = *at;
    int number = 0, digit;
    while ((digit = psw_take_word(at, end, SUM_DIGIT, SUM_N_DIGIT)) >= 0) {
        if (*at - first > MAX_DIGITS) return -1;
        number = 10 * number + digit;
    }
    if (*at == first || (*at - first > 1 && *first == SUM_DIGIT)) return -1;
    return number;
}

/** What stands between the last "#" and the EOS, or -1 when that is no number. */
static int final_answer(struct psw_tokens response)
{
    const int32_t *end = response.id + response.n, *at = end;
    while (at > response.id && at[-1] != SUM_MARK) at--;
    if (at == response.id) return -1;
    const int number = take_number(&at, end);
    return psw_take_word(&at, end, SUM_EOS, 1) == 0 && at == end ? number : -1;
}

static double score(const struct psw_scored *what)
{
    const int sum = psw_sums_of(what->prompt);
    return sum >= 0 && final_answer(what->response) == sum;
}

const struct psw_data_scorer PSW_SUMS_SCORER = {"sums", 0.0, 1.0, score};
