#!/usr/bin/env python3
"""Write ppo.h: one update of ppo, its critic, grpo, dapo and a reward model by PyTorch's autograd, in double.

The model of step.py, with a scalar head where one is needed. Responses, scores, old log-probabilities and old values
are given, such that the clips act on either side; everything else is written here from the papers, in the order of
the reference code of arXiv 2403.17031: rewards per token, GAE, whitening, losses; gradients by autograd, updates by
torch.optim.AdamW. Nothing is shared with the weight rules of posweep.

Usage: python3 tests/golden/ppo.py > tests/golden/ppo.h   (needs torch; run it by hand)
"""
import math
import random

import torch
from torch.nn.functional import logsigmoid

import step

HEAD = [("score.weight", (1, step.C), 0.5, 0.0), ("score.bias", (1,), 0.25, 0.0)]
SEED = {"policy": 100, "ref": 200, "critic": 300, "reward": 400, "direction": 900}
TEMPERATURE, KL, DISCOUNT, LAMBDA, ENTROPY, GRPO_KL = 0.7, 0.05, 0.98, 0.9, 0.02, 0.3
CLIP, CLIP_HIGH, VALUE_CLIP, VALUE_COEF = 0.2, 0.28, 0.2, 0.4
OVERLONG = (6, 3)  # longest response, tokens before it over which the penalty grows
OPTIMISER = {"lr": 0.01, "betas": (0.9, 0.95), "eps": 1e-3, "weight_decay": 0.1}
NORM_MAX = 0.1
PROMPTS = [[3, 1, 4], [7], [2, 7, 1, 8]]
RESPONSES = [  # of each prompt; 0 is EOS, one response breaks off
    [[1, 5, 0], [9, 2, 6, 5, 0], [0]],
    [[8, 2, 8, 0], [3, 3, 3, 3, 3, 3], [4, 0]],
    [[5, 9, 0], [10, 6, 1, 0], [2, 0]],
]
SCORES = [[1.5, -0.5, 0.25], [0.75, -1.0, 2.0], [0.5, 0.5, 0.5]]
GROUP = len(SCORES[0])
SEQS = [(p, r) for p, rs in zip(PROMPTS, RESPONSES) for r in rs]
LENGTHS = [len(r) for _, r in SEQS]
N_ROW, N_DOT, N_PLACE = sum(LENGTHS), 2, 8


def tensors_with_head():
    yield from step.tensors()
    yield from HEAD


def rows(w, what):
    """Quantities of all response tokens: log-probabilities, entropies, values of the state before the token."""
    out = []
    for prompt, response in SEQS:
        x = step.hidden(w, torch.tensor((prompt + response)[:-1]))[len(prompt) - 1 :]
        if what == "value":
            out.append((x @ w["score.weight"].T + w["score.bias"])[:, 0])
            continue
        logp = torch.log_softmax(x @ w["embed_out.weight"].T / TEMPERATURE, -1)
        token = torch.tensor(response)[:, None]
        out.append(logp.gather(1, token)[:, 0] if what == "logp" else -(logp.exp() * logp).sum(-1))
    return torch.cat(out)


def reward_of(w, prompt, response):
    x = step.hidden(w, torch.tensor(prompt + response))[-1]
    return x @ w["score.weight"][0] + w["score.bias"][0]


def given(exact, spread, seed):
    """Numbers near the exact ones, of few digits."""
    draw = random.Random(seed)
    return torch.tensor([round(float(x) + draw.uniform(-spread, spread), 3) for x in exact], dtype=torch.float64)


def whitened_gae(old, ref, old_value):
    reward = -KL * (old - ref)  # k1
    advantage, ret, end = torch.zeros(N_ROW, dtype=torch.float64), torch.zeros(N_ROW, dtype=torch.float64), 0
    for n, score in zip(LENGTHS, sum(SCORES, [])):
        begin, end, last = end, end + n, 0.0
        reward[end - 1] += score
        for t in reversed(range(begin, end)):
            following = old_value[t + 1] if t + 1 < end else 0.0
            last = reward[t] + DISCOUNT * following - old_value[t] + DISCOUNT * LAMBDA * last
            advantage[t], ret[t] = last, last + old_value[t]
    return (advantage - advantage.mean()) / torch.sqrt(advantage.var(unbiased=True) + 1e-8), ret


def group_advantage(overlong):
    out = []
    longest, buffer = OVERLONG
    for responses, scores in zip(RESPONSES, SCORES):
        penalty = [min(0.0, max(-1.0, (longest - buffer - len(r)) / buffer)) if overlong else 0.0 for r in responses]
        x = torch.tensor(scores, dtype=torch.float64) + torch.tensor(penalty, dtype=torch.float64)
        for a, r in zip((x - x.mean()) / (x.std() + 1e-4), responses):
            out += [float(a)] * len(r)
    return torch.tensor(out, dtype=torch.float64)


def surrogate(w, d, advantage, high, per_response, kl):
    logp = rows(w, "logp")
    ratio = torch.exp(logp - d["old"])
    loss = -torch.min(ratio * advantage, torch.clamp(ratio, 1 - CLIP, 1 + high) * advantage)
    if kl:
        loss = loss + kl * (torch.exp(d["ref"] - logp) - (d["ref"] - logp) - 1)  # k3
    mean = sum(x.mean() for x in loss.split(LENGTHS)) / len(LENGTHS) if per_response else loss.mean()
    return mean - ENTROPY * rows(w, "entropy").mean()


def value_loss(w, d):
    value = rows(w, "value")
    kept = torch.clamp(value, d["old_value"] - VALUE_CLIP, d["old_value"] + VALUE_CLIP)
    return VALUE_COEF * 0.5 * torch.max((value - d["ret"]) ** 2, (kept - d["ret"]) ** 2).mean()


def bradley_terry(w):
    margins = [reward_of(w, p, c) - reward_of(w, p, r) for p, c, r in step.PAIRS]
    return -sum(map(logsigmoid, margins)) / len(margins)


CASES = {  # parameters, has it a head, loss
    "ppo": ("policy", False, lambda w, d: surrogate(w, d, d["ppo"], CLIP, False, 0)),
    "critic": ("critic", True, value_loss),
    "shared": ("policy", True, lambda w, d: surrogate(w, d, d["ppo"], CLIP, False, 0) + value_loss(w, d)),
    "grpo": ("policy", False, lambda w, d: surrogate(w, d, d["grpo"], CLIP, True, GRPO_KL)),
    "dapo": ("policy", False, lambda w, d: surrogate(w, d, d["dapo"], CLIP_HIGH, False, 0)),
    "reward": ("reward", True, lambda w, d: bradley_terry(w)),
}


def check_clips(d, policy, critic, shared):
    """The clips act on either side, and nothing lies so near a limit that rounding decides."""
    ratio = torch.exp(rows(policy, "logp") - d["old"]).detach()
    for limit in (1 - CLIP, 1 + CLIP, 1 + CLIP_HIGH):
        assert (ratio - limit).abs().min() > 1e-3, ratio
    for key, high in (("ppo", CLIP), ("grpo", CLIP), ("dapo", CLIP_HIGH)):
        over, under = (ratio > 1 + high) & (d[key] > 0), (ratio < 1 - CLIP) & (d[key] < 0)
        free = ((ratio > 1 + high) & (d[key] < 0)).sum(), ((ratio < 1 - CLIP) & (d[key] > 0)).sum()
        assert over.sum() > 1 and under.sum() > 1 and min(free) > 0, (key, over.sum(), under.sum(), free)
    for w in (critic, shared):
        move, error = (rows(w, "value") - d["old_value"]).detach(), (rows(w, "value") - d["ret"]).detach()
        kept = move.sign() * VALUE_CLIP + d["old_value"] - d["ret"]
        stopped = (move.abs() > VALUE_CLIP) & (kept**2 > error**2)
        assert (move.abs() - VALUE_CLIP).abs().min() > 1e-3 and 1 < stopped.sum() < (move.abs() > VALUE_CLIP).sum()
        assert w is shared or ((move > VALUE_CLIP) & stopped).sum() > 1 and ((move < -VALUE_CLIP) & stopped).sum() > 1


def checksums(x, direction, places):
    """Two inner products with given directions, and a few entries."""
    dots = [sum(float((x[k] * d[k]).sum()) for k in x) for d in direction]
    return step.numbers(dots), step.numbers(x[name].reshape(-1)[index] for name, index in places)


def case(name, d, places):
    start, has_head, loss_of = CASES[name]
    w = step.parameters(SEED[start], tensors_with_head if has_head else step.tensors)
    direction = [step.parameters(SEED["direction"] + 50 * k, unit_tensors) for k in range(N_DOT)]
    direction = [{k: v.detach() for k, v in x.items()} for x in direction]
    optimiser = torch.optim.AdamW(list(w.values()), **OPTIMISER)
    loss = loss_of(w, d)
    loss.backward()
    for v in w.values():
        v.grad = torch.zeros_like(v) if v.grad is None else v.grad
    before = {k: v.detach().clone() for k, v in w.items()}
    grad = {k: v.grad.clone() for k, v in w.items()}
    norm = float(torch.nn.utils.clip_grad_norm_(list(w.values()), NORM_MAX))
    optimiser.step()
    moved = {k: v.detach() - before[k] for k, v in w.items()}
    places = [p for p in places if p[0] in w] + ([("score.bias", 0)] if has_head else [("embed_out.weight", 3)])
    print(f'    {{"{name}", {SEED[start]}, {int(has_head)}, {float(loss):.12g}, {norm:.12g},')
    for x in (grad, moved):
        print("     {%s, %s}," % checksums(x, direction, places))
    print(f"     {float(loss_of(w, d)):.12g}}},")


def unit_tensors():
    for name, shape, _, _ in tensors_with_head():
        yield name, shape, 1.0, 0.0


def list_of(name, values, size="PPO_N_ROW"):
    print(f"static const double PPO_{name}[{size}] = {step.numbers(values)};")


def main():
    policy, ref = step.parameters(SEED["policy"]), step.parameters(SEED["ref"])
    critic, shared = (step.parameters(SEED[k], tensors_with_head) for k in ("critic", "policy"))
    d = {"old": given(rows(policy, "logp"), 0.6, 1), "ref": rows(ref, "logp").detach()}
    d["old_value"] = given(rows(critic, "value"), 0.5, 2)
    d["ppo"], d["ret"] = whitened_gae(d["old"], d["ref"], d["old_value"])
    d["grpo"], d["dapo"] = group_advantage(False), group_advantage(True)
    check_clips(d, policy, critic, shared)
    table = list(step.tensors())
    draw = random.Random(5)
    places = [(name, draw.randrange(math.prod(shape))) for name, shape, _, _ in draw.sample(table, N_PLACE - 1)]
    print("/* Made by ppo.py with PyTorch %s: do not edit. */" % torch.__version__)
    print("/* clang-format off */\n#include <stdint.h>")
    print(f"enum {{ PPO_N_PROMPT = {len(PROMPTS)}, PPO_N_SAMPLE = {GROUP}, PPO_N_SEQ = {len(SEQS)},")
    print(f"       PPO_N_ROW = {N_ROW}, PPO_MAX_TOK = {OVERLONG[0]}, PPO_OVERLONG = {OVERLONG[1]},")
    print(f"       PPO_N_DOT = {N_DOT}, PPO_N_PLACE = {N_PLACE}, PPO_N_CASE = {len(CASES)},")
    print(f"       PPO_SEED_REF = {SEED['ref']}, PPO_SEED_DIRECTION = {SEED['direction']} }};")
    print("/* Settings of the sweep file. */")
    print("static const struct { const char *path, *text; } PPO_SETTING[] = {")
    settings = {
        "policy.temperature": TEMPERATURE, "policy.discount": DISCOUNT, "policy.gae_lambda": LAMBDA,
        "policy.entropy_coef": ENTROPY, "policy.clip_low": CLIP, "policy.value_clip": VALUE_CLIP,
        "policy.value_coef": VALUE_COEF, "policy.lr": OPTIMISER["lr"], "policy.beta1": OPTIMISER["betas"][0],
        "policy.beta2": OPTIMISER["betas"][1], "policy.eps": OPTIMISER["eps"],
        "policy.weight_decay": OPTIMISER["weight_decay"], "policy.clip": NORM_MAX}
    for path, value in settings.items():
        print(f'    {{"{path}", "{value:g}"}},')
    print("};")
    print(f"static const double PPO_KL = {KL}, PPO_GRPO_KL = {GRPO_KL};")
    print("static const struct { const char *name; float scale; } PPO_HEAD[2] = {")
    print("    " + ", ".join(f'{{"{name}", {scale}f}}' for name, _, scale, _ in HEAD) + "};")
    print("static const struct { int n; int32_t token[4]; } PPO_PROMPT[PPO_N_PROMPT] = {")
    print("    " + ", ".join("{%d, {%s}}" % (len(p), ", ".join(map(str, p))) for p in PROMPTS) + "};")
    print("static const struct { int n; int32_t token[PPO_MAX_TOK]; } PPO_RESPONSE[PPO_N_SEQ] = {")
    print("    " + ", ".join("{%d, {%s}}" % (len(r), ", ".join(map(str, r))) for _, r in SEQS) + "};")
    list_of("SCORE", sum(SCORES, []), "PPO_N_SEQ")
    list_of("OLD", d["old"])
    list_of("OLD_VALUE", d["old_value"])
    print("/* To be found: log pi_ref, advantages, returns. */")
    list_of("REF", d["ref"])
    for method in ("ppo", "grpo", "dapo"):
        list_of("ADVANTAGE_" + method.upper(), d[method])
    list_of("RET", d["ret"])
    print("/* The last place is score.bias where there is a head. */")
    print("static const struct { const char *tensor; int64_t index; } PPO_PLACE[PPO_N_PLACE] = {")
    for name, index in places + [("embed_out.weight", 3)]:
        print(f'    {{"{name}", {index}}},')
    print("};\nstruct ppo_checksum { double dot[PPO_N_DOT], entry[PPO_N_PLACE]; };")
    print("static const struct ppo_case { const char *name; int seed, has_head; double loss, norm;")
    print("    struct ppo_checksum grad, moved; double loss_after; } PPO_CASE[PPO_N_CASE] = {")
    for name in CASES:
        case(name, d, places)
    print("};\n/* clang-format on */")


if __name__ == "__main__":
    main()
