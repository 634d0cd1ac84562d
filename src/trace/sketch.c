/* Sketches of vectors that are whole on every rank: buckets and signs from one block of random
 * bits per coordinate. */
#include <posweep/trace/sketch.h>

#include <posweep/kernels/backend.h>
#include <posweep/util/minmax.h>
#include <posweep/util/rng.h>

#include <math.h>
#include <string.h>

/* Part of the results' bits: the same for all sweeps. */
static const struct psw_rng RANDOM = {.seed = 0x736b65746368, .use = PSW_RNG_SKETCH};

void psw_sketch_add(int64_t k, int64_t first, int64_t n, const float *x, double *sum)
{
    const uint64_t n_bucket = (uint64_t)k / PSW_SKETCH_BLOCKS;
    for (int64_t i = 0; i < n; i++) {
        uint32_t word[PSW_SKETCH_BLOCKS]; /* 31 bits choose the bucket, one the sign */
        psw_rng_words(RANDOM, (uint64_t)(first + i), 0, word);
        for (uint64_t b = 0; b < PSW_SKETCH_BLOCKS; b++) {
            const uint64_t bucket = ((uint64_t)(word[b] >> 1) * n_bucket) >> 31;
            sum[b * n_bucket + bucket] += word[b] & 1 ? -(double)x[i] : (double)x[i];
        }
    }
}

/* The coordinates of a shard, which begin at a multiple of the block. */
static void add_shard(const struct psw_tracer *t, int shard, int64_t k, const float *x,
                      float *chunk, double *sum)
{
    const int64_t n_param = psw_model_n_param(t->model);
    const int64_t n_block = (n_param + PSW_BLOCK_FLOATS - 1) / PSW_BLOCK_FLOATS;
    const struct psw_buffer_ops *buffer = psw_exec_backend(t->exec)->buffer;
    int64_t begin, end;
    psw_shard_items(n_block, t->team->n_shard, shard, &begin, &end);
    for (int64_t block = begin; block < end; block++) {
        const int64_t at = block * PSW_BLOCK_FLOATS;
        const int64_t n = psw_min(n_param - at, PSW_BLOCK_FLOATS);
        buffer->read(t->exec, n, x + at, chunk);
        psw_sketch_add(k, at, n, chunk, sum);
    }
}

/* Buffers are the backend's; sketches are not. */
static float *host_floats(const struct psw_tracer *t, int64_t n)
{
    return psw_arena_alloc(t->arena, sizeof(float) * (size_t)n);
}

void psw_trace_sketch_take(const struct psw_tracer *t, int64_t k, const float *x, double *out)
{
    const struct psw_arena_mark mark = psw_arena_mark(t->arena);
    const struct psw_team *team = t->team;
    const int64_t n_local = team->shard_end - team->shard_begin;
    double *local = psw_arena_f64(t->arena, n_local * k);
    double *all = psw_arena_f64(t->arena, team->n_shard * k);
    float *chunk = host_floats(t, psw_min(psw_model_n_param(t->model), PSW_BLOCK_FLOATS));
    if (local) {
        const double scale = 1 / sqrt((double)PSW_SKETCH_BLOCKS);
        memset(local, 0, sizeof *local * (size_t)(n_local * k));
        for (int64_t s = 0; s < n_local; s++)
            add_shard(t, team->shard_begin + (int)s, k, x, chunk, local + s * k);
        psw_items_gather(team->comm, local, n_local * k, all);
        for (int64_t i = 0; i < k; i++) {
            double sum = 0;
            for (int64_t s = 0; s < team->n_shard; s++) sum += all[s * k + i];
            out[i] = scale * sum;
        }
    }
    psw_arena_rewind(t->arena, mark);
}

void psw_trace_sketch_init(const struct psw_tracer *t, int64_t k, const double *start,
                           struct psw_trace_sketch *out)
{
    *out = (struct psw_trace_sketch){.k = k,
                                     .start = start,
                                     .scratch = psw_arena_f64(t->arena, k),
                                     .v = host_floats(t, k),
                                     .v_half = host_floats(t, k),
                                     .displacement = host_floats(t, k),
                                     .component = host_floats(t, PSW_N_COMPONENT * k)};
    for (int64_t i = 0; out->v && i < k; i++)
        out->v[i] = out->v_half[i] = out->displacement[i] = NAN;
    for (int64_t i = 0; out->component && i < PSW_N_COMPONENT * k; i++) out->component[i] = NAN;
}

float *psw_trace_sketch_row(const struct psw_trace_sketch *sketch, enum psw_component component)
{
    return sketch->component ? sketch->component + component * sketch->k : NULL;
}

void psw_trace_sketch_put(const struct psw_tracer *t, struct psw_trace_sketch *sketch,
                          const float *x, float *place)
{
    if (!sketch) return;
    psw_trace_sketch_take(t, sketch->k, x, sketch->scratch);
    for (int64_t i = 0; place && i < sketch->k; i++) place[i] = (float)sketch->scratch[i];
}

void psw_trace_sketch_move(const struct psw_tracer *t, struct psw_trace_sketch *sketch,
                           const float *param)
{
    if (!sketch) return;
    psw_trace_sketch_take(t, sketch->k, param, sketch->scratch);
    for (int64_t i = 0; sketch->displacement && i < sketch->k; i++)
        sketch->displacement[i] = (float)(sketch->scratch[i] - sketch->start[i]);
}
