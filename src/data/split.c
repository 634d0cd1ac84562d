#include <posweep/data/split.h>

#include <posweep/data/tokenizer.h>

enum psw_split psw_split_of(const int32_t *prompt, int64_t n_prompt)
{
    const uint64_t place = psw_tokens_hash((struct psw_tokens){prompt, n_prompt}) % 10;
    return place < 7 ? PSW_SPLIT_TRAIN : place < 8 ? PSW_SPLIT_PROBE : PSW_SPLIT_HELDOUT;
}
