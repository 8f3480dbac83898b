"""What PyTorch gives for each line of the table "What differs from PyTorch" in docs/conventions.md.

    python differences.py ../../../../docs/conventions.md

prints each line's third column as PyTorch computes it, and ends with status 1 when the page says something else.
Recorded with PyTorch 2.15.0.
"""

import sys

import torch
import torch.nn.functional as F

INF, NAN = float("inf"), float("nan")


def slope(f, x):
    x = torch.tensor(x, requires_grad=True)
    return torch.autograd.grad(f(x).sum(), x)[0].item()


def value(f, x):
    return f(torch.tensor(x)).item()


def safe_root(x):
    return torch.where(x > 0, x.sqrt(), torch.zeros(()))


def soft(x):
    logits = torch.stack([torch.zeros(()), x]).reshape(1, 2)
    return F.cross_entropy(logits, torch.tensor([[1.0, 0.0]]))


def unpooled():
    y, winners = F.max_pool2d(torch.tensor([[[[1.0, 9.0, 2.0]]]]), (1, 2), stride=1, return_indices=True)
    return F.max_unpool2d(y, winners, (1, 2), stride=1, output_size=(1, 3)).sum().item()


def sampled(x):
    grid = torch.stack([x, torch.zeros(())]).reshape(1, 1, 1, 2)
    return F.grid_sample(torch.tensor([[[[1.0, 3.0, 7.0]]]]), grid, "bilinear", "border", True)


def bce(x):
    return F.binary_cross_entropy(x, torch.ones(()))


zero, one = torch.zeros(()), torch.ones(())
activations = [F.gelu, F.silu, F.mish, F.hardswish]
found = {
    "slope of `x.clamp(0.0, 1.0)` at 0 and 1": [slope(lambda x: x.clamp(0, 1), x) for x in (0.0, 1.0)],
    "slope of `x.clamp_between(0, 1)` at 0 and 1": [slope(lambda x: x.clamp(zero, one), x) for x in (0.0, 1.0)],
    "value of `x.gelu()`, `x.silu()`, `x.mish()`, `x.hardswish()` at -∞": [value(f, -INF) for f in activations],
    "value of `x.sinc()` at ∞": [value(torch.sinc, INF)],
    "slope of `√x` where x > 0, else 0, at 0": [slope(safe_root, 0.0)],
    "slope of `0.xlogy(x)` at 0": [slope(lambda x: torch.xlogy(zero, x), 0.0)],
    "value of `x.kl_div(0)` at -∞": [value(lambda x: F.kl_div(x, zero, reduction="sum"), -INF)],
    "`[0, x].soft_cross_entropy([1, 0])` at -∞": [value(soft, -INF)],
    "value of `x.binary_cross_entropy(1)` at 0": [value(bce, 0.0)],
    "slope of `x.binary_cross_entropy(1)` at 0": [slope(bce, 0.0)],
    "slope of `0.gaussian_nll_loss(0, x)` at 1e-8, below eps": [slope(lambda x: F.gaussian_nll_loss(zero, zero, x), 1e-8)],
    "`[30, 10, 20].kthvalue(1)`": [torch.tensor([30.0, 10.0, 20.0]).kthvalue(1)[0].item()],
    "`max_unpool2d` of two windows of 9 with one winner": [unpooled()],
    "`lp_pool2d` of order 3 of four elements of -1": [F.lp_pool2d(-torch.ones(1, 1, 2, 2), 3.0, 2).item()],
    "`as_strided([2], [1], 0)` of [[1, 2], [3, 4]] transposed":
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]).t().as_strided((2,), (1,), 0).tolist(),
    "`interpolate(2.3, Nearest)` of images of rows 0, 1, 2 to 6 rows":
        F.interpolate(torch.arange(3.0).reshape(1, 1, 3, 1), scale_factor=(2.3, 2.3), mode="nearest")[0, 0, :, 0].tolist(),
    "`grid_sample` with the border around a row 1, 3, 7, at a place of NaN": [value(sampled, NAN)],
}


def number(word):
    """The number that a word of the page stands for, if it is one."""
    try:
        return {"NaN": NAN, "∞": INF, "-∞": -INF, "1/2": 0.5}.get(word) or float(word)
    except ValueError:
        return None


def same(a, b):
    return abs(a - b) <= 1e-6 * abs(b) or a == b or a != a and b != b


rows = {}
for line in open(sys.argv[1], encoding="utf-8").read().split("## What differs from PyTorch", 1)[1].split("\n## ")[0].splitlines():
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    if len(cells) == 3 and cells[0] in found:
        rows[cells[0]] = cells[2]

wrong = 0
for what, values in found.items():
    said = rows.get(what)
    words = [n for n in map(number, (said or "").split(", ")) if n is not None]
    words = words * len(values) if len(words) == 1 else words
    ok = len(words) == len(values) and all(same(a, b) for a, b in zip(words, values))
    wrong += not ok
    print("ok   " if ok else "WRONG", what, values, "the page:", said)
wrong += len(set(rows) ^ set(found))
print(torch.__version__, "all as the page says" if not wrong else f"{wrong} differ")
sys.exit(1 if wrong else 0)
