/* Texts of generated tasks as ids, with "<eos>" where EOS stands. */
#ifndef POSWEEP_TESTS_DATA_WORDS_H
#define POSWEEP_TESTS_DATA_WORDS_H

#include <posweep/data/tokenizer.h>
#include <stdlib.h>
#include <string.h>
#include <support/support.h>

static inline int32_t words_to_ids(const struct psw_tokenizer *tokenizer, const char *text,
                                   int32_t *id)
{
    struct psw_token_list list = {0};
    for (const char *at = text, *end = NULL; at; at = end ? end + strlen("<eos>") : NULL) {
        int32_t *eos = NULL;
        struct psw_error err = {0};
        end = strstr(at, "<eos>");
        const struct psw_text piece = {at, end ? (size_t)(end - at) : strlen(at)};
        if (psw_tokenizer_encode(tokenizer, piece, &list, &err) != PSW_OK)
            fail_msg("%s", err.text);
        if (end) assert_int_equal(psw_token_list_grow(&list, 1, &eos, NULL), PSW_OK);
        if (end) *eos = tokenizer->eos;
    }
    memcpy(id, list.id, (size_t)list.n * sizeof *id);
    free(list.id);
    return (int32_t)list.n;
}

#endif
