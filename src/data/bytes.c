/* Text as byte tokens: cutting it at character boundaries, keeping it, reading it back. */
#include <posweep/data/pairs.h>

#include "data_internal.h"

/** Length of the UTF-8 character at `at`, 0 if there is none. */
static int64_t character(const int32_t *at, int64_t n)
{
    const int32_t first = at[0];
    const int64_t length = first < 0x80    ? 1
                           : first < 0xC2  ? 0
                           : first < 0xE0  ? 2
                           : first < 0xF0  ? 3
                           : first <= 0xF4 ? 4
                                           : 0;
    if (length > n) return 0;
    for (int64_t i = 1; i < length; i++)
        if (at[i] < 0x80 || at[i] > 0xBF) return 0;
    if (length == 3 && ((first == 0xE0 && at[1] < 0xA0) || (first == 0xED && at[1] > 0x9F)))
        return 0;
    if (length == 4 && ((first == 0xF0 && at[1] < 0x90) || (first == 0xF4 && at[1] > 0x8F)))
        return 0;
    return length;
}

void psw_bytes_text(const int32_t *id, int64_t n, char *out, size_t n_bytes)
{
    static const char unknown[] = "\xEF\xBF\xBD"; /* U+FFFD */
    size_t used = 0;
    for (int64_t i = 0; i < n && id[i] >= 0 && id[i] < PSW_BYTES_EOS;) {
        const int64_t length = character(id + i, n - i);
        const size_t n_out = length ? (size_t)length : sizeof unknown - 1;
        if (used + n_out >= n_bytes) break;
        for (size_t j = 0; j < n_out; j++)
            out[used++] = length ? (char)id[i + (int64_t)j] : unknown[j];
        i += length ? length : 1;
    }
    out[used] = 0;
}

int psw_text_exceeds(struct psw_text text, size_t n_more, int32_t max_tok)
{
    return max_tok > 0 && text.n + n_more > (size_t)max_tok;
}

struct psw_text psw_text_end(struct psw_text text, int32_t max_tok)
{
    if (!psw_text_exceeds(text, 0, max_tok)) return text;
    size_t from = text.n - (size_t)max_tok;
    while (from < text.n && psw_is_inside_character(text.at[from])) from++;
    return (struct psw_text){text.at + from, text.n - from};
}

struct psw_text psw_text_begin(struct psw_text text, int32_t max_tok)
{
    return psw_text_exceeds(text, 0, max_tok) ? psw_text_cut(text, (size_t)max_tok) : text;
}

psw_status psw_bytes_keep(struct psw_dataset *data, struct psw_text text, int with_eos,
                          const int32_t **out, struct psw_error *err)
{
    int32_t *id = NULL;
    const psw_status rc = psw_dataset_room(data, (int64_t)text.n + with_eos, &id, err);
    if (rc != PSW_OK) return rc;
    for (size_t i = 0; i < text.n; i++) id[i] = (unsigned char)text.at[i];
    if (with_eos) id[text.n] = PSW_BYTES_EOS;
    *out = id;
    return PSW_OK;
}

int psw_split_is_heldout(uint64_t hash, double share)
{
    return (double)(hash >> 11) * 0x1p-53 < (share > 0.0 ? share : 0.05);
}
