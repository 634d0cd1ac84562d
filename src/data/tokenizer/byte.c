/* A token is a byte. */
#include <posweep/data/tokenizer.h>

#define B4(i) (char)(i), (char)((i) + 1), (char)((i) + 2), (char)((i) + 3)
#define B16(i) B4(i), B4((i) + 4), B4((i) + 8), B4((i) + 12)
#define B64(i) B16(i), B16((i) + 16), B16((i) + 32), B16((i) + 48)
static const char BYTES[PSW_BYTE_EOS] = {B64(0), B64(64), B64(128), B64(192)};

static psw_status encode(const struct psw_tokenizer *tokenizer,
                         const struct psw_written_text *written, struct psw_token_list *out,
                         struct psw_error *err)
{
    const struct psw_text text = written->text;
    int32_t *id = NULL;
    (void)tokenizer;
    const psw_status rc = psw_token_list_grow(out, (int64_t)text.n, &id, err);
    for (size_t i = 0; i < text.n && rc == PSW_OK; i++) id[i] = (unsigned char)text.at[i];
    return rc;
}

static struct psw_text piece(const struct psw_tokenizer *tokenizer, int32_t id)
{
    (void)tokenizer;
    if (id == PSW_BYTE_EOS) return (struct psw_text){BYTES, 0};
    const int is_byte = id >= 0 && id < PSW_BYTE_EOS;
    return (struct psw_text){is_byte ? &BYTES[id] : NULL, (size_t)is_byte};
}

const struct psw_tokenizer_kind PSW_BYTE_KIND = {"byte", "", encode, piece};
const struct psw_tokenizer PSW_BYTE_TOKENIZER = {
    .kind = &PSW_BYTE_KIND, .n_vocab = PSW_BYTE_N_VOCAB, .eos = PSW_BYTE_EOS};
