/* Packed prefix trees: how prompts and responses become one run of tokens, without padding.
 *
 * A batch is n_tok tokens back to back and a list of segments. A segment attends causally to
 * itself and entirely to every ancestor, so the prompt of a preference pair is computed once
 * for both responses. Only rows, (source token, target id), reach the vocabulary head. Two
 * rules: the first response token is predicted from the prompt's last token, and the last
 * response token (EOS) is a target only, never an input. A reward model reads whole responses
 * and scores their last token: PSW_PACK_LAST. What the tokens mean is left to dataset.h. */
#ifndef POSWEEP_DATA_BATCH_H
#define POSWEEP_DATA_BATCH_H

#include <posweep/util/arena.h>
#include <stdint.h>

/** Most responses that one example can carry. */
enum { PSW_EXAMPLE_SEQS = 16 };

/** A prompt with its responses; pointers are borrowed (a dataset or a sampler owns them).
 *  n_prompt >= 1 and every n_response >= 1 (of a response, its EOS at least): whoever builds
 *  examples sees to it, and gives an empty prompt the EOS token as its only token.
 *  A preference pair has two responses, 0 = chosen and 1 = rejected; an SFT item has one, a
 * bare prompt none. A response that does not end in EOS was cut: it goes on. prompt_key is the
 * same for equal prompts: clusters and splits go by it. */
struct psw_example {
    const int32_t *prompt; /* [n_prompt] */
    int32_t n_prompt;
    int32_t n_seq;
    const int32_t *response[PSW_EXAMPLE_SEQS]; /* [n_response[s]] each */
    int32_t n_response[PSW_EXAMPLE_SEQS];
    uint64_t prompt_key;
};

/** Whether response i of a and response j of b are the same tokens. Scores of equal responses
 * are equal but for the rounding of float32 passes in other company: who counts ties asks here.
 */
int psw_response_equal(const struct psw_example *a, int64_t i, const struct psw_example *b,
                       int64_t j);

/** Tokens [start, start + length) of a batch; length >= 1. parent is an earlier segment, or -1
 *  for a root. Segments lie back to back in order and cover all tokens. */
struct psw_segment {
    int64_t start;
    int64_t length;
    int32_t parent;
};

/** A packed batch. Counts alone (all pointers NULL) describe a shape, for planning memory.
 *  Sequences stand in item order, chosen before rejected; their rows too. */
struct psw_batch {
    int64_t n_tok, n_seg, n_seq, n_row, n_item;
    int64_t max_path;                  /* longest segment-and-ancestors path, in tokens */
    const int32_t *token;              /* [n_tok] */
    const int32_t *position;           /* [n_tok] distance from the start of the path */
    const struct psw_segment *segment; /* [n_seg] */
    struct {                           /* [n_row] */
        const int32_t *source;         /* token whose hidden state predicts the target */
        const int32_t *target;         /* id */
        const int32_t *seq;
    } row;
    const int64_t *seq_row;  /* [n_seq + 1] rows of sequence s: [seq_row[s], seq_row[s+1]) */
    const int32_t *seq_item; /* [n_seq] which example */
};

/** How examples are packed; bits. */
enum psw_pack {
    /** Items with several responses compute their prompt once; without it every sequence
     *  carries its own copy. */
    PSW_PACK_SHARE = 1,
    /** Every response token is an input, the last one too (a path is then one token longer),
     *  and a response has one row: its source is the last token, its target, that token's id,
     *  is not used. */
    PSW_PACK_LAST = 2
};

/** Counts of the batch that psw_batch_pack would make; pointers NULL. Of the examples lengths
 * are read, no ids. how: bits of enum psw_pack. Shapes: example: [n]. */
void psw_batch_measure(const struct psw_example *const *example, int64_t n, unsigned how,
                       struct psw_batch *out);

/** Pack examples into arrays of the arena (a measuring arena counts them; pointers are then
 *  NULL). Owns: the arena. Shapes: example: [n]. */
void psw_batch_pack(const struct psw_example *const *example, int64_t n, unsigned how,
                    struct psw_arena *arena, struct psw_batch *out);

/** A shape that every batch of n of these examples fits in, whichever they are: n times the
 *  largest of each count. Where the order is known, measuring the real batches and widening is
 *  tighter. Shapes: example: [n_example]. */
void psw_batch_bound(const struct psw_example *example, int64_t n_example, int64_t n,
                     unsigned how, struct psw_batch *out);

/** Grow the counts of bound until a batch of that shape fits in it; start from a zeroed bound.
 */
void psw_batch_widen(struct psw_batch *bound, const struct psw_batch *batch);

/** Take from the arena what psw_batch_pack takes for a batch of that shape: plans memory. */
void psw_batch_reserve(const struct psw_batch *shape, struct psw_arena *arena);

#endif
