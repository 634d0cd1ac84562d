/* Content hashes: XXH3 of xxHash, 64 bits. For identity and corruption, not against attackers.
 */
#ifndef POSWEEP_UTIL_HASH_H
#define POSWEEP_UTIL_HASH_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

enum { PSW_HASH_TEXT_BYTES = 17 };

uint64_t psw_hash_bytes(const void *data, size_t n_bytes, uint64_t seed);

/** Hash of a file's content. Errors: PSW_ENOENT, PSW_EIO, with the path. */
psw_status psw_hash_file(const char *path, uint64_t *out, struct psw_error *err);

/** The same hash as psw_hash_bytes with seed 0, of bytes that come in pieces. Opaque. */
struct psw_hash_stream;

/** NULL: no memory. Owns: the caller destroys. */
struct psw_hash_stream *psw_hash_stream_create(void);
void psw_hash_stream_add(struct psw_hash_stream *stream, const void *data, size_t n_bytes);

/** Of what was added so far; more may follow. */
uint64_t psw_hash_stream_value(const struct psw_hash_stream *stream);

/** Accepts NULL. */
void psw_hash_stream_destroy(struct psw_hash_stream *stream);

/** 16 lower-case hexadecimal digits and a terminator; returns out. */
char *psw_hash_text(uint64_t hash, char out[PSW_HASH_TEXT_BYTES]);

#endif
