/* From text to token ids and back. A tokenizer is its kind, the rules, and a vocabulary; every
 * token has a text of its own, so a response can be read while it is sampled, token by token.
 *
 * `byte`: a token is a byte of UTF-8, and EOS follows them. `words`: a token is a word of a
 * generated task, with a blank between two. `bpe`: the tokens of a model that somebody brings,
 * from the files beside it (tokenizer_file.h). Nothing is padded (batch.h), so there is no id
 * for that. */
#ifndef POSWEEP_DATA_TOKENIZER_H
#define POSWEEP_DATA_TOKENIZER_H

#include <posweep/util/status.h>
#include <posweep/util/text.h>
#include <stdint.h>

/** Token ids. Borrowed. */
struct psw_tokens {
    const int32_t *id; /* [n] */
    int64_t n;
};

/** Token ids that grow; zeroed at first. Owns: free id. */
struct psw_token_list {
    int32_t *id; /* owned [n_room] */
    int64_t n, n_room;
};

/** Text that grows; zeroed at first. Owns: free at. */
struct psw_text_buffer {
    char *at; /* owned [n_room] */
    size_t n, n_room;
};

/** Where a text stands in what it is a part of: some tokenizers put a blank before the first
 *  word, and only there. */
enum psw_text_place {
    PSW_TEXT_BEGINS,      /* it is the whole, or its beginning */
    PSW_TEXT_AFTER_TOKEN, /* a special token stands before it */
    PSW_TEXT_GOES_ON      /* a text stands before it */
};

/** A text that is to become tokens. What somebody wrote never says a special token, such as EOS
 *  or the mark of a turn; what a chat template wrote does. Borrowed. */
struct psw_written_text {
    struct psw_text text;
    const unsigned char *markup; /* [text.n] 1 where a template wrote it; NULL: nowhere */
    int is_markup;               /* everywhere */
    enum psw_text_place place;
};

struct psw_bpe; /* of a tokenizer read from files: its vocabulary and rules */
struct psw_tokenizer;

/** How ids are made and read. */
struct psw_tokenizer_kind {
    const char *name;
    const char *between; /* what stands between the texts of two tokens: "" or " " */
    psw_status (*encode)(const struct psw_tokenizer *tokenizer,
                         const struct psw_written_text *text, struct psw_token_list *out,
                         struct psw_error *err);
    /** Text of a token, of EOS none; at NULL for an id that is none of the vocabulary. It may
     *  be a part of a character. */
    struct psw_text (*piece)(const struct psw_tokenizer *tokenizer, int32_t id);
};
extern const struct psw_tokenizer_kind PSW_BYTE_KIND, PSW_WORDS_KIND, PSW_BPE_KIND;

/** A tokenizer. Plain data to readers. */
struct psw_tokenizer {
    const struct psw_tokenizer_kind *kind;
    int32_t n_vocab;          /* ids are 0 .. n_vocab - 1 */
    int32_t eos;              /* -1: the files name none */
    const char *const *word;  /* words: [n_vocab]; else NULL */
    struct psw_tokens before; /* ids that belong before every text: BOS, or none */
    struct psw_tokens after;  /* and after it */
    uint64_t content;         /* hash of the files it was read from; 0: of none */
    struct psw_bpe *bpe;      /* owned; bpe; else NULL */
};

enum { PSW_BYTE_EOS = 256, PSW_BYTE_N_VOCAB = 257 };
extern const struct psw_tokenizer PSW_BYTE_TOKENIZER;

/** Identity: equal for tokenizers of one kind with one vocabulary, and of the same files. */
uint64_t psw_tokenizer_hash(const struct psw_tokenizer *tokenizer);

/** Append the ids of a text, without EOS and without what belongs before and after; names of
 *  special tokens in it become these tokens. Errors: PSW_ENOMEM; PSW_EDATA for a text that the
 *  vocabulary cannot say. */
psw_status psw_tokenizer_encode(const struct psw_tokenizer *tokenizer, struct psw_text text,
                                struct psw_token_list *out, struct psw_error *err);

/** The same where people wrote the text, or some of it. Errors: also PSW_EDATA for a vocabulary
 *  whose rules make a special token of plain text. */
psw_status psw_tokenizer_encode_written(const struct psw_tokenizer *tokenizer,
                                        const struct psw_written_text *text,
                                        struct psw_token_list *out, struct psw_error *err);

/** Append n ids, which the caller writes at *at. Errors: PSW_ENOMEM. */
psw_status psw_token_list_grow(struct psw_token_list *list, int64_t n, int32_t **at,
                               struct psw_error *err);

/** Append a copy of a text. Errors: PSW_ENOMEM. */
psw_status psw_text_buffer_add(struct psw_text_buffer *buffer, struct psw_text text,
                               struct psw_error *err);

/** The text of one token, U+FFFD for an id that is none. Borrowed. */
struct psw_text psw_tokenizer_piece(const struct psw_tokenizer *tokenizer, int32_t id);

/** The text of the ids before the first EOS, cut to n_bytes at a word or character, with a
 *  terminator; returns out. What is no UTF-8 becomes U+FFFD. */
char *psw_tokenizer_text(const struct psw_tokenizer *tokenizer, const int32_t *id, int64_t n,
                         char *out, size_t n_bytes);

/** As many of the last, or of the first tokens as n_max allows, cut between characters;
 *  0 = all. */
struct psw_tokens psw_tokens_end(const struct psw_tokenizer *tokenizer,
                                 struct psw_tokens tokens, int64_t n_max);
struct psw_tokens psw_tokens_begin(const struct psw_tokenizer *tokenizer,
                                   struct psw_tokens tokens, int64_t n_max);

/** Hash of ids. */
uint64_t psw_tokens_hash(struct psw_tokens tokens);

#endif
