/* What a cell is, as codes: its method, its variant and each swept setting. */
#ifndef PSW_ANALYZE_CELL_KEYS_H
#define PSW_ANALYZE_CELL_KEYS_H

#include <posweep/analyze/cells.h>

/** One thing that tells cells apart, with the values that there are. */
struct psw_cell_key {
    const char *name; /* "method", "variant", or a swept setting as a variable; borrowed */
    int32_t *code;    /* owned [n_cell]: which value a cell has */
    char **value;     /* owned [n_value]: texts, in the words of the sweep file */
    int32_t n_value;
    int leaf; /* swept setting; -1: method or variant */
};

/** All of them: method, variant, then the swept settings. */
struct psw_cell_keys {
    struct psw_cell_key *key; /* owned */
    int n_key;
    int64_t n_cell;
};

enum { PSW_KEY_METHOD, PSW_KEY_VARIANT, PSW_KEY_FIRST_LEAF };

/** Owns: the caller clears. Errors: PSW_ENOMEM. */
psw_status psw_cell_keys_init(struct psw_results *results, const struct psw_cells *cells,
                              struct psw_cell_keys *out, struct psw_error *err);
void psw_cell_keys_clear(struct psw_cell_keys *keys);

/** The key of a name, "policy.beta" or "policy_beta". Errors: PSW_EINVAL with the nearest. */
psw_status psw_cell_keys_find(const struct psw_cell_keys *keys, const char *name, int *out,
                              struct psw_error *err);

/** Which value of a key a word means: the same text, or the same number; -1: none. */
int32_t psw_cell_key_value(const struct psw_cell_key *key, const char *word);

/** "no policy_beta "0.2" ...; there are 0.1 and 0.3", over the cells that are kept, after the
 *  words that the caller takes in place of a value, ended by NULL (NULL: none). Returns
 *  PSW_EINVAL. Shapes: is_kept [n_cell]. */
psw_status psw_cell_key_refuse(const struct psw_cell_key *key, const char *word,
                               const char *const *also, const char *is_kept, int64_t n_cell,
                               struct psw_error *err);

/** Keep the cells that an expression selects: "method=dpo,policy.beta=0.1", a comma is "and".
 *  Cells of the baseline, a value of the compared key, stay when that key is asked for.
 *  Shapes: is_kept [n_cell], lowered to 0 where not selected. Errors: PSW_EINVAL when it cannot
 *  be read, names what is not there, or selects nothing, with the values that there are. */
psw_status psw_cell_keys_where(const struct psw_cell_keys *keys, const char *where, int by,
                               int32_t baseline, char *is_kept, struct psw_error *err);

#endif
