#!/usr/bin/env python3
"""Golden numbers of llama from PyTorch in double precision: python3 llama.py > llama.h

Written with torch's own operators after the published model (RMSNorm, rotate-half over whole heads,
grouped-query attention, SwiGLU, sequential residual, no biases). Parameters and the batch, a prompt
with two responses, are formulas of their indices; the test builds the same. The uniform numbers of
the sampled response are those of the test's generator (seed 11)."""
import math

import torch
import torch.nn.functional as F

L, C, H, K, V, FF, CONTEXT, BASE, EPS = 2, 24, 4, 2, 19, 40, 16, 10000.0, 1e-5
D = C // H
PARENT, LENGTH = [-1, 0, 0], [5, 4, 3]
TEMPERATURE, N_NEW = 0.8, 7
UNIFORM = [0.052545656119989237, 0.89219878600741742, 0.78551991102604468, 0.92158529085504681, 0.94427831686927588, 0.68174729361710873, 0.90789824931312002]
LAYER = [("input_layernorm.weight", (C,)),
         ("self_attn.q_proj.weight", (H * D, C)), ("self_attn.k_proj.weight", (K * D, C)),
         ("self_attn.v_proj.weight", (K * D, C)), ("self_attn.o_proj.weight", (C, H * D)),
         ("post_attention_layernorm.weight", (C,)),
         ("mlp.gate_proj.weight", (FF, C)), ("mlp.up_proj.weight", (FF, C)), ("mlp.down_proj.weight", (C, FF))]
NAMES = ([("model.embed_tokens.weight", (V, C))] +
         [(f"model.layers.{i}.{n}", s) for i in range(L) for n, s in LAYER] +
         [("model.norm.weight", (C,)), ("lm_head.weight", (V, C))])


def values(i, shape, phase):
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 * torch.sin(phase + 0.7 * i + 1.31 * j + 0.017 * j * j)).reshape(shape).float().double()


names = [n for n, _ in NAMES]
param = [values(i, s, 1.0) + (1.0 if "norm.weight" in n else 0.0) for i, (n, s) in enumerate(NAMES)]
direction = [values(i, s, 2.0) for i, (_, s) in enumerate(NAMES)]
T = sum(LENGTH)
segment = [s for s, n in enumerate(LENGTH) for _ in range(n)]
position = torch.tensor([i + (LENGTH[0] if s else 0) for s, n in enumerate(LENGTH) for i in range(n)])
sees = torch.tensor([[segment[k] == segment[q] and k <= q or segment[k] == PARENT[segment[q]]
                      for k in range(T)] for q in range(T)])
token = torch.tensor([(5 * t + t * t) % V for t in range(T)])
target = torch.tensor([(3 * t + 1) % V for t in range(T)])
weight = torch.tensor([((t * 7) % 5 - 2) / 4.0 for t in range(T)], dtype=torch.float64)


def logits_of(values, tied, token, position, sees):
    p = dict(zip(names, values))
    norm = lambda x, n: x / (x.pow(2).mean(-1, keepdim=True) + EPS).sqrt() * p[n + ".weight"]

    def rotary(x):  # [T][heads][D]
        inverse = 1.0 / BASE ** (torch.arange(0, D, 2, dtype=torch.float64) / D)
        angle = torch.cat([torch.outer(position.double(), inverse)] * 2, -1)[:, None]
        half = torch.cat([-x[..., D // 2:], x[..., :D // 2]], -1)
        return x * angle.cos() + half * angle.sin()

    x = F.embedding(token, p["model.embed_tokens.weight"])
    for l in range(L):
        lin = lambda n, v: F.linear(v, p[f"model.layers.{l}.{n}.weight"])
        a = norm(x, f"model.layers.{l}.input_layernorm")
        q = rotary(lin("self_attn.q_proj", a).view(-1, H, D))
        k = rotary(lin("self_attn.k_proj", a).view(-1, K, D)).repeat_interleave(H // K, 1)
        v = lin("self_attn.v_proj", a).view(-1, K, D).repeat_interleave(H // K, 1)
        s = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(D)
        mixed = torch.einsum("hqk,khd->qhd", s.masked_fill(~sees, float("-inf")).softmax(-1), v)
        x = x + lin("self_attn.o_proj", mixed.reshape(-1, H * D))
        b = norm(x, f"model.layers.{l}.post_attention_layernorm")
        x = x + lin("mlp.down_proj", F.silu(lin("mlp.gate_proj", b)) * lin("mlp.up_proj", b))
    return F.linear(norm(x, "model.norm"), p["model.embed_tokens.weight" if tied else "lm_head.weight"])


def logp_of(tied, *values):
    return logits_of(values, tied, token, position, sees).log_softmax(-1)[torch.arange(T), target]


def respond(tied, temperature, draw):
    """Tokens after the prompt, and their log-probabilities at that temperature."""
    text, logp = token[:LENGTH[0]].tolist(), []
    for t in range(N_NEW):
        n = len(text)
        log = (logits_of(param, tied, torch.tensor(text), torch.arange(n),
                         torch.ones(n, n, dtype=torch.bool).tril())[-1] / temperature).log_softmax(-1)
        text.append(draw(log, t))
        logp.append(log[text[-1]])
    return text[LENGTH[0]:], logp


row = lambda v: "{" + ", ".join(f"{float(u):.12g}" for u in v) + "}"
print("/* Written by llama.py; do not edit. The second of two: with tied embeddings. */")
both = (0, 1)
logp = [logp_of(tied, *param) for tied in both]
print(f"static const double LLAMA_LOGP[2][{T}] = {{{', '.join(map(row, logp))}}};")
print("/* Per tensor: inner product of the gradient with the test's direction. */")
leaves = [v.clone().requires_grad_() for v in param]
grads = [torch.autograd.grad(-(weight * logp_of(tied, *leaves)).sum(), leaves, allow_unused=True) for tied in both]
dots = [[0.0 if g is None else (g * d).sum() for g, d in zip(grad, direction)] for grad in grads]
print(f"static const double LLAMA_GRAD[2][{len(NAMES)}] = {{{', '.join(map(row, dots))}}};")
print("/* Derivative of the log-probabilities along the direction. */")
tangent = [torch.autograd.functional.jvp(lambda *v: logp_of(tied, *v), tuple(param), tuple(direction))[1]
           for tied in both]
print(f"static const double LLAMA_TANGENT[2][{T}] = {{{', '.join(map(row, tangent))}}};")
print("/* After the prompt: the most probable tokens, and tokens drawn at temperature "
      f"{TEMPERATURE}. */")
greedy, greedy_logp = respond(0, 1.0, lambda log, t: int(log.argmax()))
drawn, drawn_logp = respond(0, TEMPERATURE, lambda log, t: int((log.exp().cumsum(-1) < UNIFORM[t]).sum()))
print(f"static const int32_t LLAMA_GREEDY[{N_NEW}] = {row(greedy)}, LLAMA_DRAWN[{N_NEW}] = {row(drawn)};")
print(f"static const double LLAMA_GREEDY_LOGP[{N_NEW}] = {row(greedy_logp)};")
print(f"static const double LLAMA_DRAWN_LOGP[{N_NEW}] = {row(drawn_logp)};")
