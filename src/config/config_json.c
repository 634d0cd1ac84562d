/* See config_json.h. */
#include "config_internal.h"

#include <posweep/config/config_json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** "policy.beta": 0.1 */
struct piece {
    char *text; /* owned; NULL: not made yet */
    size_t n_bytes;
};

struct psw_config_json {
    struct psw_config last; /* what the pieces say */
    struct piece *piece;    /* owned [number of leaves] */
    char *text;             /* owned */
    size_t n_room;
};

psw_status psw_config_json_create(struct psw_config_json **out, struct psw_error *err)
{
    int n = 0;
    psw_leaves(&n);
    struct psw_config_json *j = calloc(1, sizeof *j);
    if (j) j->piece = calloc((size_t)n, sizeof *j->piece);
    if (!j || !j->piece) {
        psw_config_json_destroy(j);
        return psw_fail(err, PSW_ENOMEM, "settings as JSON: %d of them", n);
    }
    *out = j;
    return PSW_OK;
}

void psw_config_json_destroy(struct psw_config_json *json)
{
    int n = 0;
    psw_leaves(&n);
    for (int i = 0; json && json->piece && i < n; i++) free(json->piece[i].text);
    if (json) free(json->piece);
    if (json) free(json->text);
    free(json);
}

static int make_piece(struct piece *p, const struct psw_leaf *leaf,
                      const struct psw_config *config)
{
    free(p->text);
    *p = (struct piece){0};
    FILE *out = open_memstream(&p->text, &p->n_bytes);
    if (!out) return 0;
    psw_config_json_leaf(out, leaf, config);
    if (fclose(out) == 0) return 1;
    free(p->text);
    *p = (struct piece){0};
    return 0;
}

/** Bring the pieces up to date. Returns the bytes of the whole text; 0: no memory. */
static size_t make_pieces(struct psw_config_json *j, const struct psw_config *config)
{
    int n = 0;
    const struct psw_leaf *leaf = psw_leaves(&n);
    size_t n_bytes = sizeof "{}";
    for (int i = 0; i < n; i++) {
        if (!(leaf[i].flags & PSW_CFG_IN_RUN)) continue;
        if ((!j->piece[i].text || !psw_leaf_identical(&leaf[i], config, &j->last)) &&
            !make_piece(&j->piece[i], &leaf[i], config))
            return 0;
        n_bytes += j->piece[i].n_bytes + 2;
    }
    j->last = *config;
    return n_bytes;
}

const char *psw_config_json_text(struct psw_config_json *json, const struct psw_config *config)
{
    int n = 0;
    psw_leaves(&n);
    const size_t n_bytes = make_pieces(json, config);
    if (n_bytes > json->n_room) {
        char *grown = realloc(json->text, 2 * n_bytes);
        if (!grown) return NULL;
        json->text = grown;
        json->n_room = 2 * n_bytes;
    }
    if (n_bytes == 0) return NULL;
    char *at = json->text;
    for (int i = 0; i < n; i++) {
        if (!json->piece[i].text) continue;
        memcpy(at, at == json->text ? "{" : ", ", 2);
        at += at == json->text ? 1 : 2;
        memcpy(at, json->piece[i].text, json->piece[i].n_bytes);
        at += json->piece[i].n_bytes;
    }
    memcpy(at, "}", 2);
    return json->text;
}
