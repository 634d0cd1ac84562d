#!/usr/bin/env python3
"""Golden numbers of gpt_neox from PyTorch in double precision: python3 gpt_neox.py > gpt_neox.h

Written with torch's own operators after the published model (per-head q, k, v rows, rotate-half,
parallel residual), so that the C code and its naive twin are checked by a third party. Parameters
and the batch are formulas of their indices; the test builds the same."""
import math

import torch
import torch.nn.functional as F

L, C, H, V, T, FF, ROT, BASE, EPS = 2, 24, 3, 19, 12, 96, 4, 10000.0, 1e-5
D = C // H
LAYER = [("input_layernorm.weight", (C,)), ("input_layernorm.bias", (C,)),
         ("post_attention_layernorm.weight", (C,)), ("post_attention_layernorm.bias", (C,)),
         ("attention.query_key_value.weight", (3 * C, C)), ("attention.query_key_value.bias", (3 * C,)),
         ("attention.dense.weight", (C, C)), ("attention.dense.bias", (C,)),
         ("mlp.dense_h_to_4h.weight", (FF, C)), ("mlp.dense_h_to_4h.bias", (FF,)),
         ("mlp.dense_4h_to_h.weight", (C, FF)), ("mlp.dense_4h_to_h.bias", (C,))]
NAMES = ([("gpt_neox.embed_in.weight", (V, C))] +
         [(f"gpt_neox.layers.{i}.{n}", s) for i in range(L) for n, s in LAYER] +
         [("gpt_neox.final_layer_norm.weight", (C,)), ("gpt_neox.final_layer_norm.bias", (C,)),
          ("embed_out.weight", (V, C))])


def values(i, shape, phase):
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 * torch.sin(phase + 0.7 * i + 1.31 * j + 0.017 * j * j)).reshape(shape)


p = {n: (values(i, s, 1.0) + (1.0 if "norm.weight" in n else 0.0)).float().double().requires_grad_()
     for i, (n, s) in enumerate(NAMES)}
direction = [values(i, s, 2.0).float().double() for i, (_, s) in enumerate(NAMES)]
token = torch.tensor([(5 * t + t * t) % V for t in range(T)])
target = torch.tensor([(3 * t + 1) % V for t in range(T)])
weight = torch.tensor([((t * 7) % 5 - 2) / 4.0 for t in range(T)], dtype=torch.float64)


def rotary(x):  # [T][H][D]
    inverse = 1.0 / BASE ** (torch.arange(0, ROT, 2, dtype=torch.float64) / ROT)
    angle = torch.cat([torch.outer(torch.arange(T, dtype=torch.float64), inverse)] * 2, -1)[:, None]
    a, rest = x[..., :ROT], x[..., ROT:]
    half = torch.cat([-a[..., ROT // 2:], a[..., :ROT // 2]], -1)
    return torch.cat([a * angle.cos() + half * angle.sin(), rest], -1)


x = F.embedding(token, p["gpt_neox.embed_in.weight"])
for l in range(L):
    g = lambda n: p[f"gpt_neox.layers.{l}.{n}"]
    norm = lambda n: F.layer_norm(x, (C,), g(n + ".weight"), g(n + ".bias"), EPS)
    lin = lambda n, v: F.linear(v, g(n + ".weight"), g(n + ".bias"))
    q, k, v = lin("attention.query_key_value", norm("input_layernorm")).view(T, H, 3 * D).split(D, -1)
    s = torch.einsum("qhd,khd->hqk", rotary(q), rotary(k)) / math.sqrt(D)
    s = s.masked_fill(~torch.ones(T, T, dtype=torch.bool).tril(), float("-inf"))
    mixed = torch.einsum("hqk,khd->qhd", s.softmax(-1), v).reshape(T, C)
    x = x + lin("attention.dense", mixed) + lin("mlp.dense_4h_to_h", F.gelu(
        lin("mlp.dense_h_to_4h", norm("post_attention_layernorm"))))
x = F.layer_norm(x, (C,), p["gpt_neox.final_layer_norm.weight"], p["gpt_neox.final_layer_norm.bias"], EPS)
logp = F.linear(x, p["embed_out.weight"]).log_softmax(-1)[torch.arange(T), target]
grad = torch.autograd.grad(-(weight * logp).sum(), list(p.values()))

row = lambda v: "{" + ", ".join(f"{float(u):.12g}" for u in v) + "}"
print("/* Written by gpt_neox.py; do not edit. */")
print(f"static const double GOLDEN_LOGP[{T}] = {row(logp)};")
print("/* Per tensor: inner product of the gradient with the test's direction. */")
print(f"static const double GOLDEN_GRAD[{len(NAMES)}] = {row((a * b).sum() for a, b in zip(grad, direction))};")
