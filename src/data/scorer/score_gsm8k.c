/* Reads a response token by token, and compares the number behind its last mark with the answer
 * key. */
#include <posweep/data/gsm8k.h>

#include "data_internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FINAL_LINE_BYTES = 64, MARK_BYTES = sizeof PSW_GSM8K_MARK - 1 };
_Static_assert((int)PSW_GSM8K_NUMBER_BYTES == (int)PSW_NUMBER_BYTES, "one size of numbers");

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Step over a sign and a "$" in either order. Returns whether the sign was a minus. */
static int take_marks(struct psw_text *t)
{
    int sign = 0, dollar = 0, minus = 0;
    while (t->n > 0) {
        const char c = t->at[0];
        if ((c == '-' || c == '+') && !sign++)
            minus = c == '-';
        else if (c != '$' || dollar++)
            break;
        *t = (struct psw_text){t->at + 1, t->n - 1};
    }
    return minus;
}

/** Take digits, commas between them dropped where allowed. Returns how many; what does not fit
 * stays. Shapes: out: [FINAL_LINE_BYTES]. */
static int take_digits(struct psw_text *t, int with_commas, char *out)
{
    int n = 0;
    while (t->n > 0 && n < FINAL_LINE_BYTES) {
        const int comma =
            with_commas && n > 0 && t->at[0] == ',' && t->n > 1 && is_digit(t->at[1]);
        if (!is_digit(t->at[0]) && !comma) break;
        if (!comma) out[n++] = t->at[0];
        *t = (struct psw_text){t->at + 1, t->n - 1};
    }
    return n;
}

int psw_gsm8k_number(const char *text, size_t n_bytes, char out[PSW_GSM8K_NUMBER_BYTES])
{
    char whole[FINAL_LINE_BYTES], fraction[FINAL_LINE_BYTES];
    struct psw_text t = psw_text_trim((struct psw_text){text, n_bytes});
    memset(out, 0, PSW_NUMBER_BYTES);
    int minus = take_marks(&t), n_fraction = 0;
    int n_whole = take_digits(&t, 1, whole);
    if (t.n > 0 && t.at[0] == '.') {
        t = (struct psw_text){t.at + 1, t.n - 1};
        n_fraction = take_digits(&t, 0, fraction);
    }
    if (t.n > 0 || n_whole + n_fraction == 0) return 0;
    const char *first = whole;
    for (; n_whole > 0 && *first == '0'; n_whole--) first++;
    while (n_fraction > 0 && fraction[n_fraction - 1] == '0') n_fraction--;
    if (n_whole + n_fraction + 4 > PSW_NUMBER_BYTES) return 0; /* sign, 0, point, end */
    minus = minus && n_whole + n_fraction > 0;
    snprintf(out, PSW_NUMBER_BYTES, "%s%.*s%s%.*s", minus ? "-" : "", n_whole ? n_whole : 1,
             n_whole ? first : "0", n_fraction ? "." : "", n_fraction, fraction);
    return 1;
}

/** The line behind the last mark so far. */
struct line {
    char text[FINAL_LINE_BYTES];
    size_t n;
    int n_mark;  /* bytes of a mark that have just been read */
    int is_open; /* there was a mark, and the line goes on */
    int is_done; /* there was a mark, and its line has ended */
};

/** Read a byte; the end of the response reads as the end of a line. */
static void read_byte(struct line *line, char byte)
{
    line->n_mark = byte == PSW_GSM8K_MARK[0] ? line->n_mark + 1 : 0;
    if (line->n_mark >= MARK_BYTES) {
        line->n = 0;
        line->is_open = 1;
        line->is_done = 0;
    } else if (line->is_open && byte == '\n') {
        line->is_open = 0;
        line->is_done = 1;
    } else if (line->is_open && line->n < sizeof line->text) {
        line->text[line->n++] = byte;
    }
}

/** The number behind the last "####" of a response, its line ended by a line break or EOS; one
 * that just breaks off may have been about to say another number. */
static int final_number(const struct psw_scored *what, char out[PSW_NUMBER_BYTES])
{
    struct line line = {.n = 0};
    for (int64_t i = 0; i < what->response.n; i++) {
        const int32_t id = what->response.id[i];
        const struct psw_text piece = psw_tokenizer_piece(what->tokenizer, id);
        for (size_t b = 0; b < piece.n; b++) read_byte(&line, piece.at[b]);
        if (id == what->tokenizer->eos) read_byte(&line, '\n');
    }
    if (!line.is_done || line.n == sizeof line.text) return 0;
    return psw_gsm8k_number(line.text, line.n, out);
}

static double score(const struct psw_scored *what)
{
    char number[PSW_NUMBER_BYTES];
    const struct psw_answer *right =
        psw_answer_key_find(what->answer_key, psw_tokens_hash(what->prompt));
    if (!right) return NAN;
    return final_number(what, number) && !strcmp(number, right->number);
}

const struct psw_data_scorer PSW_GSM8K_SCORER = {"gsm8k", 0.0, 1.0, score};
