/* Merging: of all neighbours that a merge knows, those of the lowest rank first, from the left.
 * A heap of such pairs and a linked list of symbols make it n log n; entries of the heap whose
 * pair has changed meanwhile are passed over. Short words are kept with their ids, by hash, a
 * later word in the place of an earlier one. A long word, which may be a whole text, is cut
 * where no merge joins. */
#include "bpe.h"

#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/** A part of the word that is one token. */
struct symbol {
    int32_t id;             /* -1: part of the one before */
    int32_t previous, next; /* -1: none */
};

/** Two neighbours that may become one. */
struct candidate {
    int32_t rank, left, made;
};

enum { CACHE_WORDS = 1 << 13, CACHE_BYTES = 40, CACHE_IDS = 6 };

struct psw_bpe_cached {
    unsigned char n_byte, n_id; /* n_byte 0: free */
    char byte[CACHE_BYTES];
    int32_t id[CACHE_IDS];
};

struct psw_bpe_merger {
    struct symbol *symbol;  /* owned [n_symbol_room] */
    struct candidate *heap; /* owned [n_heap_room] */
    int64_t n_symbol, n_symbol_room, n_heap, n_heap_room;
    struct psw_bpe_cached *cached; /* owned [CACHE_WORDS] */
};

psw_status psw_bpe_merger_create(struct psw_bpe_merger **out, struct psw_error *err)
{
    struct psw_bpe_merger *m = calloc(1, sizeof *m);
    if (m) m->cached = calloc(CACHE_WORDS, sizeof *m->cached);
    if (!m || !m->cached) {
        free(m);
        return psw_fail(err, PSW_ENOMEM, "no memory for a cache of words");
    }
    *out = m;
    return PSW_OK;
}

void psw_bpe_merger_destroy(struct psw_bpe_merger *merger)
{
    if (!merger) return;
    free(merger->symbol);
    free(merger->heap);
    free(merger->cached);
    free(merger);
}

/* ---- symbols ---- */

static psw_status add_symbol(struct psw_bpe_merger *m, int32_t id, struct psw_error *err)
{
    if (m->n_symbol == m->n_symbol_room) {
        const int64_t n_room = psw_max(64, 2 * m->n_symbol_room);
        struct symbol *grown = realloc(m->symbol, (size_t)n_room * sizeof *grown);
        if (!grown)
            return psw_fail(err, PSW_ENOMEM, "a word of %lld symbols", (long long)n_room);
        m->symbol = grown;
        m->n_symbol_room = n_room;
    }
    const int32_t i = (int32_t)m->n_symbol++;
    m->symbol[i] = (struct symbol){id, i - 1, -1};
    if (i > 0) m->symbol[i - 1].next = i;
    return PSW_OK;
}

/** A character without a token: its bytes, or the unknown token, once for neighbours. */
static psw_status add_unknown(const struct psw_bpe *bpe, struct psw_text character,
                              int *after_unknown, struct psw_error *err)
{
    const struct psw_bpe_model *model = &bpe->model;
    int has_bytes = model->has_fallback;
    psw_status rc = PSW_OK;
    for (size_t i = 0; i < character.n; i++)
        has_bytes = has_bytes && model->byte[(unsigned char)character.at[i]] >= 0;
    if (!has_bytes && model->unk < 0)
        return psw_fail(err, PSW_EDATA,
                        "the tokenizer has no token for '%.*s', and none for what is unknown",
                        (int)character.n, character.at);
    if (!has_bytes && *after_unknown && model->fuses_unk) return PSW_OK;
    if (!has_bytes) rc = add_symbol(bpe->merger, model->unk, err);
    for (size_t i = 0; has_bytes && i < character.n && rc == PSW_OK; i++)
        rc = add_symbol(bpe->merger, model->byte[(unsigned char)character.at[i]], err);
    *after_unknown = !has_bytes;
    return rc;
}

static psw_status add_symbols(const struct psw_bpe *bpe, struct psw_text word,
                              struct psw_error *err)
{
    psw_status rc = PSW_OK;
    int after_unknown = 0;
    bpe->merger->n_symbol = bpe->merger->n_heap = 0;
    for (size_t at = 0, n; at < word.n && rc == PSW_OK; at += n) {
        utf8proc_int32_t c;
        const utf8proc_ssize_t n_read = utf8proc_iterate((const utf8proc_uint8_t *)word.at + at,
                                                         (utf8proc_ssize_t)(word.n - at), &c);
        n = n_read > 0 ? (size_t)n_read : 1;
        const struct psw_text character = {word.at + at, n};
        const int32_t id = psw_bpe_vocab_find(&bpe->vocab, character);
        if (id < 0) {
            rc = add_unknown(bpe, character, &after_unknown, err);
        } else {
            rc = add_symbol(bpe->merger, id, err);
            after_unknown = 0;
        }
    }
    return rc;
}

/* ---- the heap ---- */

static int comes_before(struct candidate a, struct candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.left < b.left;
}

/** Push the pair that begins at a symbol, if it has a merge. */
static psw_status push(const struct psw_bpe *bpe, int32_t left, struct psw_error *err)
{
    struct psw_bpe_merger *m = bpe->merger;
    if (left < 0 || m->symbol[left].next < 0) return PSW_OK;
    const struct psw_bpe_merge *merge =
        psw_bpe_merge_of(&bpe->vocab, m->symbol[left].id, m->symbol[m->symbol[left].next].id);
    if (!merge) return PSW_OK;
    if (m->n_heap == m->n_heap_room) {
        const int64_t n_room = psw_max(64, 2 * m->n_heap_room);
        struct candidate *grown = realloc(m->heap, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "%lld merges", (long long)n_room);
        m->heap = grown;
        m->n_heap_room = n_room;
    }
    const struct candidate c = {merge->rank, left, merge->made};
    int64_t i = m->n_heap++;
    for (; i > 0 && comes_before(c, m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = c;
    return PSW_OK;
}

static struct candidate pop(struct psw_bpe_merger *m)
{
    const struct candidate first = m->heap[0], last = m->heap[--m->n_heap];
    int64_t i = 0;
    for (;;) {
        int64_t child = 2 * i + 1;
        if (child >= m->n_heap) break;
        child += child + 1 < m->n_heap && comes_before(m->heap[child + 1], m->heap[child]);
        if (!comes_before(m->heap[child], last)) break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return first;
}

/** Whether the pair is still what it was. */
static int still_holds(const struct psw_bpe *bpe, struct candidate c)
{
    const struct symbol *left = &bpe->merger->symbol[c.left];
    if (left->id < 0 || left->next < 0) return 0;
    const struct psw_bpe_merge *merge =
        psw_bpe_merge_of(&bpe->vocab, left->id, bpe->merger->symbol[left->next].id);
    return merge && merge->made == c.made;
}

static psw_status merge_all(const struct psw_bpe *bpe, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    struct psw_bpe_merger *m = bpe->merger;
    for (int32_t i = 0; i < m->n_symbol && rc == PSW_OK; i++) rc = push(bpe, i, err);
    while (m->n_heap > 0 && rc == PSW_OK) {
        const struct candidate c = pop(m);
        if (!still_holds(bpe, c)) continue;
        struct symbol *left = &m->symbol[c.left], *right = &m->symbol[left->next];
        left->id = c.made;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) m->symbol[left->next].previous = c.left;
        rc = push(bpe, left->previous, err);
        if (rc == PSW_OK) rc = push(bpe, c.left, err);
    }
    return rc;
}

/* ---- words ---- */

static struct psw_bpe_cached *place_of(struct psw_bpe_merger *m, struct psw_text word)
{
    return &m->cached[psw_hash_bytes(word.at, word.n, 0) % CACHE_WORDS];
}

static void keep(struct psw_bpe_cached *place, struct psw_text word, const int32_t *id,
                 int64_t n_id)
{
    if (n_id > CACHE_IDS) return;
    place->n_byte = (unsigned char)word.n;
    place->n_id = (unsigned char)n_id;
    memcpy(place->byte, word.at, word.n);
    memcpy(place->id, id, (size_t)n_id * sizeof *id);
}

static psw_status append(struct psw_token_list *out, const int32_t *id, int64_t n,
                         struct psw_error *err)
{
    int32_t *at = NULL;
    const psw_status rc = psw_token_list_grow(out, n, &at, err);
    if (rc == PSW_OK) memcpy(at, id, (size_t)n * sizeof *id);
    return rc;
}

static psw_status merge_word(const struct psw_bpe *bpe, struct psw_text word,
                             struct psw_token_list *out, struct psw_error *err)
{
    const int32_t whole =
        bpe->model.takes_whole_words ? psw_bpe_vocab_find(&bpe->vocab, word) : -1;
    if (whole >= 0) return append(out, &whole, 1, err);
    psw_status rc = add_symbols(bpe, word, err);
    if (rc == PSW_OK) rc = merge_all(bpe, err);
    int32_t i = bpe->merger->n_symbol > 0 ? 0 : -1;
    for (; i >= 0 && rc == PSW_OK; i = bpe->merger->symbol[i].next)
        rc = append(out, &bpe->merger->symbol[i].id, 1, err);
    return rc;
}

/** The same, of a short word from the cache if it is there. */
static psw_status merge_part(struct psw_bpe *bpe, struct psw_text word,
                             struct psw_token_list *out, struct psw_error *err)
{
    if (word.n > CACHE_BYTES) return merge_word(bpe, word, out, err);
    struct psw_bpe_cached *place = place_of(bpe->merger, word);
    if (place->n_byte == word.n && !memcmp(place->byte, word.at, word.n))
        return append(out, place->id, place->n_id, err);
    const int64_t n_before = out->n;
    const psw_status rc = merge_word(bpe, word, out, err);
    if (rc == PSW_OK) keep(place, word, out->id + n_before, out->n - n_before);
    return rc;
}

psw_status psw_bpe_merge_word(struct psw_bpe *bpe, struct psw_text word,
                              struct psw_token_list *out, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    while (word.n > 0 && rc == PSW_OK) {
        const int is_cut = bpe->model.can_cut && word.n > CACHE_BYTES;
        const size_t n = is_cut ? psw_bpe_vocab_cut(&bpe->vocab, word) : word.n;
        rc = merge_part(bpe, (struct psw_text){word.at, n}, out, err);
        word = (struct psw_text){word.at + n, word.n - n};
    }
    return rc;
}
