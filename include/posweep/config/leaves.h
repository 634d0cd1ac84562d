/* The leaves of the configuration as a table, made of leaves.def. It drives parsing, types,
 * ranges, defaults, messages, `posweep help config` and the columns of the results file. */
#ifndef POSWEEP_CONFIG_LEAVES_H
#define POSWEEP_CONFIG_LEAVES_H

#include <posweep/config/config.h>
#include <posweep/config/nearest.h>
#include <stddef.h>

enum psw_leaf_type {
    PSW_LEAF_INT,  /* int64_t */
    PSW_LEAF_REAL, /* double */
    PSW_LEAF_BOOL, /* int64_t: true|on|yes, false|off|no */
    PSW_LEAF_ENUM, /* int64_t: index into names */
    PSW_LEAF_HASH, /* int64_t: 64 bits as 16 hexadecimal digits; 0: none, written as "" */
    PSW_LEAF_PATH  /* char[PSW_CFG_STR], resolved into char[PSW_CFG_PATH]; a word: into "" */
};

/** What a leaf takes part in. Hashes are taken over the leaves that carry a flag. */
enum psw_leaf_flag {
    PSW_CFG_IN_RUN = 1,     /* identity of a run */
    PSW_CFG_IN_GROUP = 2,   /* the same without the seed: replicates share it */
    PSW_CFG_IN_SFT = 4,     /* decides the SFT model: shared stage */
    PSW_CFG_IN_REF = 8,     /* decides the reference log-probabilities: shared stage */
    PSW_CFG_IN_REWARD = 32, /* decides the reward model: shared stage */
    PSW_CFG_AXIS = 16       /* may be swept; then a variable over `run` in the results */
};

/** A row. Plain data. */
struct psw_leaf {
    const char *path; /* "policy.beta" */
    enum psw_leaf_type type;
    size_t offset;   /* in struct psw_config */
    double fallback; /* the default; for enums the index; paths default to "" */
    struct {
        double min, max;
        const char *bounds; /* "[]" closed, "(]" open below, "[)" open above, "()" open */
    } range;
    const char *const *names; /* enums: NULL-terminated; paths: NULL, or words that stand for no
                                 path, of which the first is the default and written as "" */
    size_t resolved;          /* paths: offset of the absolute one */
    unsigned flags;           /* enum psw_leaf_flag */
    const char *unit;         /* "" when it has none */
    const char *help;         /* one line */
    enum psw_use use;         /* when it matters */
};

/** The table, grouped by section. */
const struct psw_leaf *psw_leaves(int *n_leaf);

/** Row of a path; NULL when there is none. */
const struct psw_leaf *psw_leaf_find(const char *path);

/** The row whose path is nearest to a misspelt one by edit distance; a correct last part counts
 *  ("beta" -> "policy.beta"), as does what other programs call it ("learning_rate"). NULL when
 *  nothing is near. */
const struct psw_leaf *psw_leaf_nearest(const char *path);

/** What to say of a path that is no setting: "; did you mean ...", or where they are listed. */
char *psw_leaf_hint(const char *path, char out[PSW_DID_BYTES]);

/** The text of `posweep help config`: every key with type, default, unit and meaning, by
 *  section; then the presets; then the parts of a sweep file. */
void psw_config_help(FILE *out);

/** Of it the lines of one key; 0: it is none. */
int psw_config_help_one(FILE *out, const char *path);

/** Every method with its loss and its source, for `posweep help methods`. */
void psw_methods_help(FILE *out);

#endif
