/* llama: the plain form, without biases. */
#include "family_llama.h"

static const struct tensor_row TENSORS[] = {LLAMA_TENSORS()};
static const struct op_row BLOCK[] = {LLAMA_BLOCK()};
LLAMA_FAMILY(llama);
