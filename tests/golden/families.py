#!/usr/bin/env python3
"""Golden numbers of every family from PyTorch in double precision: python3 families.py > families.h

Written with torch's own operators after the published models: one function for gpt_neox (per-head q, k, v
rows, LayerNorm, GELU, parallel or sequential residual) and one for llama and its relatives (rotate-half over
whole heads, grouped-query attention, SwiGLU; mistral's window, qwen2's biases, qwen3's norms of heads). A case
is a variant: its sizes, and what differs from the plain form. Parameters and the batch, a prompt with two
responses, are formulas of their indices; the test builds the same. The uniform numbers of the sampled response
are those of the test's generator (seed 11)."""
import math

import torch
import torch.nn.functional as F

V, CONTEXT, EPS = 19, 16, 1e-5
PARENT, LENGTH = [-1, 0, 0], [5, 4, 3]
TEMPERATURE, N_NEW, MAX_TENSOR = 0.8, 7, 30
UNIFORM = [0.052545656119989237, 0.89219878600741742, 0.78551991102604468, 0.92158529085504681,
           0.94427831686927588, 0.68174729361710873, 0.90789824931312002]
PLAIN = dict(n_layer=2, width=24, n_head=4, n_kv_head=2, head_width=6, hidden=40, rotary_base=10000.0)
NEOX = dict(PLAIN, n_head=3, n_kv_head=3, head_width=8, hidden=96, rotary_dims=4)
LLAMA3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_context=60)
CASES = {
    "gpt_neox": NEOX,
    "gpt_neox, tied": dict(NEOX, tied=1),
    "gpt_neox, sequential": dict(NEOX, sequential=1),
    "llama": PLAIN,
    "llama, tied": dict(PLAIN, tied=1),
    "llama, rotary scaled as llama3": dict(PLAIN, rotary_base=100.0, scaling=dict(LLAMA3, kind="llama3")),
    "llama, rotary scaled linearly, wide heads": dict(PLAIN, head_width=10, scaling=dict(factor=4.0, kind="linear")),
    "mistral": PLAIN,
    "mistral, window": dict(PLAIN, window=3),
    "qwen2": PLAIN,
    "qwen2, tied, window, small eps": dict(PLAIN, tied=1, window=4, norm_eps=1e-6),
    "qwen3, wide heads": dict(PLAIN, head_width=10),
    "qwen3, tied": dict(PLAIN, tied=1),
}


def tensors_of(family, d):
    """Names and shapes in the order of a model's table."""
    C, FF, D, Q, K = d["width"], d["hidden"], d["head_width"], *(d[n] * d["head_width"] for n in ("n_head", "n_kv_head"))
    if family == "gpt_neox":
        ends = ("gpt_neox.embed_in", "gpt_neox.final_layer_norm", "embed_out", "gpt_neox.layers")
        maps = [("input_layernorm", C), ("post_attention_layernorm", C), ("attention.query_key_value", 3 * Q, C),
                ("attention.dense", C, Q), ("mlp.dense_h_to_4h", FF, C), ("mlp.dense_4h_to_h", C, FF)]
        layer = [(n + k, s if k == ".weight" else s[:1]) for n, *s in maps for k in (".weight", ".bias")]
        norm = [(ends[1] + ".weight", (C,)), (ends[1] + ".bias", (C,))]
    else:
        ends = ("model.embed_tokens", "model.norm", "lm_head", "model.layers")
        qkv = [("self_attn." + n + "_proj", s) for n, s in (("q", Q), ("k", K), ("v", K))]
        more = {"qwen2": [(n + ".bias", (s,)) for n, s in qkv],
                "qwen3": [("self_attn.q_norm.weight", (D,)), ("self_attn.k_norm.weight", (D,))]}
        layer = ([("input_layernorm.weight", (C,))] + [(n + ".weight", (s, C)) for n, s in qkv] +
                 more.get(family, []) +
                 [("self_attn.o_proj.weight", (C, Q)), ("post_attention_layernorm.weight", (C,)),
                  ("mlp.gate_proj.weight", (FF, C)), ("mlp.up_proj.weight", (FF, C)), ("mlp.down_proj.weight", (C, FF))])
        norm = [(ends[1] + ".weight", (C,))]
    head = [] if d.get("tied") else [(ends[2] + ".weight", (V, C))]
    return ([(ends[0] + ".weight", (V, C))] +
            [(f"{ends[3]}.{i}.{n}", s) for i in range(d["n_layer"]) for n, s in layer] + norm + head)


def values(i, shape, phase):
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    return (0.5 * torch.sin(phase + 0.7 * i + 1.31 * j + 0.017 * j * j)).reshape(list(shape)).float().double()


def frequencies(d, n):
    """Radians per token of each pair, as transformers' modeling_rope_utils defines them."""
    inv_freq = 1.0 / d["rotary_base"] ** (torch.arange(0, n, 2, dtype=torch.float64) / n)
    s = d.get("scaling", {})
    if s.get("kind") == "linear":
        return inv_freq / s["factor"]
    if s.get("kind") != "llama3":
        return inv_freq
    wavelen, low, high = 2 * math.pi / inv_freq, s["low_freq_factor"], s["high_freq_factor"]
    smooth = (s["original_context"] / wavelen - low) / (high - low)
    mixed = (1 - smooth) * inv_freq / s["factor"] + smooth * inv_freq
    scaled = torch.where(wavelen > s["original_context"] / low, inv_freq / s["factor"], mixed)
    return torch.where(wavelen < s["original_context"] / high, inv_freq, scaled)


def rotary(d, x, position):
    """The first n of every head of [T][heads][D], half against half."""
    n = d.get("rotary_dims", x.shape[-1])
    angle = torch.cat([torch.outer(position.double(), frequencies(d, n))] * 2, -1)[:, None]
    a, rest = x[..., :n], x[..., n:]
    half = torch.cat([-a[..., n // 2:], a[..., :n // 2]], -1)
    return torch.cat([a * angle.cos() + half * angle.sin(), rest], -1)


def attention(d, q, k, v, position, sees):
    """[T][heads][D] each, rotated here; window: distances along the path."""
    q, k = rotary(d, q, position), rotary(d, k, position)
    k, v = (x.repeat_interleave(d["n_head"] // d["n_kv_head"], 1) for x in (k, v))
    if "window" in d:
        sees = sees & (position[:, None] - position[None] < d["window"])
    s = torch.einsum("qhd,khd->hqk", q, k) / math.sqrt(d["head_width"])
    return torch.einsum("hqk,khd->qhd", s.masked_fill(~sees, float("-inf")).softmax(-1), v).flatten(1)


def gpt_neox(d, p, token, position, sees):
    lin = lambda n, x: F.linear(x, p[n + ".weight"], p.get(n + ".bias"))
    norm = lambda n, x: F.layer_norm(x, x.shape[-1:], p[n + ".weight"], p[n + ".bias"], d.get("norm_eps", EPS))
    x = F.embedding(token, p["gpt_neox.embed_in.weight"])
    for l in range(d["n_layer"]):
        at = f"gpt_neox.layers.{l}."
        qkv = lin(at + "attention.query_key_value", norm(at + "input_layernorm", x))
        q, k, v = qkv.view(len(token), d["n_head"], -1).split(d["head_width"], -1)
        mixed = lin(at + "attention.dense", attention(d, q, k, v, position, sees))
        b = norm(at + "post_attention_layernorm", x + mixed if d.get("sequential") else x)
        x = x + mixed + lin(at + "mlp.dense_4h_to_h", F.gelu(lin(at + "mlp.dense_h_to_4h", b)))
    x = norm("gpt_neox.final_layer_norm", x)
    return F.linear(x, p["gpt_neox.embed_in.weight" if d.get("tied") else "embed_out.weight"])


def llama(d, p, token, position, sees):
    lin = lambda n, x: F.linear(x, p[n + ".weight"], p.get(n + ".bias"))
    norm = lambda n, x: x / (x.pow(2).mean(-1, keepdim=True) + d.get("norm_eps", EPS)).sqrt() * p[n + ".weight"]
    x = F.embedding(token, p["model.embed_tokens.weight"])
    for l in range(d["n_layer"]):
        at = f"model.layers.{l}."
        a = norm(at + "input_layernorm", x)
        q, k, v = (lin(at + f"self_attn.{n}_proj", a).unflatten(-1, (-1, d["head_width"])) for n in "qkv")
        if at + "self_attn.q_norm.weight" in p:
            q, k = norm(at + "self_attn.q_norm", q), norm(at + "self_attn.k_norm", k)
        x = x + lin(at + "self_attn.o_proj", attention(d, q, k, v, position, sees))
        b = norm(at + "post_attention_layernorm", x)
        x = x + lin(at + "mlp.down_proj", F.silu(lin(at + "mlp.gate_proj", b)) * lin(at + "mlp.up_proj", b))
    return F.linear(norm("model.norm", x), p["model.embed_tokens.weight" if d.get("tied") else "lm_head.weight"])


T = sum(LENGTH)
SEGMENT = [s for s, n in enumerate(LENGTH) for _ in range(n)]
POSITION = torch.tensor([i + (LENGTH[0] if s else 0) for s, n in enumerate(LENGTH) for i in range(n)])
SEES = torch.tensor([[SEGMENT[k] == SEGMENT[q] and k <= q or SEGMENT[k] == PARENT[SEGMENT[q]]
                      for k in range(T)] for q in range(T)])
TOKEN = torch.tensor([(5 * t + t * t) % V for t in range(T)])
TARGET = torch.tensor([(3 * t + 1) % V for t in range(T)])
WEIGHT = torch.tensor([((t * 7) % 5 - 2) / 4.0 for t in range(T)], dtype=torch.float64)

row = lambda v: "{" + ", ".join(f"{float(u):.9g}" for u in v) + "}"


def numbers(name, d):
    """The fields of a case."""
    family = name.split(",")[0]
    model = gpt_neox if family == "gpt_neox" else llama
    names, shapes = zip(*tensors_of(family, d))
    param = [values(i, s, 1.0) + (1.0 if "norm.weight" in n else 0.0) for i, (n, s) in enumerate(zip(names, shapes))]
    direction = [values(i, s, 2.0) for i, s in enumerate(shapes)]
    logits = lambda leaves, *batch: model(d, dict(zip(names, leaves)), *batch)

    def logp_of(*leaves):
        return logits(leaves, TOKEN, POSITION, SEES).log_softmax(-1)[torch.arange(T), TARGET]

    def respond(temperature, draw):
        """Tokens after the prompt, and their log-probabilities at that temperature."""
        text, logp = TOKEN[:LENGTH[0]].tolist(), []
        for t in range(N_NEW):
            n = len(text)
            batch = torch.tensor(text), torch.arange(n), torch.ones(n, n, dtype=torch.bool).tril()
            log = (logits(param, *batch)[-1] / temperature).log_softmax(-1)
            text.append(draw(log, t))
            logp.append(log[text[-1]])
        return text[LENGTH[0]:], logp

    def greedy(log, t):
        first, second = log.topk(2).values
        assert first - second > 1e-3, f"{name}: token {t} is a tie but for rounding"
        return int(log.argmax())

    def drawn(log, t):
        cumulated = log.exp().cumsum(-1)
        assert (cumulated - UNIFORM[t]).abs().min() > 1e-5, f"{name}: draw {t} is at an edge"
        return int((cumulated < UNIFORM[t]).sum())

    leaves = [v.clone().requires_grad_() for v in param]
    grad = torch.autograd.grad(-(WEIGHT * logp_of(*leaves)).sum(), leaves)
    tangent = torch.autograd.functional.jvp(logp_of, tuple(param), tuple(direction))[1]
    (best, best_logp), (draws, draws_logp) = respond(1.0, greedy), respond(TEMPERATURE, drawn)
    return dict(n_tensor=len(names), logp=row(logp_of(*param)), grad=row((g * v).sum() for g, v in zip(grad, direction)),
                tangent=row(tangent), greedy=row(best), drawn=row(draws), greedy_logp=row(best_logp),
                drawn_logp=row(draws_logp))


def initialiser(fields):
    return ", ".join(f".{k} = {v}" for k, v in fields.items())


def dims_of(name, d):
    d = dict(dict(n_vocab=V, context=CONTEXT, norm_eps=EPS), **d)
    if "scaling" in d:
        s = d["scaling"]
        d["scaling"] = "{" + initialiser(dict(s, kind="PSW_ROPE_" + s["kind"].upper())) + "}"
    return "{" + initialiser(dict(family="PSW_FAMILY_" + name.split(",")[0].upper(), **d)) + "}"


print(f"""/* Written by families.py; do not edit. grad: per tensor, the inner product of the gradient with the test's
 * direction; tangent: of the log-probabilities along it; greedy, drawn: after the prompt, the most probable
 * tokens and tokens drawn at temperature {TEMPERATURE}. */
static const struct golden_case {{
    const char *name;
    struct psw_model_dims dims;
    int n_tensor;
    double logp[{T}], grad[{MAX_TENSOR}], tangent[{T}];
    int32_t greedy[{N_NEW}], drawn[{N_NEW}];
    double greedy_logp[{N_NEW}], drawn_logp[{N_NEW}];
}} GOLDEN_CASES[] = {{""")
for name, d in CASES.items():
    print(f'{{.name = "{name}", .dims = {dims_of(name, d)}, {initialiser(numbers(name, d))}}},')
print("};")
