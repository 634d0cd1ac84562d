/* Examples of lists, taken out to be pointed at. */
#include <posweep/data/dataset.h>

#include <stdlib.h>

psw_status psw_picked_init(struct psw_picked *picked, int64_t n, struct psw_error *err)
{
    *picked = (struct psw_picked){.item = calloc((size_t)n + 1, sizeof *picked->item),
                                  .at = calloc((size_t)n + 1, sizeof *picked->at),
                                  .n = n};
    if (!picked->item || !picked->at) {
        psw_picked_clear(picked);
        return psw_fail(err, PSW_ENOMEM, "data: %lld examples", (long long)n);
    }
    for (int64_t i = 0; i < n; i++) picked->at[i] = &picked->item[i];
    return PSW_OK;
}

void psw_picked_clear(struct psw_picked *picked)
{
    free(picked->item);
    free(picked->at);
    *picked = (struct psw_picked){0};
}

void psw_picked_put(struct psw_picked *picked, int64_t first, const struct psw_examples *list,
                    const int64_t *index, int64_t n)
{
    PSW_ASSERT(first + n <= picked->n);
    for (int64_t i = 0; i < n; i++) picked->item[first + i] = psw_examples_at(list, index[i]);
}

void psw_picked_put_block(struct psw_picked *picked, int64_t first,
                          const struct psw_examples *list, int64_t begin, int64_t n)
{
    PSW_ASSERT(first + n <= picked->n);
    for (int64_t i = 0; i < n; i++) picked->item[first + i] = psw_examples_at(list, begin + i);
}
