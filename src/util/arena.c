/* Arenas: two halves alike. The count of open arenas is the one piece of process-wide state: it
 * exists so that main() can refuse to exit with a leak. */
#include <posweep/util/arena.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN_BYTES = 64, HUGE_BYTES = 2 << 20 };

/* ---- pages of the host ---- */

/* Stands right before the first byte that is handed out. */
struct mapping {
    void *map;
    size_t n_bytes;
};

static void *pages_alloc(size_t n_bytes)
{
    const size_t map_bytes = n_bytes + HUGE_BYTES + sizeof(struct mapping);
    if (map_bytes < n_bytes) return NULL;
    char *map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return NULL;
    const uintptr_t first = (uintptr_t)map + sizeof(struct mapping) + HUGE_BYTES - 1;
    char *base = map + (first / HUGE_BYTES * HUGE_BYTES - (uintptr_t)map);
    if (n_bytes >= HUGE_BYTES) madvise(base, n_bytes, MADV_HUGEPAGE);
    ((struct mapping *)(void *)base)[-1] = (struct mapping){map, map_bytes};
    return base;
}

static void pages_free(void *base)
{
    if (!base) return;
    const struct mapping m = ((struct mapping *)base)[-1];
    munmap(m.map, m.n_bytes);
}

const struct psw_arena_memory psw_host_memory = {pages_alloc, pages_free, 1};

/* ---- arenas ---- */

struct half {
    char *base; /* owned; NULL when measuring */
    int is_host;
    size_t n_bytes, used_bytes, peak_bytes;
};

struct psw_arena {
    char name[48];
    int is_measuring;
    const struct psw_arena_memory *memory; /* of the buffers; borrowed */
    struct half buffer, host;
};

static atomic_int n_open;

static void poison(const struct half *h, size_t from, size_t to)
{
#ifdef PSW_DEBUG
    const float nan_value = NAN;
    for (size_t i = from; h->is_host && i + sizeof nan_value <= to; i += sizeof nan_value)
        memcpy(h->base + i, &nan_value, sizeof nan_value);
#else
    (void)h, (void)from, (void)to;
#endif
}

psw_status psw_arena_create_measuring(const char *name, struct psw_arena **out,
                                      struct psw_error *err)
{
    struct psw_arena *a = calloc(1, sizeof *a);
    if (!a) return psw_fail(err, PSW_ENOMEM, "arena %s: %zu bytes", name, sizeof *a);
    snprintf(a->name, sizeof a->name, "%s", name);
    a->is_measuring = 1;
    atomic_fetch_add(&n_open, 1);
    *out = a;
    return PSW_OK;
}

static int half_init(struct half *h, const struct psw_arena_memory *memory, size_t n_bytes)
{
    *h = (struct half){
        .base = memory->alloc(n_bytes), .is_host = memory->is_host, .n_bytes = n_bytes};
    return h->base != NULL;
}

psw_status psw_arena_create_over(const char *name, const struct psw_arena_memory *memory,
                                 struct psw_arena_bytes n_bytes, struct psw_arena **out,
                                 struct psw_error *err)
{
    struct psw_arena *a = NULL;
    psw_status rc = psw_arena_create_measuring(name, &a, err);
    if (rc != PSW_OK) return rc;
    a->is_measuring = 0;
    a->memory = memory;
    if (half_init(&a->buffer, memory, n_bytes.buffer) &&
        half_init(&a->host, &psw_host_memory, n_bytes.host)) {
        *out = a;
        return PSW_OK;
    }
    psw_arena_destroy(a);
    return psw_fail(err, PSW_ENOMEM,
                    "arena %s: %.1f MiB could not be mapped; reduce the model or the batch, or "
                    "use more ranks per run",
                    name, (double)(n_bytes.buffer + n_bytes.host) / (1 << 20));
}

psw_status psw_arena_create_in(const char *name, void *memory, size_t n_bytes,
                               struct psw_arena **out, struct psw_error *err)
{
    struct psw_arena *a = NULL;
    const psw_status rc = psw_arena_create_measuring(name, &a, err);
    if (rc != PSW_OK) return rc;
    a->is_measuring = 0;
    a->buffer = (struct half){.base = memory, .n_bytes = n_bytes};
    *out = a;
    return PSW_OK;
}

psw_status psw_arena_create(const char *name, size_t n_bytes, struct psw_arena **out,
                            struct psw_error *err)
{
    const struct psw_arena_bytes both = {n_bytes, n_bytes};
    return psw_arena_create_over(name, &psw_host_memory, both, out, err);
}

void psw_arena_destroy(struct psw_arena *arena)
{
    if (!arena) return;
    if (arena->memory) arena->memory->free(arena->buffer.base);
    psw_host_memory.free(arena->host.base);
    free(arena);
    atomic_fetch_sub(&n_open, 1);
}

static void *take(const struct psw_arena *arena, struct half *h, size_t n_bytes)
{
    const size_t start = h->used_bytes;
    const size_t end = start + ((n_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1));
    if (!arena->is_measuring && end > h->n_bytes) {
        fprintf(stderr, "posweep: bug: arena %s of %zu bytes asked for %zu at %zu\n",
                arena->name, h->n_bytes, n_bytes, start);
        abort();
    }
    h->used_bytes = end;
    if (end > h->peak_bytes) h->peak_bytes = end;
    if (arena->is_measuring) return NULL;
    poison(h, start, end);
    return h->base + start;
}

void *psw_arena_alloc(struct psw_arena *arena, size_t n_bytes)
{
    return take(arena, &arena->host, n_bytes);
}

float *psw_arena_f32(struct psw_arena *arena, int64_t n_elem)
{
    return take(arena, &arena->buffer, (size_t)n_elem * sizeof(float));
}

double *psw_arena_f64(struct psw_arena *arena, int64_t n_elem)
{
    return psw_arena_alloc(arena, (size_t)n_elem * sizeof(double));
}

int32_t *psw_arena_i32(struct psw_arena *arena, int64_t n_elem)
{
    return psw_arena_alloc(arena, (size_t)n_elem * sizeof(int32_t));
}

int64_t *psw_arena_i64(struct psw_arena *arena, int64_t n_elem)
{
    return psw_arena_alloc(arena, (size_t)n_elem * sizeof(int64_t));
}

struct psw_arena_mark psw_arena_mark(const struct psw_arena *arena)
{
    return (struct psw_arena_mark){{arena->buffer.used_bytes, arena->host.used_bytes}};
}

static void rewind_half(struct half *h, size_t used_bytes)
{
    PSW_ASSERT(used_bytes <= h->used_bytes);
    if (h->base) poison(h, used_bytes, h->used_bytes);
    h->used_bytes = used_bytes;
}

void psw_arena_rewind(struct psw_arena *arena, struct psw_arena_mark mark)
{
    rewind_half(&arena->buffer, mark.used.buffer);
    rewind_half(&arena->host, mark.used.host);
}

int psw_arena_is_measuring(const struct psw_arena *arena)
{
    return arena->is_measuring;
}

size_t psw_arena_used_bytes(const struct psw_arena *arena)
{
    return arena->buffer.used_bytes + arena->host.used_bytes;
}

size_t psw_arena_peak_bytes(const struct psw_arena *arena)
{
    return arena->buffer.peak_bytes + arena->host.peak_bytes;
}

int psw_arena_n_open(void)
{
    return atomic_load(&n_open);
}

psw_status psw_arena_plan(psw_layout_fn layout, void *ctx, struct psw_arena_bytes *peak,
                          struct psw_error *err)
{
    struct psw_arena *arena = NULL;
    psw_status rc = psw_arena_create_measuring("plan", &arena, err);
    if (rc != PSW_OK) return rc;
    layout(ctx, arena);
    *peak = (struct psw_arena_bytes){arena->buffer.peak_bytes, arena->host.peak_bytes};
    psw_arena_destroy(arena);
    return PSW_OK;
}
