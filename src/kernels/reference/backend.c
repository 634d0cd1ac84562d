/* The reference backend: every operation as its manual says it. */
#include "reference.h"

const struct psw_backend psw_backend_reference = {.name = "reference",
                                                  .buffer = &psw_reference_buffer,
                                                  .vector = &psw_reference_vector,
                                                  .queue = &psw_queue_immediate,
                                                  .op = {.embedding = &psw_reference_embedding,
                                                         .layernorm = &psw_reference_layernorm,
                                                         .rmsnorm = &psw_reference_rmsnorm,
                                                         .headnorm = &psw_reference_headnorm,
                                                         .linear = &psw_reference_linear,
                                                         .rotary = &psw_reference_rotary,
                                                         .attention = &psw_reference_attention,
                                                         .gelu = &psw_reference_gelu,
                                                         .swiglu = &psw_reference_swiglu,
                                                         .head = &psw_reference_head,
                                                         .entropy = &psw_reference_entropy,
                                                         .value = &psw_reference_value,
                                                         .draw = &psw_reference_draw}};
