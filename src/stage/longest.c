/* The longest steps that a training can meet, for trainings whose steps are too many to walk
 * through one by one. */
#include "stage_internal.h"

/* A walk costs some microseconds a step and a tenth of one an item: some tenths of a second. */
enum { WALK_STEPS = 1 << 15, WALK_ITEMS = 1 << 20 };

int psw_stage_walks_steps(const struct psw_config_train *train)
{
    return train->steps <= WALK_STEPS && train->steps * train->batch <= WALK_ITEMS;
}

/* Column 0: the prompt's length; 1, 2, ...: those of the responses. */
static int32_t *length_of(struct psw_example *e, int column)
{
    return column == 0 ? &e->n_prompt : &e->n_response[column - 1];
}

/* Keep the n longest of a column, longest first. */
static void keep_longest(struct psw_example *longest, int64_t n, int column, int32_t length)
{
    int64_t i = n - 1;
    if (length <= *length_of(&longest[i], column)) return;
    for (; i > 0 && length > *length_of(&longest[i - 1], column); i--)
        *length_of(&longest[i], column) = *length_of(&longest[i - 1], column);
    *length_of(&longest[i], column) = length;
}

static void find_longest(const struct psw_examples *list, int64_t n_item, int64_t n,
                         struct psw_example *longest)
{
    int32_t n_seq = 0;
    for (int64_t i = 0; i < n; i++) {
        longest[i] = (struct psw_example){.n_prompt = 1};
        for (int s = 0; s < PSW_EXAMPLE_SEQS; s++) longest[i].n_response[s] = 1;
    }
    for (int64_t i = 0; i < n_item; i++) {
        struct psw_example e = psw_examples_at(list, i);
        if (e.n_seq > n_seq) n_seq = e.n_seq;
        for (int column = 0; column <= e.n_seq; column++)
            keep_longest(longest, n, column, *length_of(&e, column));
    }
    for (int64_t i = 0; i < n; i++) longest[i].n_seq = n_seq;
}

/* How often an item can come in n places that follow one another: once in each epoch that they
 * touch. */
static int64_t n_epoch(int64_t n, int64_t n_item, int64_t batch)
{
    return n_item % batch == 0 ? 1 : (n + n_item - 2) / n_item + 1;
}

void psw_stage_put_longest(const struct psw_examples *list, int64_t n_item,
                           const struct psw_config_train *train, struct psw_picked *out)
{
    const int64_t n_shard = train->shards;
    const int64_t n = (train->batch + n_shard - 1) / n_shard; /* items of the largest shard */
    const int64_t n_same = n_epoch(n, n_item, train->batch);
    PSW_ASSERT(train->batch <= out->n && n_item >= 1);
    find_longest(list, n_item, n, out->item);
    /* from behind: the longest stand at the start */
    for (int shard = (int)n_shard - 1; shard >= 0; shard--) {
        int64_t begin, end;
        psw_shard_items(train->batch, (int)n_shard, shard, &begin, &end);
        for (int64_t i = end - begin - 1; i >= 0; i--)
            out->item[begin + i] = out->item[i / n_same];
    }
}
