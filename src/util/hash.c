/* Content hashes on xxHash. */
#include <posweep/util/hash.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t psw_hash_bytes(const void *data, size_t n_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n_bytes, seed);
}

struct psw_hash_stream *psw_hash_stream_create(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (state) XXH3_64bits_reset(state);
    return (struct psw_hash_stream *)state;
}

void psw_hash_stream_add(struct psw_hash_stream *stream, const void *data, size_t n_bytes)
{
    XXH3_64bits_update((XXH3_state_t *)stream, data, n_bytes);
}

uint64_t psw_hash_stream_value(const struct psw_hash_stream *stream)
{
    return XXH3_64bits_digest((const XXH3_state_t *)stream);
}

void psw_hash_stream_destroy(struct psw_hash_stream *stream)
{
    XXH3_freeState((XXH3_state_t *)stream);
}

psw_status psw_hash_file(const char *path, uint64_t *out, struct psw_error *err)
{
    FILE *f = fopen(path, "rb");
    if (!f) return psw_fail(err, psw_status_from_errno(errno), "%s: %s", path, strerror(errno));
    XXH3_state_t *state = XXH3_createState();
    if (!state) {
        fclose(f);
        return psw_fail(err, PSW_ENOMEM, "%s: hash state", path);
    }
    XXH3_64bits_reset(state);
    char buffer[1 << 16];
    size_t n;
    while ((n = fread(buffer, 1, sizeof buffer, f)) > 0) XXH3_64bits_update(state, buffer, n);
    const int failed = ferror(f);
    const uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    fclose(f);
    if (failed) return psw_fail(err, PSW_EIO, "%s: reading failed: %s", path, strerror(errno));
    *out = hash;
    return PSW_OK;
}

char *psw_hash_text(uint64_t hash, char out[PSW_HASH_TEXT_BYTES])
{
    snprintf(out, PSW_HASH_TEXT_BYTES, "%016" PRIx64, hash);
    return out;
}
