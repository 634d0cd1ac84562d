/* gpt_neox (Pythia): LayerNorm with bias, parallel residual from two norms of the same stream
 * (or sequential), queries, keys and values of a head side by side, partial rotary positions,
 * exact GELU. */
#include "family.h"

static const struct tensor_row TENSORS[] = {
    {"gpt_neox.embed_in.weight", SIZE_V, SIZE_C, INIT_NORMAL, ROLE_EMBED, 0},
    {"input_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},
    {"input_layernorm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"post_attention_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},
    {"post_attention_layernorm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"attention.query_key_value.weight", SIZE_QKV, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 0},
    {"attention.query_key_value.bias", SIZE_QKV, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"attention.dense.weight", SIZE_C, SIZE_Q, INIT_RESIDUAL, ROLE_BLOCK, 0},
    {"attention.dense.bias", SIZE_C, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"mlp.dense_h_to_4h.weight", SIZE_F, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 0},
    {"mlp.dense_h_to_4h.bias", SIZE_F, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"mlp.dense_4h_to_h.weight", SIZE_C, SIZE_F, INIT_RESIDUAL, ROLE_BLOCK, 0},
    {"mlp.dense_4h_to_h.bias", SIZE_C, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"gpt_neox.final_layer_norm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_MODEL, 0},
    {"gpt_neox.final_layer_norm.bias", SIZE_C, SIZE_NONE, INIT_ZERO, ROLE_MODEL, 0},
    {"embed_out.weight", SIZE_V, SIZE_C, INIT_NORMAL, ROLE_HEAD, 0},
    {0},
};

enum { A = STREAM + 1, B, QKV, MIXED, UP, HIDDEN };
static const enum size_name SLOTS[] = {SIZE_C, SIZE_C, SIZE_C, SIZE_QKV,
                                       SIZE_Q, SIZE_F, SIZE_F, SIZE_NONE};

static const struct op_row BLOCK[] = {
    {&PSW_OP_LAYERNORM, STREAM, {A, B}, {"input_layernorm", "post_attention_layernorm"}},
    {&PSW_OP_LINEAR, A, {QKV}, {"attention.query_key_value"}},
    {&PSW_OP_ROTARY, QKV, {QKV}, {NULL}},
    {&PSW_OP_ATTENTION, QKV, {MIXED}, {NULL}},
    {&PSW_OP_LINEAR_ADD, MIXED, {STREAM}, {"attention.dense"}},
    {&PSW_OP_LINEAR, B, {UP}, {"mlp.dense_h_to_4h"}},
    {&PSW_OP_GELU, UP, {HIDDEN}, {NULL}},
    {&PSW_OP_LINEAR_ADD, HIDDEN, {STREAM}, {"mlp.dense_4h_to_h"}},
    {0},
};

/* The feed-forward part behind attention, as use_parallel_residual: false has it. */
static const struct op_row SEQUENTIAL[] = {
    {&PSW_OP_LAYERNORM, STREAM, {A}, {"input_layernorm"}},
    {&PSW_OP_LINEAR, A, {QKV}, {"attention.query_key_value"}},
    {&PSW_OP_ROTARY, QKV, {QKV}, {NULL}},
    {&PSW_OP_ATTENTION, QKV, {MIXED}, {NULL}},
    {&PSW_OP_LINEAR_ADD, MIXED, {STREAM}, {"attention.dense"}},
    {&PSW_OP_LAYERNORM, STREAM, {B}, {"post_attention_layernorm"}},
    {&PSW_OP_LINEAR, B, {UP}, {"mlp.dense_h_to_4h"}},
    {&PSW_OP_GELU, UP, {HIDDEN}, {NULL}},
    {&PSW_OP_LINEAR_ADD, HIDDEN, {STREAM}, {"mlp.dense_4h_to_h"}},
    {0},
};

const struct family psw_family_gpt_neox = {
    .layer = "gpt_neox.layers.",
    .tensor = TENSORS,
    .slot = SLOTS,
    .block = BLOCK,
    .sequential = SEQUENTIAL,
    .norm = {&PSW_OP_LAYERNORM, STREAM, {1}, {"gpt_neox.final_layer_norm"}},
};
