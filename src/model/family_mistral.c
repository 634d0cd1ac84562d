/* mistral: llama whose tokens may see a window of those before them only (dims.window). */
#include "family_llama.h"

static const struct tensor_row TENSORS[] = {LLAMA_TENSORS()};
static const struct op_row BLOCK[] = {LLAMA_BLOCK()};
LLAMA_FAMILY(mistral);
