/* Arenas: memory whose peak is known before the first step, so that nothing is allocated in
 * one.
 *
 * An arena has two halves: buffers of floats, in whatever memory computes with them (a
 * backend's, see kernels/backend.h), and everything else, in host memory. Blocks are dealt from
 * one piece of memory per half, 64-byte aligned, and given back by rewinding to a mark. A
 * *measuring* arena has no memory: it only counts, so a plan and the real work share one code
 * path. Debug builds fill what is host memory with NaN on alloc and on rewind. */
#ifndef POSWEEP_UTIL_ARENA_H
#define POSWEEP_UTIL_ARENA_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

struct psw_arena; /* opaque, owns its memory */

/** Bytes of the two halves. */
struct psw_arena_bytes {
    size_t buffer, host;
};

/** Where to rewind to. */
struct psw_arena_mark {
    struct psw_arena_bytes used;
};

/** Memory for buffers. alloc: 64-byte aligned, not cleared, NULL when there is no room; free
 *  accepts NULL. */
struct psw_arena_memory {
    void *(*alloc)(size_t n_bytes);
    void (*free)(void *memory);
    int is_host; /* anybody may read and write there */
};

/** Pages of the host, huge ones where the system grants them; taken when they are touched. */
extern const struct psw_arena_memory psw_host_memory;

/** An arena whose buffers are in `memory`, borrowed; the name is shown in errors.
 *  Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_arena_create_over(const char *name, const struct psw_arena_memory *memory,
                                 struct psw_arena_bytes n_bytes, struct psw_arena **out,
                                 struct psw_error *err);

/** Buffers only, dealt from n_bytes of a caller's memory, borrowed, which is 64-byte aligned
 * and left as it is on alloc and on rewind. */
psw_status psw_arena_create_in(const char *name, void *memory, size_t n_bytes,
                               struct psw_arena **out, struct psw_error *err);

/** All in host memory, with room for n_bytes in each half. */
psw_status psw_arena_create(const char *name, size_t n_bytes, struct psw_arena **out,
                            struct psw_error *err);

/** An arena without memory: allocations return NULL and only move the peak. */
psw_status psw_arena_create_measuring(const char *name, struct psw_arena **out,
                                      struct psw_error *err);

/** Unmap. Accepts NULL. */
void psw_arena_destroy(struct psw_arena *arena);

/** A buffer of floats, 64-byte aligned, not cleared. Running over the size is our own bug (the
 * peak is computed beforehand) and aborts with the arena's name. NULL from a measuring arena.
 */
float *psw_arena_f32(struct psw_arena *arena, int64_t n_elem);

/** The same in host memory. */
void *psw_arena_alloc(struct psw_arena *arena, size_t n_bytes);
double *psw_arena_f64(struct psw_arena *arena, int64_t n_elem);
int32_t *psw_arena_i32(struct psw_arena *arena, int64_t n_elem);
int64_t *psw_arena_i64(struct psw_arena *arena, int64_t n_elem);

struct psw_arena_mark psw_arena_mark(const struct psw_arena *arena);
void psw_arena_rewind(struct psw_arena *arena, struct psw_arena_mark mark);

int psw_arena_is_measuring(const struct psw_arena *arena);

/** Of both halves; each has a peak of its own. */
size_t psw_arena_used_bytes(const struct psw_arena *arena);
size_t psw_arena_peak_bytes(const struct psw_arena *arena);

/** Number of arenas that are still open in this process: main() expects 0 at exit. */
int psw_arena_n_open(void);

/** A layout walks through the largest work that an arena is to hold. It runs on a measuring
 * arena first; the real arena then has just the size it needed. */
typedef void (*psw_layout_fn)(void *ctx, struct psw_arena *arena);

/** Peaks of a layout. Errors: PSW_ENOMEM. */
psw_status psw_arena_plan(psw_layout_fn layout, void *ctx, struct psw_arena_bytes *peak,
                          struct psw_error *err);

#endif
