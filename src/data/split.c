#include <posweep/data/split.h>

#include "data_internal.h"
#include <posweep/util/hash.h>

enum psw_split psw_split_of(const int32_t *prompt, int64_t n_prompt)
{
    const uint64_t place = psw_tokens_hash((struct psw_tokens){prompt, n_prompt}) % 10;
    return place < 7 ? PSW_SPLIT_TRAIN : place < 8 ? PSW_SPLIT_PROBE : PSW_SPLIT_HELDOUT;
}

int psw_split_is_heldout(uint64_t hash, double share)
{
    return (double)(hash >> 11) * 0x1p-53 < (share > 0.0 ? share : 0.05);
}
