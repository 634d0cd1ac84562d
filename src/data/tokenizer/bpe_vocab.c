/* Names by id, ids by name, merges by pair: two open hash tables, never more than half full. */
#include "bpe.h"

#include <posweep/util/hash.h>
#include <stdlib.h>
#include <string.h>

/** A power of two above twice n. */
static size_t table_size(size_t n)
{
    size_t size = 16;
    while (size < 2 * n + 1) size *= 2;
    return size;
}

psw_status psw_bpe_vocab_init(struct psw_bpe_vocab *vocab, int32_t n, size_t n_merge,
                              struct psw_error *err)
{
    vocab->n = n;
    vocab->n_slot = table_size((size_t)n);
    vocab->n_merge_slot = table_size(n_merge);
    vocab->token = calloc((size_t)n + 1, sizeof *vocab->token);
    vocab->slot = malloc(vocab->n_slot * sizeof *vocab->slot);
    vocab->merge = malloc(vocab->n_merge_slot * sizeof *vocab->merge);
    vocab->joint = calloc(PSW_BPE_JOINTS / 8, 1);
    if (!vocab->token || !vocab->slot || !vocab->merge || !vocab->joint)
        return psw_fail(err, PSW_ENOMEM, "%d tokens and %zu merges", n, n_merge);
    for (size_t i = 0; i < vocab->n_slot; i++) vocab->slot[i] = -1;
    for (size_t i = 0; i < vocab->n_merge_slot; i++) vocab->merge[i].made = -1;
    return PSW_OK;
}

void psw_bpe_vocab_clear(struct psw_bpe_vocab *vocab)
{
    free(vocab->token);
    free(vocab->slot);
    free(vocab->merge);
    free(vocab->joint);
    free(vocab->block.at);
}

struct psw_text psw_bpe_vocab_name(const struct psw_bpe_vocab *vocab, int32_t id)
{
    if (id < 0 || id >= vocab->n || !vocab->token[id].is_there) return (struct psw_text){0};
    return (struct psw_text){vocab->block.at + vocab->token[id].name, vocab->token[id].n_name};
}

struct psw_text psw_bpe_vocab_piece(const struct psw_bpe_vocab *vocab, int32_t id)
{
    if (id < 0 || id >= vocab->n || !vocab->token[id].is_there) return (struct psw_text){0};
    return (struct psw_text){vocab->block.at + vocab->token[id].piece,
                             vocab->token[id].n_piece};
}

/** The place of a name, or the free one where it would stand. */
static int32_t *slot_of(const struct psw_bpe_vocab *vocab, struct psw_text name)
{
    size_t i = psw_hash_bytes(name.at, name.n, 0) & (vocab->n_slot - 1);
    while (vocab->slot[i] >= 0 &&
           !psw_text_equal(psw_bpe_vocab_name(vocab, vocab->slot[i]), name))
        i = (i + 1) & (vocab->n_slot - 1);
    return &vocab->slot[i];
}

int32_t psw_bpe_vocab_find(const struct psw_bpe_vocab *vocab, struct psw_text name)
{
    return *slot_of(vocab, name);
}

psw_status psw_bpe_vocab_add(struct psw_bpe_vocab *vocab, int32_t id, struct psw_text name,
                             struct psw_error *err)
{
    struct psw_bpe_token *token = &vocab->token[id];
    int32_t *slot = slot_of(vocab, name);
    const struct psw_text shown = psw_text_cut(name, 60);
    if (token->is_there) {
        const struct psw_text other = psw_text_cut(psw_bpe_vocab_name(vocab, id), 60);
        return psw_fail(err, PSW_EDATA, "id %d is that of \"%.*s\" and of \"%.*s\"", id,
                        (int)other.n, other.at, (int)shown.n, shown.at);
    }
    if (*slot >= 0)
        return psw_fail(err, PSW_EDATA, "\"%.*s\" has id %d and id %d", (int)shown.n, shown.at,
                        *slot, id);
    token->name = vocab->block.n;
    token->n_name = (uint32_t)name.n;
    const psw_status rc = psw_text_buffer_add(&vocab->block, name, err);
    token->is_there = rc == PSW_OK;
    if (rc == PSW_OK) *slot = id;
    return rc;
}

static struct psw_bpe_merge *merge_slot(const struct psw_bpe_vocab *vocab, int32_t left,
                                        int32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | (uint32_t)right;
    size_t i = (size_t)(pair * 0x9E3779B97F4A7C15u >> 32) & (vocab->n_merge_slot - 1);
    while (vocab->merge[i].made >= 0 && vocab->merge[i].pair != pair)
        i = (i + 1) & (vocab->n_merge_slot - 1);
    return &vocab->merge[i];
}

/* ---- where merges join ---- */

/** The bytes of the character at a place, as a number. */
static uint32_t character_at(struct psw_text text, size_t at)
{
    uint32_t c = (unsigned char)text.at[at];
    while (++at < text.n && psw_is_inside_character(text.at[at]))
        c = c << 8 | (unsigned char)text.at[at];
    return c;
}

static size_t last_character(struct psw_text text)
{
    size_t at = text.n - 1;
    while (at > 0 && psw_is_inside_character(text.at[at])) at--;
    return at;
}

/** The bit of two characters; others may have the same, which forbids a cut for nothing. */
static uint32_t joint_of(uint32_t left, uint32_t right)
{
    const uint64_t pair = (uint64_t)left << 32 | right;
    return (uint32_t)(pair * 0x9E3779B97F4A7C15u >> 40) % PSW_BPE_JOINTS;
}

size_t psw_bpe_vocab_cut(const struct psw_bpe_vocab *vocab, struct psw_text word)
{
    uint32_t left = character_at(word, 0);
    for (size_t at = 1; at < word.n; at++) {
        if (psw_is_inside_character(word.at[at])) continue;
        const uint32_t right = character_at(word, at), joint = joint_of(left, right);
        if (!(vocab->joint[joint / 8] >> joint % 8 & 1)) return at;
        left = right;
    }
    return word.n;
}

void psw_bpe_merge_set(struct psw_bpe_vocab *vocab, int32_t left, int32_t right, int32_t rank,
                       int32_t made)
{
    const struct psw_text before = psw_bpe_vocab_name(vocab, left),
                          after = psw_bpe_vocab_name(vocab, right);
    if (before.n > 0 && after.n > 0) {
        const uint32_t joint =
            joint_of(character_at(before, last_character(before)), character_at(after, 0));
        vocab->joint[joint / 8] |= (unsigned char)(1u << joint % 8);
    }
    *merge_slot(vocab, left, right) =
        (struct psw_bpe_merge){(uint64_t)left << 32 | (uint32_t)right, rank, made};
}

const struct psw_bpe_merge *psw_bpe_merge_of(const struct psw_bpe_vocab *vocab, int32_t left,
                                             int32_t right)
{
    const struct psw_bpe_merge *merge = merge_slot(vocab, left, right);
    return merge->made >= 0 ? merge : NULL;
}
