#include "lists_grammar.h"

#include "generator.h"

/* clang-format off */
static const char *const WORD[LIST_N_WORD] = {
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

const struct psw_tokenizer PSW_LISTS_TOKENIZER = {
    .kind = &PSW_WORDS_KIND, .n_vocab = LIST_N_WORD, .eos = LIST_EOS, .word = WORD};

int64_t psw_lists_n_prompt(void)
{
    return (int64_t)LIST_N_BASE *
           (1 + LIST_N_IN_CATEGORY); /* those without the clause come first */
}

int32_t psw_lists_prompt(int64_t index, int32_t *prompt)
{
    PSW_ASSERT(index >= 0 && index < psw_lists_n_prompt());
    const int politeness = psw_take_digit(&index, 1 + LIST_N_POLITENESS),
              verb = psw_take_digit(&index, LIST_N_VERB);
    const int whom = psw_take_digit(&index, 1 + LIST_N_WHOM),
              count = psw_take_digit(&index, LIST_N_COUNT);
    const int category = psw_take_digit(&index, LIST_N_CATEGORY), except = (int)index;
    int32_t n = 0;
    if (politeness) prompt[n++] = LIST_POLITENESS + politeness - 1;
    prompt[n++] = LIST_VERB + verb;
    if (whom) {
        prompt[n++] = LIST_FOR;
        prompt[n++] = LIST_WHOM + whom - 1;
    }
    prompt[n++] = LIST_COUNT + count;
    prompt[n++] = LIST_CATEGORY + category;
    if (except) {
        prompt[n++] = LIST_EXCEPT;
        prompt[n++] = psw_lists_item(category, except - 1);
    }
    return n;
}

int psw_lists_parse(struct psw_tokens prompt, struct psw_lists_request *out)
{
    const int32_t *at = prompt.id, *end = prompt.id + prompt.n;
    (void)psw_take_word(&at, end, LIST_POLITENESS, LIST_N_POLITENESS);
    if (psw_take_word(&at, end, LIST_VERB, LIST_N_VERB) < 0) return 0;
    if (psw_take_word(&at, end, LIST_FOR, 1) == 0 &&
        psw_take_word(&at, end, LIST_WHOM, LIST_N_WHOM) < 0)
        return 0;
    const int count = psw_take_word(&at, end, LIST_COUNT, LIST_N_COUNT);
    const int category = psw_take_word(&at, end, LIST_CATEGORY, LIST_N_CATEGORY);
    if (count < 0 || category < 0) return 0;
    int except = -1;
    if (psw_take_word(&at, end, LIST_EXCEPT, 1) == 0) {
        except = psw_take_word(&at, end, psw_lists_item(category, 0), LIST_N_IN_CATEGORY);
        if (except < 0) return 0;
    }
    *out = (struct psw_lists_request){
        .count = LIST_MIN_COUNT + count, .category = category, .except = except};
    return at == end;
}
