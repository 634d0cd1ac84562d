#include "sums_grammar.h"

#include "generator.h"

/* clang-format off */
static const char *const WORD[SUM_N_WORD] = {
    "<eos>", "for", "+", "#",
    "please", "kindly", "now",
    "add", "find", "compute", "solve", "tell", "give", "state", "say",
    "me", "us", "him", "them",
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
};
/* clang-format on */

const struct psw_tokenizer PSW_SUMS_TOKENIZER = {
    .kind = &PSW_WORDS_KIND, .n_vocab = SUM_N_WORD, .eos = SUM_EOS, .word = WORD};

int64_t psw_sums_n_prompt(int terms)
{
    int64_t n = SUM_N_PHRASE;
    for (int i = 0; i < terms; i++) n *= SUM_N_DIGIT;
    return n;
}

int32_t psw_sums_prompt(int terms, int64_t index, int32_t *prompt)
{
    PSW_ASSERT(index >= 0 && index < psw_sums_n_prompt(terms));
    const int politeness = psw_take_digit(&index, 1 + SUM_N_POLITENESS);
    const int verb = psw_take_digit(&index, SUM_N_VERB),
              whom = psw_take_digit(&index, 1 + SUM_N_WHOM);
    int32_t n = 0;
    if (politeness) prompt[n++] = SUM_POLITENESS + politeness - 1;
    prompt[n++] = SUM_VERB + verb;
    if (whom) {
        prompt[n++] = SUM_FOR;
        prompt[n++] = SUM_WHOM + whom - 1;
    }
    for (int i = 0; i < terms; i++) {
        if (i > 0) prompt[n++] = SUM_PLUS;
        prompt[n++] = SUM_DIGIT + psw_take_digit(&index, SUM_N_DIGIT);
    }
    return n;
}

int psw_sums_of(struct psw_tokens prompt)
{
    const int32_t *at = prompt.id, *end = prompt.id + prompt.n;
    (void)psw_take_word(&at, end, SUM_POLITENESS, SUM_N_POLITENESS);
    if (psw_take_word(&at, end, SUM_VERB, SUM_N_VERB) < 0) return -1;
    if (psw_take_word(&at, end, SUM_FOR, 1) == 0 &&
        psw_take_word(&at, end, SUM_WHOM, SUM_N_WHOM) < 0)
        return -1;
    int sum = 0, n_term = 0;
    do {
        const int term = psw_take_word(&at, end, SUM_DIGIT, SUM_N_DIGIT);
        if (term < 0) return -1;
        sum += term;
        n_term++;
    } while (psw_take_word(&at, end, SUM_PLUS, 1) == 0);
    return at == end && n_term <= PSW_SUMS_MAX_TERMS ? sum : -1;
}
