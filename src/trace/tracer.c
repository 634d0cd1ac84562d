/* What every part of a point uses: passes with the tracer's settings, names, tokens. */
#include "trace_internal.h"

static const char *const DIRECTIONS[PSW_N_DIRECTION] = {"final_a", "final_b", "chosen", "adam"};

const char *psw_direction_name(enum psw_direction direction)
{
    return DIRECTIONS[direction];
}

struct psw_shards psw_trace_shards(const struct psw_tracer *t)
{
    return (struct psw_shards){
        .model = t->model,
        .team = t->team,
        .exec = t->exec,
        .arena = t->arena,
        .opts = {.share_prefix = t->how.share_prefix, .temperature = t->how.temperature}};
}

int psw_trace_is_dry(const struct psw_tracer *t)
{
    return psw_arena_is_measuring(t->arena);
}

void psw_trace_tokens_init(struct psw_trace_tokens *tokens, struct psw_trace_set probe,
                           struct psw_arena *arena)
{
    tokens->n_row = psw_shards_n_row(probe.example, probe.n);
    const size_t n_bytes = sizeof(float) * (size_t)tokens->n_row;
    tokens->logp = psw_arena_alloc(arena, n_bytes);
    tokens->kappa = psw_arena_alloc(arena, n_bytes);
    tokens->weight = psw_arena_alloc(arena, n_bytes);
}

void psw_trace_gather_tokens(struct psw_shards *pass, struct psw_trace_tokens *tokens)
{
    const struct psw_arena_mark mark = psw_arena_mark(pass->arena);
    double *row = psw_arena_f64(pass->arena, tokens->n_row);
    psw_shards_gather(pass, PSW_ROW_LOGP, row);
    for (int64_t r = 0; row && r < tokens->n_row; r++) tokens->logp[r] = (float)row[r];
    psw_shards_gather(pass, PSW_ROW_LOGP_DOT, row);
    for (int64_t r = 0; row && r < tokens->n_row; r++) tokens->kappa[r] = (float)-row[r];
    psw_arena_rewind(pass->arena, mark);
}
