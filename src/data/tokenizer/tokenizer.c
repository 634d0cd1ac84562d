/* What holds for every kind: the text of ids is read byte by byte, so that a character may lie
 * across tokens, and cuts never divide one. */
#include <posweep/data/tokenizer.h>

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

static const struct psw_text UNKNOWN = {"\xEF\xBF\xBD", 3}; /* U+FFFD */

psw_status psw_token_list_grow(struct psw_token_list *list, int64_t n, int32_t **at,
                               struct psw_error *err)
{
    if (list->n_room - list->n < n) {
        const int64_t n_room = 2 * (list->n + n);
        int32_t *grown = realloc(list->id, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %lld tokens", (long long)n_room);
        list->id = grown;
        list->n_room = n_room;
    }
    *at = list->id ? list->id + list->n : NULL; /* no room for nothing */
    list->n += n;
    return PSW_OK;
}

psw_status psw_text_buffer_add(struct psw_text_buffer *buffer, struct psw_text text,
                               struct psw_error *err)
{
    if (buffer->n_room - buffer->n <= text.n) { /* even an empty text has a place then */
        const size_t n_room = 2 * (buffer->n + text.n) + 16;
        char *grown = realloc(buffer->at, n_room);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %zu bytes of text", n_room);
        buffer->at = grown;
        buffer->n_room = n_room;
    }
    if (text.n > 0) memcpy(buffer->at + buffer->n, text.at, text.n);
    buffer->n += text.n;
    return PSW_OK;
}

uint64_t psw_tokenizer_hash(const struct psw_tokenizer *tokenizer)
{
    const int32_t shape[2] = {tokenizer->n_vocab, tokenizer->eos};
    const char *const name[2] = {tokenizer->kind->name, tokenizer->kind->between};
    uint64_t hash = psw_hash_bytes(shape, sizeof shape, 0);
    for (int i = 0; i < 2; i++) hash = psw_hash_bytes(name[i], strlen(name[i]) + 1, hash);
    for (int32_t id = 0; id < tokenizer->n_vocab; id++) {
        const struct psw_text piece = psw_tokenizer_piece(tokenizer, id);
        hash = psw_hash_bytes(&piece.n, sizeof piece.n, hash);
        hash = psw_hash_bytes(piece.at, piece.n, hash);
    }
    if (tokenizer->content) hash = psw_hash_bytes(&tokenizer->content, sizeof hash, hash);
    return hash;
}

psw_status psw_tokenizer_encode(const struct psw_tokenizer *tokenizer, struct psw_text text,
                                struct psw_token_list *out, struct psw_error *err)
{
    const struct psw_written_text whole = {.text = text, .is_markup = 1};
    return tokenizer->kind->encode(tokenizer, &whole, out, err);
}

psw_status psw_tokenizer_encode_written(const struct psw_tokenizer *tokenizer,
                                        const struct psw_written_text *text,
                                        struct psw_token_list *out, struct psw_error *err)
{
    return tokenizer->kind->encode(tokenizer, text, out, err);
}

struct psw_text psw_tokenizer_piece(const struct psw_tokenizer *tokenizer, int32_t id)
{
    const struct psw_text piece = tokenizer->kind->piece(tokenizer, id);
    return piece.at ? piece : UNKNOWN;
}

/** A place in the bytes of ids. */
struct cursor {
    const struct psw_tokenizer *tokenizer;
    struct psw_tokens left;
    struct psw_text piece; /* what is left of the token before them */
};

/** The next byte, -1 at the end. */
static int next_byte(struct cursor *c)
{
    while (c->piece.n == 0) {
        if (c->left.n == 0 || c->left.id[0] == c->tokenizer->eos) return -1;
        c->piece = psw_tokenizer_piece(c->tokenizer, c->left.id[0]);
        c->left = (struct psw_tokens){c->left.id + 1, c->left.n - 1};
    }
    const int byte = (unsigned char)c->piece.at[0];
    c->piece = (struct psw_text){c->piece.at + 1, c->piece.n - 1};
    return byte;
}

/** How many bytes a character has that begins with this one; 0: none does. */
static int length_of(int first)
{
    return first < 0x80    ? 1
           : first < 0xC2  ? 0
           : first < 0xE0  ? 2
           : first < 0xF0  ? 3
           : first <= 0xF4 ? 4
                           : 0;
}

/** The next character, U+FFFD for a byte that begins none. Shapes: out: [4]. Returns how many
 * bytes it has, 0 at the end. */
static size_t next_character(struct cursor *c, char *out)
{
    const int first = next_byte(c);
    if (first < 0) return 0;
    struct cursor ahead = *c;
    const int n = length_of(first);
    int ok = n > 0, second = 0;
    out[0] = (char)first;
    for (int i = 1; i < n && ok; i++) {
        const int byte = next_byte(&ahead);
        if (i == 1) second = byte;
        ok = byte >= 0x80 && byte <= 0xBF;
        out[i] = (char)byte;
    }
    ok = ok && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F) &&
         !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    if (ok) {
        *c = ahead;
        return (size_t)n;
    }
    memcpy(out, UNKNOWN.at, UNKNOWN.n);
    return UNKNOWN.n;
}

char *psw_tokenizer_text(const struct psw_tokenizer *tokenizer, const int32_t *id, int64_t n,
                         char *out, size_t n_bytes)
{
    const char *between = tokenizer->kind->between;
    const size_t n_between = strlen(between);
    struct cursor c = {.tokenizer = tokenizer, .left = {id, n}};
    size_t used = 0, end_of_word = 0;
    char character[4];
    PSW_ASSERT(n_bytes > 0);
    for (;;) {
        const int is_new = n_between > 0 && c.piece.n == 0;
        if (is_new) end_of_word = used;
        const size_t n_more = next_character(&c, character);
        if (n_more == 0) break;
        const size_t n_gap = is_new && used > 0 ? n_between : 0;
        if (used + n_gap + n_more >= n_bytes) {
            if (n_between > 0) used = end_of_word;
            break;
        }
        memcpy(out + used, between, n_gap);
        memcpy(out + used + n_gap, character, n_more);
        used += n_gap + n_more;
    }
    out[used] = 0;
    return out;
}

/** Whether a token goes on with a character that an earlier one began. */
static int is_inside(const struct psw_tokenizer *tokenizer, int32_t id)
{
    const struct psw_text piece = psw_tokenizer_piece(tokenizer, id);
    return piece.n > 0 && psw_is_inside_character(piece.at[0]);
}

struct psw_tokens psw_tokens_end(const struct psw_tokenizer *tokenizer,
                                 struct psw_tokens tokens, int64_t n_max)
{
    if (n_max == 0 || tokens.n <= n_max) return tokens;
    int64_t from = tokens.n - n_max;
    while (from < tokens.n && is_inside(tokenizer, tokens.id[from])) from++;
    return (struct psw_tokens){tokens.id + from, tokens.n - from};
}

struct psw_tokens psw_tokens_begin(const struct psw_tokenizer *tokenizer,
                                   struct psw_tokens tokens, int64_t n_max)
{
    if (n_max == 0 || tokens.n <= n_max) return tokens;
    while (n_max > 0 && is_inside(tokenizer, tokens.id[n_max])) n_max--;
    return (struct psw_tokens){tokens.id, n_max};
}

uint64_t psw_tokens_hash(struct psw_tokens tokens)
{
    return psw_hash_bytes(tokens.id, (size_t)tokens.n * sizeof *tokens.id, 0);
}
