/* Rows of large files, from text to values. */
#ifndef POSWEEP_SRC_DATA_JSON_READ_H
#define POSWEEP_SRC_DATA_JSON_READ_H

#include <jansson.h>
#include <posweep/util/text.h>

/** Room that readers of many rows share between them; zeroed: none yet. */
struct psw_json_reader {
    char *scratch; /* owned */
    size_t n_max;
};

/** What json_loadb makes of a text with JSON_ALLOW_NUL, faults too, several times faster where
 *  the text is right. Owns: the caller of the value. Errors: NULL, and the fault. */
json_t *psw_json_read(struct psw_json_reader *reader, struct psw_text text,
                      json_error_t *fault);

/** The faster part of it: NULL for what it leaves to jansson, which may be right all the same
 *  (deep, large numbers, long keys). Owns: the caller. */
json_t *psw_json_read_plain(struct psw_json_reader *reader, struct psw_text text);

void psw_json_reader_clear(struct psw_json_reader *reader);

#endif
