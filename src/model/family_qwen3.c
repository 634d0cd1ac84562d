/* qwen3: llama whose heads of queries and keys are normalised one by one before they are
 * rotated. */
#include "family_llama.h"

/* clang-format off */
static const struct tensor_row TENSORS[] = {LLAMA_TENSORS(
    {"self_attn.q_norm.weight", SIZE_D, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},
    {"self_attn.k_norm.weight", SIZE_D, SIZE_NONE, INIT_ONE, ROLE_BLOCK, 0},
)};
static const struct op_row BLOCK[] = {LLAMA_BLOCK(
    {&PSW_OP_HEADNORM, QKV, {QKV}, {"self_attn.q_norm", "self_attn.k_norm"}},
)};
/* clang-format on */
LLAMA_FAMILY(qwen3);
