#!/usr/bin/env python3
"""Write adamw.h: what PyTorch's AdamW and SGD do to eight parameters in five steps.

Usage: python3 tests/golden/adamw.py > tests/golden/adamw.h   (needs torch; run it by hand)
"""
import torch

torch.manual_seed(20)
N, STEPS = 8, 5
GRAD_SCALE, LR = 0.5, [1e-2, 2e-2, 3e-2, 2e-2, 1e-2]
start = torch.randn(N)
grads = torch.randn(STEPS, N) * torch.logspace(-4, 2, N)
KINDS = {
    "ADAMW": lambda p: torch.optim.AdamW(p, lr=1.0, betas=(0.9, 0.95), eps=1e-5, weight_decay=0.1),
    "SGD": lambda p: torch.optim.SGD(p, lr=1.0, weight_decay=0.1),
}


def row(x):
    """A C initialiser that reads back to the same float32."""
    return "{" + ", ".join(float(v).hex().replace("0000000p", "p") + "f" for v in x) + "}"


print("/* Made by adamw.py with PyTorch %s: do not edit. */" % torch.__version__)
print("/* clang-format off */")
print(f"enum {{ GOLDEN_N = {N}, GOLDEN_STEPS = {STEPS} }};")
print(f"static const double GOLDEN_GRAD_SCALE = {GRAD_SCALE};")
print("static const double GOLDEN_LR[GOLDEN_STEPS] = {%s};" % ", ".join(map(str, LR)))
print(f"static const float GOLDEN_START[GOLDEN_N] = {row(start)};")
print("static const float GOLDEN_GRAD[GOLDEN_STEPS][GOLDEN_N] = {\n    %s};" % ",\n    ".join(map(row, grads)))
for name, make in KINDS.items():
    p = start.clone().requires_grad_(True)
    opt = make([p])
    after = []
    for grad, lr in zip(grads, LR):
        opt.param_groups[0]["lr"] = lr
        p.grad = grad * GRAD_SCALE
        opt.step()
        after.append(p.detach().clone())
    print("static const float GOLDEN_%s[GOLDEN_STEPS][GOLDEN_N] = {\n    %s};" % (name, ",\n    ".join(map(row, after))))
    if name == "ADAMW":
        state = opt.state[p]
        print(f"static const float GOLDEN_M[GOLDEN_N] = {row(state['exp_avg'])};")
        print(f"static const float GOLDEN_V[GOLDEN_N] = {row(state['exp_avg_sq'])};")
print("/* clang-format on */")
