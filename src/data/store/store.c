#include "store/store.h"

#include "store/spool.h"
#include <posweep/util/file.h>
#include <posweep/util/hash.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { ALIGNMENT = 64, CHECK_BYTES = 1 << 20 };
/* A reader who touches a byte maps 64 KiB around it, and some 256 KiB where the page cache has
 * large pages: much for the row and the tokens of one example far from the last one, and
 * nothing for the next ones. */
enum { NEAR_BYTES = 1 << 16, FAR_BYTES = 1 << 19, MOST_MAPPED_BYTES = 32 << 20 };

struct psw_example_store {
    int is_file;
    char *path;           /* owned */
    char *folder;         /* owned; NULL: memory */
    size_t n_head;        /* bytes */
    struct psw_spool all; /* the head, tokens, and at last the rows */
    struct psw_spool row[PSW_N_STORE_LIST];
    struct psw_stored_example last;
    struct psw_hash_stream *token_hash; /* owned; NULL in memory */
    struct psw_store_size size;
    const char *map; /* owned; NULL until it is complete */
    size_t n_map;
    int64_t block;   /* that an example was asked for in last */
    size_t n_mapped; /* bytes, at most, since pages were let go of */
};

static psw_status no_memory(struct psw_error *err)
{
    return psw_fail(err, PSW_ENOMEM, "data: no memory for a table of examples");
}

/** Without a file. */
static psw_status make(const struct psw_store_place *place, struct psw_example_store **out,
                       struct psw_error *err)
{
    struct psw_example_store *s = calloc(1, sizeof *s);
    if (!s) return no_memory(err);
    *s = (struct psw_example_store){.is_file = place->fd >= 0, .n_head = place->n_head};
    s->path = strdup(place->path ? place->path : "memory");
    s->all = (struct psw_spool){.fd = -1, .path = s->path};
    for (int l = 0; l < PSW_N_STORE_LIST; l++)
        s->row[l] = (struct psw_spool){.fd = -1, .path = s->path};
    if (place->folder) s->folder = strdup(place->folder);
    if (s->is_file) s->token_hash = psw_hash_stream_create();
    *out = s;
    if (!s->path || (place->folder && !s->folder) || (s->is_file && !s->token_hash))
        return no_memory(err);
    return PSW_OK;
}

psw_status psw_example_store_create(const struct psw_store_place *place,
                                    struct psw_example_store **out, struct psw_error *err)
{
    static const char NOTHING[ALIGNMENT];
    struct psw_example_store *s = NULL;
    psw_status rc = make(place, &s, err);
    if (s) s->all.fd = place->fd;
    if (rc == PSW_OK && place->fd < 0) rc = psw_spool_unnamed(NULL, &s->all.fd, err);
    PSW_ASSERT(place->n_head % ALIGNMENT == 0);
    for (size_t n = 0; n < place->n_head && rc == PSW_OK; n += sizeof NOTHING)
        rc = psw_spool_add(&s->all, NOTHING, sizeof NOTHING, err);
    if (rc == PSW_OK) {
        s->all.hash = s->token_hash;
        *out = s;
    } else {
        psw_example_store_destroy(s);
    }
    return rc;
}

void psw_example_store_destroy(struct psw_example_store *store)
{
    if (!store) return;
    if (store->map) munmap((void *)(uintptr_t)store->map, store->n_map);
    psw_spool_clear(&store->all);
    for (int l = 0; l < PSW_N_STORE_LIST; l++) psw_spool_clear(&store->row[l]);
    psw_hash_stream_destroy(store->token_hash);
    free(store->path);
    free(store->folder);
    free(store);
}

static psw_status add_tokens(struct psw_example_store *s, const int32_t *id, int32_t n,
                             struct psw_error *err)
{
    s->size.n_token += n;
    return psw_spool_add(&s->all, id, (size_t)n * sizeof *id, err);
}

static psw_status add_row(struct psw_example_store *s, int list,
                          const struct psw_stored_example *row, struct psw_error *err)
{
    struct psw_spool *to = &s->row[list];
    psw_status rc = to->fd < 0 ? psw_spool_unnamed(s->folder, &to->fd, err) : PSW_OK;
    if (rc == PSW_OK) rc = psw_spool_add(to, row, sizeof *row, err);
    if (rc == PSW_OK) s->size.n_row[list]++;
    return rc;
}

psw_status psw_example_store_push(struct psw_example_store *store, int list,
                                  const struct psw_example *example, int32_t eos,
                                  struct psw_error *err)
{
    const struct psw_example *e = example;
    struct psw_stored_example row = {.token = store->size.n_token,
                                     .prompt_key = e->prompt_key,
                                     .n_prompt = e->n_prompt,
                                     .n_seq = (int16_t)e->n_seq};
    PSW_ASSERT(!store->map && e->n_seq <= PSW_STORE_SEQS);
    psw_status rc = add_tokens(store, e->prompt, e->n_prompt, err);
    for (int s = 0; s < e->n_seq && rc == PSW_OK; s++) {
        const int is_cut = e->response[s][e->n_response[s] - 1] != eos;
        row.n_response[s] = e->n_response[s];
        row.cut = (int16_t)(row.cut | is_cut << s);
        rc = add_tokens(store, e->response[s], e->n_response[s], err);
    }
    if (rc == PSW_OK) rc = add_row(store, list, &row, err);
    if (rc == PSW_OK) store->last = row;
    return rc;
}

psw_status psw_example_store_push_prompt(struct psw_example_store *store, int list,
                                         struct psw_error *err)
{
    const struct psw_stored_example prompt = {.token = store->last.token,
                                              .prompt_key = store->last.prompt_key,
                                              .n_prompt = store->last.n_prompt};
    return add_row(store, list, &prompt, err);
}

psw_status psw_example_store_put(struct psw_example_store *store, const void *data,
                                 size_t n_bytes, int64_t *at, struct psw_error *err)
{
    PSW_ASSERT(!store->map && n_bytes % sizeof(int32_t) == 0);
    *at = store->size.n_token;
    store->size.n_token += (int64_t)(n_bytes / sizeof(int32_t));
    return psw_spool_add(&store->all, data, n_bytes, err);
}

/* ---- complete stores ---- */

static int64_t first_row(const struct psw_example_store *s)
{
    const int64_t end = (int64_t)s->n_head + s->size.n_token * (int64_t)sizeof(int32_t);
    return (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int64_t all_bytes(const struct psw_example_store *s)
{
    int64_t n_row = 0;
    for (int l = 0; l < PSW_N_STORE_LIST; l++) n_row += s->size.n_row[l];
    return first_row(s) + n_row * (int64_t)sizeof(struct psw_stored_example);
}

static psw_status map(struct psw_example_store *s, struct psw_error *err)
{
    const size_t n_bytes = (size_t)all_bytes(s);
    if (n_bytes == 0) return PSW_OK;
    void *at = mmap(NULL, n_bytes, PROT_READ, MAP_SHARED, s->all.fd, 0);
    if (at == MAP_FAILED)
        return psw_fail(err, psw_status_from_errno(errno), "%s: cannot map %zu bytes: %s",
                        s->path, n_bytes, strerror(errno));
    if (s->is_file) madvise(at, n_bytes, MADV_RANDOM);
    s->map = at;
    s->n_map = n_bytes;
    return PSW_OK;
}

psw_status psw_example_store_finish(struct psw_example_store *store, struct psw_error *err)
{
    static const char NOTHING[ALIGNMENT];
    psw_status rc = PSW_OK;
    struct psw_hash_stream *hash = NULL;
    struct psw_spool *all = &store->all;
    PSW_ASSERT(!store->map);
    PSW_TRY(psw_spool_flush(all, err));
    PSW_TRY(psw_spool_add(all, NOTHING, (size_t)(first_row(store) - all->n_bytes), err));
    if (store->is_file && !(hash = psw_hash_stream_create())) PSW_TRY(no_memory(err));
    all->hash = hash;
    for (int l = 0; l < PSW_N_STORE_LIST; l++) {
        PSW_TRY(psw_spool_append(all, &store->row[l], err));
        psw_spool_clear(&store->row[l]);
    }
    PSW_TRY(psw_spool_flush(all, err));
    if (hash) store->size.token_hash = psw_hash_stream_value(store->token_hash);
    if (hash) store->size.row_hash = psw_hash_stream_value(hash);
    PSW_TRY(map(store, err));
    free(all->buffer);
    all->buffer = NULL;
fail:
    all->hash = NULL;
    psw_hash_stream_destroy(hash);
    return rc;
}

psw_status psw_example_store_keep(struct psw_example_store *store, const void *head,
                                  size_t n_bytes, const char *path, struct psw_error *err)
{
    char temporary[PSW_TEMPORARY_BYTES];
    PSW_ASSERT(store->map && n_bytes <= store->n_head);
    psw_status rc = psw_spool_write(store->all.fd, path, 0, head, n_bytes, err);
    if (rc == PSW_OK) rc = psw_file_temporary(path, temporary, err);
    if (rc == PSW_OK) rc = psw_spool_name(store->all.fd, temporary, err);
    return rc == PSW_OK ? psw_file_commit(temporary, path, err) : rc;
}

/** Read a stretch of the file, and hold it against its hash. */
static psw_status check(const struct psw_example_store *s, int64_t begin, int64_t end,
                        uint64_t hash, struct psw_error *err)
{
    struct psw_hash_stream *stream = psw_hash_stream_create();
    char *block = malloc(CHECK_BYTES);
    psw_status rc = stream && block ? PSW_OK : no_memory(err);
    for (int64_t at = begin; at < end && rc == PSW_OK; at += CHECK_BYTES) {
        const size_t n = end - at < CHECK_BYTES ? (size_t)(end - at) : CHECK_BYTES;
        rc = psw_spool_read(s->all.fd, s->path, at, block, n, err);
        if (rc == PSW_OK) psw_hash_stream_add(stream, block, n);
    }
    if (rc == PSW_OK && psw_hash_stream_value(stream) != hash)
        rc = psw_fail(err, PSW_EDATA, "%s: its content has another hash than it says", s->path);
    free(block);
    psw_hash_stream_destroy(stream);
    return rc;
}

static int fits(const struct psw_stored_example *row, int64_t n_token)
{
    int64_t n = row->n_prompt;
    int ok = row->n_prompt >= 1 && row->n_seq >= 0 && row->n_seq <= PSW_STORE_SEQS;
    for (int s = 0; ok && s < row->n_seq; s++) {
        ok = row->n_response[s] >= 1;
        n += row->n_response[s];
    }
    return ok && row->token >= 0 && n <= n_token && row->token <= n_token - n;
}

static psw_status check_all(struct psw_example_store *s, struct psw_error *err)
{
    const int64_t first = first_row(s);
    psw_status rc = check(s, (int64_t)s->n_head, first, s->size.token_hash, err);
    if (rc == PSW_OK) rc = check(s, first, all_bytes(s), s->size.row_hash, err);
    for (int l = 0; l < PSW_N_STORE_LIST && rc == PSW_OK; l++)
        for (int64_t i = 0; i < s->size.n_row[l]; i++) {
            const struct psw_stored_example *row = &psw_example_store_rows(s, l)[i];
            if (!fits(row, s->size.n_token))
                return psw_fail(err, PSW_EDATA, "%s: example %lld points outside of it",
                                s->path, (long long)i);
            psw_example_store_asked(s, row);
        }
    return rc;
}

psw_status psw_example_store_open(const struct psw_store_place *place,
                                  const struct psw_store_size *size,
                                  struct psw_example_store **out, struct psw_error *err)
{
    struct stat info;
    struct psw_example_store *s = NULL;
    psw_status rc = make(place, &s, err);
    if (s) s->all.fd = place->fd;
    if (rc != PSW_OK) goto fail;
    s->size = *size;
    if (fstat(place->fd, &info) != 0 || info.st_size != all_bytes(s))
        PSW_TRY(psw_fail(err, PSW_EDATA, "%s: it has %lld bytes and should have %lld", s->path,
                         (long long)info.st_size, (long long)all_bytes(s)));
    PSW_TRY(map(s, err));
    PSW_TRY(check_all(s, err));
    *out = s;
    return PSW_OK;
fail:
    psw_example_store_destroy(s);
    return rc;
}

const struct psw_store_size *psw_example_store_size(const struct psw_example_store *store)
{
    return &store->size;
}

const void *psw_example_store_head(const struct psw_example_store *store)
{
    return store->map;
}

const struct psw_stored_example *psw_example_store_rows(const struct psw_example_store *store,
                                                        int list)
{
    if (!store->map) return NULL;
    const char *at = store->map + first_row(store);
    for (int l = 0; l < list; l++)
        at += store->size.n_row[l] * (int64_t)sizeof(struct psw_stored_example);
    return (const struct psw_stored_example *)(const void *)at;
}

const int32_t *psw_example_store_tokens(const struct psw_example_store *store)
{
    return store->map ? (const int32_t *)(const void *)(store->map + store->n_head) : NULL;
}

psw_status psw_store_window_move(struct psw_store_window *window,
                                 const struct psw_example_store *store, int64_t first,
                                 int64_t n, const int32_t **out, struct psw_error *err)
{
    struct psw_store_window *w = window;
    const int64_t n_id = sizeof(int32_t), n_left = store->size.n_token - first;
    if (!store->is_file) {
        *out = psw_example_store_tokens(store) + first;
        return PSW_OK;
    }
    if (first < w->first || first + n > w->first + w->n) {
        const int64_t n_block = n > CHECK_BYTES / n_id ? n : CHECK_BYTES / n_id;
        int32_t *token =
            n_block > w->n_max ? realloc(w->token, (size_t)(n_block * n_id)) : w->token;
        if (!token) return no_memory(err);
        w->token = token;
        w->n_max = n_block > w->n_max ? n_block : w->n_max;
        w->first = first;
        w->n = 0;
        const int64_t n_read = n_block < n_left ? n_block : n_left;
        const psw_status rc =
            psw_spool_read(store->all.fd, store->path, (int64_t)store->n_head + first * n_id,
                           token, (size_t)(n_read * n_id), err);
        if (rc != PSW_OK) return rc;
        w->n = n_read;
    }
    *out = w->token + (first - w->first);
    return PSW_OK;
}

void psw_store_window_clear(struct psw_store_window *window)
{
    free(window->token);
    *window = (struct psw_store_window){0};
}

int psw_example_store_is_file(const struct psw_example_store *store)
{
    return store->is_file;
}

static void forget(const struct psw_example_store *s)
{
    if (s->map) madvise((void *)(uintptr_t)s->map, s->n_map, MADV_DONTNEED);
}

void psw_example_store_asked(struct psw_example_store *store,
                             const struct psw_stored_example *row)
{
    enum { BLOCK_TOKENS = NEAR_BYTES / sizeof(int32_t) };
    int64_t n_token = row->n_prompt;
    for (int s = 0; s < row->n_seq; s++) n_token += row->n_response[s];
    const int64_t first = row->token / BLOCK_TOKENS;
    const int64_t last = (row->token + n_token) / BLOCK_TOKENS;
    const int is_near = first == store->block || first == store->block + 1;
    store->n_mapped += (size_t)(last - first + (first != store->block)) * NEAR_BYTES;
    if (!is_near) store->n_mapped += FAR_BYTES;
    store->block = last;
    if (store->n_mapped < MOST_MAPPED_BYTES) return;
    forget(store);
    store->n_mapped = 0;
}

size_t psw_example_store_bytes(const struct psw_example_store *store)
{
    return sizeof *store + (store->is_file ? 0 : store->n_map);
}
