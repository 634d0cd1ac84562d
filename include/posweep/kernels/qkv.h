/* Where the queries, keys and values of a token stand in its row, and how far back it sees, as
 * data.
 *
 * Families differ here and nowhere else in attention: gpt_neox keeps the three of a head side
 * by side, llama keeps all queries, then all keys, then all values, and may have fewer heads of
 * keys and values than of queries (grouped-query attention): query head h reads key head
 * h / (n_head / n_kv_head). */
#ifndef POSWEEP_KERNELS_QKV_H
#define POSWEEP_KERNELS_QKV_H

#include <stdint.h>

/** Plain data; counts of floats. */
struct psw_qkv {
    int64_t n_head, n_kv_head, head_width; /* n_head is a multiple of n_kv_head */
    int64_t row;                           /* length of a token's row */
    int64_t q, k, v;                       /* where head 0 begins */
    int64_t q_step, kv_step;               /* from one head to the next */
    int64_t window; /* tokens that a token sees, itself included; 0: all before it */
};

/** Rows [H][3][D], as of gpt_neox. */
static inline struct psw_qkv psw_qkv_by_head(int64_t H, int64_t D)
{
    return (struct psw_qkv){.n_head = H,
                            .n_kv_head = H,
                            .head_width = D,
                            .row = 3 * H * D,
                            .q = 0,
                            .k = D,
                            .v = 2 * D,
                            .q_step = 3 * D,
                            .kv_step = 3 * D};
}

/** Rows of H queries, then n_kv_head keys, then as many values, D floats each; as of llama. */
static inline struct psw_qkv psw_qkv_by_kind(int64_t H, int64_t n_kv_head, int64_t D)
{
    return (struct psw_qkv){.n_head = H,
                            .n_kv_head = n_kv_head,
                            .head_width = D,
                            .row = (H + 2 * n_kv_head) * D,
                            .q = 0,
                            .k = H * D,
                            .v = (H + n_kv_head) * D,
                            .q_step = D,
                            .kv_step = D};
}

/** How many keys n_row queries in a row see together, behind n_before tokens: their own, and
 *  those before that the first of them sees. */
static inline int64_t psw_qkv_n_key(const struct psw_qkv *qkv, int64_t n_before, int64_t n_row)
{
    const int64_t is_cut = qkv->window > 0 && n_before > qkv->window - 1;
    return n_row + (is_cut ? qkv->window - 1 : n_before);
}

/** The head of keys and values that query head h reads. */
static inline int64_t psw_qkv_kv_head(const struct psw_qkv *qkv, int64_t h)
{
    return h / (qkv->n_head / qkv->n_kv_head);
}

#endif
