/* One step of the decoder: rows of tokens through all layers. Prefill and decoding are the same
 * thing: a row is one token of some slot, whose earlier keys and values are cached or stand in
 * the same step. Rows go through kernels that treat each by itself. */
#include "model_internal.h"
#include "sample_internal.h"

#include <posweep/kernels/decode_linear.h>
#include <posweep/kernels/embedding.h>
#include <posweep/kernels/gelu.h>
#include <posweep/kernels/layernorm.h>
#include <string.h>

void psw_decoder_init(struct psw_decoder *dec, const struct psw_model *model,
                      const float *param, struct psw_decoder_size size, struct psw_arena *arena)
{
    const struct psw_model_layout *layout = psw_model_layout(model);
    const struct psw_dims *d = &layout->d;
    *dec = (struct psw_decoder){.layout = layout, .param = param, .size = size};
    const struct {
        float **at;
        int64_t n_elem;
    } floats[] = {
        {&dec->cache, size.n_slot * d->L * psw_decode_cache_n_elem(d->H, d->D, size.capacity)},
        {&dec->x, size.max_row * d->C},
        {&dec->x_hat, size.max_row * d->C},
        {&dec->rstd, size.max_row},
        {&dec->norm1, size.max_row * d->C},
        {&dec->norm2, size.max_row * d->C},
        {&dec->qkv, size.max_row * 3 * d->C},
        {&dec->mixed, size.max_row * d->C},
        {&dec->up, size.max_row * d->F},
        {&dec->active, size.max_row * d->F},
        {&dec->score, size.capacity},
        {&dec->last, size.n_slot * d->C},
        {&dec->last_norm, size.n_slot * d->C},
        {&dec->logit, size.n_slot * d->V},
        {&dec->weight, d->V},
    };
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        *floats[i].at = psw_arena_f32(arena, floats[i].n_elem);
    dec->row_token = psw_arena_i32(arena, size.max_row);
    dec->row_position = psw_arena_i32(arena, size.max_row);
    dec->row_slot = psw_arena_i32(arena, size.max_row);
    dec->pick = psw_arena_i32(arena, size.n_slot);
}

struct psw_decode_cache psw_decoder_cache(const struct psw_decoder *dec, int64_t slot,
                                          int64_t layer)
{
    const struct psw_dims *d = &dec->layout->d;
    struct psw_decode_cache c = {
        .n_kv_head = d->H, .head_width = d->D, .capacity = dec->size.capacity};
    c.data = dec->cache +
             (slot * d->L + layer) * psw_decode_cache_n_elem(d->H, d->D, dec->size.capacity);
    return c;
}

void psw_decoder_copy(const struct psw_decoder *dec, int64_t from_slot, int64_t n_position,
                      int64_t to_slot)
{
    for (int64_t l = 0; l < dec->layout->d.L; l++) {
        const struct psw_decode_cache from = psw_decoder_cache(dec, from_slot, l);
        const struct psw_decode_cache to = psw_decoder_cache(dec, to_slot, l);
        psw_decode_cache_copy(&from, n_position, &to);
    }
}

static void linear(const struct psw_decoder *dec, struct psw_decode_linear l, int64_t n_row,
                   int64_t w_at, int64_t b_at, const float *x, float *y)
{
    l.w = dec->param + w_at;
    l.bias = b_at < 0 ? NULL : dec->param + b_at;
    psw_decode_linear(&l, n_row, x, y);
}

/** Put every row's key and value in its cache, then let every row look at its own past. */
static void attend(struct psw_decoder *dec, int64_t layer)
{
    const struct psw_qkv layout = psw_model_qkv(dec->layout);
    for (int64_t r = 0; r < dec->n_row; r++) {
        const struct psw_decode_cache cache = psw_decoder_cache(dec, dec->row_slot[r], layer);
        psw_decode_cache_put(&cache, dec->row_position[r], &layout, dec->qkv + r * layout.row);
    }
    for (int64_t r = 0; r < dec->n_row; r++) {
        const struct psw_decode_cache cache = psw_decoder_cache(dec, dec->row_slot[r], layer);
        psw_decode_attention(&cache, dec->row_position[r] + 1, &layout,
                             dec->qkv + r * layout.row, dec->score,
                             dec->mixed + r * dec->layout->d.C);
    }
}

/** Parallel residual: x += attention(norm1(x)) + mlp(norm2(x)). */
static void block(struct psw_decoder *dec, int64_t layer)
{
    const struct psw_model_layout *m = dec->layout;
    const struct psw_layer_offsets *o = &m->layer[layer];
    const struct psw_dims *d = &m->d;
    const int64_t n = dec->n_row;
    psw_layernorm_forward(
        (struct psw_layernorm_dims){.n_row = n, .C = d->C, .n_out = 2, .eps = m->norm_eps},
        (struct psw_layernorm_param){.w = {dec->param + o->norm1_w, dec->param + o->norm2_w},
                                     .b = {dec->param + o->norm1_b, dec->param + o->norm2_b}},
        dec->x, (struct psw_layernorm_saved){.x_hat = dec->x_hat, .rstd = dec->rstd},
        (float *const[]){dec->norm1, dec->norm2});
    linear(dec, (struct psw_decode_linear){.n_out = 3 * d->C, .n_in = d->C}, n, o->qkv_w,
           o->qkv_b, dec->norm1, dec->qkv);
    psw_rotary_forward((struct psw_rotary_dims){.n_tok = n,
                                                .n_rotated = m->n_rotated,
                                                .qkv = psw_model_qkv(m)},
                       m->rotary, dec->row_position, dec->qkv);
    attend(dec, layer);
    linear(dec, (struct psw_decode_linear){.n_out = d->C, .n_in = d->C, .accumulate = 1}, n,
           o->dense_w, o->dense_b, dec->mixed, dec->x);
    linear(dec, (struct psw_decode_linear){.n_out = d->F, .n_in = d->C}, n, o->up_w, o->up_b,
           dec->norm2, dec->up);
    for (int64_t r = 0; r < n; r++) /* row by row: bits must not depend on the place */
        psw_gelu_forward(d->F, dec->up + r * d->F, dec->active + r * d->F, dec->up + r * d->F);
    linear(dec, (struct psw_decode_linear){.n_out = d->C, .n_in = d->F, .accumulate = 1}, n,
           o->down_w, o->down_b, dec->active, dec->x);
}

/** Logits of the picked rows. */
static void head(struct psw_decoder *dec)
{
    const struct psw_model_layout *m = dec->layout;
    const struct psw_dims *d = &m->d;
    for (int64_t i = 0; i < dec->n_pick; i++)
        memcpy(dec->last + i * d->C, dec->x + dec->pick[i] * d->C,
               (size_t)d->C * sizeof *dec->x);
    psw_layernorm_forward(
        (struct psw_layernorm_dims){
            .n_row = dec->n_pick, .C = d->C, .n_out = 1, .eps = m->norm_eps},
        (struct psw_layernorm_param){.w = {dec->param + m->norm_w},
                                     .b = {dec->param + m->norm_b}},
        dec->last, (struct psw_layernorm_saved){.x_hat = dec->x_hat, .rstd = dec->rstd},
        (float *const[]){dec->last_norm, NULL});
    linear(dec, (struct psw_decode_linear){.n_out = d->V, .n_in = d->C}, dec->n_pick, m->head,
           -1, dec->last_norm, dec->logit);
}

void psw_decoder_step(struct psw_decoder *dec)
{
    const struct psw_dims *d = &dec->layout->d;
    psw_embedding_forward(dec->n_row, d->C, dec->row_token, dec->param + dec->layout->embed,
                          dec->x);
    for (int64_t l = 0; l < d->L; l++) block(dec, l);
    if (dec->n_pick > 0) head(dec);
}
