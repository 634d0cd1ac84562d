/* Arenas: memory whose peak is known before the first step, so that nothing is allocated in
 * one.
 *
 * Blocks are dealt from one mapping, 64-byte aligned, and given back by rewinding to a mark. A
 * *measuring* arena has no memory: it only counts, so a plan and the real work share one code
 * path. Debug builds fill with NaN on alloc and on rewind. */
#ifndef POSWEEP_UTIL_ARENA_H
#define POSWEEP_UTIL_ARENA_H

#include <posweep/util/status.h>
#include <stddef.h>
#include <stdint.h>

struct psw_arena; /* opaque, owns one mapping */

/** Where to rewind to. */
struct psw_arena_mark {
    size_t used_bytes;
};

/** Map an arena of that many bytes (huge pages where the system grants them); the name is
 * logged and shown in errors. Owns: the caller destroys. Errors: PSW_ENOMEM. */
psw_status psw_arena_create(const char *name, size_t n_bytes, struct psw_arena **out,
                            struct psw_error *err);

/** An arena without memory: allocations return NULL and only move the peak. */
psw_status psw_arena_create_measuring(const char *name, struct psw_arena **out,
                                      struct psw_error *err);

/** Unmap. Accepts NULL. */
void psw_arena_destroy(struct psw_arena *arena);

/** Take n_bytes, 64-byte aligned, not cleared. Running over the size is our own bug (the peak
 * is computed beforehand) and aborts with the arena's name. NULL from a measuring arena. */
void *psw_arena_alloc(struct psw_arena *arena, size_t n_bytes);
float *psw_arena_f32(struct psw_arena *arena, int64_t n_elem);
double *psw_arena_f64(struct psw_arena *arena, int64_t n_elem);
int32_t *psw_arena_i32(struct psw_arena *arena, int64_t n_elem);
int64_t *psw_arena_i64(struct psw_arena *arena, int64_t n_elem);

struct psw_arena_mark psw_arena_mark(const struct psw_arena *arena);
void psw_arena_rewind(struct psw_arena *arena, struct psw_arena_mark mark);

int psw_arena_is_measuring(const struct psw_arena *arena);
size_t psw_arena_used_bytes(const struct psw_arena *arena);
size_t psw_arena_peak_bytes(const struct psw_arena *arena);

/** Number of arenas that are still open in this process: main() expects 0 at exit. */
int psw_arena_n_open(void);

/** A layout walks through the largest work that an arena is to hold. It runs on a measuring
 * arena first; the real arena then has just the size it needed. */
typedef void (*psw_layout_fn)(void *ctx, struct psw_arena *arena);

/** Peak of a layout in bytes. Errors: PSW_ENOMEM. */
psw_status psw_arena_plan(psw_layout_fn layout, void *ctx, size_t *peak_bytes,
                          struct psw_error *err);

#endif
