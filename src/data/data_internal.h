/* What the sources share: building a data set, the table entry of a source, right answers. */
#ifndef POSWEEP_SRC_DATA_INTERNAL_H
#define POSWEEP_SRC_DATA_INTERNAL_H

#include <posweep/data/dataset.h>

struct psw_example_store; /* store/store.h */
struct psw_file_opts;     /* files.h */
struct psw_generator;     /* source/generator.h */
struct psw_json_rows;     /* json_rows.h */
struct psw_template;      /* chat/template.h */

/** A source, found by its row of config/sources.def. */
struct psw_data_source {
    const struct psw_data_scorer *scorer; /* NULL: none */
    /** Of files: fill an empty data set, which is not sealed. */
    psw_status (*read)(const struct psw_file_opts *opts, struct psw_dataset *data,
                       struct psw_error *err);
    const struct psw_generator *generator; /* else */
};
#define GENERATED(ID, ...) extern const struct psw_data_source PSW_##ID##_SOURCE;
#define FILES GENERATED
#include <posweep/config/sources.def>

/** The source of a row. */
const struct psw_data_source *psw_data_source_of(enum psw_source source);

/** An empty data set. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_dataset_create(const struct psw_data_source *source,
                              const struct psw_tokenizer *tokenizer, struct psw_dataset **out,
                              struct psw_error *err);

/** Give the data set the tokenizer that it was created with, if that came from files; it is
 *  destroyed with it. */
void psw_dataset_own_tokenizer(struct psw_dataset *dataset, struct psw_tokenizer *tokenizer);

/** Give an empty data set a store, empty or complete, that keeps its examples; it is destroyed
 *  with it. Without, they are kept in memory. */
void psw_dataset_own_examples(struct psw_dataset *dataset, struct psw_example_store *examples);

/** The store; NULL before anything was pushed. Borrowed. */
struct psw_example_store *psw_dataset_examples(const struct psw_dataset *dataset);

/** List number l of a data set, 0 <= l < PSW_N_STORE_LIST, in the order that the content hash,
 * the store and its index fix. */
struct psw_examples *psw_dataset_list(const struct psw_dataset *dataset, int l);

/** Append a copy of an example to a list. Errors: those of the store. */
psw_status psw_dataset_push(struct psw_dataset *dataset, struct psw_examples *list,
                            const struct psw_example *example, struct psw_error *err);

/** Append the prompt of the example that was pushed last to another list. */
psw_status psw_dataset_push_prompt(struct psw_dataset *dataset, struct psw_examples *list,
                                   struct psw_error *err);

/** All examples are pushed: now the lists can be read. Errors: those of the store. */
psw_status psw_dataset_finish(struct psw_dataset *dataset, struct psw_error *err);

/** The lists of a store that is complete: what kept_in and n_seq of each list say. */
void psw_dataset_show_examples(struct psw_dataset *dataset);

/** Responses of an example that were cut. */
int64_t psw_examples_n_cut(const struct psw_examples *list, int64_t i);

/** Count what was cut, once the lists are complete: for sources that read files. n_cut_prompt
 *  has been counted before. */
void psw_dataset_count_cuts(struct psw_dataset *dataset);

/** Remember a file that was read to its end or limit, and its content; or the files of a chat
 *  template or tokenizer; or the generator that made the data. A file's name is its path until
 * psw_dataset_name_origins. */
void psw_dataset_read_from(struct psw_dataset *data, enum psw_data_role role, const char *path,
                           int64_t limit, const struct psw_json_rows *rows);
void psw_dataset_rendered_by(struct psw_dataset *data, const char *path,
                             const struct psw_template *chat_template);
void psw_dataset_tokenized_by(struct psw_dataset *data, const char *path);
void psw_dataset_made_by(struct psw_dataset *data, const char *task, uint64_t hash);

/** Call files as the configuration does. */
void psw_dataset_name_origins(struct psw_dataset *data, const struct psw_config_data *config);

/** Hash the content and where it came from: the last act of a source. Errors: PSW_EIO,
 *  PSW_ENOMEM. */
psw_status psw_dataset_seal(struct psw_dataset *dataset, struct psw_error *err);

/* Right final answers by prompt, as normalised numbers (gsm8k.h). */
enum { PSW_NUMBER_BYTES = 32 };

struct psw_answer {
    uint64_t prompt;               /* psw_tokens_hash */
    char number[PSW_NUMBER_BYTES]; /* padded with zeros */
    int32_t is_heldout, zero;      /* zero: padding */
};

/** An empty table. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_answer_key_create(struct psw_answer_key **out, struct psw_error *err);

/** The entry of a prompt, NULL if there is none; borrowed until the next psw_answer_key_add. */
const struct psw_answer *psw_answer_key_find(const struct psw_answer_key *key, uint64_t prompt);

/** Add an entry whose prompt is new. Errors: PSW_ENOMEM. */
psw_status psw_answer_key_add(struct psw_answer_key *key, const struct psw_answer *answer,
                              struct psw_error *err);

/** All entries, in the order in which they came; borrowed until the next psw_answer_key_add. */
const struct psw_answer *psw_answer_key_all(const struct psw_answer_key *key, int64_t *n);

/** Hash of all entries, in the order in which they came. */
uint64_t psw_answer_key_hash(const struct psw_answer_key *key, uint64_t seed);

/** Accepts NULL. */
void psw_answer_key_destroy(struct psw_answer_key *key);

#endif
