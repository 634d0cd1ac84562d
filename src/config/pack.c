/* Rows of leaves, each followed by its value; of a path, what is written and what it resolves
 * to, each with its end. */
#include <posweep/config/leaf.h>
#include <posweep/config/pack.h>

#include <string.h>

static char *append(char *to, const void *from, size_t n_bytes)
{
    memcpy(to, from, n_bytes);
    return to + n_bytes;
}

/* A folder for an index may be resolved without being written. */
static int is_default(const struct psw_leaf *leaf, const struct psw_config *config)
{
    return psw_leaf_is_default(leaf, config) &&
           (leaf->type != PSW_LEAF_PATH || !*((const char *)config + leaf->resolved));
}

size_t psw_config_pack(const struct psw_config *config, void *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    const char *from = (const char *)config;
    char *to = out;
    for (int16_t row = 0; row < n; row++) {
        const struct psw_leaf *l = &leaf[row];
        if (is_default(l, config)) continue;
        to = append(to, &row, sizeof row);
        if (l->type == PSW_LEAF_PATH) {
            to = append(to, from + l->offset, strlen(from + l->offset) + 1);
            to = append(to, from + l->resolved, strlen(from + l->resolved) + 1);
        } else {
            to = append(to, from + l->offset, sizeof(int64_t));
        }
    }
    return (size_t)(to - (char *)out);
}

static const char *take_text(const char *from, char *to)
{
    const size_t n_bytes = strlen(from) + 1;
    memcpy(to, from, n_bytes);
    return from + n_bytes;
}

void psw_config_unpack(const void *bytes, size_t n_bytes, struct psw_config *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    const char *at = bytes, *end = at + n_bytes;
    char *to = (char *)out;
    psw_config_default(out);
    while (at < end) {
        int16_t row;
        memcpy(&row, at, sizeof row);
        at += sizeof row;
        PSW_ASSERT(row >= 0 && row < n);
        if (leaf[row].type == PSW_LEAF_PATH) {
            at = take_text(at, to + leaf[row].offset);
            at = take_text(at, to + leaf[row].resolved);
        } else {
            memcpy(to + leaf[row].offset, at, sizeof(int64_t));
            at += sizeof(int64_t);
        }
    }
    PSW_ASSERT(at == end);
}
