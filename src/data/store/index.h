/* The index of large data files: a data set that was read once, kept in a file, so that the
 * next start maps it instead of reading and tokenizing all again. It is what the reading gave,
 * bit for bit. It holds as long as the files have the content they had; one that is damaged, of
 * another content or of another build of posweep is made again. Small files have none: reading
 * them takes no longer than checking. */
#ifndef POSWEEP_SRC_DATA_INDEX_H
#define POSWEEP_SRC_DATA_INDEX_H

#include "data_internal.h"
#include <posweep/data/files.h>

/** What a file was like before it was read. Zeros: there is none. */
struct psw_file_state {
    int64_t n_bytes, mtime_s, mtime_ns;
};

/** The index that belongs to a data set. */
struct psw_index {
    const struct psw_file_opts *opts; /* borrowed */
    int is_large;                     /* files that are worth one */
    char path[PSW_CFG_PATH + 64];     /* "": it is not kept */
    const char *name;                 /* of the training file, for messages; borrowed */
    uint64_t key;    /* of all that reading depends on but the files' content */
    int64_t begun_s; /* when the states were taken, in seconds since 1970 */
    struct psw_file_state state[PSW_N_ROLE];
    struct psw_answers_place {
        int64_t token, n; /* right answers: where they begin among the tokens */
    } answers;
};

/** Look at the files. source: a row of sources.def. */
void psw_index_init(struct psw_index *index, enum psw_source source,
                    const struct psw_file_opts *opts, const struct psw_tokenizer *tokenizer);

/** Fill an empty data set from the index, if there is one that holds. Returns whether it did;
 *  else the data set is as it was, and where an index was found that does not hold, the log
 * says why. */
int psw_index_load(const struct psw_index *index, struct psw_dataset *data);

/** Let an empty data set keep its examples in a file, in the folder of the index or, where that
 *  cannot be written, in $TMPDIR. Errors: those of making a file. */
psw_status psw_index_begin(struct psw_index *index, struct psw_dataset *data,
                           struct psw_error *err);

/** All rows were read: keep the right answers among the examples. Errors: those of the store.
 */
psw_status psw_index_put_answers(struct psw_index *index, struct psw_dataset *data,
                                 struct psw_error *err);

/** Keep a data set that is complete and sealed. What fails here costs the next start time, no
 *  more: the log says it. */
void psw_index_keep(const struct psw_index *index, const struct psw_dataset *data);

#endif
