/* Files of JSON rows, and the lines they are read from. */
#ifndef POSWEEP_SRC_DATA_JSON_ROWS_H
#define POSWEEP_SRC_DATA_JSON_ROWS_H

#include <jansson.h>
#include <posweep/data/limits.h>
#include <posweep/data/origin.h>
#include <posweep/util/text.h>

/** A text file, plain or gzip, line by line. */
struct psw_lines;

/** Open. limits: NULL or zeroed: those of this machine. Errors: PSW_ENOENT, PSW_EPERM,
 *  PSW_EIO, PSW_ENOMEM with the path. */
psw_status psw_lines_open(const char *path, const struct psw_data_limits *limits,
                          struct psw_lines **out, struct psw_error *err);

/** The next line without its end mark, borrowed until the next call; *text is NULL at the end.
 *  Errors: PSW_EDATA (broken or truncated gzip stream, a bound of limits.h), PSW_EIO,
 *  PSW_ENOMEM. */
psw_status psw_lines_next(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err);

/** All that has not been read yet, borrowed. Errors: as psw_lines_next. */
psw_status psw_lines_rest(struct psw_lines *lines, const char **text, size_t *n_bytes,
                          struct psw_error *err);

/** First byte of the content that is no white space, -1 for none. Errors: as psw_lines_next. */
psw_status psw_lines_peek(struct psw_lines *lines, int *byte, struct psw_error *err);

/** XXH3 of all that was given out, decompressed and with its end marks, and its length. */
uint64_t psw_lines_hash(const struct psw_lines *lines, int64_t *n_bytes);

/** Number of the line that psw_lines_next gave last, from 1. */
int64_t psw_lines_number(const struct psw_lines *lines);

/** Accepts NULL. */
void psw_lines_close(struct psw_lines *lines);

/** The JSON objects of a file: one per line, or the elements of one array. */
struct psw_json_rows;

/** Where a row stands, for messages. */
enum { PSW_PLACE_BYTES = 600 };

/** Open; content that is no JSON but well known (Parquet, a Git LFS pointer) is named.
 *  Errors: as psw_lines_open; PSW_EUNSUP; PSW_EDATA for an empty file or a broken array. */
psw_status psw_json_rows_open(const char *path, const struct psw_data_limits *limits,
                              struct psw_json_rows **out, struct psw_error *err);

/** The next object, borrowed until the next call, NULL at the end.
 *  Errors: PSW_EDATA with file:line:column; as psw_lines_next. */
psw_status psw_json_rows_next(struct psw_json_rows *rows, const json_t **row,
                              struct psw_error *err);

/** A JSON value for a message, cut at a character where it is long: 17, null, {"a": 1, "b...
 *  Returns out. */
enum { PSW_VALUE_BYTES = 48 };
char *psw_value_text(const json_t *value, char out[PSW_VALUE_BYTES]);

/** "file:line" or "file: element 7" of the row given last. */
const char *psw_json_rows_place(const struct psw_json_rows *rows);

/** XXH3 of the text of all rows given so far, of an array's whole file, and its length. */
uint64_t psw_json_rows_hash(const struct psw_json_rows *rows, int64_t *n_bytes);

/** The same of a file without a look at its rows: hash and n_bytes of an origin, by its path
 * and limit. Errors: as psw_lines_next. */
psw_status psw_json_rows_hash_file(struct psw_data_origin *origin, struct psw_error *err);

/** Accepts NULL. */
void psw_json_rows_close(struct psw_json_rows *rows);

#endif
