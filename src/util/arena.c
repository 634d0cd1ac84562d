/* Arenas over one anonymous mapping each. The count of open arenas is the one piece of
 * process-wide state: it exists so that main() can refuse to exit with a leak. */
#include <posweep/util/arena.h>

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN_BYTES = 64, HUGE_BYTES = 2 << 20 };

struct psw_arena {
    char name[48];
    char *map;        /* owned; NULL when measuring */
    char *base;       /* first usable byte, huge-page aligned */
    size_t map_bytes; /* size of the mapping */
    size_t n_bytes;
    size_t used_bytes;
    size_t peak_bytes;
};

static atomic_int n_open;

static void poison(char *from, size_t n_bytes)
{
#ifdef PSW_DEBUG
    const float nan_value = NAN;
    for (size_t i = 0; i + sizeof nan_value <= n_bytes; i += sizeof nan_value)
        memcpy(from + i, &nan_value, sizeof nan_value);
#else
    (void)from;
    (void)n_bytes;
#endif
}

psw_status psw_arena_create_measuring(const char *name, struct psw_arena **out,
                                      struct psw_error *err)
{
    struct psw_arena *a = calloc(1, sizeof *a);
    if (!a) return psw_fail(err, PSW_ENOMEM, "arena %s: %zu bytes", name, sizeof *a);
    snprintf(a->name, sizeof a->name, "%s", name);
    atomic_fetch_add(&n_open, 1);
    *out = a;
    return PSW_OK;
}

psw_status psw_arena_create(const char *name, size_t n_bytes, struct psw_arena **out,
                            struct psw_error *err)
{
    struct psw_arena *a = NULL;
    psw_status rc = psw_arena_create_measuring(name, &a, err);
    if (rc != PSW_OK) return rc;
    a->n_bytes = n_bytes;
    a->map_bytes = n_bytes + HUGE_BYTES;
    a->map = mmap(NULL, a->map_bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (a->map == MAP_FAILED) {
        a->map = NULL;
        psw_arena_destroy(a);
        return psw_fail(
            err, PSW_ENOMEM,
            "arena %s: %.1f MiB could not be mapped; reduce the model or the batch, or "
            "use more ranks per run",
            name, (double)n_bytes / (1 << 20));
    }
    a->base = (char *)(((uintptr_t)a->map + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
    if (n_bytes >= HUGE_BYTES) madvise(a->base, n_bytes, MADV_HUGEPAGE);
    *out = a;
    return PSW_OK;
}

void psw_arena_destroy(struct psw_arena *arena)
{
    if (!arena) return;
    if (arena->map) munmap(arena->map, arena->map_bytes);
    free(arena);
    atomic_fetch_sub(&n_open, 1);
}

void *psw_arena_alloc(struct psw_arena *arena, size_t n_bytes)
{
    const size_t start = arena->used_bytes;
    const size_t end = start + ((n_bytes + ALIGN_BYTES - 1) & ~(size_t)(ALIGN_BYTES - 1));
    if (arena->map && end > arena->n_bytes) {
        fprintf(stderr, "posweep: bug: arena %s of %zu bytes asked for %zu at %zu\n",
                arena->name, arena->n_bytes, n_bytes, start);
        abort();
    }
    arena->used_bytes = end;
    if (end > arena->peak_bytes) arena->peak_bytes = end;
    if (!arena->map) return NULL;
    poison(arena->base + start, end - start);
    return arena->base + start;
}

float *psw_arena_f32(struct psw_arena *arena, int64_t n_elem)
{
    return psw_arena_alloc(arena, (size_t)n_elem * sizeof(float));
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
    return (struct psw_arena_mark){.used_bytes = arena->used_bytes};
}

void psw_arena_rewind(struct psw_arena *arena, struct psw_arena_mark mark)
{
    PSW_ASSERT(mark.used_bytes <= arena->used_bytes);
    if (arena->map) poison(arena->base + mark.used_bytes, arena->used_bytes - mark.used_bytes);
    arena->used_bytes = mark.used_bytes;
}

int psw_arena_is_measuring(const struct psw_arena *arena)
{
    return arena->map == NULL;
}

size_t psw_arena_used_bytes(const struct psw_arena *arena)
{
    return arena->used_bytes;
}

size_t psw_arena_peak_bytes(const struct psw_arena *arena)
{
    return arena->peak_bytes;
}

int psw_arena_n_open(void)
{
    return atomic_load(&n_open);
}

psw_status psw_arena_plan(psw_layout_fn layout, void *ctx, size_t *peak_bytes,
                          struct psw_error *err)
{
    struct psw_arena *arena = NULL;
    psw_status rc = psw_arena_create_measuring("plan", &arena, err);
    if (rc != PSW_OK) return rc;
    layout(ctx, arena);
    *peak_bytes = psw_arena_peak_bytes(arena);
    psw_arena_destroy(arena);
    return PSW_OK;
}
