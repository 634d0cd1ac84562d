/* State files. The checksum is a chain over chunks: the hash of each is the seed of the next,
 * so that a reader needs no array whole. Every array starts a chunk. */
#include <posweep/comm/agree.h>
#include <posweep/kernels/backend.h>
#include <posweep/optim/state.h>
#include <posweep/util/file.h>
#include <posweep/util/hash.h>
#include <posweep/util/minmax.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { VERSION = 2, CHUNK_BYTES = 1 << 20, HAS_MOMENTS = 1 };

struct header {
    char magic[8];
    uint32_t version, flags;
    uint64_t key;
    int64_t step, n_param, n_extra_bytes;
    char zero[16];
};

static const char MAGIC[8] = {'P', 'S', 'W', 'S', 'T', 'A', 'T', 'E'};

/* A file being written or read, a chunk of it in host memory, and the checksum so far. After
 * the first fault all calls do nothing, so a rank that must go on taking part in collectives
 * can ask once at the end. */
struct stream {
    FILE *file;
    const char *path;
    char *chunk; /* owned */
    struct psw_exec *exec;
    uint64_t hash;
    psw_status rc;
    struct psw_error *err;
};

static void stream_fail(struct stream *s, const char *what)
{
    const int e = errno;
    if (s->rc != PSW_OK) return;
    s->rc = psw_fail(s->err, e ? psw_status_from_errno(e) : PSW_EIO, "%s: %s: %s", s->path,
                     what, e ? strerror(e) : "unknown fault");
}

static size_t chunk_at(size_t at, size_t n_bytes)
{
    return n_bytes - at < CHUNK_BYTES ? n_bytes - at : CHUNK_BYTES;
}

static void stream_write(struct stream *s, const void *data, size_t n_bytes)
{
    for (size_t at = 0; at < n_bytes && s->rc == PSW_OK && s->file; at += CHUNK_BYTES) {
        const size_t n = chunk_at(at, n_bytes);
        errno = 0;
        if (fwrite((const char *)data + at, 1, n, s->file) != n)
            stream_fail(s, "cannot write the state");
        s->hash = psw_hash_bytes((const char *)data + at, n, s->hash);
    }
}

static void write_buffer(struct stream *s, int64_t n_elem, const float *buffer)
{
    const size_t n_bytes = sizeof(float) * (size_t)n_elem;
    for (size_t at = 0; at < n_bytes && s->rc == PSW_OK && s->file; at += CHUNK_BYTES) {
        const size_t n = chunk_at(at, n_bytes);
        psw_exec_backend(s->exec)->buffer->read(s->exec, (int64_t)(n / sizeof(float)),
                                                buffer + at / sizeof(float), (float *)s->chunk);
        stream_write(s, s->chunk, n);
    }
}

static void write_moment(struct stream *s, const struct psw_team *team, int64_t n_param,
                         const float *slice_of_moment, float *buffer)
{
    const struct psw_slice mine = psw_slice_of(team->rank, team->size, n_param);
    psw_exec_backend(s->exec)->buffer->copy(s->exec, mine.end - mine.begin, slice_of_moment,
                                            buffer + mine.begin);
    psw_slices_gather(team->comm, s->exec, buffer, n_param);
    write_buffer(s, n_param, buffer);
}

static void close_written(struct stream *s, const char *temporary)
{
    if (!s->file) return;
    const uint64_t sum = s->hash;
    stream_write(s, &sum, sizeof sum);
    errno = 0;
    if (s->rc == PSW_OK && (fflush(s->file) != 0 || fsync(fileno(s->file)) != 0))
        stream_fail(s, "cannot sync the state");
    fclose(s->file);
    if (s->rc == PSW_OK) s->rc = psw_file_commit(temporary, s->path, s->err);
    if (s->rc != PSW_OK) unlink(temporary);
}

static struct stream stream_open(struct psw_exec *exec, const char *path, struct psw_error *err)
{
    struct stream s = {.path = path, .exec = exec, .err = err, .chunk = malloc(CHUNK_BYTES)};
    if (!s.chunk) s.rc = psw_fail(err, PSW_ENOMEM, "%s: a chunk of the state", path);
    return s;
}

psw_status psw_state_write(const struct psw_team *team, struct psw_exec *exec, const char *path,
                           const struct psw_state *state, float *buffer, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES] = "";
    struct stream s = stream_open(exec, path, err);
    if (team->rank == 0 && s.rc == PSW_OK) {
        int fd = -1;
        s.rc = psw_file_begin(path, temporary, &fd, err);
        errno = 0;
        if (s.rc == PSW_OK && !(s.file = fdopen(fd, "wb"))) {
            stream_fail(&s, "cannot create the state");
            close(fd);
            unlink(temporary);
        }
    }
    struct header h = {.version = VERSION,
                       .flags = state->moment1 ? HAS_MOMENTS : 0,
                       .key = state->key,
                       .step = state->step,
                       .n_param = state->n_param,
                       .n_extra_bytes = (int64_t)state->n_extra_bytes};
    memcpy(h.magic, MAGIC, sizeof MAGIC);
    stream_write(&s, &h, sizeof h);
    write_buffer(&s, state->n_param, state->param);
    if (state->moment1) {
        write_moment(&s, team, state->n_param, state->moment1, buffer);
        write_moment(&s, team, state->n_param, state->moment2, buffer);
    }
    if (state->n_extra_bytes) stream_write(&s, state->extra, state->n_extra_bytes);
    close_written(&s, temporary);
    free(s.chunk);
    return psw_agree(team->comm, s.rc, err);
}

/* At most one chunk. */
static void read_chunk(struct stream *s, void *data, size_t n_bytes)
{
    if (s->rc != PSW_OK) return;
    errno = 0;
    if (fread(data, 1, n_bytes, s->file) != n_bytes) {
        if (feof(s->file))
            s->rc = psw_fail(s->err, PSW_EDATA, "%s: unexpected end of file", s->path);
        stream_fail(s, "cannot read the state");
        return;
    }
    s->hash = psw_hash_bytes(data, n_bytes, s->hash);
}

/* Read a whole array for its checksum, keep the elements of one slice. NULL: none. */
static void read_buffer(struct stream *s, int64_t n_elem, struct psw_slice keep, float *out)
{
    const int64_t n_chunk = CHUNK_BYTES / sizeof(float);
    for (int64_t at = 0; at < n_elem && s->rc == PSW_OK; at += n_chunk) {
        const int64_t end = psw_min(at + n_chunk, n_elem);
        read_chunk(s, s->chunk, sizeof(float) * (size_t)(end - at));
        const int64_t first = psw_max(at, keep.begin), last = psw_min(end, keep.end);
        if (out && first < last && s->rc == PSW_OK)
            psw_exec_backend(s->exec)->buffer->write(s->exec, last - first,
                                                     (float *)s->chunk + (first - at),
                                                     out + (first - keep.begin));
    }
}

static void check_header(struct stream *s, const struct header *h, const struct psw_state *want)
{
    if (s->rc != PSW_OK) return;
    if (memcmp(h->magic, MAGIC, sizeof MAGIC) != 0 || h->version != VERSION)
        s->rc = psw_fail(s->err, PSW_EDATA, "%s: not a state file of this version of posweep",
                         s->path);
    else if (h->key != want->key || h->n_param != want->n_param)
        s->rc =
            psw_fail(s->err, PSW_EDATA,
                     "%s: belongs to another run or model (key %016llx with %lld parameters, "
                     "expected %016llx with %lld)",
                     s->path, (unsigned long long)h->key, (long long)h->n_param,
                     (unsigned long long)want->key, (long long)want->n_param);
    else if (want->moment1 && !(h->flags & HAS_MOMENTS))
        s->rc = psw_fail(s->err, PSW_EDATA, "%s: holds no optimiser moments", s->path);
    else if (want->extra &&
             (h->n_extra_bytes < 0 || (size_t)h->n_extra_bytes > want->n_extra_bytes))
        s->rc = psw_fail(s->err, PSW_EDATA, "%s: %lld extra bytes, expected at most %zu",
                         s->path, (long long)h->n_extra_bytes, want->n_extra_bytes);
}

static void read_extra(struct stream *s, const struct header *h, void *extra)
{
    if (s->rc != PSW_OK || h->n_extra_bytes <= 0) return;
    const size_t n_bytes = (size_t)h->n_extra_bytes;
    for (size_t at = 0; at < n_bytes; at += CHUNK_BYTES)
        read_chunk(s, extra ? (char *)extra + at : s->chunk, chunk_at(at, n_bytes));
}

static void read_all(struct stream *s, const struct psw_team *team, struct psw_state *state)
{
    struct header h = {0};
    read_chunk(s, &h, sizeof h);
    check_header(s, &h, state);
    read_buffer(s, state->n_param, (struct psw_slice){0, state->n_param}, state->param);
    if (h.flags & HAS_MOMENTS) {
        const struct psw_slice mine = psw_slice_of(team->rank, team->size, state->n_param);
        read_buffer(s, state->n_param, mine, state->moment1);
        read_buffer(s, state->n_param, mine, state->moment2);
    }
    read_extra(s, &h, state->extra);
    const uint64_t sum = s->hash;
    uint64_t stored = 0;
    read_chunk(s, &stored, sizeof stored);
    if (s->rc == PSW_OK && stored != sum)
        s->rc = psw_fail(s->err, PSW_EDATA,
                         "%s: checksum %016llx, stored %016llx: the file is damaged", s->path,
                         (unsigned long long)sum, (unsigned long long)stored);
    if (s->rc != PSW_OK) return;
    state->step = h.step;
    if (state->extra) state->n_extra_bytes = (size_t)h.n_extra_bytes;
}

psw_status psw_state_read(const struct psw_team *team, struct psw_exec *exec, const char *path,
                          struct psw_state *state, struct psw_error *err)
{
    struct stream s = stream_open(exec, path, err);
    errno = 0;
    if (s.rc == PSW_OK && !(s.file = fopen(path, "rb")))
        stream_fail(&s, "cannot open the state");
    if (s.rc == PSW_OK) read_all(&s, team, state);
    if (s.file) fclose(s.file);
    free(s.chunk);
    return psw_agree(team->comm, s.rc, err);
}
