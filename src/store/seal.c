/* The seal: the last bytes of a results file say how long it is and what its hash is, so that
 * damage is seen before any of it goes into the HDF5 library. HDF5 does not look behind the end
 * of its own data; a program that writes to the file cuts the seal off.
 *
 *   0 magic "PSWSEAL1" | 8 bytes before the seal u64 | 16 hash of them u64 | 24 XXH3 of 0 to 24
 *
 * The hash is a chain over chunks, as in state files: each is the seed of the next. */
#include "results_internal.h"

#include <posweep/util/file.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20, OWN_HASHED_BYTES = 24 };
static const char MAGIC[8] = {'P', 'S', 'W', 'S', 'E', 'A', 'L', '1'};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the seal is little-endian");

static void encode(uint64_t n_bytes, uint64_t hash, unsigned char out[PSW_SEAL_BYTES])
{
    memcpy(out, MAGIC, sizeof MAGIC);
    memcpy(out + 8, &n_bytes, 8);
    memcpy(out + 16, &hash, 8);
    const uint64_t own = psw_hash_bytes(out, OWN_HASHED_BYTES, 0);
    memcpy(out + OWN_HASHED_BYTES, &own, 8);
}

/** Read exactly n bytes; 0 if there are not so many. */
static int read_at(int fd, void *to, size_t n, int64_t offset)
{
    size_t n_done = 0;
    while (n_done < n) {
        const ssize_t got =
            pread(fd, (char *)to + n_done, n - n_done, (off_t)(offset + (int64_t)n_done));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return 0;
        n_done += (size_t)got;
    }
    return 1;
}

/** The chained hash of the first n bytes; 0 if they cannot be read. */
static int hash_file(int fd, int64_t n_bytes, uint64_t *hash)
{
    unsigned char *chunk = malloc(CHUNK_BYTES);
    int ok = chunk != NULL;
    *hash = 0;
    for (int64_t at = 0; ok && at < n_bytes; at += CHUNK_BYTES) {
        const size_t n = n_bytes - at < CHUNK_BYTES ? (size_t)(n_bytes - at) : CHUNK_BYTES;
        ok = read_at(fd, chunk, n, at);
        if (ok) *hash = psw_hash_bytes(chunk, n, *hash);
    }
    free(chunk);
    return ok;
}

psw_status psw_seal_append(int fd, const char *path, struct psw_error *err)
{
    struct stat info;
    unsigned char seal[PSW_SEAL_BYTES];
    uint64_t hash = 0;
    if (fstat(fd, &info) != 0 || !hash_file(fd, info.st_size, &hash))
        return psw_fail(err, PSW_EIO, "%s: cannot read what was written: %s", path,
                        strerror(errno));
    encode((uint64_t)info.st_size, hash, seal);
    errno = 0;
    if (pwrite(fd, seal, sizeof seal, info.st_size) == (ssize_t)sizeof seal) return PSW_OK;
    return psw_fail(err, psw_status_from_errno(errno ? errno : ENOSPC), "%s: cannot write: %s",
                    path, strerror(errno ? errno : ENOSPC));
}

psw_status psw_seal_check(int fd, const char *path, int *is_sealed, struct psw_error *err)
{
    struct stat info;
    unsigned char found[PSW_SEAL_BYTES], want[PSW_SEAL_BYTES];
    uint64_t hash = 0;
    *is_sealed = 0;
    if (fstat(fd, &info) != 0)
        return psw_fail(err, PSW_EIO, "%s: cannot stat: %s", path, strerror(errno));
    const int64_t n_body = info.st_size - PSW_SEAL_BYTES;
    if (n_body < 0 || !read_at(fd, found, sizeof found, n_body) ||
        memcmp(found, MAGIC, sizeof MAGIC) != 0)
        return PSW_OK;
    if (!hash_file(fd, n_body, &hash))
        return psw_fail(err, PSW_EIO, "%s: cannot read: %s", path, strerror(errno));
    encode((uint64_t)n_body, hash, want);
    *is_sealed = memcmp(found, want, sizeof want) == 0;
    if (*is_sealed) return PSW_OK;
    return psw_fail(
        err, PSW_EDATA,
        "%s: damaged: its bytes are not those that posweep wrote. Take a copy, or run "
        "its sweep again: the journal beside it holds all results, and the file is "
        "written anew",
        path);
}
