/* What the sources share: building a data set, the table entry of a source, generating items,
 * texts as bytes, right answers, reading lines. */
#ifndef POSWEEP_SRC_DATA_INTERNAL_H
#define POSWEEP_SRC_DATA_INTERNAL_H

#include <jansson.h>
#include <posweep/data/dataset.h>
#include <posweep/data/limits.h>
#include <posweep/util/rng.h>
#include <posweep/util/text.h>

/** A prompt or an answer. Borrowed. */
struct psw_words {
    const int32_t *id; /* [n] */
    int64_t n;
};

/** One task: how its tokens read and what an answer is worth. */
struct psw_data_source {
    const char *name;
    int32_t n_vocab, eos;
    double score_lo, score_hi; /* meaningless where score is NULL */
    /** NULL: no scorer. NaN for a prompt whose right answer is not known. */
    double (*score)(const struct psw_dataset *dataset, struct psw_words prompt,
                    struct psw_words response);
    /** Text of the ids before the first EOS, cut at a word or character, with a terminator. */
    void (*text)(const int32_t *id, int64_t n, char *out, size_t n_bytes);
};

/** An empty data set. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_dataset_create(const struct psw_data_source *source, struct psw_dataset **out,
                              struct psw_error *err);

/** Room for n ids that lives as long as the data set and does not move. Errors: PSW_ENOMEM. */
psw_status psw_dataset_room(struct psw_dataset *dataset, int64_t n, int32_t **out,
                            struct psw_error *err);

/** Keep a copy of ids. Errors: PSW_ENOMEM. */
psw_status psw_dataset_keep(struct psw_dataset *dataset, const int32_t *id, int64_t n,
                            const int32_t **out, struct psw_error *err);

/** Append an example (its ids are kept by the data set already). Errors: PSW_ENOMEM. */
psw_status psw_examples_push(struct psw_examples *list, const struct psw_example *example,
                             struct psw_error *err);

/** Count what was cut, once the lists are complete: for sources that read files. n_cut_prompt
 *  has been counted before. */
void psw_dataset_count_cuts(struct psw_dataset *dataset);

struct psw_rows;

/** Remember a file that was read to its end or limit, and its content; or the generator that
 *  made the data. A file's name is its path until psw_dataset_name_origins. */
void psw_dataset_read_from(struct psw_dataset *data, enum psw_data_role role, const char *path,
                           int64_t limit, const struct psw_rows *rows);
void psw_dataset_made_by(struct psw_dataset *data, uint64_t hash);

/** Call files as the configuration does. */
void psw_dataset_name_origins(struct psw_dataset *data, const struct psw_config_data *config);

/** What makes the data of a generated task. Plain data. */
struct psw_generator {
    const char *task;
    /** All lists by the options of the task, not sealed yet. */
    psw_status (*build)(const void *opts, struct psw_dataset **out, struct psw_error *err);
    const void *sample; /* options of a small fixed set, by whose hash the generator is known */
};
extern const struct psw_generator PSW_LISTS_GENERATOR, PSW_SUMS_GENERATOR;

/** Identity of a generator, by the name of its task. Errors: PSW_EINVAL, PSW_ENOMEM. */
psw_status psw_generator_hash(const char *task, uint64_t *out, struct psw_error *err);

/** A sealed data set that remembers what made it. Errors: those of build. */
psw_status psw_generator_make(const struct psw_generator *generator, const void *opts,
                              struct psw_dataset **out, struct psw_error *err);

/** Hash the content and where it came from: the last act of a source. */
void psw_dataset_seal(struct psw_dataset *dataset);

/** Where the next random number of a generated item comes from. */
struct psw_draws {
    struct psw_rng stream;
    uint64_t item;
    uint32_t position;
};

/** Uniform in [0, n). */
int psw_draw_below(struct psw_draws *draws, int n);

/** True with the given probability. */
int psw_draw_hit(struct psw_draws *draws, double probability);

/** Append a generated prompt with its answers to a list, ids copied. Shapes: answer:
 * [n_answer]. Errors: PSW_ENOMEM. */
psw_status psw_generated_push(struct psw_dataset *data, struct psw_examples *list,
                              struct psw_words prompt, const struct psw_words *answer,
                              int32_t n_answer, struct psw_error *err);

/** Split the last digit off a mixed-radix number. */
int psw_take_digit(int64_t *number, int radix);

/** Take an id of the class [first, first + n_class) at *at: its place in the class, or -1 and
 *  nothing taken. */
int psw_take_word(const int32_t **at, const int32_t *end, int first, int n_class);

/** The words of a task: word i has id i, and id 0 is EOS. */
struct psw_vocabulary {
    const char *const *word; /* [n] */
    int32_t n;
};

/** The id of a word, -1 if it is none of them. */
int32_t psw_vocabulary_find(const struct psw_vocabulary *vocabulary, const char *word);

/** Words with blanks between them: what struct psw_data_source.text asks for. */
void psw_vocabulary_text(const struct psw_vocabulary *vocabulary, const int32_t *id, int64_t n,
                         char *out, size_t n_bytes);

/** A probability among the options of a task, for psw_shares_check. */
struct psw_share {
    const char *name;
    double value;
};

/** Every share must be in [0, 1]. Shapes: share: [n]. Errors: PSW_EINVAL, "task.name: ...". */
psw_status psw_shares_check(const char *task, const struct psw_share *share, int n,
                            struct psw_error *err);

/** Whether a text and n_more tokens are more than max_tok; 0 = no limit. */
int psw_text_exceeds(struct psw_text text, size_t n_more, int32_t max_tok);

/** As much of the end of a text as max_tok allows, from a character boundary; 0 = all. */
struct psw_text psw_text_end(struct psw_text text, int32_t max_tok);

/** As much of its beginning as max_tok allows, up to a character boundary; 0 = all. */
struct psw_text psw_text_begin(struct psw_text text, int32_t max_tok);

/** Keep a text as token ids, with an EOS behind it if asked. Errors: PSW_ENOMEM. */
psw_status psw_bytes_keep(struct psw_dataset *data, struct psw_text text, int with_eos,
                          const int32_t **out, struct psw_error *err);

/** Byte tokens as UTF-8: what struct psw_data_source.text asks for. */
void psw_bytes_text(const int32_t *id, int64_t n, char *out, size_t n_bytes);

/** Whether a row falls into the held-out share of a split by hash; share 0 = 0.05. */
int psw_split_is_heldout(uint64_t hash, double share);

/** Right final answers by prompt, as normalised numbers (gsm8k.h). */
struct psw_golds;
enum { PSW_NUMBER_BYTES = 32 };

struct psw_gold {
    uint64_t key;                  /* hash of the prompt's token ids */
    char number[PSW_NUMBER_BYTES]; /* padded with zeros */
    int32_t is_heldout, zero;      /* zero: padding */
};

/** An empty table. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_golds_create(struct psw_golds **out, struct psw_error *err);

/** The entry of a key, NULL if there is none; borrowed until the next psw_golds_add. */
const struct psw_gold *psw_golds_find(const struct psw_golds *golds, uint64_t key);

/** Add an entry whose key is new. Errors: PSW_ENOMEM. */
psw_status psw_golds_add(struct psw_golds *golds, const struct psw_gold *gold,
                         struct psw_error *err);

/** Hash of all entries, in the order in which they came. */
uint64_t psw_golds_hash(const struct psw_golds *golds, uint64_t seed);

/** Accepts NULL. */
void psw_golds_destroy(struct psw_golds *golds);

/** A text file, plain or gzip, line by line. */
struct psw_lines;

/** Open. limits: NULL or zeroed: those of this machine. Errors: PSW_ENOENT, PSW_EPERM,
 *  PSW_EIO, PSW_ENOMEM with the path. */
psw_status psw_lines_open(const char *path, const struct psw_data_limits *limits,
                          struct psw_lines **out, struct psw_error *err);

/** The next line without its end mark, borrowed until the next call; *text is NULL at the end.
 *  Errors: PSW_EDATA (broken or truncated gzip stream, a bound of limits.h), PSW_EIO,
 *  PSW_ENOMEM. */
psw_status psw_lines_next(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err);

/** All that has not been read yet, borrowed. Errors: as psw_lines_next. */
psw_status psw_lines_rest(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err);

/** First byte of the content that is no white space, -1 for none. Errors: as psw_lines_next. */
psw_status psw_lines_peek(struct psw_lines *lines, int *byte, struct psw_error *err);

/** XXH3 of all that was given out, decompressed and with its end marks, and its length. */
uint64_t psw_lines_hash(const struct psw_lines *lines, int64_t *n_bytes);

/** Number of the line that psw_lines_next gave last, from 1. */
int64_t psw_lines_number(const struct psw_lines *lines);

/** Accepts NULL. */
void psw_lines_close(struct psw_lines *lines);

/** The JSON objects of a file: one per line, or the elements of one array. */
struct psw_rows;

/** Where a row stands, for messages. */
enum { PSW_PLACE_BYTES = 600 };

/** Open; content that is no JSON but well known (Parquet, a Git LFS pointer) is named.
 *  Errors: as psw_lines_open; PSW_EUNSUP; PSW_EDATA for an empty file or a broken array. */
psw_status psw_rows_open(const char *path, const struct psw_data_limits *limits,
                         struct psw_rows **out, struct psw_error *err);

/** The next object, borrowed until the next call, NULL at the end.
 *  Errors: PSW_EDATA with file:line:column; as psw_lines_next. */
psw_status psw_rows_next(struct psw_rows *rows, const json_t **row, struct psw_error *err);

/** A JSON value for a message, cut at a character where it is long: 17, null, {"a": 1, "b...
 *  Returns out. */
enum { PSW_VALUE_BYTES = 48 };
char *psw_value_text(const json_t *value, char out[PSW_VALUE_BYTES]);

/** "file:line" or "file: element 7" of the row given last. */
const char *psw_rows_place(const struct psw_rows *rows);

/** XXH3 of the text of all rows given so far, of an array's whole file, and its length. */
uint64_t psw_rows_hash(const struct psw_rows *rows, int64_t *n_bytes);

/** The same of a file without a look at its rows: hash and n_bytes of an origin, by its path
 * and limit. Errors: as psw_lines_next. */
psw_status psw_rows_hash_file(struct psw_data_origin *origin, struct psw_error *err);

/** Accepts NULL. */
void psw_rows_close(struct psw_rows *rows);

#endif
