/* What the largest step of a training takes: step by step in an arena that only counts, or
 * remembered from a run that has the same steps. */
#include "stage_internal.h"

#include <string.h>

/* All that the memory of the steps depends on, beside the data set and the model. */
static void key_of(const struct psw_stage_work *w, const struct psw_training_walk *walk,
                   struct psw_stage_walk *out)
{
    const int64_t of[PSW_WALK_KEY] = {w->kind,
                                      w->stage->config->seed,
                                      walk->n_item,
                                      walk->train->steps,
                                      walk->train->batch,
                                      walk->train->shards,
                                      w->team.shard_begin,
                                      w->team.shard_end,
                                      walk->share_prefix,
                                      w->stage->config->limits.backend};
    memcpy(out->of, of, sizeof of);
}

static int is_known(const struct psw_stage_walks *walks, struct psw_stage_walk *walk)
{
    for (int i = 0; walks && i < PSW_MAX_WALKS && i < walks->n; i++)
        if (memcmp(walks->walk[i].of, walk->of, sizeof walk->of) == 0) {
            walk->peak = walks->walk[i].peak;
            return 1;
        }
    return 0;
}

static void walk_steps(void *ctx, struct psw_arena *arena)
{
    const struct psw_training_walk *walk = ctx;
    struct psw_arena *kept = walk->trainer->exec.scratch;
    const int64_t n_step = psw_stage_walks_steps(walk->train) ? walk->train->steps : 0;
    walk->trainer->exec.scratch = arena;
    for (int64_t step = 0; step < n_step; step++) {
        walk->choose(walk->ctx, step);
        walk->step(walk->ctx, step, arena);
    }
    if (n_step < walk->train->steps) {
        psw_stage_put_longest(walk->list, walk->n_item, walk->train, walk->picked);
        walk->step(walk->ctx, -1, arena);
    }
    walk->trainer->exec.scratch = kept;
}

psw_status psw_stage_walk_training(const struct psw_stage_work *w,
                                   struct psw_training_walk *walk, struct psw_arena *arena,
                                   struct psw_error *err)
{
    struct psw_stage_walks *walks = w->stage->walks;
    struct psw_stage_walk found;
    key_of(w, walk, &found);
    if (!is_known(walks, &found)) {
        const psw_status rc = psw_arena_plan(walk_steps, walk, &found.peak, err);
        if (rc != PSW_OK) return rc;
        if (walks) walks->walk[walks->n++ % PSW_MAX_WALKS] = found;
    }
    const struct psw_arena_mark mark = psw_arena_mark(arena);
    psw_arena_f32(arena, (int64_t)(found.peak.buffer / sizeof(float)));
    psw_arena_alloc(arena, found.peak.host);
    psw_arena_rewind(arena, mark);
    return PSW_OK;
}
