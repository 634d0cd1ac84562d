/* One step of the decoder. Prefill and decoding are the same thing: a row is one token of some
 * slot, whose earlier keys and values are cached or stand in the same step. Rows go through
 * kernels that treat each by itself. */
#include "decoder.h"

#include <posweep/kernels/backend.h>

int64_t psw_decoder_cache_n_elem(const struct psw_model *model, struct psw_decoder_size size)
{
    return size.attention->cache_n_elem(model->qkv.n_kv_head, model->qkv.head_width,
                                        size.capacity);
}

void psw_decoder_init(struct psw_decoder *dec, const struct psw_model *model,
                      struct psw_decoder_size size, struct psw_arena *arena)
{
    const struct psw_dims *d = &model->layout.d;
    const enum size_name *saved = model->program.norm.op->saved;
    *dec = (struct psw_decoder){.model = model, .size = size};
    dec->cache =
        psw_arena_f32(arena, size.n_slot * d->L * psw_decoder_cache_n_elem(model, size));
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

/* The caches of one layer. */
static struct psw_decode_cache cache_of(const struct psw_decoder *dec, int64_t layer)
{
    const struct psw_model *m = dec->model;
    const int64_t n_elem = psw_decoder_cache_n_elem(m, dec->size);
    return (struct psw_decode_cache){.n_kv_head = m->qkv.n_kv_head,
                                     .head_width = m->qkv.head_width,
                                     .capacity = dec->size.capacity,
                                     .data = dec->cache + layer * n_elem,
                                     .stride = m->layout.d.L * n_elem};
}

void psw_decoder_copy(const struct psw_decoder *dec, int64_t from_slot, int64_t n_position,
                      int64_t to_slot)
{
    for (int64_t l = 0; l < dec->model->layout.d.L; l++) {
        const struct psw_decode_cache cache = cache_of(dec, l);
        dec->size.attention->cache_copy(dec->exec, &cache, from_slot, n_position, to_slot);
    }
}

void psw_decoder_attend(const struct psw_decoder *dec, const struct psw_qkv *layout,
                        const float *qkv, float *out)
{
    const struct psw_attention_ops *attention = dec->size.attention;
    const struct psw_decoder_feed *f = &dec->feed;
    const struct psw_decode_rows rows = {f->n_row, f->slot, f->position};
    const struct psw_decode_cache cache = cache_of(dec, dec->layer);
    attention->cache_put(dec->exec, &cache, rows, *layout, qkv);
    attention->decode(dec->exec, &cache, rows, *layout, qkv, dec->score, out);
}

/* Logits of the picked rows. */
static void head(struct psw_decoder *dec, struct op_call c)
{
    const struct psw_model_layout *m = &dec->model->layout;
    const int64_t C = m->d.C;
    psw_exec_backend(dec->exec)->buffer->gather(dec->exec, dec->feed.n_pick, C, dec->feed.pick,
                                                dec->slot[STREAM], dec->last.in);
    c.op = &dec->model->program.norm;
    c.n_row = dec->feed.n_pick;
    c.param = dec->param;
    c.at = dec->last;
    c.op->op->decode(&c);
    psw_exec_ops(dec->exec)->linear->decode(
        dec->exec, (struct psw_linear_dims){c.n_row, C, m->d.V},
        (struct psw_linear_param){dec->param + m->head, NULL}, dec->last.out[0], dec->logit);
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
    psw_exec_ops(dec->exec)->embedding->forward(dec->exec, c.n_row, m->layout.d.C,
                                                dec->feed.token, dec->param + m->layout.embed,
                                                dec->slot[STREAM]);
    for (dec->layer = 0; dec->layer < m->layout.d.L; dec->layer++) {
        c.param = dec->param + p->layer0 + dec->layer * p->stride;
        for (c.op = p->op; c.op < p->op + p->n_op; c.op++) {
            c.at = psw_op_arrays(c.op, dec->slot);
            c.op->op->decode(&c);
        }
        psw_exec_beat(dec->exec);
    }
    if (dec->feed.n_pick > 0) head(dec, c);
}
