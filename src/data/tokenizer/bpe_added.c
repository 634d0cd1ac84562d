/* Added tokens are found from left to right, the longest at each place. */
#include "bpe.h"

#include <stdlib.h>
#include <utf8proc.h>

/** A byte of a content, after those of its parents. Node 0 is none. */
struct psw_bpe_node {
    int32_t child, sibling;
    int32_t added; /* 1 + the index of the token that ends here; 0: none */
    unsigned char byte;
};

static psw_status new_node(struct psw_bpe_finder *f, unsigned char byte, int32_t *out,
                           struct psw_error *err)
{
    if (f->n_node == f->n_node_room) {
        const int32_t n_room = 64 + 2 * f->n_node_room;
        struct psw_bpe_node *grown = realloc(f->node, (size_t)n_room * sizeof *grown);
        if (!grown) return psw_fail(err, PSW_ENOMEM, "%d bytes of added tokens", n_room);
        f->node = grown;
        f->n_node_room = n_room;
    }
    if (f->n_node == 0) f->node[f->n_node++] = (struct psw_bpe_node){0};
    f->node[f->n_node] = (struct psw_bpe_node){.byte = byte};
    *out = f->n_node++;
    return PSW_OK;
}

static int32_t child_of(const struct psw_bpe_finder *f, int32_t node, unsigned char byte)
{
    int32_t child = f->node[node].child;
    while (child && f->node[child].byte != byte) child = f->node[child].sibling;
    return child;
}

psw_status psw_bpe_finder_add(struct psw_bpe_finder *finder, struct psw_text content,
                              const struct psw_bpe_added *added, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    int32_t node = 0;
    if (content.n == 0) return PSW_OK;
    struct psw_bpe_added *grown =
        realloc(finder->added, (size_t)(finder->n_added + 1) * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "%d added tokens", finder->n_added + 1);
    finder->added = grown;
    finder->added[finder->n_added++] = *added;
    for (size_t i = 0; i < content.n && rc == PSW_OK; i++) {
        const unsigned char byte = (unsigned char)content.at[i];
        const int32_t known = i == 0 ? finder->root[byte] : child_of(finder, node, byte);
        int32_t next = known;
        if (!known) rc = new_node(finder, byte, &next, err);
        if (!known && rc == PSW_OK) {
            if (i == 0) {
                finder->root[byte] = next;
            } else {
                finder->node[next].sibling = finder->node[node].child;
                finder->node[node].child = next;
            }
        }
        node = next;
    }
    if (rc == PSW_OK) finder->node[node].added = finder->n_added;
    return rc;
}

void psw_bpe_finder_mark(struct psw_bpe_finder *finder, const struct psw_bpe_vocab *vocab)
{
    for (int32_t i = 0; i < finder->n_added; i++)
        finder->added[i].is_special = vocab->token[finder->added[i].id].is_special;
}

void psw_bpe_finder_clear(struct psw_bpe_finder *finder)
{
    free(finder->node);
    free(finder->added);
}

/** Whether bytes of a text are all written by a template. */
static int is_markup(const struct psw_written_text *written, size_t from, size_t to)
{
    if (written->is_markup || !written->markup) return written->is_markup;
    while (from < to && written->markup[from]) from++;
    return from == to;
}

/** The longest token that begins here, and its length; NULL for none. */
static const struct psw_bpe_added *longest(const struct psw_bpe_finder *f,
                                           const struct psw_written_text *written, size_t at,
                                           size_t *n)
{
    const struct psw_text text = written->text;
    const struct psw_bpe_added *found = NULL;
    int32_t node = f->root[(unsigned char)text.at[at]];
    for (size_t i = at + 1; node; i++) {
        const struct psw_bpe_added *here =
            f->node[node].added ? &f->added[f->node[node].added - 1] : NULL;
        if (here && (!here->is_special || is_markup(written, at, i))) {
            found = here;
            *n = i - at;
        }
        if (i == text.n) break;
        node = child_of(f, node, (unsigned char)text.at[i]);
    }
    return found;
}

/* ---- what stands beside a token ---- */

/** The character that begins at a place, or that ends there; -1 for none. */
static int32_t character_after(struct psw_text text, size_t at, size_t *n)
{
    utf8proc_int32_t c = -1;
    const utf8proc_ssize_t n_read = utf8proc_iterate((const utf8proc_uint8_t *)text.at + at,
                                                     (utf8proc_ssize_t)(text.n - at), &c);
    *n = n_read > 0 ? (size_t)n_read : 1;
    return at < text.n ? c : -1;
}

static int32_t character_before(struct psw_text text, size_t at, size_t *n)
{
    size_t from = at, ignored = 0;
    if (at == 0) return -1;
    do from--;
    while (from > 0 && psw_is_inside_character(text.at[from]));
    *n = at - from;
    return character_after(text, from, &ignored);
}

/** Unicode's White_Space. */
static int is_space(int32_t c)
{
    const int category = c < 0 ? UTF8PROC_CATEGORY_CN : (int)utf8proc_category(c);
    return (c >= '\t' && c <= '\r') || c == 0x85 || category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/** A letter, mark, digit or connector: what \w is. */
static int is_of_word(int32_t c)
{
    const int category = c < 0 ? UTF8PROC_CATEGORY_CN : (int)utf8proc_category(c);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
           category == UTF8PROC_CATEGORY_PC;
}

/** Where blanks that end at `at` begin, not before `least`; where those after it end. */
static size_t blanks_before(struct psw_text text, size_t at, size_t least)
{
    size_t n = 0;
    while (at > least && is_space(character_before(text, at, &n))) at -= n;
    return at > least ? at : least;
}

static size_t blanks_after(struct psw_text text, size_t at)
{
    size_t n = 0;
    while (at < text.n && is_space(character_after(text, at, &n))) at += n;
    return at;
}

static int stands_alone(struct psw_text text, size_t from, size_t to)
{
    size_t n = 0;
    return !is_of_word(character_before(text, from, &n)) &&
           !is_of_word(character_after(text, to, &n));
}

int psw_bpe_finder_next(const struct psw_bpe_finder *finder,
                        const struct psw_written_text *written, size_t *at,
                        struct psw_text *stretch, int32_t *id)
{
    const struct psw_text text = written->text;
    const size_t from = *at;
    size_t n = 0;
    if (from >= text.n) return 0;
    for (size_t i = from; i < text.n && finder->n_added > 0; i++) {
        if (!finder->root[(unsigned char)text.at[i]]) continue;
        const struct psw_bpe_added *found = longest(finder, written, i, &n);
        if (!found) continue;
        if (found->is_single_word && !stands_alone(text, i, i + n)) {
            i += n - 1; /* the library looks on behind it */
            continue;
        }
        const size_t begin = found->takes_left ? blanks_before(text, i, from) : i;
        *at = begin > from ? begin : found->takes_right ? blanks_after(text, i + n) : i + n;
        *id = begin > from ? -1 : found->id;
        *stretch = (struct psw_text){text.at + from, *at - from};
        return 1;
    }
    *at = text.n;
    *id = -1;
    *stretch = (struct psw_text){text.at + from, text.n - from};
    return 1;
}
