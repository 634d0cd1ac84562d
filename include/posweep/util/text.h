/* Pieces of text: blanks, cuts at characters, sizes, and how near two words are. */
#ifndef POSWEEP_UTIL_TEXT_H
#define POSWEEP_UTIL_TEXT_H

#include <stddef.h>

/** A piece of text without a terminator. Borrowed. */
struct psw_text {
    const char *at;
    size_t n;
};

/** A blank, a tab or the end of a line. */
int psw_is_blank(char byte);

/** Whether nothing but those stands in a text, and a text without those around it. */
int psw_text_is_blank(struct psw_text text);
struct psw_text psw_text_trim(struct psw_text text);

int psw_text_equal(struct psw_text a, struct psw_text b);
int psw_text_starts_with(struct psw_text text, struct psw_text beginning);

/** Whether a byte of UTF-8 goes on with a character that an earlier one began. */
int psw_is_inside_character(char byte);

/** The beginning of a text, n_max bytes at most, up to a character boundary. */
struct psw_text psw_text_cut(struct psw_text text, size_t n_max);

/** A size as people read it: "120 KiB", "1.6 MiB", "3.25 GiB". Returns out. */
enum { PSW_SIZE_BYTES = 24 };
char *psw_size_text(double n_bytes, char out[PSW_SIZE_BYTES]);

/** Edits (insert, delete, replace, swap neighbours) between two words; long words are cut to
 *  PSW_EDIT_BYTES. Optimal string alignment. */
enum { PSW_EDIT_BYTES = 64 };
int psw_edit_distance(const char *a, const char *b);

#endif
