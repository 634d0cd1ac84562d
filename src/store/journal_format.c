/* Bytes of a journal record, the walk over them, and the records that a start begins with:
 *
 *   0 magic "PSWJRNL", format version u8 | 8 type i32, attempt i32 | 16 run u64 |
 *   24 time f64 | 32 payload bytes u64 | 40 XXH3 of the rest and the place | 48 payload,
 *   zeros to 8
 *
 * The place in the file goes into the checksum, so a record copied elsewhere (or a journal
 * inside a payload) is never taken for one. */
#include "store_internal.h"

#include <posweep/store/schema.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[8] = {'P', 'S', 'W', 'J', 'R', 'N', 'L', PSW_JOURNAL_VERSION};
enum { HASHED_BYTES = 40, MAGIC_BYTES = 7 };
static const int64_t BEHIND_BYTES = (int64_t)16 << 20; /* whole pages of any size */

static uint64_t record_hash(const unsigned char *record, size_t n_payload, int64_t offset)
{
    const size_t n_body = (size_t)psw_journal_record_bytes(n_payload) - PSW_JOURNAL_HEAD_BYTES;
    return psw_hash_bytes(record + PSW_JOURNAL_HEAD_BYTES, n_body,
                          psw_hash_bytes(record, HASHED_BYTES, (uint64_t)offset));
}

void psw_journal_encode(unsigned char *at, struct psw_journal_entry what, const void *payload)
{
    const int32_t type = what.type;
    const uint64_t n_bytes = what.n_bytes;
    memset(at, 0, (size_t)psw_journal_record_bytes(what.n_bytes));
    memcpy(at, MAGIC, sizeof MAGIC);
    memcpy(at + 8, &type, 4);
    memcpy(at + 12, &what.attempt, 4);
    memcpy(at + 16, &what.run, 8);
    memcpy(at + 24, &what.time_s, 8);
    memcpy(at + 32, &n_bytes, 8);
    if (what.n_bytes > 0) memcpy(at + PSW_JOURNAL_HEAD_BYTES, payload, what.n_bytes);
    const uint64_t hash = record_hash(at, what.n_bytes, what.offset);
    memcpy(at + HASHED_BYTES, &hash, 8);
}

int psw_journal_decode(const unsigned char *bytes, int64_t offset, int64_t n_file,
                       struct psw_journal_entry *out)
{
    const int64_t n_left = n_file - offset;
    if (n_left < PSW_JOURNAL_HEAD_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC) != 0) return 0;
    struct psw_journal_entry e = {.offset = offset};
    int32_t type;
    uint64_t n_bytes, hash;
    memcpy(&type, bytes + 8, 4);
    memcpy(&e.attempt, bytes + 12, 4);
    memcpy(&e.run, bytes + 16, 8);
    memcpy(&e.time_s, bytes + 24, 8);
    memcpy(&n_bytes, bytes + 32, 8);
    memcpy(&hash, bytes + HASHED_BYTES, 8);
    if (n_bytes > (uint64_t)(n_left - PSW_JOURNAL_HEAD_BYTES)) return 0;
    e.type = (enum psw_journal_type)type;
    e.n_bytes = n_bytes;
    if (psw_journal_record_bytes(e.n_bytes) > n_left) return 0;
    if (hash != record_hash(bytes, e.n_bytes, offset)) return 0;
    *out = e;
    return 1;
}

/** Offset of the next sound record after `from`; -1 when there is none. */
static int64_t find_sound(const unsigned char *bytes, int64_t n_file, int64_t from)
{
    struct psw_journal_entry e;
    while (from < n_file) {
        const unsigned char *at =
            memmem(bytes + from, (size_t)(n_file - from), MAGIC, sizeof MAGIC);
        if (!at) return -1;
        if (psw_journal_decode(at, at - bytes, n_file, &e)) return at - bytes;
        from = at - bytes + 1;
    }
    return -1;
}

static psw_status check_start(const char *path, const unsigned char *bytes, int64_t n_file,
                              struct psw_error *err)
{
    const size_t n = n_file < MAGIC_BYTES ? (size_t)n_file : MAGIC_BYTES;
    if (n > 0 && memcmp(bytes, MAGIC, n) != 0)
        return psw_fail(err, PSW_EDATA, "%s: byte 0: this is not a journal of posweep", path);
    if (n_file > MAGIC_BYTES && bytes[MAGIC_BYTES] != PSW_JOURNAL_VERSION)
        return psw_fail(err, PSW_EINVAL,
                        "%s: journal of format version %d; this posweep reads version %d. "
                        "Continue with the posweep that wrote it, or choose another output",
                        path, bytes[MAGIC_BYTES], PSW_JOURNAL_VERSION);
    return PSW_OK;
}

static psw_status fail_errno(const char *path, const char *what, struct psw_error *err)
{
    const int e = errno;
    return psw_fail(err, psw_status_from_errno(e), "%s: %s: %s", path, what, strerror(e));
}

/** What lies behind in the mapped file counts no more as memory of this process. */
static void leave_behind(unsigned char *bytes, int64_t at, int64_t *n_left)
{
    const int64_t n = at / BEHIND_BYTES * BEHIND_BYTES;
    if (n > *n_left) madvise(bytes + *n_left, (size_t)(n - *n_left), MADV_DONTNEED);
    if (n > *n_left) *n_left = n;
}

static psw_status walk(const char *path, unsigned char *bytes, int64_t n_file,
                       psw_status (*see)(void *ctx, const struct psw_journal_entry *entry),
                       void *ctx, int64_t *n_good, struct psw_error *err)
{
    psw_status rc = check_start(path, bytes, n_file, err);
    if (rc != PSW_OK) return rc;
    int64_t at = 0, n_left = 0;
    struct psw_journal_entry entry;
    while (at < n_file && psw_journal_decode(bytes + at, at, n_file, &entry)) {
        rc = see(ctx, &entry);
        if (rc != PSW_OK) return psw_fail(err, rc, "%s: no memory for its index", path);
        at += psw_journal_record_bytes(entry.n_bytes);
        leave_behind(bytes, at, &n_left);
    }
    *n_good = at;
    const int64_t next = at < n_file ? find_sound(bytes, n_file, at + 1) : -1;
    if (next >= 0)
        return psw_fail(err, PSW_EDATA,
                        "%s: byte %lld: broken record, with sound ones after it from byte %lld "
                        "on. Nothing was changed. Restore the file from a copy, or truncate it "
                        "to %lld bytes to recompute what follows",
                        path, (long long)at, (long long)next, (long long)at);
    return PSW_OK;
}

psw_status psw_journal_walk(const char *path, int fd,
                            psw_status (*see)(void *ctx, const struct psw_journal_entry *entry),
                            void *ctx, int64_t *n_good, int64_t *n_file, struct psw_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return fail_errno(path, "cannot stat", err);
    if (!S_ISREG(info.st_mode))
        return psw_fail(err, PSW_EDATA, "%s: is not a plain file", path);
    *n_file = info.st_size;
    if (info.st_size == 0) return PSW_OK;
    unsigned char *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return fail_errno(path, "cannot map", err);
    madvise(bytes, (size_t)info.st_size, MADV_SEQUENTIAL);
    const psw_status rc = walk(path, bytes, info.st_size, see, ctx, n_good, err);
    munmap(bytes, (size_t)info.st_size);
    return rc;
}

psw_status psw_journal_spec_record(const struct psw_journal_opts *opts, struct psw_record **out,
                                   struct psw_error *err)
{
    struct psw_record *r = NULL;
    const psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    psw_record_put_text(r, "sweep_name", opts->sweep_name);
    psw_record_put_i64(r, "schema_version", PSW_SCHEMA_VERSION);
    psw_record_put_i64(r, "spec_hash", (int64_t)opts->spec_hash);
    psw_record_put_text(r, "spec_text", opts->spec_text);
    psw_record_put(r, "run", PSW_I64, psw_shape_1d(opts->n_run), opts->run);
    if (opts->label) psw_record_put_text(r, "label", opts->label);
    *out = r;
    return PSW_OK;
}

psw_status psw_journal_session_record(const char *provenance, struct psw_record **out,
                                      struct psw_error *err)
{
    struct psw_record *r = NULL;
    const psw_status rc = psw_record_create(&r, err);
    if (rc != PSW_OK) return rc;
    char host[128] = "?";
    gethostname(host, sizeof host - 1);
    psw_record_put_text(r, "host", host);
    psw_record_put_i64(r, "pid", getpid());
    psw_record_put_text(r, "provenance", provenance ? provenance : "");
    *out = r;
    return PSW_OK;
}
