/* The cpu backend: BLAS and vectorised loops over ordinary memory. */
#include "cpu.h"

const struct psw_backend psw_backend_cpu = {.name = "cpu",
                                            .buffer = &psw_cpu_buffer,
                                            .vector = &psw_cpu_vector,
                                            .queue = &psw_queue_immediate,
                                            .op = {.embedding = &psw_cpu_embedding,
                                                   .layernorm = &psw_cpu_layernorm,
                                                   .rmsnorm = &psw_cpu_rmsnorm,
                                                   .headnorm = &psw_cpu_headnorm,
                                                   .linear = &psw_cpu_linear,
                                                   .rotary = &psw_cpu_rotary,
                                                   .attention = &psw_cpu_attention,
                                                   .gelu = &psw_cpu_gelu,
                                                   .swiglu = &psw_cpu_swiglu,
                                                   .head = &psw_cpu_head,
                                                   .entropy = &psw_cpu_entropy,
                                                   .value = &psw_cpu_value,
                                                   .draw = &psw_cpu_draw}};
