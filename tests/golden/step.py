#!/usr/bin/env python3
"""Write step.h: losses and gradients of one preference step by PyTorch's autograd, in double.

A gpt_neox of a few hundred weights, three pairs, every method: the losses are written here from the papers, the
gradients come from autograd, so nothing is shared with the weight rules of posweep. Parameters are not stored: both
sides make them with the generator of tests/support (support_fill), tensor by tensor.

Usage: python3 tests/golden/step.py > tests/golden/step.h   (needs torch; run it by hand)
"""
import math
import random

import torch
from torch.nn.functional import gelu, layer_norm, logsigmoid, softplus

L, C, H, F, V, CONTEXT, R = 2, 8, 2, 16, 11, 16, 2  # R: rotated dimensions of each head
BASE, NORM_EPS, LR, CLIP = 10000.0, 1e-5, 0.1, 1.0
OPTS = {"beta": 0.5, "gamma": 0.5, "epsilon": 0.1, "lambda": 5.0, "alpha": 0.7}
PAIRS = [  # prompt, chosen, rejected; responses end with EOS = 0
    ([3, 1, 4], [1, 5, 0], [9, 2, 6, 5, 0]),
    ([3, 1, 4, 1], [5, 9, 2, 6, 0], [3, 0]),
    ([7], [0], [8, 2, 8, 0]),
]
MASK = 2**64 - 1


def fill(n, scale, seed):
    """support_fill of tests/support/support.c."""
    s, out = (seed * 2862933555777941757 + 3037000493) & MASK, []
    for _ in range(n):
        s = (s * 6364136223846793005 + 1442695040888963407) & MASK
        out.append((s >> 40) / 8388608.0 - 1.0)
    return torch.tensor(out, dtype=torch.float32) * scale


def tensors():
    """(name, shape, scale, mean), in any order."""
    yield "gpt_neox.embed_in.weight", (V, C), 1.0, 0.0
    for layer in range(L):
        p = f"gpt_neox.layers.{layer}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield p + norm + ".weight", (C,), 0.25, 1.0
            yield p + norm + ".bias", (C,), 0.25, 0.0
        for name, shape in (("attention.query_key_value", (3 * C, C)), ("attention.dense", (C, C)),
                            ("mlp.dense_h_to_4h", (F, C)), ("mlp.dense_4h_to_h", (C, F))):
            yield p + name + ".weight", shape, 0.5, 0.0
            yield p + name + ".bias", shape[:1], 0.25, 0.0
    yield "gpt_neox.final_layer_norm.weight", (C,), 0.25, 1.0
    yield "gpt_neox.final_layer_norm.bias", (C,), 0.25, 0.0
    yield "embed_out.weight", (V, C), 0.5, 0.0


def parameters(first_seed, table=tensors):
    out = {}
    for i, (name, shape, scale, mean) in enumerate(table()):
        x = fill(math.prod(shape), scale, first_seed + i) + torch.tensor(mean, dtype=torch.float32)
        out[name] = x.reshape(shape).double().requires_grad_(True)
    return out


def rotate(x):
    """x: [T, H, D]; the first R dimensions turn in pairs (i, i + R/2)."""
    t = torch.arange(x.shape[0], dtype=torch.float64)
    angle = t[:, None] * BASE ** (-2.0 * torch.arange(R // 2, dtype=torch.float64) / R)
    cos, sin = torch.cos(angle)[:, None, :], torch.sin(angle)[:, None, :]
    a, b, rest = x[..., : R // 2], x[..., R // 2 : R], x[..., R:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin, rest], -1)


def block(w, p, x):
    T, D = x.shape[0], C // H
    norm = lambda name: layer_norm(x, (C,), w[p + name + ".weight"], w[p + name + ".bias"], NORM_EPS)
    linear = lambda name, y: y @ w[p + name + ".weight"].T + w[p + name + ".bias"]
    qkv = linear("attention.query_key_value", norm("input_layernorm")).view(T, H, 3, D)
    q, k, v = rotate(qkv[:, :, 0]), rotate(qkv[:, :, 1]), qkv[:, :, 2]
    score = torch.einsum("thd,shd->hts", q, k) / math.sqrt(D)
    score = score.masked_fill(torch.triu(torch.ones(T, T, dtype=torch.bool), 1), -math.inf)
    heads = torch.einsum("hts,shd->thd", torch.softmax(score, -1), v).reshape(T, C)
    mlp = linear("mlp.dense_4h_to_h", gelu(linear("mlp.dense_h_to_4h", norm("post_attention_layernorm"))))
    return x + linear("attention.dense", heads) + mlp


def hidden(w, tokens):
    """Normalised rows of every token: what the heads read."""
    x = w["gpt_neox.embed_in.weight"][tokens]
    for layer in range(L):
        x = block(w, f"gpt_neox.layers.{layer}.", x)
    return layer_norm(x, (C,), w["gpt_neox.final_layer_norm.weight"], w["gpt_neox.final_layer_norm.bias"], NORM_EPS)


def logp(w, prompt, response):
    tokens = torch.tensor(prompt + response)
    rows = torch.log_softmax(hidden(w, tokens[:-1]) @ w["embed_out.weight"].T, -1)[len(prompt) - 1 :]
    return rows.gather(1, tokens[len(prompt) :, None]).sum()


def loss_of(method, zc, zr, rc, rr, nc, nr):
    beta, gamma, eps, lam, alpha = (OPTS[k] for k in ("beta", "gamma", "epsilon", "lambda", "alpha"))
    h = beta * (zc - rc - zr + rr)
    odds = lambda z, n: z / n - torch.log1p(-torch.exp(z / n))
    return {
        "dpo": lambda: -logsigmoid(h),
        "ipo": lambda: (h / beta - 1 / (2 * beta)) ** 2,
        "hinge": lambda: torch.relu(1 - h),
        "simpo": lambda: -logsigmoid(beta * (zc / nc - zr / nr) - gamma),
        "dpo_norm": lambda: -logsigmoid(beta * ((zc - rc) / nc - (zr - rr) / nr)),
        "dpo_smooth": lambda: -(1 - eps) * logsigmoid(h) - eps * logsigmoid(-h),
        "dpo_robust": lambda: (-(1 - eps) * logsigmoid(h) + eps * logsigmoid(-h)) / (1 - 2 * eps),
        "dpop": lambda: softplus(-(h - beta * lam * torch.relu(rc - zc))),
        "orpo": lambda: -zc / nc - alpha * logsigmoid(odds(zc, nc) - odds(zr, nr)),
        "cpo": lambda: -logsigmoid(beta * (zc - zr)) - alpha * zc / nc,
        "rpo": lambda: -logsigmoid(h) - alpha * zc / nc,
        "sft": lambda: -zc,
    }[method]()


METHODS = "dpo ipo hinge simpo dpo_norm dpo_smooth dpo_robust dpop orpo cpo rpo sft".split()


def mean_loss(method, w, ref):
    total = 0.0
    for prompt, chosen, rejected in PAIRS:
        z = [logp(w, prompt, y) for y in (chosen, rejected)]
        r = [logp(ref, prompt, y).detach() for y in (chosen, rejected)]
        total = total + loss_of(method, z[0], z[1], r[0], r[1], len(chosen), len(rejected))
    return total / len(PAIRS)


def numbers(values):
    return "{" + ", ".join(f"{float(v):.12g}" for v in values) + "}"


def main():
    table = list(tensors())
    policy, ref = parameters(100), parameters(200)
    random.seed(1)
    places = [(name, random.randrange(math.prod(shape))) for name, shape, _, _ in random.sample(table, len(table))]
    print("/* Made by step.py with PyTorch %s: do not edit. */" % torch.__version__)
    print("/* clang-format off */\n#include <stdint.h>")
    print(f"enum {{ STEP_L = {L}, STEP_C = {C}, STEP_H = {H}, STEP_F = {F}, STEP_V = {V}, STEP_CONTEXT = {CONTEXT},")
    print(f"       STEP_ROTARY = {R}, STEP_N_PAIR = {len(PAIRS)}, STEP_MAX_TOK = 8, STEP_N_TENSOR = {len(table)},")
    print(f"       STEP_N_PLACE = {len(places)}, STEP_N_METHOD = {len(METHODS)}, STEP_SEED = 100, STEP_SEED_REF = 200 }};")
    print(f"static const double STEP_BASE = {BASE}, STEP_NORM_EPS = {NORM_EPS}, STEP_LR = {LR}, STEP_CLIP = {CLIP};")
    print("static const double STEP_BETA = {beta}, STEP_GAMMA = {gamma}, STEP_EPSILON = {epsilon},".format(**OPTS))
    print("    STEP_LAMBDA = {lambda}, STEP_ALPHA = {alpha};".format(**OPTS))
    print("static const struct { const char *name; float scale, mean; } STEP_TENSOR[STEP_N_TENSOR] = {")
    for name, _, scale, mean in table:
        print(f'    {{"{name}", {scale}f, {mean}f}},')
    print("};\nstatic const struct { int n[3]; int32_t token[3][STEP_MAX_TOK]; } STEP_PAIR[STEP_N_PAIR] = {")
    for parts in PAIRS:
        print("    {{%s}, {%s}}," % (", ".join(str(len(p)) for p in parts),
                                    ", ".join("{" + ", ".join(map(str, p)) + "}" for p in parts)))
    print("};")
    for name, w in (("LOGP", policy), ("LOGP_REF", ref)):
        rows = [[logp(w, p, c), logp(w, p, r)] for p, c, r in PAIRS]
        print(f"static const double STEP_{name}[STEP_N_PAIR][2] = {{{', '.join(map(numbers, rows))}}};")
    print("static const struct { const char *tensor; int64_t index; } STEP_PLACE[STEP_N_PLACE] = {")
    for name, index in places:
        print(f'    {{"{name}", {index}}},')
    print("};\nstatic const struct { const char *method; double loss, norm, loss_after, grad[STEP_N_PLACE]; }")
    print("    STEP_GOLDEN[STEP_N_METHOD] = {")
    for method in METHODS:
        loss = mean_loss(method, policy, ref)
        grads = dict(zip(policy, torch.autograd.grad(loss, list(policy.values()), allow_unused=True)))
        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        scale = LR * min(1.0, CLIP / (norm + 1e-6))
        moved = {k: (w - scale * grads[k]).detach() for k, w in policy.items()}
        picked = [grads[name].reshape(-1)[index] for name, index in places]
        print(f'    {{"{method}", {loss:.12g}, {norm:.12g}, {mean_loss(method, moved, ref):.12g},')
        print(f"     {numbers(picked)}}},")
    print("};\n/* clang-format on */")


if __name__ == "__main__":  # ppo.py takes the model from here
    main()
