/* What llama and the families that follow it share: the tensors and the block, with room for
 * what some have more between the projections and attention. RMSNorm, sequential residual,
 * grouped-query attention over whole rotated heads, SwiGLU. Queries, keys and values stand
 * behind each other, and so do gate and up: one product each, under the names of Hugging Face.
 */
#ifndef POSWEEP_MODEL_FAMILY_LLAMA_H
#define POSWEEP_MODEL_FAMILY_LLAMA_H

#include "family.h"

/* Slots. */
enum { A = STREAM + 1, QKV, MIXED, B, GATE_UP, HIDDEN };
#define LLAMA_SLOTS SIZE_C, SIZE_C, SIZE_QKV, SIZE_Q, SIZE_C, SIZE_2F, SIZE_F, SIZE_NONE

/* clang-format off */
/* Rows of a table of tensors; those given belong to attention. */
#define LLAMA_TENSORS(...)                                                                     \
    {"model.embed_tokens.weight", SIZE_V, SIZE_C, INIT_NORMAL, ROLE_EMBED, 0},                 \
    {"input_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},                    \
    {"self_attn.q_proj.weight", SIZE_Q, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 0},                   \
    {"self_attn.k_proj.weight", SIZE_KV, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 1},                  \
    {"self_attn.v_proj.weight", SIZE_KV, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 1},                  \
    __VA_ARGS__                                                                                \
    {"self_attn.o_proj.weight", SIZE_C, SIZE_Q, INIT_RESIDUAL, ROLE_BLOCK, 0},                 \
    {"post_attention_layernorm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},           \
    {"mlp.gate_proj.weight", SIZE_F, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 0},                      \
    {"mlp.up_proj.weight", SIZE_F, SIZE_C, INIT_NORMAL, ROLE_BLOCK, 1},                        \
    {"mlp.down_proj.weight", SIZE_C, SIZE_F, INIT_RESIDUAL, ROLE_BLOCK, 0},                    \
    {"model.norm.weight", SIZE_C, SIZE_NONE, INIT_ONE, ROLE_MODEL, 0},                         \
    {"lm_head.weight", SIZE_V, SIZE_C, INIT_NORMAL, ROLE_HEAD, 0},                             \
    {0}

/* Rows of a block; those given work on queries, keys and values before they are rotated. */
#define LLAMA_BLOCK(...)                                                                       \
    {&PSW_OP_RMSNORM, STREAM, {A}, {"input_layernorm"}},                                       \
    {&PSW_OP_LINEAR, A, {QKV}, {"self_attn.q_proj"}},                                          \
    __VA_ARGS__                                                                                \
    {&PSW_OP_ROTARY, QKV, {QKV}, {NULL}},                                                      \
    {&PSW_OP_ATTENTION, QKV, {MIXED}, {NULL}},                                                 \
    {&PSW_OP_LINEAR_ADD, MIXED, {STREAM}, {"self_attn.o_proj"}},                               \
    {&PSW_OP_RMSNORM, STREAM, {B}, {"post_attention_layernorm"}},                              \
    {&PSW_OP_LINEAR, B, {GATE_UP}, {"mlp.gate_proj"}},                                         \
    {&PSW_OP_SWIGLU, GATE_UP, {HIDDEN}, {NULL}},                                               \
    {&PSW_OP_LINEAR_ADD, HIDDEN, {STREAM}, {"mlp.down_proj"}},                                 \
    {0}
/* clang-format on */

/* The family made of a file's tables TENSORS and BLOCK. */
#define LLAMA_FAMILY(name)                                                                     \
    static const enum size_name SLOTS[] = {LLAMA_SLOTS};                                       \
    const struct family psw_family_##name = {                                                  \
        .layer = "model.layers.",                                                              \
        .tensor = TENSORS,                                                                     \
        .slot = SLOTS,                                                                         \
        .block = BLOCK,                                                                        \
        .norm = {&PSW_OP_RMSNORM, STREAM, {1}, {"model.norm"}},                                \
    }

#endif
