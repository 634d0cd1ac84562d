/* One step of the decoder. Prefill and decoding are the same thing: a row is one token of some
 * slot, whose earlier keys and values are cached or stand in the same step. Rows go through
 * kernels that treat each by itself. */
#include "decoder.h"

#include <posweep/kernels/decode_linear.h>
#include <posweep/kernels/embedding.h>
#include <string.h>

int64_t psw_decoder_cache_n_elem(const struct psw_model *model, int64_t capacity)
{
    return psw_decode_cache_n_elem(model->qkv.n_kv_head, model->qkv.head_width, capacity);
}

void psw_decoder_init(struct psw_decoder *dec, const struct psw_model *model,
                      struct psw_decoder_size size, struct psw_arena *arena)
{
    const struct psw_dims *d = &model->layout.d;
    const enum size_name *saved = model->program.norm.op->saved;
    *dec = (struct psw_decoder){.model = model, .size = size};
    dec->cache = psw_arena_f32(arena, size.n_slot * d->L *
                                          psw_decoder_cache_n_elem(model, size.capacity));
    dec->score = psw_arena_f32(arena, size.capacity);
    psw_program_buffers(&model->program, DECODE, size.max_row, arena, dec->slot);
    dec->last.in = psw_arena_f32(arena, size.n_slot * d->C);
    dec->last.out[0] = psw_arena_f32(arena, size.n_slot * d->C);
    for (int k = 0; k < 2 && saved[k] != SIZE_NONE; k++)
        dec->last.saved[k] =
            psw_arena_f32(arena, size.n_slot * psw_model_size(model, saved[k]));
    dec->logit = psw_arena_f32(arena, size.n_slot * d->V);
    dec->feed.token = psw_arena_i32(arena, size.max_row);
    dec->feed.position = psw_arena_i32(arena, size.max_row);
    dec->feed.slot = psw_arena_i32(arena, size.max_row);
    dec->feed.pick = psw_arena_i32(arena, size.n_slot);
}

/* The cache of one layer of one slot. */
static struct psw_decode_cache cache_of(const struct psw_decoder *dec, int64_t slot,
                                        int64_t layer)
{
    const struct psw_model *m = dec->model;
    const int64_t n_elem = psw_decoder_cache_n_elem(m, dec->size.capacity);
    return (struct psw_decode_cache){.n_kv_head = m->qkv.n_kv_head,
                                     .head_width = m->qkv.head_width,
                                     .capacity = dec->size.capacity,
                                     .data =
                                         dec->cache + (slot * m->layout.d.L + layer) * n_elem};
}

void psw_decoder_copy(const struct psw_decoder *dec, int64_t from_slot, int64_t n_position,
                      int64_t to_slot)
{
    for (int64_t l = 0; l < dec->model->layout.d.L; l++) {
        const struct psw_decode_cache from = cache_of(dec, from_slot, l);
        const struct psw_decode_cache to = cache_of(dec, to_slot, l);
        psw_decode_cache_copy(&from, n_position, &to);
    }
}

void psw_decoder_attend(const struct psw_decoder *dec, const struct psw_qkv *layout,
                        const float *qkv, float *out)
{
    const struct psw_decoder_feed *f = &dec->feed;
    const int64_t width = layout->n_head * layout->head_width;
    for (int64_t r = 0; r < f->n_row; r++) {
        const struct psw_decode_cache cache = cache_of(dec, f->slot[r], dec->layer);
        psw_decode_cache_put(&cache, f->position[r], layout, qkv + r * layout->row);
    }
    for (int64_t r = 0; r < f->n_row; r++) {
        const struct psw_decode_cache cache = cache_of(dec, f->slot[r], dec->layer);
        psw_decode_attention(&cache, f->position[r] + 1, layout, qkv + r * layout->row,
                             dec->score, out + r * width);
    }
}

/* Logits of the picked rows. */
static void head(struct psw_decoder *dec, struct op_call c)
{
    const struct psw_model_layout *m = &dec->model->layout;
    const int64_t C = m->d.C;
    const struct psw_decode_linear map = {
        .n_out = m->d.V, .n_in = C, .w = dec->param + m->head};
    for (int64_t i = 0; i < dec->feed.n_pick; i++)
        memcpy(dec->last.in + i * C, dec->slot[STREAM] + dec->feed.pick[i] * C,
               (size_t)C * sizeof(float));
    c.op = &dec->model->program.norm;
    c.n_row = dec->feed.n_pick;
    c.param = dec->param;
    c.at = dec->last;
    c.op->op->decode(&c);
    psw_decode_linear(&map, c.n_row, dec->last.out[0], dec->logit);
}

void psw_decoder_step(struct psw_decoder *dec)
{
    const struct psw_model *m = dec->model;
    const struct program *p = &m->program;
    struct op_call c = {.model = m,
                        .exec = dec->exec,
                        .n_row = dec->feed.n_row,
                        .position = dec->feed.position,
                        .decoder = dec};
    psw_embedding_forward(c.n_row, m->layout.d.C, dec->feed.token, dec->param + m->layout.embed,
                          dec->slot[STREAM]);
    for (dec->layer = 0; dec->layer < m->layout.d.L; dec->layer++) {
        c.param = dec->param + p->layer0 + dec->layer * p->stride;
        for (c.op = p->op; c.op < p->op + p->n_op; c.op++) {
            c.at = psw_op_arrays(c.op, dec->slot);
            c.op->op->decode(&c);
        }
    }
    if (dec->feed.n_pick > 0) head(dec, c);
}
