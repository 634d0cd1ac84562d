/* What the files of the bpe kind share: the vocabulary, the rules before it, and scratch.
 *
 * A text goes through these stages: added tokens that are looked for in the text as it is;
 * the normaliser; added tokens that are looked for in what it gives; the pre-tokeniser, which
 * makes words; merges, which make ids of a word. The normaliser and the pre-tokeniser are lists
 * of operations from one table (bpe_ops.c). */
#ifndef POSWEEP_SRC_DATA_TOKENIZER_BPE_H
#define POSWEEP_SRC_DATA_TOKENIZER_BPE_H

#include <posweep/data/tokenizer.h>

/* ---- bpe_regex.c: patterns, by PCRE2 ---- */

struct psw_regex;

/** Compile; a literal pattern stands for itself. `\s` is Unicode's White_Space, as in the
 *  library whose files are read. Owns: the caller destroys. Errors: PSW_EDATA with the place in
 *  the pattern; PSW_EUNSUP for syntax that means something else there; PSW_ENOMEM. */
psw_status psw_regex_create(struct psw_text pattern, int is_literal, struct psw_regex **out,
                            struct psw_error *err);

/** A place in a text, as bytes. */
struct psw_bpe_span {
    size_t from, to;
    int is_match; /* of a pattern, or what stands between matches */
};

/** The first match at or after `from` in UTF-8; none: from = to = text.n + 1. Errors: PSW_EDATA
 *  when the pattern gives up. */
psw_status psw_regex_find(const struct psw_regex *regex, struct psw_text text, size_t from,
                          struct psw_bpe_span *out, struct psw_error *err);

/** Accepts NULL. */
void psw_regex_destroy(struct psw_regex *regex);

/* ---- bpe_form.c: normal forms of Unicode, by the options of utf8proc ---- */

/** Whether it is seen at once that a text has the form already. */
int psw_bpe_is_formed(struct psw_text text, int form);

/** Append a text in that form. Errors: PSW_ENOMEM; PSW_EDATA. */
psw_status psw_bpe_write_form(struct psw_text text, int form, struct psw_text_buffer *out,
                              struct psw_error *err);

/* ---- bpe_ops.c: what is done to a text before its words become ids ---- */

/** Places that grow; zeroed at first. Owns: free at. */
struct psw_bpe_spans {
    struct psw_bpe_span *at; /* owned [n_room] */
    int64_t n, n_room;
};

/** A text and its words, and what the next operation writes. Owns: psw_bpe_words_clear. */
struct psw_bpe_words {
    struct psw_text_buffer text, next_text;
    struct psw_bpe_spans span, next_span;
    enum psw_text_place place; /* of the first word */
};

void psw_bpe_words_clear(struct psw_bpe_words *words);

/** What becomes of the matches of a pattern. */
enum psw_bpe_split {
    PSW_SPLIT_ISOLATED, /* words of their own */
    PSW_SPLIT_REMOVED,
    PSW_SPLIT_CONTIGUOUS, /* one word for neighbours */
    PSW_SPLIT_WITH_PREVIOUS,
    PSW_SPLIT_WITH_NEXT,
    PSW_N_BPE_SPLIT
};

/** One operation. Owns its pattern and content. */
struct psw_bpe_op {
    psw_status (*apply)(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                        struct psw_error *err);
    struct psw_regex *regex;
    struct psw_text_buffer content; /* of a replacement or prefix */
    enum psw_bpe_split split;
    int is_inverted;       /* what the pattern does not match is the match */
    int is_once, is_first; /* prefix: not where it stands already; of the first word only */
    int form;              /* Unicode normalisation: options of utf8proc */
};

/** The functions of the table. */
psw_status psw_bpe_prefix(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                          struct psw_error *err);
psw_status psw_bpe_replace(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                           struct psw_error *err);
psw_status psw_bpe_split(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                         struct psw_error *err);
psw_status psw_bpe_form(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                        struct psw_error *err);
/** Each byte becomes a character that can be seen: GPT-2's table. */
psw_status psw_bpe_bytes(const struct psw_bpe_op *op, struct psw_bpe_words *words,
                         struct psw_error *err);

/** The byte that a character of that table stands for, -1 for none; *n_bytes: its length. */
int psw_bpe_byte_of(struct psw_text text, size_t *n_bytes);

/** A list of operations. Owns: psw_bpe_ops_clear. */
struct psw_bpe_ops {
    struct psw_bpe_op *op; /* owned [n] */
    int n;
};

/** Append; the list owns what the operation does, from here on and on failure too. */
psw_status psw_bpe_ops_push(struct psw_bpe_ops *ops, struct psw_bpe_op *op,
                            struct psw_error *err);

/** Do all of them to a text, which is one word before. */
psw_status psw_bpe_ops_apply(const struct psw_bpe_ops *ops, struct psw_text text,
                             enum psw_text_place place, struct psw_bpe_words *words,
                             struct psw_error *err);

void psw_bpe_ops_clear(struct psw_bpe_ops *ops);

/* ---- bpe_vocab.c: tokens and merges ---- */

enum { PSW_BPE_MAX_VOCAB = 1 << 20, PSW_BPE_JOINTS = 1 << 18 };

/** A token: its name in the file, and its text; places in the block of the vocabulary. */
struct psw_bpe_token {
    size_t name, piece;
    uint32_t n_name, n_piece;
    unsigned char is_there, is_special;
};

/** What two neighbours become, and how early: the entry of a pair. */
struct psw_bpe_merge {
    uint64_t pair;      /* left id << 32 | right id */
    int32_t rank, made; /* made < 0: a free place of the table */
};

/** Zeroed at first. Owns: psw_bpe_vocab_clear. */
struct psw_bpe_vocab {
    struct psw_bpe_token *token; /* owned [n] */
    int32_t n;
    int32_t *slot; /* owned [n_slot]: ids, at the hash of their names; -1: free */
    size_t n_slot;
    struct psw_bpe_merge *merge; /* owned [n_merge_slot], at the hash of their pairs */
    size_t n_merge_slot;
    unsigned char *joint; /* owned [PSW_BPE_JOINTS / 8]: bits, at the hash of two characters */
    struct psw_text_buffer block; /* names and texts */
};

/** Make room for ids below n, and for n_merge merges. Errors: PSW_ENOMEM. */
psw_status psw_bpe_vocab_init(struct psw_bpe_vocab *vocab, int32_t n, size_t n_merge,
                              struct psw_error *err);

/** Name an id that has none, with a name that none has. Errors: PSW_EDATA else; PSW_ENOMEM. */
psw_status psw_bpe_vocab_add(struct psw_bpe_vocab *vocab, int32_t id, struct psw_text name,
                             struct psw_error *err);

/** The id of a name, -1 for none; the name and the text of an id, at NULL for none. */
int32_t psw_bpe_vocab_find(const struct psw_bpe_vocab *vocab, struct psw_text name);
struct psw_text psw_bpe_vocab_name(const struct psw_bpe_vocab *vocab, int32_t id);
struct psw_text psw_bpe_vocab_piece(const struct psw_bpe_vocab *vocab, int32_t id);

/** Enter a merge, in the place of an earlier one of that pair; find it, NULL for none. */
void psw_bpe_merge_set(struct psw_bpe_vocab *vocab, int32_t left, int32_t right, int32_t rank,
                       int32_t made);
const struct psw_bpe_merge *psw_bpe_merge_of(const struct psw_bpe_vocab *vocab, int32_t left,
                                             int32_t right);

/** Where a word may be cut without another result: the first place, not at its beginning, where
 *  no merge joins what ends there with what begins there. The word's end if there is none. */
size_t psw_bpe_vocab_cut(const struct psw_bpe_vocab *vocab, struct psw_text word);

void psw_bpe_vocab_clear(struct psw_bpe_vocab *vocab);

/* ---- bpe_added.c: tokens that are found in the text before it is split ---- */

/** An added token. */
struct psw_bpe_added {
    int32_t id;
    int is_single_word, takes_left, takes_right; /* blanks beside it */
    int is_special;                              /* psw_bpe_finder_mark */
};

/** Added tokens of one stage, as a tree of their bytes. Zeroed at first. Owns:
 *  psw_bpe_finder_clear. */
struct psw_bpe_finder {
    struct psw_bpe_node *node;   /* owned [n_node] */
    struct psw_bpe_added *added; /* owned [n_added] */
    int32_t n_node, n_node_room, n_added;
    int32_t root[256]; /* the node of a first byte; 0: none */
};

/** Look for this content too. Errors: PSW_ENOMEM. */
psw_status psw_bpe_finder_add(struct psw_bpe_finder *finder, struct psw_text content,
                              const struct psw_bpe_added *added, struct psw_error *err);

/** The next stretch of a text: from *at up to an added token (*id is -1), or such a token, with
 *  the blanks that it takes. Special tokens are found in markup only. Returns 0 at the end. */
int psw_bpe_finder_next(const struct psw_bpe_finder *finder,
                        const struct psw_written_text *text, size_t *at,
                        struct psw_text *stretch, int32_t *id);

/** Which of these tokens are special: after all are known. */
void psw_bpe_finder_mark(struct psw_bpe_finder *finder, const struct psw_bpe_vocab *vocab);

void psw_bpe_finder_clear(struct psw_bpe_finder *finder);

/* ---- bpe_merge.c: from a word to ids ---- */

/** What the model does with a word. */
struct psw_bpe_model {
    int32_t unk; /* -1: none */
    int fuses_unk, takes_whole_words, has_fallback;
    int can_cut;       /* whether parts of a word may be merged alone: psw_bpe_vocab_cut */
    int32_t byte[256]; /* with has_fallback: the ids of <0x00> .. <0xFF> */
};

/** Scratch of merging, and the words met last. */
struct psw_bpe_merger;

/** Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_bpe_merger_create(struct psw_bpe_merger **out, struct psw_error *err);

/** Append the ids of a word. Errors: PSW_EDATA for a character that has no token; PSW_ENOMEM.
 */
psw_status psw_bpe_merge_word(struct psw_bpe *bpe, struct psw_text word,
                              struct psw_token_list *out, struct psw_error *err);

/** Accepts NULL. */
void psw_bpe_merger_destroy(struct psw_bpe_merger *merger);

/* ---- the whole ---- */

/** How names become text. */
struct psw_bpe_decoder {
    struct psw_bpe_ops replace;
    int is_byte_level, has_fallback; /* names are bytes by GPT-2's table; <0x0A> is a byte */
    struct psw_text_buffer strip;    /* taken away once where the text begins with it */
};

/** Zeroed at first. Owns all. */
struct psw_bpe {
    struct psw_bpe_vocab vocab;
    struct psw_bpe_finder raw, normalised; /* added tokens, by the stage that looks for them */
    struct psw_bpe_ops normalise, split;
    struct psw_bpe_model model;
    struct psw_bpe_decoder decoder;
    struct psw_token_list before, after;
    struct psw_bpe_words normal, words; /* scratch */
    struct psw_bpe_merger *merger;
};

/** Accepts NULL. */
void psw_bpe_destroy(struct psw_bpe *bpe);

#endif
