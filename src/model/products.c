/* Products alone, in the order of the passes. Attention is taken as one block of up to 64 query
 * rows against the keys before it, as in kernels/attention.c; a chain of segments counts as one
 * range of keys. */
#include "model_internal.h"
#include "sample_internal.h"

#include <posweep/kernels/decode_linear.h>
#include <posweep/kernels/linear.h>
#include <posweep/model/products.h>

enum { QUERY_ROWS = 64 };

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static float *filled(struct psw_arena *arena, int64_t n)
{
    float *x = psw_arena_f32(arena, n);
    for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i % 11 - 5) * 0.01f;
    return x;
}

void psw_products_init(struct psw_products *p, const struct psw_model *model,
                       struct psw_products_size size, struct psw_arena *arena)
{
    const struct psw_dims *d = &psw_model_layout(model)->d;
    const struct psw_sample_shape shape = {
        .n_seq = size.n_seq, .max_prompt = size.max_prompt, .max_new = size.max_new};
    const int64_t widest = larger(larger(d->F, 3 * d->C), d->V);
    /* a tile of attention fits, too */
    const int64_t n_wide =
        larger(size.n_row * widest, QUERY_ROWS * psw_model_layout(model)->context);
    *p = (struct psw_products){.model = model,
                               .n_slot = psw_sampler_n_slot(model, &shape),
                               .capacity =
                                   psw_decode_cache_capacity(size.max_prompt + size.max_new)};
    p->param = filled(arena, d->P);
    p->grad = filled(arena, d->P);
    p->x = filled(arena, n_wide);
    p->y = filled(arena, n_wide);
    p->z = filled(arena, n_wide);
    p->cache =
        filled(arena, p->n_slot * d->L * psw_decode_cache_n_elem(d->H, d->D, p->capacity));
    p->score = filled(arena, p->capacity);
    p->slot = psw_arena_alloc(arena, (size_t)p->n_slot * sizeof *p->slot);
}

static void forward(struct psw_products *p, struct psw_linear_dims d, int64_t w_at)
{
    psw_linear_forward(d, (struct psw_linear_param){p->param + w_at, NULL}, p->x, p->z);
}

static void backward(struct psw_products *p, struct psw_linear_dims d, int64_t w_at)
{
    psw_linear_backward(d, (struct psw_linear_param){p->param + w_at, NULL}, p->x, p->y, p->z,
                        (struct psw_linear_grad){p->grad + w_at, NULL});
}

/* One block of queries: with d = {queries, D, keys}, scores are x w', outputs and cotangents of
 * queries y w, cotangents of keys and values y' x. */
static void attention_block(struct psw_products *p, struct psw_linear_dims d, int back)
{
    const struct psw_linear_param keys = {p->x, NULL};
    const struct psw_linear_grad none = {NULL, NULL}, key_bar = {p->grad, NULL};
    psw_linear_forward(d, keys, p->x, p->z);
    if (!back) {
        psw_linear_backward(d, keys, p->x, p->y, p->z, none);
        return;
    }
    psw_linear_forward(d, keys, p->x, p->z);
    psw_linear_backward(d, keys, p->x, p->y, NULL, key_bar);
    psw_linear_backward(d, keys, p->x, p->y, p->z, key_bar);
}

static void attention(struct psw_products *p, const struct psw_batch *batch, int back)
{
    const struct psw_dims *d = &psw_model_layout(p->model)->d;
    for (int64_t s = 0; s < batch->n_seg; s++) {
        const int64_t length = batch->segment[s].length;
        int64_t n_before = 0;
        for (int32_t a = batch->segment[s].parent; a >= 0; a = batch->segment[a].parent)
            n_before += batch->segment[a].length;
        for (int64_t h = 0; h < d->H; h++)
            for (int64_t i = 0; i < length; i += QUERY_ROWS) {
                const int64_t end = i + QUERY_ROWS < length ? i + QUERY_ROWS : length;
                attention_block(p, (struct psw_linear_dims){end - i, d->D, n_before + end},
                                back);
            }
    }
}

static void layers(struct psw_products *p, const struct psw_batch *batch, int back)
{
    const struct psw_model_layout *m = psw_model_layout(p->model);
    const int64_t n = batch->n_tok, C = m->d.C, F = m->d.F;
    void (*const map)(struct psw_products *, struct psw_linear_dims, int64_t) =
        back ? backward : forward;
    for (int64_t l = 0; l < m->d.L; l++) {
        const struct psw_layer_offsets *o = &m->layer[l];
        map(p, (struct psw_linear_dims){n, C, 3 * C}, o->qkv_w);
        attention(p, batch, back);
        map(p, (struct psw_linear_dims){n, C, C}, o->dense_w);
        map(p, (struct psw_linear_dims){n, C, F}, o->up_w);
        map(p, (struct psw_linear_dims){n, F, C}, o->down_w);
    }
}

static struct psw_linear_dims head_dims(const struct psw_products *p, int64_t n_row)
{
    const struct psw_dims *d = &psw_model_layout(p->model)->d;
    return (struct psw_linear_dims){n_row, d->C, d->V};
}

void psw_products_forward(struct psw_products *p, const struct psw_batch *batch, int n_head)
{
    layers(p, batch, 0);
    for (int i = 0; i < n_head; i++)
        forward(p, head_dims(p, batch->n_row), psw_model_layout(p->model)->head);
}

void psw_products_backward(struct psw_products *p, const struct psw_batch *batch, int has_head)
{
    if (has_head) backward(p, head_dims(p, batch->n_row), psw_model_layout(p->model)->head);
    layers(p, batch, 1);
}

static void decode_map(struct psw_products *p, int64_t n, int64_t n_in, int64_t n_out,
                       int64_t w_at)
{
    const struct psw_decode_linear map = {.n_out = n_out, .n_in = n_in, .w = p->param + w_at};
    psw_decode_linear(&map, n, p->x, p->z);
}

/* The rows that each slot feeds look at their past. */
static void decode_attention(struct psw_products *p, int64_t layer)
{
    const struct psw_dims *d = &psw_model_layout(p->model)->d;
    const struct psw_qkv layout = psw_model_qkv(psw_model_layout(p->model));
    struct psw_decode_cache cache = {
        .n_kv_head = d->H, .head_width = d->D, .capacity = p->capacity};
    const int64_t n_elem = psw_decode_cache_n_elem(d->H, d->D, p->capacity);
    for (int64_t i = 0; i < p->n_slot; i++) {
        const struct psw_products_slot *s = &p->slot[i];
        if (!s->item) continue;
        cache.data = p->cache + (i * d->L + layer) * n_elem;
        const int32_t n_new = s->n_fed == 0 ? s->item->n_prompt : 1;
        for (int32_t k = 1; k <= n_new; k++)
            psw_decode_attention(&cache, s->n_fed + k, &layout, p->y, p->score, p->z);
    }
}

/* One step of all slots, n rows, n_pick of them with logits. */
static void decode_step(struct psw_products *p, int64_t n, int64_t n_pick)
{
    const struct psw_model_layout *m = psw_model_layout(p->model);
    const int64_t C = m->d.C, F = m->d.F;
    for (int64_t l = 0; l < m->d.L; l++) {
        decode_map(p, n, C, 3 * C, m->layer[l].qkv_w);
        decode_attention(p, l);
        decode_map(p, n, C, C, m->layer[l].dense_w);
        decode_map(p, n, C, F, m->layer[l].up_w);
        decode_map(p, n, F, C, m->layer[l].down_w);
    }
    decode_map(p, n_pick, C, m->d.V, m->head);
}

void psw_products_sample(struct psw_products *p, const struct psw_example *const *item,
                         int64_t n)
{
    int64_t next = 0;
    for (int64_t i = 0; i < p->n_slot; i++) p->slot[i] = (struct psw_products_slot){NULL, 0};
    for (;;) {
        int64_t n_row = 0, n_pick = 0;
        for (int64_t i = 0; i < p->n_slot; i++) {
            struct psw_products_slot *s = &p->slot[i];
            if (!s->item && next < n) *s = (struct psw_products_slot){item[next++], 0};
            if (!s->item) continue;
            n_row += s->n_fed == 0 ? s->item->n_prompt : 1;
            n_pick++;
        }
        if (n_pick == 0) return;
        decode_step(p, n_row, n_pick);
        for (int64_t i = 0; i < p->n_slot; i++) {
            struct psw_products_slot *s = &p->slot[i];
            if (!s->item) continue;
            s->n_fed += s->n_fed == 0 ? s->item->n_prompt : 1;
            /* the last token that is drawn is not fed */
            if (s->n_fed == s->item->n_prompt + s->item->n_response[0] - 1) s->item = NULL;
        }
    }
}
