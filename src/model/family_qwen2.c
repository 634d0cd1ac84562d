/* qwen2: llama with biases on queries, keys and values. */
#include "family_llama.h"

/* clang-format off */
static const struct tensor_row TENSORS[] = {LLAMA_TENSORS(
    {"self_attn.q_proj.bias", SIZE_Q, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 0},
    {"self_attn.k_proj.bias", SIZE_KV, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 1},
    {"self_attn.v_proj.bias", SIZE_KV, SIZE_NONE, INIT_ZERO, ROLE_BLOCK, 1},
)};
/* clang-format on */
static const struct op_row BLOCK[] = {LLAMA_BLOCK()};
LLAMA_FAMILY(qwen2);
