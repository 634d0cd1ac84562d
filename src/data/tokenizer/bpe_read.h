/* Reading a bpe tokenizer: what its files say becomes struct psw_bpe. All messages have the
 * path of the file at the front. */
#ifndef POSWEEP_SRC_DATA_TOKENIZER_BPE_READ_H
#define POSWEEP_SRC_DATA_TOKENIZER_BPE_READ_H

#include "bpe.h"

#include <jansson.h>

/** Parse a file's text with flags of jansson. Owns: json_decref. Errors: PSW_EDATA with
 *  path:line:column. */
psw_status psw_bpe_parse(const char *path, struct psw_text text, size_t flags, json_t **out,
                         struct psw_error *err);

/** A string member of an object; at NULL where it is missing, null or something else. */
struct psw_text psw_bpe_string(const json_t *object, const char *key);

/** A member that is true or false, or what holds where it is missing. */
int psw_bpe_flag(const json_t *object, const char *key, int otherwise);

/* A table for each place where components stand: what "type" may be, and who reads it into the
 * list of operations. */
struct psw_bpe_row {
    const char *type;
    psw_status (*read)(const json_t *json, struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                       struct psw_error *err);
};

struct psw_bpe_table {
    const char *place;
    const struct psw_bpe_row *row;
    int n_row;
};

/** Read a component, or each of a list. Errors: PSW_EUNSUP for one that is not known, with
 *  those that are; PSW_EDATA. */
psw_status psw_bpe_read_by(const struct psw_bpe_table *table, const json_t *json,
                           struct psw_bpe *bpe, struct psw_bpe_ops *ops, struct psw_error *err);
psw_status psw_bpe_read_each(const struct psw_bpe_table *table, const json_t *list,
                             struct psw_bpe *bpe, struct psw_bpe_ops *ops,
                             struct psw_error *err);

/** U+2581, which stands for a blank, and the blank. */
extern const struct psw_text PSW_BPE_MARK, PSW_BPE_BLANK;

/** {"String": "a"} or {"Regex": "a"} under "pattern". */
psw_status psw_bpe_read_pattern(const json_t *json, struct psw_text *pattern, int *is_literal,
                                struct psw_error *err);

/** Replace, as a component and as an operation. */
psw_status psw_bpe_read_replace(const json_t *json, struct psw_bpe *bpe,
                                struct psw_bpe_ops *ops, struct psw_error *err);
psw_status psw_bpe_push_replace(struct psw_bpe_ops *ops, struct psw_text pattern,
                                int is_literal, struct psw_text content, struct psw_error *err);

/** Metaspace: the character that stands for a blank; whether it is put before texts, and
 *  before the first only. */
psw_status psw_bpe_read_mark(const json_t *json, struct psw_text *mark, struct psw_error *err);
psw_status psw_bpe_read_scheme(const json_t *json, int *is_put, int *is_first,
                               struct psw_error *err);

/** Fill an empty tokenizer from tokenizer.json. Errors: PSW_EDATA, PSW_EUNSUP, PSW_ENOMEM. */
psw_status psw_bpe_read_json(const char *path, const json_t *root, struct psw_bpe *bpe,
                             struct psw_error *err);

/** The same from GPT-2's two files: the vocabulary, parsed, and the text of the merges. */
struct psw_bpe_pair {
    const char *vocab_path, *merges_path;
    const json_t *vocab;
    struct psw_text merges;
};
psw_status psw_bpe_read_pair(const struct psw_bpe_pair *pair, struct psw_bpe *bpe,
                             struct psw_error *err);

/** Read normalizer, pre_tokenizer, post_processor and decoder; NULL or null: nothing is done.
 *  The vocabulary is complete by then. Errors: PSW_EUNSUP for what is not known, with those
 *  that are; PSW_EDATA, PSW_ENOMEM. */
psw_status psw_bpe_read_normalizer(const json_t *json, struct psw_bpe *bpe,
                                   struct psw_error *err);
psw_status psw_bpe_read_pre_tokenizer(const json_t *json, struct psw_bpe *bpe,
                                      struct psw_error *err);
psw_status psw_bpe_read_post_processor(const json_t *json, struct psw_bpe *bpe,
                                       struct psw_error *err);
psw_status psw_bpe_read_decoder(const json_t *json, struct psw_bpe *bpe, struct psw_error *err);

/** What GPT-2's files leave unsaid. Errors: PSW_ENOMEM. */
psw_status psw_bpe_be_byte_level(struct psw_bpe *bpe, struct psw_error *err);

/** Give each id its text, by the decoder. Errors: PSW_ENOMEM. */
psw_status psw_bpe_read_pieces(struct psw_bpe *bpe, struct psw_error *err);

#endif
