"""Writes golden.txt: values and gradients of operations, computed by PyTorch in double precision.

    pip install torch && python golden.py

Every case has its inputs, the cotangent of its output, the output, and the gradient of each input ("-" where PyTorch has
none). The inputs are f32 numbers; `tests/golden.rs` holds gradus to the rest. The names are those of the table there.
"""

import pathlib

import torch
import torch.nn.functional as F

torch.manual_seed(1)
out = []


def f32(x):
    """The numbers as f32 holds them, with three decimals to keep the file short."""
    return (torch.round(x * 1000) / 1000).to(torch.float32).to(torch.float64)


def normal(*shape):
    return f32(torch.randn(shape, dtype=torch.float64))


def between(low, high, *shape):
    return f32(low + (high - low) * torch.rand(shape, dtype=torch.float64))


def given(values):
    return f32(torch.tensor(values, dtype=torch.float64))


def fixed(x):
    """An input that PyTorch does not differentiate by."""
    x.is_fixed = True
    return x


def line(kind, x, digits=10):
    if x is None:
        return f"{kind} -"
    numbers = " ".join(f"{v:.{digits}g}" for v in x.detach().reshape(-1).tolist())
    return f"{kind} {list(x.shape)} {numbers}".rstrip()


def case(name, f, *inputs):
    inputs = [f32(x) if hasattr(x, "is_fixed") else f32(x).requires_grad_() for x in inputs]
    y = f(*inputs)
    cotangent = normal(*y.shape)
    if y.requires_grad:
        y.backward(cotangent)
    out.append(f"case {name}")
    out.extend(line("in", x, 6) for x in inputs)
    out.append(line("cotangent", cotangent, 6))
    out.append(line("out", y))
    out.extend(line("gradient", x.grad) for x in inputs)


# Functions of one argument, element by element.
anywhere = {
    "exp2": torch.exp2, "atan": torch.atan, "asinh": torch.asinh, "erfc": torch.erfc, "floor": torch.floor,
    "ceil": torch.ceil, "round": torch.round, "trunc": torch.trunc, "frac": torch.frac,
    "clamp_min": lambda x: x.clamp_min(-0.5), "clamp_max": lambda x: x.clamp_max(0.5),
    "softsign": F.softsign, "mish": F.mish, "selu": F.selu, "celu": lambda x: F.celu(x, 1.5),
    "elu": lambda x: F.elu(x, 0.5), "hardtanh": lambda x: F.hardtanh(x, -0.5, 1.0), "relu6": F.relu6,
    "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "threshold": lambda x: F.threshold(x, 0.25, -3.0),
    "logsigmoid": F.logsigmoid, "hardshrink": lambda x: F.hardshrink(x, 0.75),
    "softshrink": lambda x: F.softshrink(x, 0.75), "tanhshrink": F.tanhshrink,
    "rrelu in evaluation": lambda x: F.rrelu(x, 0.125, 0.375), "leaky_relu": lambda x: F.leaky_relu(x, 0.25),
    "gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
    "sigmoid": torch.sigmoid, "logical_not": lambda x: (x == 0).double(),
    "sinc": torch.sinc,
}
for name, f in anywhere.items():
    case(name, f, normal(4, 5) * 3)
case("cbrt", lambda x: x.sign() * x.abs() ** (1 / 3), normal(7))
for name, low, high in [("log2", 0.1, 9), ("log10", 0.1, 9), ("asin", -0.95, 0.95), ("acos", -0.95, 0.95),
                        ("acosh", 1.1, 9), ("atanh", -0.95, 0.95), ("lgamma", 0.1, 9), ("digamma", 0.1, 9)]:
    case(name, getattr(torch, name), between(low, high, 9))

# Functions of two or three.
case("atan2", torch.atan2, normal(4, 3), normal(3))
case("hypot", torch.hypot, normal(4, 1), normal(3))
case("remainder", torch.remainder, normal(3, 4) * 3, given([1.3, -0.7, 2.1, -1.9]))
case("fmod", torch.fmod, normal(3, 4) * 3, given([1.3, -0.7, 2.1, -1.9]))
case("logaddexp", torch.logaddexp, normal(4, 1) * 9, normal(3) * 9)
case("xlogy", torch.xlogy, given([0.0, 1.5, -2.0]), given([2.0, 0.5, 3.0]))
case("copysign", torch.copysign, normal(3, 2), normal(3, 2))
case("fmax", torch.fmax, normal(3, 2), normal(2))
case("fmin", torch.fmin, normal(3, 2), normal(2))
case("erfinv", torch.erfinv, between(-0.99, 0.99, 9))
case("lerp", torch.lerp, normal(3, 2), normal(3, 2), between(0, 1, 3, 1))
case("not_equals", lambda a, b: (a != b).double(), given([1.0, 2.0, 0.0]), given([1.0, 3.0, 0.0]))
case("logical_and", lambda a, b: torch.logical_and(a, b).double(), given([0.0, 0.0, 2.0, 3.0]), given([0.0, 1.0, 0.0, -1.0]))
case("logical_or", lambda a, b: torch.logical_or(a, b).double(), given([0.0, 0.0, 2.0, 3.0]), given([0.0, 1.0, 0.0, -1.0]))
case("logical_xor", lambda a, b: torch.logical_xor(a, b).double(), given([0.0, 0.0, 2.0, 3.0]), given([0.0, 1.0, 0.0, -1.0]))
case("prelu of channels", F.prelu, normal(2, 3, 4), normal(3))
case("prelu of one slope", F.prelu, normal(5), normal(1))
case("glu", lambda x: F.glu(x, 1), normal(2, 6, 3))
case("softmax", lambda x: F.softmax(x, 1), normal(2, 3, 4))
case("log_softmax", lambda x: F.log_softmax(x, 1), normal(2, 3, 4))
case("softmin", lambda x: F.softmin(x, 1), normal(2, 3, 4))

# Reductions.
case("prod with zeros", lambda x: x.prod(1), given([[2.0, 0.0, 3.0], [0.0, 4.0, 0.0], [1.5, -2.0, 3.0]]))
case("var", lambda x: x.var((0, 2), correction=1), normal(3, 2, 4))
case("std", lambda x: x.std(1, correction=0, keepdim=True), normal(3, 5))
for p in [0, 0.5, 1, 2, 3, float("inf"), -float("inf")]:
    case(f"vector_norm {p}", lambda x: torch.linalg.vector_norm(x, p, (0, 2)), normal(3, 2, 4))
case("vector_norm of zeros", lambda x: torch.linalg.vector_norm(x, 3, 1), given([[0.0, 0.0], [0.0, 2.0]]))
case("cumsum", lambda x: x.cumsum(1), normal(2, 7))
case("cumprod", lambda x: x.cumprod(1), normal(2, 7))
case("cumprod with zeros", lambda x: x.cumprod(0), given([2.0, 3.0, 0.0, -1.5, 0.0, 4.0]))
case("cummax", lambda x: x.cummax(0)[0], normal(9, 2))
case("cummin", lambda x: x.cummin(0)[0], normal(9, 2))
case("logcumsumexp", lambda x: x.logcumsumexp(0), normal(9, 2) * 5)
case("logsumexp", lambda x: x.logsumexp((0, 2)), normal(3, 2, 4))
case("max_with_indices", lambda x: x.max(1)[0], given([[1.0, 3.0, 3.0], [5.0, 5.0, 2.0]]))
case("min_with_indices", lambda x: x.min(1)[0], given([[1.0, 3.0, 1.0], [5.0, 2.0, 2.0]]))
case("any", lambda x: (x != 0).any(1).double(), given([[0.0, 2.0], [0.0, 0.0]]))
case("all", lambda x: (x != 0).all(1).double(), given([[1.0, 2.0], [0.0, 3.0]]))

# Shapes.
case("movedim", lambda x: x.movedim(0, 2), normal(2, 3, 4))
case("unbind", lambda x: x.unbind(1)[2], normal(2, 3, 2))
case("tile", lambda x: x.tile(2, 3), normal(2, 2, 2))
case("repeat", lambda x: x.repeat(2, 1, 3), normal(2, 2))
case("repeat_interleave", lambda x: x.repeat_interleave(3, 1), normal(2, 2, 2))
case("triu", lambda x: x.triu(1), normal(2, 3, 4))
case("tril", lambda x: x.tril(-1), normal(2, 3, 4))
case("diagonal", lambda x: x.diagonal(-1, 0, 2), normal(3, 2, 4))
case("diagonal above", lambda x: x.diagonal(2, 1, 0), normal(4, 3, 2))
case("diag of a matrix", lambda x: x.diag(1), normal(3, 4))
case("diag of a vector", lambda x: x.diag(-2), normal(3))
case("trace", lambda x: x.trace(), normal(3, 4))
case("roll", lambda x: x.roll(-2, 1), normal(2, 5))
case("flip", lambda x: x.flip(1), normal(2, 5))
case("pad with a constant", lambda x: F.pad(x, (1, 2, 0, 1), value=7.0), normal(2, 3))
case("pad by reflection", lambda x: F.pad(x, (2, 1), mode="reflect"), normal(2, 3))
case("pad by replication", lambda x: F.pad(x, (2, 3), mode="replicate"), normal(2, 3))
case("pad around", lambda x: F.pad(x, (2, 3), mode="circular"), normal(2, 3))
case("meshgrid", lambda a, b, c: torch.meshgrid(a, b, c, indexing="ij")[1], normal(2), normal(3), normal(2))
case("chunk", lambda x: x.chunk(2, 1)[1], normal(2, 5))
case("stack", lambda a, b: torch.stack([a, b, a], 1), normal(2, 3), normal(2, 3))

# Indices.
case("sort", lambda x: x.sort(0, descending=True)[0], normal(6, 2))
case("topk", lambda x: x.topk(3, 1)[0], normal(2, 6))
case("kthvalue", lambda x: x.kthvalue(3, 1)[0], normal(2, 5, 2))
case("median", lambda x: x.median(0)[0], normal(6, 2))
case("quantile", lambda x: x.quantile(0.3, 1), normal(2, 6))
case("gather", lambda x: x.gather(1, torch.tensor([[2, 0], [1, 1]])), normal(2, 3))
case("scatter", lambda x, s: x.scatter(1, torch.tensor([[2, 0], [1, 2]]), s), normal(2, 3), normal(2, 2))
case("scatter_add", lambda x, s: x.scatter_add(1, torch.tensor([[2, 2], [1, 0]]), s), normal(2, 3), normal(2, 2))
case("index_add", lambda x, s: x.index_add(1, torch.tensor([2, 0, 2]), s), normal(2, 3, 2), normal(2, 3, 2))
case("index_copy", lambda x, s: x.index_copy(1, torch.tensor([2, 0]), s), normal(2, 3, 2), normal(2, 2, 2))
case("masked_select", lambda x: x.masked_select(torch.tensor([True, False, True])), normal(2, 3))
case("embedding_with_padding", lambda w: F.embedding(torch.tensor([[1, 0], [2, 1]]), w, padding_idx=1), normal(3, 2))

# Products.
for a, b in [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((4, 2, 3), (3,)), ((3,), (4, 3, 2)), ((2, 3), (4, 3, 2)),
             ((2, 1, 2, 3), (4, 3, 2))]:
    case(f"matmul {list(a)} {list(b)}", torch.matmul, normal(*a), normal(*b))
case("dot", torch.dot, normal(4), normal(4))
case("outer", torch.outer, normal(3), normal(2))
for equation, *shapes in [
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("ba,b", (2, 3), (2,)), ("ij->ji", (2, 3)),
    ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iij->j", (2, 2, 3)), ("i,j->ij", (2,), (3,)),
    ("ij,ij->ij", (2, 3), (2, 3)), ("ij,ij->", (2, 3), (2, 3)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 5, 4)), ("...ij,...jk->...ik", (2, 3, 4), (4, 2)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (2, 3, 2)), ("i...,i...->...", (3, 2, 1), (3, 1, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)), ("ij,ik,il->jkl", (3, 2), (3, 2), (3, 2)),
    ("i,oij,j->o", (2,), (3, 2, 4), (4,)), ("ab,cd->abcd", (2, 2), (1, 3)), ("abc,cd,e->ebd", (2, 2, 3), (3, 2), (2,)),
    ("b...->...b", (2, 3, 4)), ("...", (2, 3)), ("ijij->", (2, 3, 2, 3)),
]:
    case(f"einsum {equation} {[list(s) for s in shapes]}", lambda *x: torch.einsum(equation, *x), *[normal(*s) for s in shapes])
case("bilinear", F.bilinear, normal(2, 3), normal(2, 4), normal(5, 3, 4), normal(5))
case("kron", torch.kron, normal(2, 3), normal(3, 2))
case("cross", torch.linalg.cross, normal(4, 3), normal(1, 3))
case("cdist", torch.cdist, normal(2, 3, 4), normal(2, 2, 4))
case("cov", torch.cov, normal(3, 5))
case("corrcoef", torch.corrcoef, normal(3, 5))
case("normalize", lambda x: F.normalize(x, dim=1), normal(3, 4))
case("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, 1), normal(3, 4), normal(3, 4))
case("pairwise_distance", F.pairwise_distance, normal(3, 4), normal(3, 4))

# Losses, with each reduction.
signs = given([[1.0, -1.0, 1.0], [-1.0, -1.0, 1.0]])
labels, classes, ignored = torch.tensor([[2, 0], [1, 1]]), given([0.5, 2.0, 1.25]), torch.tensor([[2, -100], [1, 1]])
losses = {
    "mse_loss": (F.mse_loss, normal(2, 3), normal(2, 3)),
    "l1_loss": (F.l1_loss, normal(2, 3), normal(2, 3)),
    "smooth_l1_loss": (lambda x, t, **r: F.smooth_l1_loss(x, t, beta=0.5, **r), normal(2, 3), normal(2, 3)),
    "smooth_l1_loss at 0": (lambda x, t, **r: F.smooth_l1_loss(x, t, beta=0.0, **r), normal(2, 3), normal(2, 3)),
    "huber_loss": (lambda x, t, **r: F.huber_loss(x, t, delta=0.75, **r), normal(2, 3), normal(2, 3)),
    "binary_cross_entropy": (F.binary_cross_entropy, between(0.1, 0.9, 2, 3), between(0, 1, 2, 3)),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, normal(2, 3) * 5, between(0, 1, 2, 3)),
    "weighted_binary_cross_entropy_with_logits": (
        lambda x, t, w, **r: F.binary_cross_entropy_with_logits(x, t, pos_weight=w, **r),
        normal(2, 3) * 5, between(0, 1, 2, 3), fixed(between(0.5, 2, 3))),
    "kl_div": (F.kl_div, f32(F.log_softmax(normal(2, 3), 1)), f32(F.softmax(normal(2, 3), 1))),
    "poisson_nll_loss": (F.poisson_nll_loss, normal(2, 3), given([[0.0, 2.0, 1.0], [4.0, 0.0, 3.0]])),
    "gaussian_nll_loss": (F.gaussian_nll_loss, normal(2, 3), normal(2, 3), between(0.25, 2, 2, 3)),
    "hinge_embedding_loss": (lambda x, **r: F.hinge_embedding_loss(x, signs, margin=0.75, **r), between(0, 2, 2, 3)),
    "soft_margin_loss": (lambda x, **r: F.soft_margin_loss(x, signs, **r), normal(2, 3) * 3),
    "margin_ranking_loss": (lambda a, b, **r: F.margin_ranking_loss(a, b, signs, 0.25, **r), normal(2, 3), normal(2, 3)),
    "triplet_margin_loss": (
        lambda a, p, n, **r: F.triplet_margin_loss(a, p, n, margin=2.0, **r), normal(4, 3), normal(4, 3), normal(4, 3)),
    "cosine_embedding_loss": (
        lambda a, b, **r: F.cosine_embedding_loss(a, b, signs[:, 0], margin=-0.5, **r), normal(2, 4), normal(2, 4)),
    "cross_entropy": (lambda x, **r: F.cross_entropy(x, labels, **r), normal(2, 3, 2) * 3),
    "cross_entropy with smoothing": (lambda x, **r: F.cross_entropy(x, labels, label_smoothing=0.25, **r), normal(2, 3, 2)),
    "cross_entropy with everything": (
        lambda x, **r: F.cross_entropy(x, ignored, weight=classes, label_smoothing=0.25, **r), normal(2, 3, 2)),
    "soft_cross_entropy": (
        F.cross_entropy, normal(2, 3, 2), given([[[0.25, 0.5], [0.5, 0.5], [0.25, 0.0]], [[0.0, 0.1], [1.0, 0.2], [0.0, 0.7]]])),
    "nll_loss": (lambda x, **r: F.nll_loss(x, labels, **r), normal(2, 3, 2)),
    "nll_loss with everything": (lambda x, **r: F.nll_loss(x, ignored, weight=classes, **r), normal(2, 3, 2)),
}
for name, (f, *inputs) in losses.items():
    for reduction in ["mean", "sum", "none"]:
        case(f"{name} {reduction}", lambda *x: f(*x, reduction=reduction), *inputs)

# Appended later: what stands above keeps its random numbers.
case("clamp_between", torch.clamp, normal(4, 3) * 2, normal(3) - 0.5, normal(4, 1) + 0.5)
case("clamp_between in the wrong order", torch.clamp, normal(4), given([1.0, 1.0, 1.0, 1.0]), given([0.5, 0.5, 0.5, 0.5]))
case("logit", torch.logit, between(0.05, 0.95, 7))
case("diff", lambda x: torch.diff(x, dim=1), normal(2, 4, 3))
case("renorm 2", lambda x: torch.renorm(x, 2, 1, 1.5), normal(2, 4, 3))
case("renorm 1", lambda x: torch.renorm(x, 1, 1, 5.0), normal(2, 4, 3))
case("lp_pool2d 2", lambda x: F.lp_pool2d(x, 2.0, (2, 3), (1, 2)), normal(2, 1, 4, 5))
case("lp_pool2d 3", lambda x: F.lp_pool2d(x, 3.0, (2, 3), (1, 2)), between(0.1, 2, 1, 2, 3, 3))
case("lp_pool1d", lambda x: F.lp_pool1d(x, 2.0, 3, 2), normal(2, 2, 7))
rows, columns = torch.tensor([[2, 0], [-1, 1]]), torch.tensor([[1, 1], [3, 0]])
case("index", lambda x: x[rows, columns], normal(3, 4, 2))
case("index_put", lambda x, v: x.index_put((rows, columns), v), normal(3, 4, 2), normal(2, 2, 2))
case("index_put and add", lambda x, v: x.index_put((rows, rows), v, accumulate=True), normal(3, 3), normal(2, 2))
words, starts = torch.tensor([0, 2, 2, 1, 3]), torch.tensor([0, 3, 3])
for mode in ["sum", "mean"]:
    case(f"embedding_bag {mode}", lambda t: F.embedding_bag(words, t, starts, mode=mode), normal(4, 2))
texts, sizes, frames = torch.tensor([[1, 2, 0], [3, 0, 0], [2, 2, 1]]), torch.tensor([2, 1, 3]), torch.tensor([5, 3, 6])
for reduction in ["mean", "sum", "none"]:
    # PyTorch's rule for the log-probabilities is right only behind a log-softmax.
    case(f"ctc_loss {reduction}", lambda x: F.ctc_loss(F.log_softmax(x, 2), texts, frames, sizes, reduction=reduction), normal(6, 3, 4))
places = torch.tensor([[0, 2, 2, 1, 2], [3, 3, 1, 1, 0], [2, 2, 2, 2, 2]])
for reduce in ["sum", "mean", "prod", "amax", "amin"]:
    for include_self in [True, False]:
        case(f"scatter_reduce {reduce} {'with' if include_self else 'without'} self",
             lambda x, s: x.scatter_reduce(1, places, s, reduce, include_self=include_self), normal(3, 4), normal(3, 5))
case("scatter_reduce prod with zeros",
     lambda x, s: x.scatter_reduce(0, torch.tensor([0, 0, 1, 2, 2, 2]), s, "prod"),
     given([2.0, 0.0, 3.0, 4.0]), given([0.0, 1.5, 2.5, -2.0, 0.0, 3.0]))
case("scatter_reduce amax with ties",
     lambda x, s: x.scatter_reduce(0, torch.tensor([0, 0, 1, 2, 2, 2]), s, "amax"),
     given([2.0, 5.0, 3.0, 4.0]), given([2.0, 2.0, 2.5, 6.0, -2.0, 6.0]))
for mode in ["bilinear", "nearest"]:
    for padding in ["zeros", "border", "reflection"]:
        for corners in [True, False]:
            # Most places lie within the image, some beside it, a few so far that they are reflected twice.
            case(f"grid_sample {mode} {padding} {'corners' if corners else 'edges'}",
                 lambda x, grid: F.grid_sample(x, grid, mode, padding, align_corners=corners),
                 normal(2, 2, 3, 4), normal(2, 3, 4, 2) * 1.5)
case("affine_grid corners", lambda t: F.affine_grid(t, (2, 1, 3, 4), align_corners=True), normal(2, 2, 3))
case("affine_grid edges", lambda t: F.affine_grid(t, (2, 1, 1, 4), align_corners=False), normal(2, 2, 3))
case("take_along_dim", lambda x: torch.take_along_dim(x, torch.tensor([[[1, 0, 1]], [[2, 2, 0]]]), 1), normal(1, 4, 3))
case("take_along_dim of rows", lambda x: torch.take_along_dim(x, torch.tensor([[2, 0, 2, 1]]), 1), normal(2, 3))
case("count_nonzero", lambda x: x.count_nonzero(1).double(), given([[0.0, 2.0, -1.0], [0.0, 0.0, 0.0]]))
case("as_strided", lambda x: x.as_strided((2, 3), (4, 1), 2), normal(3, 4))
case("as_strided and overlapping", lambda x: x.as_strided((2, 3, 2), (2, 1, 3), 1), normal(3, 4))
for k in [1, 3, 6]:
    case(f"topk of the {k} smallest", lambda x: x.topk(k, 1, largest=False)[0], normal(2, 6))
for p, eps in [(1, 1e-12), (2, 1e-12), (3, 0.0), (0.5, 1e-12), (-1, 1e-12), (0, 1e-12), (float("inf"), 1e-12), (-float("inf"), 1e-12), (2, 2.0)]:
    case(f"normalize {p} {eps}", lambda x: F.normalize(x, p, 1, eps), normal(3, 4, 2))
for p, eps in [(1, 1e-6), (2, 0.125), (3, 1e-6), (0.5, 1e-6), (float("inf"), 1e-6)]:
    case(f"pairwise_distance {p} {eps}", lambda a, b: F.pairwise_distance(a, b, p, eps), normal(3, 4), normal(4))
for beta, threshold in [(1, 20), (2, 20), (0.5, 1), (-1.5, 2)]:
    case(f"softplus_with {beta} {threshold}", lambda x: F.softplus(x, beta, threshold), normal(4, 5) * 3)
rows = torch.tensor([[0, 3, 1], [2, 2, 2]])
words, starts = torch.tensor([3, 1, 1, 0, 2, 3]), torch.tensor([0, 2, 2, 5])
for mode in ["sum", "mean", "max"]:
    case(f"embedding_bag {mode} of rows", lambda t: F.embedding_bag(rows, t, mode=mode), normal(4, 2))
    case(f"embedding_bag {mode} of parts", lambda t: F.embedding_bag(words, t, starts, mode=mode), normal(4, 3))
    case(f"embedding_bag {mode} without padding", lambda t: F.embedding_bag(words, t, starts, mode=mode, padding_idx=3), normal(4, 3))
case("embedding_bag sum of weighted rows", lambda t, w: F.embedding_bag(rows, t, mode="sum", per_sample_weights=w), normal(4, 2), normal(2, 3))
case("embedding_bag sum of weighted parts", lambda t, w: F.embedding_bag(words, t, starts, mode="sum", per_sample_weights=w), normal(4, 3), normal(6))
case("embedding_bag sum of weighted parts without padding",
     lambda t, w: F.embedding_bag(words, t, starts, mode="sum", per_sample_weights=w, padding_idx=-4), normal(4, 3), normal(6))


def linear_recurrence(a, b, dim):
    y = [b.select(dim, 0)]
    for i in range(1, b.shape[dim]):
        y.append(a.select(dim, i) * y[-1] + b.select(dim, i))
    return torch.stack(y, dim)


case("linear_recurrence", lambda a, b: linear_recurrence(a, b, 1), normal(2, 7), normal(2, 7))
case("linear_recurrence down columns", lambda a, b: linear_recurrence(a, b, 1), normal(2, 5, 3), normal(2, 5, 3))
case("linear_recurrence down columns with zeros", lambda a, b: linear_recurrence(a, b, 0),
     given([[2.0, 0.0], [0.0, 3.0], [-1.5, 0.5], [0.0, 0.0]]), given([[1.0, 0.0], [2.0, -1.0], [0.0, 0.0], [3.0, 0.0]]))

pathlib.Path(__file__).with_name("golden.txt").write_text("\n".join(out) + "\n")
