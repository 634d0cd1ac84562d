/* The tokenizer of a model that somebody brings, from the files beside its weights, and the way
 * back to text.
 *
 * Read are tokenizer.json of Hugging Face with a BPE model, byte-level (GPT-2, NeoX, Qwen,
 * Llama 3) or with byte fallback (Llama 2, Mistral, Phi-3, Gemma), and the older pair of
 * vocab.json or encoder.json and merges.txt or vocab.bpe. Ids are those of the Hugging Face
 * library. What a file asks for and posweep does not know is refused by name, never left out;
 * only truncation and padding are not heeded: they are the caller's. */
#ifndef POSWEEP_DATA_TOKENIZER_FILE_H
#define POSWEEP_DATA_TOKENIZER_FILE_H

#include <posweep/data/tokenizer.h>

/** Read a tokenizer from a folder or one of its files; gzip is fine. EOS is the one of
 *  tokenizer_config.json or special_tokens_map.json beside it, else a well-known name.
 *  Not for two threads at a time: encoding keeps a cache.
 *  Owns: the caller destroys. Errors: PSW_ENOENT (with the names looked for), PSW_EDATA (broken
 *  JSON or vocabulary, with the place), PSW_EUNSUP (a component that is not known, with those
 *  that are; a SentencePiece model, with the way to convert it), PSW_EIO, PSW_ENOMEM. */
psw_status psw_tokenizer_create(const char *path, struct psw_tokenizer **out,
                                struct psw_error *err);

/** Memory that a tokenizer holds: its vocabulary and tables; 0 for one that is built in. */
size_t psw_tokenizer_bytes(const struct psw_tokenizer *tokenizer);

/** Hash of the files of a tokenizer, without a look at what is in them: psw_tokenizer.content.
 *  Errors: PSW_ENOENT, PSW_EIO, PSW_ENOMEM. */
psw_status psw_tokenizer_hash_files(const char *path, uint64_t *out, struct psw_error *err);

/** Accepts NULL. */
void psw_tokenizer_destroy(struct psw_tokenizer *tokenizer);

/** Text from tokens as they come: what a token leaves of a character is held back until the
 *  next ones complete it. Plain data: set the first two members, zero the others. */
struct psw_detokenizer {
    const struct psw_tokenizer *tokenizer; /* borrowed */
    int with_special;                      /* say the names of EOS, BOS and their like too */
    int has_begun, n_held;
    unsigned char held[4]; /* [n_held] the beginning of a character */
};

/** Append the text that this token completes; bytes that are no UTF-8 become U+FFFD.
 *  Errors: PSW_EDATA for an id that is none of the vocabulary; PSW_ENOMEM. */
psw_status psw_detokenizer_push(struct psw_detokenizer *d, int32_t id,
                                struct psw_text_buffer *out, struct psw_error *err);

/** Append U+FFFD for a character that never ended. Errors: PSW_ENOMEM. */
psw_status psw_detokenizer_end(struct psw_detokenizer *d, struct psw_text_buffer *out,
                               struct psw_error *err);

/** Both for all tokens. */
psw_status psw_tokenizer_decode(const struct psw_tokenizer *tokenizer, struct psw_tokens tokens,
                                int with_special, struct psw_text_buffer *out,
                                struct psw_error *err);

/** The text of a prompt, cut as psw_tokenizer_text does. Where EOS stands in it, as chat
 * templates have it between turns, it does not end there: special tokens are then written by
 * their names. Returns out. */
char *psw_tokenizer_prompt_text(const struct psw_tokenizer *tokenizer, struct psw_tokens prompt,
                                char *out, size_t n_bytes);

/** Whether a token is not text, but of a model's own use, as EOS is. */
int psw_tokenizer_is_special(const struct psw_tokenizer *tokenizer, int32_t id);

/** What a token is called in its vocabulary, of special tokens too, at NULL for none. Borrowed.
 */
struct psw_text psw_tokenizer_name(const struct psw_tokenizer *tokenizer, int32_t id);

#endif
