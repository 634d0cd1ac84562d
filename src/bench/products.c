/* Products alone, in the order of the passes. Attention is taken as one block of up to 64 query
 * rows against the keys before it, as in kernels/cpu/attention.c; a chain of segments counts as
 * one range of keys. */
#include "products.h"

#include <posweep/kernels/backend.h>
#include <posweep/model/sample.h>
#include <posweep/util/minmax.h>

enum { QUERY_ROWS = 64 };

static float *filled(struct psw_arena *arena, int64_t n)
{
    float *x = psw_arena_f32(arena, n);
    for (int64_t i = 0; x && i < n; i++) x[i] = (float)(i % 11 - 5) * 0.01f;
    return x;
}

/* Floats of the widest row of any product. */
static int64_t widest_of(const struct psw_model *model)
{
    int64_t n = 0, widest = 0;
    const struct psw_product *p = psw_model_products(model, &n);
    for (int64_t i = 0; i < n; i++)
        widest = psw_max(widest, psw_max(psw_max(p[i].n_in, p[i].n_out), p[i].qkv.row));
    return widest;
}

static struct psw_decode_cache cache_of(const struct psw_products *p, struct psw_qkv qkv)
{
    return (struct psw_decode_cache){
        .n_kv_head = qkv.n_kv_head, .head_width = qkv.head_width, .capacity = p->capacity};
}

static int64_t cache_n_elem(const struct psw_products *p, struct psw_qkv qkv)
{
    return psw_backend_cpu.op.attention->cache_n_elem(qkv.n_kv_head, qkv.head_width,
                                                      p->capacity);
}

/* Floats of the caches of a slot. */
static int64_t slot_n_elem(const struct psw_products *p)
{
    int64_t n = 0, sum = 0;
    const struct psw_product *product = psw_model_products(p->model, &n);
    for (int64_t i = 0; i < n; i++)
        if (product[i].is_attention) sum += cache_n_elem(p, product[i].qkv);
    return sum;
}

void psw_products_init(struct psw_products *p, const struct psw_model *model,
                       struct psw_products_size size, struct psw_arena *arena)
{
    const struct psw_sample_shape shape = {
        .n_seq = size.n_seq, .max_prompt = size.max_prompt, .max_new = size.max_new};
    const int64_t n_param = psw_model_n_param(model);
    /* a tile of attention fits, too */
    const int64_t n_wide =
        psw_max(size.n_row * widest_of(model), QUERY_ROWS * psw_model_dims(model)->context);
    *p = (struct psw_products){.model = model,
                               .exec = {.n_thread = 1},
                               .n_slot = psw_model_sample_n_slot(model, &shape),
                               .capacity = psw_backend_cpu.op.attention->cache_capacity(
                                   size.max_prompt + size.max_new)};
    p->param = filled(arena, n_param);
    p->grad = filled(arena, n_param);
    p->x = filled(arena, n_wide);
    p->y = filled(arena, n_wide);
    p->z = filled(arena, n_wide);
    p->cache = filled(arena, p->n_slot * slot_n_elem(p));
    p->score = filled(arena, p->capacity);
    p->slot = psw_arena_alloc(arena, (size_t)p->n_slot * sizeof *p->slot);
}

static void forward(struct psw_products *p, struct psw_linear_dims d, int64_t w_at)
{
    psw_backend_cpu.op.linear->forward(
        &p->exec, d, (struct psw_linear_param){p->param + w_at, NULL}, p->x, p->z);
}

static void backward(struct psw_products *p, struct psw_linear_dims d, int64_t w_at)
{
    psw_backend_cpu.op.linear->backward(
        &p->exec, d, (struct psw_linear_param){p->param + w_at, NULL}, p->x, p->y, p->z,
        (struct psw_linear_grad){p->grad + w_at, NULL});
}

/* One block of queries: with d = {queries, D, keys}, scores are x w', outputs and cotangents of
 * queries y w, cotangents of keys and values y' x. */
static void attention_block(struct psw_products *p, struct psw_linear_dims d, int back)
{
    const struct psw_linear_param keys = {p->x, NULL};
    const struct psw_linear_grad none = {NULL, NULL}, key_bar = {p->grad, NULL};
    psw_backend_cpu.op.linear->forward(&p->exec, d, keys, p->x, p->z);
    if (!back) {
        psw_backend_cpu.op.linear->backward(&p->exec, d, keys, p->x, p->y, p->z, none);
        return;
    }
    psw_backend_cpu.op.linear->forward(&p->exec, d, keys, p->x, p->z);
    psw_backend_cpu.op.linear->backward(&p->exec, d, keys, p->x, p->y, NULL, key_bar);
    psw_backend_cpu.op.linear->backward(&p->exec, d, keys, p->x, p->y, p->z, key_bar);
}

static void attention(struct psw_products *p, const struct psw_batch *batch, struct psw_qkv qkv,
                      int back)
{
    for (int64_t s = 0; s < batch->n_seg; s++) {
        const int64_t length = batch->segment[s].length;
        int64_t n_before = 0;
        for (int32_t a = batch->segment[s].parent; a >= 0; a = batch->segment[a].parent)
            n_before += batch->segment[a].length;
        for (int64_t h = 0; h < qkv.n_head; h++)
            for (int64_t i = 0; i < length; i += QUERY_ROWS) {
                const int64_t end = i + QUERY_ROWS < length ? i + QUERY_ROWS : length;
                const int64_t n_key = psw_qkv_n_key(&qkv, n_before + i, end - i);
                attention_block(p, (struct psw_linear_dims){end - i, qkv.head_width, n_key},
                                back);
            }
    }
}

/* The products of a pass; the last is the head's, made n_head times, first on the way back. */
static void pass(struct psw_products *p, const struct psw_batch *batch, int n_head, int back)
{
    int64_t n = 0;
    const struct psw_product *product = psw_model_products(p->model, &n);
    void (*const map)(struct psw_products *, struct psw_linear_dims, int64_t) =
        back ? backward : forward;
    for (int64_t k = 0; k < n; k++) {
        const struct psw_product *at = &product[back ? n - 1 - k : k];
        const int is_head = at == product + n - 1;
        if (at->is_attention) {
            attention(p, batch, at->qkv, back);
            continue;
        }
        for (int i = 0; i < (is_head ? n_head : 1); i++)
            map(p,
                (struct psw_linear_dims){is_head ? batch->n_row : batch->n_tok, at->n_in,
                                         at->n_out},
                at->weight);
    }
}

void psw_products_forward(struct psw_products *p, const struct psw_batch *batch, int n_head)
{
    pass(p, batch, n_head, 0);
}

void psw_products_backward(struct psw_products *p, const struct psw_batch *batch, int has_head)
{
    pass(p, batch, has_head, 1);
}

/* The rows that each slot feeds look at their past; the caches of a slot begin at `first`. */
static void decode_attention(struct psw_products *p, struct psw_qkv qkv, int64_t first,
                             int64_t slot_elem)
{
    struct psw_decode_cache cache = cache_of(p, qkv);
    for (int64_t i = 0; i < p->n_slot; i++) {
        const struct psw_products_slot *s = &p->slot[i];
        if (!s->item) continue;
        cache.data = p->cache + i * slot_elem + first;
        const int32_t n_new = s->n_fed == 0 ? s->item->n_prompt : 1, slot = 0;
        for (int32_t at = s->n_fed; at < s->n_fed + n_new; at++)
            psw_backend_cpu.op.attention->decode(&p->exec, &cache,
                                                 (struct psw_decode_rows){1, &slot, &at}, qkv,
                                                 p->y, p->score, p->z);
    }
}

/* One step of all slots, n_row rows, n_pick of them with logits. */
static void decode_step(struct psw_products *p, int64_t n_row, int64_t n_pick)
{
    int64_t n = 0, cached = 0;
    const struct psw_product *product = psw_model_products(p->model, &n);
    const int64_t slot_elem = slot_n_elem(p);
    for (int64_t k = 0; k < n; k++) {
        if (product[k].is_attention) {
            decode_attention(p, product[k].qkv, cached, slot_elem);
            cached += cache_n_elem(p, product[k].qkv);
            continue;
        }
        psw_backend_cpu.op.linear->decode(
            &p->exec,
            (struct psw_linear_dims){k < n - 1 ? n_row : n_pick, product[k].n_in,
                                     product[k].n_out},
            (struct psw_linear_param){p->param + product[k].weight, NULL}, p->x, p->z);
    }
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
