/* Rows of leaves, each followed by its value; of a path, what is written and what it resolves
 * to, each with its end. */
#include <posweep/config/leaf.h>
#include <posweep/config/pack.h>

#include <stdlib.h>
#include <string.h>

static uint8_t *append(uint8_t *to, const void *from, size_t n_bytes)
{
    memcpy(to, from, n_bytes);
    return to + n_bytes;
}

size_t psw_config_pack(const struct psw_config *config, const struct psw_config *base,
                       void *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    const char *from = (const char *)config;
    uint8_t *to = out;
    for (int16_t row = 0; row < n; row++) {
        const struct psw_leaf *l = &leaf[row];
        if (psw_leaf_identical(l, config, base)) continue;
        to = append(to, &row, sizeof row);
        if (l->type == PSW_LEAF_PATH) {
            to = append(to, from + l->offset, strlen(from + l->offset) + 1);
            to = append(to, from + l->resolved, strlen(from + l->resolved) + 1);
        } else {
            to = append(to, from + l->offset, sizeof(int64_t));
        }
    }
    return (size_t)(to - (uint8_t *)out);
}

/* Text is padded with zeros, whatever stood there. Returns what comes behind it. */
static const char *take_text(const char *from, char *to, size_t n_room)
{
    memset(to, 0, n_room);
    const size_t n_bytes = strlen(from) + 1;
    memcpy(to, from, n_bytes);
    return from + n_bytes;
}

void psw_config_unpack(const void *bytes, size_t n_bytes, const struct psw_config *base,
                       struct psw_config *out)
{
    int n;
    const struct psw_leaf *leaf = psw_leaves(&n);
    const char *at = bytes, *end = at + n_bytes;
    char *to = (char *)out;
    *out = *base;
    while (at < end) {
        int16_t row;
        memcpy(&row, at, sizeof row);
        at += sizeof row;
        PSW_ASSERT(row >= 0 && row < n);
        const struct psw_leaf *l = &leaf[row];
        if (l->type == PSW_LEAF_PATH) {
            at = take_text(at, to + l->offset, PSW_CFG_STR);
            at = take_text(at, to + l->resolved, PSW_CFG_PATH);
        } else {
            memcpy(to + l->offset, at, sizeof(int64_t));
            at += sizeof(int64_t);
        }
    }
    PSW_ASSERT(at == end);
}

/* Room for one more configuration. */
static psw_status grow(struct psw_config_list *list, size_t n_used, struct psw_error *err)
{
    if (list->n == list->n_most) {
        const int64_t n = list->n ? 2 * list->n : 16;
        size_t *end = realloc(list->end, (size_t)n * sizeof *end);
        if (!end) return psw_fail(err, PSW_ENOMEM, "%lld configurations", (long long)n);
        list->end = end;
        list->n_most = n;
    }
    if (n_used + PSW_CONFIG_PACKED_BYTES > list->n_room) {
        const size_t n = n_used + n_used / 2 + 2 * (size_t)PSW_CONFIG_PACKED_BYTES;
        uint8_t *bytes = realloc(list->bytes, n);
        if (!bytes) return psw_fail(err, PSW_ENOMEM, "configurations: %zu bytes", n);
        list->bytes = bytes;
        list->n_room = n;
    }
    return PSW_OK;
}

psw_status psw_config_list_add(struct psw_config_list *list, const struct psw_config *config,
                               struct psw_error *err)
{
    const size_t n_used = list->n ? list->end[list->n - 1] : 0;
    const psw_status rc = grow(list, n_used, err);
    if (rc != PSW_OK) return rc;
    if (list->n == 0) list->first = *config;
    list->end[list->n++] = n_used + psw_config_pack(config, &list->first, list->bytes + n_used);
    return PSW_OK;
}

void psw_config_list_get(const struct psw_config_list *list, int64_t place,
                         struct psw_config *out)
{
    PSW_ASSERT(place >= 0 && place < list->n);
    const size_t begin = place ? list->end[place - 1] : 0;
    psw_config_unpack(list->bytes + begin, list->end[place] - begin, &list->first, out);
}

void psw_config_list_clear(struct psw_config_list *list)
{
    free(list->bytes);
    free(list->end);
    *list = (struct psw_config_list){0};
}
