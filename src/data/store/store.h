/* How the examples of a data set are kept: token ids back to back, and behind them one row of
 * 32 bytes for each example of each list, in one file that is mapped when it is complete. So a
 * data set takes no memory that the kernel could not take back, however large it is; a small
 * one is kept the same way in memory that looks like a file. */
#ifndef POSWEEP_SRC_DATA_STORE_H
#define POSWEEP_SRC_DATA_STORE_H

#include <posweep/data/batch.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_N_STORE_LIST = 5, PSW_STORE_SEQS = 2 };

/** An example; its prompt and then its responses begin at `token`. */
struct psw_stored_example {
    int64_t token;
    uint64_t prompt_key;
    int32_t n_prompt, n_response[PSW_STORE_SEQS];
    int16_t n_seq, cut; /* cut: bit s for a response s without an EOS */
};

/** How much is kept, and what it hashes to. Plain data. */
struct psw_store_size {
    int64_t n_token, n_row[PSW_N_STORE_LIST];
    uint64_t token_hash, row_hash;
};

/** A store; opaque. */
struct psw_example_store;

/** Where a store is written. */
struct psw_store_place {
    int fd;             /* owned by the store; -1: memory */
    size_t n_head;      /* bytes left free at its beginning; a multiple of 64 */
    const char *path;   /* for messages */
    const char *folder; /* of what is needed until it is complete; borrowed */
};

/** An empty one. Owns: the caller destroys; place.fd, also where this fails. Errors:
 *  PSW_ENOMEM. */
psw_status psw_example_store_create(const struct psw_store_place *place,
                                    struct psw_example_store **out, struct psw_error *err);

/** Accepts NULL. */
void psw_example_store_destroy(struct psw_example_store *store);

/** Append an example to a list. Errors: PSW_ENOSPC and others of writing, PSW_ENOMEM. */
psw_status psw_example_store_push(struct psw_example_store *store, int list,
                                  const struct psw_example *example, int32_t eos,
                                  struct psw_error *err);

/** Append the prompt of the example that was pushed last to another list. */
psw_status psw_example_store_push_prompt(struct psw_example_store *store, int list,
                                         struct psw_error *err);

/** Append bytes that are no tokens, a multiple of 4; *at: the token they begin at. */
psw_status psw_example_store_put(struct psw_example_store *store, const void *data,
                                 size_t n_bytes, int64_t *at, struct psw_error *err);

/** Complete it: now rows and tokens can be read, and nothing be pushed. Errors: as of pushing.
 */
psw_status psw_example_store_finish(struct psw_example_store *store, struct psw_error *err);

/** Write the head of a complete one that has no name yet, and give it one. Errors: those of
 *  writing. */
psw_status psw_example_store_keep(struct psw_example_store *store, const void *head,
                                  size_t n_bytes, const char *path, struct psw_error *err);

/** Open a complete one of that size. Owns: the caller destroys; place.fd, also where this
 * fails. Errors: PSW_EDATA where the content has other hashes or does not fit together;
 * PSW_EIO, PSW_ENOMEM. */
psw_status psw_example_store_open(const struct psw_store_place *place,
                                  const struct psw_store_size *size,
                                  struct psw_example_store **out, struct psw_error *err);

/** Of a complete one: the size, the head, the rows of a list, the token ids. Borrowed. */
const struct psw_store_size *psw_example_store_size(const struct psw_example_store *store);
const void *psw_example_store_head(const struct psw_example_store *store);
const struct psw_stored_example *psw_example_store_rows(const struct psw_example_store *store,
                                                        int list);
const int32_t *psw_example_store_tokens(const struct psw_example_store *store);

/** Token ids that were read last, for who reads all of a store in order; zeroed: none. */
struct psw_store_window {
    int32_t *token;   /* owned */
    int64_t first, n; /* which of the store's */
    int64_t n_max;
};

/** The n ids from `first` on of a complete store. Those of a file are read in blocks, which
 *  takes a third of the time of mapping them page by page. Borrowed until the next call.
 *  Errors: PSW_EIO, PSW_ENOMEM. */
psw_status psw_store_window_move(struct psw_store_window *window,
                                 const struct psw_example_store *store, int64_t first,
                                 int64_t n, const int32_t **out, struct psw_error *err);
void psw_store_window_clear(struct psw_store_window *window);

/** Whether it is in a file; and if it is, note an example that is asked for: now and then the
 *  pages that were read are let go of (they stay in the page cache), so that who walks through
 *  all examples does not end with the whole file in its memory. */
int psw_example_store_is_file(const struct psw_example_store *store);
void psw_example_store_asked(struct psw_example_store *store,
                             const struct psw_stored_example *row);

/** Memory that it holds: none where it is in a file. */
size_t psw_example_store_bytes(const struct psw_example_store *store);

#endif
