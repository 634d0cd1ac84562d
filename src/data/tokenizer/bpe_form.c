/* Normal forms: utf8proc takes characters apart, puts them together and knows their classes.
 * Between, marks are put in the order of their classes; here and not there, since utf8proc does
 * it by swapping neighbours, which takes minutes for a line that is a megabyte of marks. */
#include "bpe.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

enum { MOST_OF_ONE = 32 }; /* characters that one becomes; Unicode has 18 */

/** Characters that grow. Owns at. */
struct characters {
    utf8proc_int32_t *at; /* owned [n_room] */
    size_t n, n_room;
};

int psw_bpe_is_formed(struct psw_text text, int form)
{
    /* Of composed forms, anything below U+0300 is; of others, ASCII. */
    const int is_nfc = (form & UTF8PROC_COMPOSE) && !(form & UTF8PROC_COMPAT);
    const unsigned char first = is_nfc ? 0xCC : 0x80;
    unsigned char most = 0;
    for (size_t i = 0; i < text.n; i++) {
        const unsigned char byte = (unsigned char)text.at[i];
        most = byte > most ? byte : most;
    }
    return most < first;
}

static psw_status make_room(struct characters *c, struct psw_error *err)
{
    if (c->n_room - c->n > MOST_OF_ONE) return PSW_OK;
    const size_t n_room = 2 * (c->n_room + 2 * MOST_OF_ONE);
    utf8proc_int32_t *grown = realloc(c->at, n_room * sizeof *grown);
    if (!grown) return psw_fail(err, PSW_ENOMEM, "data: %zu characters", n_room);
    c->at = grown;
    c->n_room = n_room;
    return PSW_OK;
}

static psw_status decompose(struct psw_text text, int form, struct characters *c,
                            struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (size_t at = 0; at < text.n && rc == PSW_OK;) {
        utf8proc_int32_t one = 0;
        int last = 0;
        const utf8proc_ssize_t n_read = utf8proc_iterate((const utf8proc_uint8_t *)text.at + at,
                                                         (utf8proc_ssize_t)(text.n - at), &one);
        rc = make_room(c, err);
        if (rc != PSW_OK) return rc;
        const utf8proc_ssize_t n =
            n_read < 0 ? n_read
                       : utf8proc_decompose_char(one, c->at + c->n, MOST_OF_ONE,
                                                 (utf8proc_option_t)form, &last);
        if (n < 0 || n > MOST_OF_ONE)
            return psw_fail(err, PSW_EDATA, "normalising a text: byte %zu: %s", at,
                            n < 0 ? utf8proc_errmsg(n) : "too many characters of one");
        c->n += (size_t)n;
        at += (size_t)n_read;
    }
    return rc;
}

static int class_of(utf8proc_int32_t c)
{
    return (int)utf8proc_get_property(c)->combining_class & 0xFF;
}

/** Put n marks in the order of their classes, those of one class as they came. */
static psw_status order_marks(utf8proc_int32_t *at, size_t n, struct psw_error *err)
{
    size_t begin[257] = {0};
    int is_ordered = 1;
    for (size_t i = 1; i < n; i++)
        is_ordered = is_ordered && class_of(at[i - 1]) <= class_of(at[i]);
    if (is_ordered) return PSW_OK;
    utf8proc_int32_t *copy = malloc(n * sizeof *copy);
    if (!copy) return psw_fail(err, PSW_ENOMEM, "data: %zu marks", n);
    memcpy(copy, at, n * sizeof *copy);
    for (size_t i = 0; i < n; i++) begin[class_of(copy[i]) + 1]++;
    for (int k = 0; k < 256; k++) begin[k + 1] += begin[k];
    for (size_t i = 0; i < n; i++) at[begin[class_of(copy[i])]++] = copy[i];
    free(copy);
    return PSW_OK;
}

static psw_status order_all(struct characters *c, struct psw_error *err)
{
    psw_status rc = PSW_OK;
    for (size_t from = 0, to; from < c->n && rc == PSW_OK; from = to + 1) {
        for (to = from; to < c->n && class_of(c->at[to]) != 0;) to++;
        if (to - from > 1) rc = order_marks(c->at + from, to - from, err);
    }
    return rc;
}

psw_status psw_bpe_write_form(struct psw_text text, int form, struct psw_text_buffer *out,
                              struct psw_error *err)
{
    struct characters c = {0};
    psw_status rc = decompose(text, form, &c, err);
    if (rc == PSW_OK) rc = order_all(&c, err);
    if (rc == PSW_OK && c.n > 0) {
        const utf8proc_ssize_t n =
            utf8proc_reencode(c.at, (utf8proc_ssize_t)c.n, (utf8proc_option_t)form);
        rc = n < 0 ? psw_fail(err, PSW_EDATA, "normalising a text: %s", utf8proc_errmsg(n))
                   : psw_text_buffer_add(out, (struct psw_text){(char *)c.at, (size_t)n}, err);
    }
    free(c.at);
    return rc;
}
