/* Where data came from: the files that were read, by content, or the generator that made them.
 * Or the files of the tokenizer.
 * Plain data, padded with zeros, so that it may be sent between ranks as bytes.
 *
 * The hash of a file is XXH3 of its text as far as it was read: decompressed, so a gzip is the
 * same content as what is in it; with data.limit the first rows only (`zcat FILE | head -n N |
 * xxhsum -H3`). Of a generator it is the hash of a small set made with fixed options: it
 * changes with the generator, and nobody has to remember to count a version. */
#ifndef POSWEEP_DATA_ORIGIN_H
#define POSWEEP_DATA_ORIGIN_H

#include <posweep/config/config.h>
#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_MAX_ORIGINS = 7 };

/** What a file is read for, or that there is none. */
enum psw_data_role {
    PSW_ROLE_PAIRS,
    PSW_ROLE_HELDOUT,
    PSW_ROLE_SFT,
    PSW_ROLE_TASK,      /* generated: the name is the task's */
    PSW_ROLE_TOKENIZER, /* a folder, or a file in it */
    PSW_ROLE_PROMPTS,   /* of rollouts */
    PSW_ROLE_FINAL_PROMPTS,
    PSW_ROLE_TEMPLATE, /* a chat template of one's own */
    PSW_N_ROLE
};

/** "pairs", "heldout", "sft", "task", "tokenizer", "prompts", "final_prompts",
 *  "template". Never NULL. */
const char *psw_data_role_name(enum psw_data_role role);

/** One file or generator. */
struct psw_data_origin {
    char name[PSW_CFG_STR];  /* as the sweep file writes it */
    char path[PSW_CFG_PATH]; /* what was opened; "" for a generator */
    int64_t limit;           /* data.limit: rows read; 0 = all */
    int64_t n_bytes;         /* of the text that was read; 0 for others than data files */
    uint64_t hash;
    int32_t role; /* enum psw_data_role */
    int32_t zero;
};

/** All of a data set. */
struct psw_data_origins {
    struct psw_data_origin item[PSW_MAX_ORIGINS];
    int64_t n;
};

/** One hash of contents and roles; names and places do not count. */
uint64_t psw_data_origins_hash(const struct psw_data_origins *origins);

/** "hh.jsonl: 43128 bytes, xxh3 0123456789abcdef"; returns out. */
char *psw_data_origin_text(const struct psw_data_origin *origin, char *out, size_t n_bytes);

/** Read a file again, or ask the generator: is it the same content?
 *  MPI: Local. Errors: PSW_EDATA with both contents; those of reading. */
psw_status psw_data_origin_check(const struct psw_data_origin *origin, struct psw_error *err);

#endif
