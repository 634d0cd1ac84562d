/* A YAML file as a small tree with places, built from the events of libfyaml. Only what a sweep
 * file needs: maps with plain keys, lists, scalars; aliases, tags and several documents are
 * refused, so a short file cannot become a huge tree. */
#include "config_internal.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 16, MAX_SCALAR_BYTES = 1024 };

struct reader {
    const char *path;
    struct fy_parser *parser; /* owned */
    struct fy_diag *diag;     /* owned */
    struct fy_event *event;   /* owned, the one looked at */
    struct psw_place at;      /* of event */
    struct psw_error *err;
};

static void swallow(struct fy_diag *diag, void *user, const char *text, size_t n_bytes)
{
    (void)diag;
    (void)user;
    (void)text;
    (void)n_bytes;
}

static psw_status refuse(const struct reader *r, struct psw_place at, const char *what)
{
    return psw_fail(r->err, PSW_EINVAL, "%s:%d:%d: %s", r->path, at.line, at.column, what);
}

static psw_status refuse_syntax(const struct reader *r)
{
    void *previous = NULL;
    const struct fy_diag_error *e = fy_diag_errors_iterate(r->diag, &previous);
    if (!e || !e->msg) return refuse(r, r->at, "not YAML");
    const struct psw_place at = {e->line > 0 ? e->line : 1, e->column > 0 ? e->column : 1};
    const size_t n = strcspn(e->msg, "\n");
    return psw_fail(r->err, PSW_EINVAL, "%s:%d:%d: not YAML: %.*s", r->path, at.line, at.column,
                    (int)n, e->msg);
}

/* Nothing was written where a scalar stands ("key:"). */
static int is_absent(const struct fy_event *event)
{
    if (event->type != FYET_SCALAR) return 0;
    struct fy_token *token = event->scalar.value;
    size_t n = 0;
    if (!token) return 1;
    return fy_token_scalar_style(token) == FYSS_PLAIN &&
           (!fy_token_get_text(token, &n) || n == 0);
}

static psw_status next(struct reader *r)
{
    if (r->event) fy_parser_event_free(r->parser, r->event);
    r->event = fy_parser_parse(r->parser);
    if (!r->event || fy_parser_get_stream_error(r->parser)) return refuse_syntax(r);
    /* What is absent is told at its key; some versions of libfyaml give it a place after it. */
    const struct fy_mark *mark = is_absent(r->event) ? NULL : fy_event_start_mark(r->event);
    if (mark) r->at = (struct psw_place){mark->line + 1, mark->column + 1};
    return PSW_OK;
}

static psw_status copy_scalar(struct reader *r, char **out, int *quoted)
{
    struct fy_token *token = r->event->scalar.value;
    size_t n = 0;
    const char *text = token ? fy_token_get_text(token, &n) : "";
    if (token && !text) return psw_fail(r->err, PSW_ENOMEM, "%s: a scalar", r->path);
    if (n > MAX_SCALAR_BYTES) return refuse(r, r->at, "text longer than 1024 bytes");
    if (n > 0 && memchr(text, 0, n)) return refuse(r, r->at, "text with a zero byte");
    *quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
    *out = calloc(n + 1, 1);
    if (!*out) return psw_fail(r->err, PSW_ENOMEM, "%s: %zu bytes", r->path, n + 1);
    if (n > 0) memcpy(*out, text, n);
    return PSW_OK;
}

/* A new entry at the end, zeroed; NULL without memory. */
static struct psw_yaml *add_child(struct psw_yaml *node)
{
    if ((node->n_child & (node->n_child - 1)) == 0) { /* grow at powers of two */
        const size_t n = node->n_child ? 2 * (size_t)node->n_child : 1;
        struct psw_yaml *grown = realloc(node->child, n * sizeof *grown);
        if (!grown) return NULL;
        node->child = grown;
    }
    struct psw_yaml *added = &node->child[node->n_child++];
    memset(added, 0, sizeof *added);
    return added;
}

static psw_status check_key(struct reader *r, const struct psw_yaml *map,
                            const struct psw_yaml *entry)
{
    const struct psw_yaml *first = psw_yaml_get(map, entry->key);
    if (first == entry) return PSW_OK;
    return psw_fail(r->err, PSW_EINVAL,
                    "%s:%d:%d: key \"%.80s\" is given twice, first in line %d", r->path,
                    entry->key_at.line, entry->key_at.column, entry->key, first->key_at.line);
}

static psw_status parse_node(struct reader *r, int depth, struct psw_yaml *out);

static psw_status parse_children(struct reader *r, int depth, struct psw_yaml *out)
{
    const enum fy_event_type end =
        out->kind == PSW_YAML_MAP ? FYET_MAPPING_END : FYET_SEQUENCE_END;
    int quoted;
    psw_status rc;
    if (depth >= MAX_DEPTH) return refuse(r, r->at, "nested more than 16 deep");
    if ((rc = next(r)) != PSW_OK) return rc;
    while (r->event->type != end) {
        struct psw_yaml *child = add_child(out);
        if (!child) return psw_fail(r->err, PSW_ENOMEM, "%s: %d nodes", r->path, out->n_child);
        if (out->kind == PSW_YAML_MAP) {
            if (r->event->type != FYET_SCALAR) return refuse(r, r->at, "expected a plain key");
            child->key_at = r->at;
            if ((rc = copy_scalar(r, &child->key, &quoted)) != PSW_OK) return rc;
            if ((rc = check_key(r, out, child)) != PSW_OK) return rc;
            if ((rc = next(r)) != PSW_OK) return rc;
        }
        if ((rc = parse_node(r, depth + 1, child)) != PSW_OK) return rc;
        if ((rc = next(r)) != PSW_OK) return rc;
    }
    return PSW_OK;
}

/* Expects the first event of the node, leaves its last one in r->event. */
static psw_status parse_node(struct reader *r, int depth, struct psw_yaml *out)
{
    out->at = r->at;
    if (fy_event_get_tag_token(r->event)) return refuse(r, r->at, "tags are not supported");
    switch (r->event->type) {
    case FYET_SCALAR:
        out->kind = PSW_YAML_SCALAR;
        return copy_scalar(r, &out->text, &out->quoted);
    case FYET_MAPPING_START:
        out->kind = PSW_YAML_MAP;
        return parse_children(r, depth, out);
    case FYET_SEQUENCE_START:
        out->kind = PSW_YAML_LIST;
        return parse_children(r, depth, out);
    default:
        return refuse(r, r->at,
                      "anchors and aliases are not supported: use base, set and "
                      "variants");
    }
}

static psw_status parse_document(struct reader *r, struct psw_yaml *root)
{
    psw_status rc = next(r);
    if (rc == PSW_OK && r->event->type == FYET_STREAM_START) rc = next(r);
    if (rc != PSW_OK) return rc;
    if (r->event->type != FYET_DOCUMENT_START) return refuse(r, r->at, "the file is empty");
    if ((rc = next(r)) != PSW_OK) return rc;
    if ((rc = parse_node(r, 0, root)) != PSW_OK) return rc;
    if ((rc = next(r)) == PSW_OK) rc = next(r); /* the end of the document, of the stream */
    if (rc == PSW_OK && r->event->type == FYET_DOCUMENT_START)
        rc = refuse(r, r->at, "a second document: expected one per file");
    return rc;
}

/* Bytes of the UTF-8 character at p, of at most n; 0 when it is none (or a zero byte). */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    static const struct {
        unsigned char lo, hi;
        size_t n_bytes;
        unsigned char second_lo, second_hi;
    } FORMS[] = {
        {0x01, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
        {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
        {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f}};
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        if (p[0] < FORMS[i].lo || p[0] > FORMS[i].hi || n < FORMS[i].n_bytes) continue;
        if (FORMS[i].n_bytes == 1) return 1;
        if (p[1] < FORMS[i].second_lo || p[1] > FORMS[i].second_hi) return 0;
        for (size_t j = 2; j < FORMS[i].n_bytes; j++)
            if ((p[j] & 0xc0) != 0x80) return 0;
        return FORMS[i].n_bytes;
    }
    return 0;
}

static psw_status check_utf8(const struct reader *r, const char *text, size_t n_bytes)
{
    const unsigned char *p = (const unsigned char *)text;
    struct psw_place at = {1, 1};
    for (size_t i = 0, n; i < n_bytes; i += n) {
        n = utf8_length(p + i, n_bytes - i);
        if (n == 0 && i == 0 && n_bytes > 4 && memcmp(p, "\x89HDF", 4) == 0)
            return psw_fail(r->err, PSW_EINVAL,
                            "%s: is an HDF5 file, perhaps of results; expected YAML", r->path);
        if (n == 0)
            return psw_fail(r->err, PSW_EINVAL, "%s:%d:%d: byte 0x%02x is not UTF-8 text",
                            r->path, at.line, at.column, p[i]);
        at.column++;
        if (p[i] == '\n') at = (struct psw_place){at.line + 1, 1};
    }
    return PSW_OK;
}

psw_status psw_yaml_parse(const char *path, const char *text, size_t n_bytes,
                          struct psw_yaml **out, struct psw_error *err)
{
    const struct fy_diag_cfg quiet = {
        .output_fn = swallow, .level = FYET_ERROR, .module_mask = ~0u};
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG};
    struct reader r = {.path = path, .err = err, .at = {1, 1}};
    psw_status rc = PSW_ENOMEM;
    struct psw_yaml *root = calloc(1, sizeof *root);
    cfg.diag = r.diag = fy_diag_create(&quiet);
    if (r.diag) fy_diag_set_collect_errors(r.diag, true);
    r.parser = r.diag ? fy_parser_create(&cfg) : NULL;
    if (!root || !r.parser)
        psw_fail(err, rc, "%s: cannot start the YAML parser", path);
    else if (n_bytes == 0)
        rc = refuse(&r, r.at, "the file is empty");
    else if ((rc = check_utf8(&r, text, n_bytes)) != PSW_OK)
        (void)0;
    else if (fy_parser_set_string(r.parser, text, n_bytes) != 0)
        rc = refuse_syntax(&r);
    else
        rc = parse_document(&r, root);
    if (r.event) fy_parser_event_free(r.parser, r.event);
    if (r.parser) fy_parser_destroy(r.parser);
    if (r.diag) fy_diag_destroy(r.diag);
    if (rc != PSW_OK) {
        psw_yaml_destroy(root);
        return rc;
    }
    *out = root;
    return PSW_OK;
}

static void clear(struct psw_yaml *node)
{
    for (int i = 0; i < node->n_child; i++) clear(&node->child[i]);
    free(node->child);
    free(node->text);
    free(node->key);
}

void psw_yaml_destroy(struct psw_yaml *root)
{
    if (!root) return;
    clear(root);
    free(root);
}

const struct psw_yaml *psw_yaml_get(const struct psw_yaml *map, const char *key)
{
    for (int i = 0; i < map->n_child; i++)
        if (map->child[i].key && strcmp(map->child[i].key, key) == 0) return &map->child[i];
    return NULL;
}

int psw_yaml_is_null(const struct psw_yaml *node)
{
    return node->kind == PSW_YAML_SCALAR && !node->quoted &&
           (!node->text[0] || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}
