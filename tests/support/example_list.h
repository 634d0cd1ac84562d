/* A list of examples that a test wrote itself. */
#ifndef POSWEEP_TESTS_EXAMPLE_LIST_H
#define POSWEEP_TESTS_EXAMPLE_LIST_H

#include <posweep/data/dataset.h>
#include <stdlib.h>

#include "store/store.h"

/** Copies of n examples of at most two responses. Owns: example_list_clear. */
static inline struct psw_examples example_list(const struct psw_example *example, int64_t n)
{
    int64_t n_token = 0;
    struct psw_stored_example *row = n > 0 ? calloc((size_t)n, sizeof *row) : NULL;
    int32_t *token = NULL;
    for (int64_t i = 0; i < n; i++) {
        const struct psw_example *e = &example[i];
        int64_t n_own = e->n_prompt;
        for (int s = 0; s < e->n_seq; s++) n_own += e->n_response[s];
        token = realloc(token, (size_t)(n_token + n_own) * sizeof *token);
        row[i] = (struct psw_stored_example){.token = n_token,
                                             .prompt_key = e->prompt_key,
                                             .n_prompt = e->n_prompt,
                                             .n_seq = (int16_t)e->n_seq};
        for (int32_t k = 0; k < e->n_prompt; k++) token[n_token++] = e->prompt[k];
        for (int s = 0; s < e->n_seq; s++) {
            row[i].n_response[s] = e->n_response[s];
            for (int32_t k = 0; k < e->n_response[s]; k++)
                token[n_token++] = e->response[s] ? e->response[s][k] : 0;
        }
    }
    return (struct psw_examples){.row = row, .token = token, .n = n, .n_seq = PSW_STORE_SEQS};
}

static inline void example_list_clear(struct psw_examples *list)
{
    free((void *)(uintptr_t)list->row);
    free((void *)(uintptr_t)list->token);
}

#endif
