"""Writes golden.txt: values, gradients and second derivatives of linear algebra, computed by PyTorch in double precision.

    pip install torch && python golden.py

Every case has its inputs (f32 numbers), all elements of its outputs in one row, the gradients of their sum, each weighted with the cosine
of its place, and the gradients of the sum of those, weighted in the same way. `tests/golden.rs` holds gradus to them. Signs that PyTorch
leaves as they come are made those of gradus.
"""

import pathlib

import torch
from torch import linalg

torch.manual_seed(1)
out = []


def f32(x):
    return (torch.round(x * 1000) / 1000).to(torch.float32).to(torch.float64)


def normal(*shape):
    return f32(torch.randn(shape, dtype=torch.float64))


def regular(*shape):
    """Square matrices that are far from singular."""
    return normal(*shape) + 3 * torch.eye(shape[-1], dtype=torch.float64)


def spread(*shape):
    """Matrices with singular values that lie apart."""
    a = 0.4 * normal(*shape)
    for i in range(min(shape[-2:])):
        a[..., i, i] += 2 + 2 * i
    return f32(a)


def weighted(x):
    return (x * torch.cos(torch.arange(x.numel(), dtype=torch.float64).reshape(x.shape))).sum()


def line(kind, x, digits=10):
    numbers = " ".join(f"{v:.{digits}g}" for v in x.detach().reshape(-1).tolist())
    return f"{kind} {list(x.shape)} {numbers}".rstrip()


def symmetric(a):
    return (a + a.mT) / 2


def signs(columns):
    """Those that make the first component positive which is at least 0.618 of the largest."""
    large = columns.abs() >= 0.61803398875 * columns.abs().amax(-2, keepdim=True)
    first = large.to(torch.float64).argmax(-2, keepdim=True)
    return columns.gather(-2, first).sign().detach()


def qr(a):
    q, r = linalg.qr(a)
    sign = r.diagonal(dim1=-2, dim2=-1).sign().detach()
    return q * sign.unsqueeze(-2), r * sign.unsqueeze(-1)


def eigh(a):
    w, v = linalg.eigh(symmetric(a))
    return w, v * signs(v)


def svd(a):
    u, s, vt = linalg.svd(a, full_matrices=False)
    sign = signs(u)
    return u * sign, s, vt * sign.mT


def case(name, f, *inputs):
    inputs = [f32(x).requires_grad_() for x in inputs]
    outputs = f(*inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    row = torch.cat([y.reshape(-1) for y in outputs])
    gradients = torch.autograd.grad(weighted(row), inputs, create_graph=True)
    second = torch.autograd.grad(sum(weighted(g) for g in gradients), inputs, allow_unused=True)
    out.append(f"case {name}")
    out.extend(line("in", x, 6) for x in inputs)
    out.append(line("out", row))
    out.extend(line("gradient", g) for g in gradients)
    out.extend(line("second", torch.zeros_like(x) if g is None else g) for g, x in zip(second, inputs))


def definite(*shape):
    a = normal(*shape)
    return a @ a.mT / shape[-1] + torch.eye(shape[-1], dtype=torch.float64) + 0.2 * normal(*shape)


case("inverse", linalg.inv, regular(3, 3))
case("inverse of a batch", linalg.inv, regular(2, 2, 4, 4))
case("solve", linalg.solve, regular(4, 4), normal(4, 2))
case("solve broadcast", linalg.solve, regular(3, 3), normal(2, 3, 1))
case("solve of a batch", linalg.solve, regular(2, 1, 3, 3), normal(2, 3, 2))
case("triangular_solve lower", lambda a, b: linalg.solve_triangular(a, b, upper=False), regular(4, 4), normal(4, 3))
case("triangular_solve upper", lambda a, b: linalg.solve_triangular(a, b, upper=True), regular(2, 4, 4), normal(2, 4, 1))
case("cholesky_solve", lambda l, b: torch.cholesky_solve(b, torch.tril(l)), regular(3, 3), normal(3, 2))
case("det", linalg.det, regular(4, 4))
case("det of a batch", linalg.det, regular(3, 2, 2))
case("slogdet", lambda a: tuple(linalg.slogdet(a)), -regular(3, 3))
case("slogdet of a batch", lambda a: tuple(linalg.slogdet(a)), regular(2, 5, 5))
case("cholesky", lambda a: linalg.cholesky(symmetric(a)), definite(4, 4))
case("cholesky of a batch", lambda a: linalg.cholesky(symmetric(a)), definite(3, 2, 2))
case("qr", qr, normal(4, 4))
case("qr of tall ones", qr, normal(2, 5, 3))
case("eigh", eigh, spread(4, 4))
case("eigh of a batch", eigh, spread(2, 3, 3))
case("svd", svd, spread(3, 3))
case("svd of tall ones", svd, spread(2, 5, 3))
case("svd of wide ones", svd, spread(2, 4))
case("lstsq", lambda a, b: linalg.lstsq(a, b).solution, normal(6, 3), normal(6, 2))
case("matrix_exp", linalg.matrix_exp, normal(3, 3))
case("matrix_exp of large ones", linalg.matrix_exp, 2 * normal(2, 4, 4))

pathlib.Path(__file__).with_name("golden.txt").write_text("\n".join(out) + "\n")
