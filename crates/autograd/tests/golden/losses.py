"""Golden values of losses: all options of each, over several shapes, computed by PyTorch in double precision.

Needs torch (2.x). Run it in this directory: python losses.py > losses.txt
A line `case` holds the loss and its options, `name key=value ..`; then `in`, inputs; `labels`, classes; the `out`put; and a
`gradient` for each input, of the sum of the output times its cotangent. Inputs are multiples of 1/64, which single precision
holds exactly.
"""

import itertools

import torch
import torch.nn.functional as F

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)
SHAPES = [(5,), (2, 3), (1, 1), (2, 1, 4)]
REDUCTIONS = ["mean", "sum", "none"]


def draw(*shape, scale=1.0):
    return (torch.randn(shape) * 64 * scale).round() / 64


def between(low, high, *shape):
    return torch.randint(int(low * 64), int(high * 64) + 1, shape) / 64


def line(kind, x, digits=9):
    shape = ",".join(str(n) for n in x.shape)
    print(kind, f"[{shape}]", *(f"{v:.{digits}g}" for v in x.detach().flatten().tolist()))


def case(name, f, *inputs, labels=()):
    inputs = [x.clone().requires_grad_() for x in inputs]
    y = f(*inputs)
    cotangent = draw(*y.shape)
    y.backward(cotangent)
    print("case", name)
    for x in inputs:
        line("in", x)
    for x in labels:
        line("labels", x)
    line("cotangent", cotangent)
    line("out", y)
    for x in inputs:
        line("gradient", torch.zeros_like(x) if x.grad is None else x.grad)


def reduce(losses, reduction):
    return {"mean": losses.mean, "sum": losses.sum, "none": lambda: losses}[reduction]()


# Of single elements. Each: the function, its inputs from a shape, and the values of its own option.
def signs(*shape):
    return torch.randint(0, 2, shape) * 2.0 - 1.0


elements = {
    "mse_loss": (lambda x, t, _, r: F.mse_loss(x, t, reduction=r), lambda s: (draw(*s), draw(*s)), [0]),
    "l1_loss": (lambda x, t, _, r: F.l1_loss(x, t, reduction=r), lambda s: (draw(*s), draw(*s)), [0]),
    "huber_loss": (lambda x, t, d, r: F.huber_loss(x, t, delta=d, reduction=r), lambda s: (draw(*s), draw(*s)), [0.5, 2]),
    "smooth_l1_loss": (lambda x, t, b, r: F.smooth_l1_loss(x, t, beta=b, reduction=r), lambda s: (draw(*s), draw(*s)), [0, 0.5]),
    "binary_cross_entropy": (
        lambda x, t, _, r: F.binary_cross_entropy(x, t, reduction=r),
        lambda s: (between(0.1, 0.9, *s), between(0, 1, *s)), [0]),
    "binary_cross_entropy_with_logits": (
        lambda x, t, _, r: F.binary_cross_entropy_with_logits(x, t, reduction=r),
        lambda s: (draw(*s, scale=8), between(0, 1, *s)), [0]),
    "kl_div": (lambda x, t, _, r: F.kl_div(x, t, reduction=r), lambda s: (-between(0, 4, *s), between(0.1, 1, *s)), [0]),
    "hinge_loss": (lambda x, t, _, r: reduce((1 - t * x).relu(), r), lambda s: (draw(*s), signs(*s)), [0]),
    "hinge_embedding_loss": (
        lambda x, t, m, r: F.hinge_embedding_loss(x, t.detach(), margin=m, reduction=r),
        lambda s: (between(0, 2, *s), signs(*s)), [0.25, 1.5]),
}
for name, (f, inputs, options) in elements.items():
    for shape, (option, reduction) in zip(itertools.cycle(SHAPES), itertools.product(options, REDUCTIONS + ["mean"])):
        case(f"{name} option={option} reduction={reduction}", lambda *x: f(*x, option, reduction), *inputs(shape))

# Of classes.
CLASSES = [(3, 4), (2, 3, 2), (1, 2), (5, 1)]
for name in ["cross_entropy", "nll_loss"]:
    for k, (smoothing, ignore, weighted, reduction) in enumerate(
            itertools.product([0, 0.25] if name == "cross_entropy" else [0], [False, True], [False, True], REDUCTIONS)):
        shape = CLASSES[k % 4]
        labels = torch.randint(0, shape[1], (shape[0], *shape[2:]))
        if ignore and labels.numel() > 1:
            labels.view(-1)[1] = -1
        weights = between(0.5, 2, shape[1]) if weighted else torch.ones(shape[1])
        options = dict(weight=weights, ignore_index=-1, reduction=reduction)
        if name == "cross_entropy":
            options["label_smoothing"] = smoothing
        case(f"{name} smoothing={smoothing} ignore={int(ignore)} reduction={reduction}",
             lambda x: getattr(F, name)(x, labels, **options), draw(*shape, scale=3), labels=[labels, weights])
for shape, reduction in zip(CLASSES, REDUCTIONS + ["mean"]):
    # The second one has targets that are one-hot.
    targets = between(0, 1, *shape)
    if reduction == "sum":
        targets = F.one_hot(torch.randint(0, shape[1], (shape[0], *shape[2:])), shape[1]).movedim(-1, 1).double()
    case(f"soft_cross_entropy reduction={reduction}", lambda x, t: F.cross_entropy(x, t, reduction=reduction), draw(*shape), targets)

# Of vectors and scores.
for margin, reduction in itertools.product([0.25, 1.0], REDUCTIONS):
    n, d = 3, 4
    case(f"triplet_margin_loss option={margin} reduction={reduction}",
         lambda a, p, q: F.triplet_margin_loss(a, p, q, margin=margin, reduction=reduction), draw(n, d), draw(n, d), draw(n, d))
    case(f"cosine_embedding_loss option={margin - 0.5} reduction={reduction}",
         lambda a, b, t: F.cosine_embedding_loss(a, b, t.detach(), margin=margin - 0.5, reduction=reduction),
         draw(n, d), draw(n, d), torch.tensor([1.0, -1.0, -1.0]))
for n, words, k, d, reduction in [(3, 5, 2, 4, "mean"), (1, 2, 1, 1, "sum"), (2, 7, 5, 3, "none"), (4, 3, 3, 2, "mean")]:
    positive, negative = torch.randint(0, words, (n,)), torch.randint(0, words, (n, k))
    case(f"negative_sampling_loss reduction={reduction}",
         lambda x, w: reduce(F.softplus(-(x * w[positive]).sum(1)) + F.softplus(torch.einsum("nkd,nd->nk", w[negative], x)).sum(1), reduction),
         draw(n, d), draw(words, d), labels=[positive, negative])
for (m, labels), penalty in zip([(3, 2), (1, 4), (5, 1), (2, 3)], [0.0, 1.0, 0.25, 3.0]):
    # Ng's formula, with sigmoid and logarithms.
    def cost(z, y, a, b):
        h = torch.sigmoid(z)
        return -(y * h.log() + (1 - y) * (1 - h).log()).sum() / m + penalty / (2 * m) * (a.square().sum() + b.square().sum())

    targets = torch.randint(0, 2, (m, labels)).double()
    case(f"multi_label_cost option={penalty}", lambda z, a, b: cost(z, targets, a, b), draw(m, labels), draw(2, 3), draw(4), labels=[targets])

# Appended later: what stands above keeps its random numbers.
def weighted(x, t, w, _, r):
    # PyTorch's own function gives no gradient by the weights.
    y = reduce(-(w * t * F.logsigmoid(x) + (1 - t) * F.logsigmoid(-x)), r)
    assert torch.allclose(y, F.binary_cross_entropy_with_logits(x, t, pos_weight=w.detach(), reduction=r))
    return y


def soft_margin(x, t, _, r):
    # The same of its targets.
    y = reduce(F.softplus(-t * x), r)
    assert torch.allclose(y, F.soft_margin_loss(x, t.detach(), reduction=r))
    return y


later = {
    "weighted_binary_cross_entropy_with_logits": (
        weighted,
        lambda s: (draw(*s, scale=8), between(0, 1, *s), between(0.5, 2, s[-1])), [0]),
    "poisson_nll_loss": (
        lambda x, t, _, r: F.poisson_nll_loss(x, t, reduction=r),
        lambda s: (draw(*s), torch.randint(0, 5, s).double()), [0]),
    "gaussian_nll_loss": (
        lambda x, t, v, _, r: F.gaussian_nll_loss(x, t, v, reduction=r),
        lambda s: (draw(*s), draw(*s), between(0.25, 2, *s)), [0]),
    "soft_margin_loss": (
        soft_margin, lambda s: (draw(*s, scale=3), signs(*s)), [0]),
    "margin_ranking_loss": (
        lambda a, b, t, m, r: F.margin_ranking_loss(a, b, t, margin=m, reduction=r),
        lambda s: (draw(*s), draw(*s), signs(*s)), [0.25, 1]),
}
for name, (f, inputs, options) in later.items():
    for shape, (option, reduction) in zip(itertools.cycle(SHAPES), itertools.product(options, REDUCTIONS + ["mean"])):
        case(f"{name} option={option} reduction={reduction}", lambda *x: f(*x, option, reduction), *inputs(shape))
# Labels of one sequence after the other, how many each has, and how many steps.
for texts, frames, classes, blank, reduction in [
    ([[1, 2], [3], [2, 2, 1]], [5, 3, 6], 4, 0, "mean"),
    ([[1]], [1], 2, 0, "sum"),
    ([[0, 1], [1, 1]], [4, 3], 3, 2, "none"),
    ([[2, 2, 0], [0]], [5, 5], 3, 1, "mean"),
]:
    flat, sizes = torch.tensor(sum(texts, [])), torch.tensor([len(text) for text in texts])
    # PyTorch's rule for the log-probabilities is right only behind a log-softmax.
    case(f"ctc_loss option={blank} reduction={reduction}",
         lambda x: F.ctc_loss(F.log_softmax(x, 2), flat, torch.tensor(frames), sizes, blank=blank, reduction=reduction),
         draw(max(frames), len(texts), classes), labels=[flat, sizes, torch.tensor(frames)])

# Options that came later.
def given(options):
    return " ".join(f"{key}={value:g}" for key, value in options.items())


def vary(name, f, inputs, grid):
    """Cases over all options of the grid, a shape after the other."""
    keys = list(grid)
    for shape, (reduction, *values) in zip(itertools.cycle(SHAPES), itertools.product(REDUCTIONS, *grid.values())):
        options = dict(zip(keys, values))
        case(f"{name} {given(options)} reduction={reduction}", lambda *x: f(*x, reduction=reduction, **options), *inputs(shape, **options))


def log_probabilities(s, log_target):
    return -between(0, 4, *s), -between(0, 3, *s) if log_target else between(0.1, 1, *s)


# PyTorch's gradient by a count of 0 is NaN with `full`.
vary("kl_div", F.kl_div, log_probabilities, {"log_target": [False, True]})
vary("poisson_nll_loss", F.poisson_nll_loss,
     lambda s, log_input, full, eps: (draw(*s) if log_input else between(0.25, 6, *s), between(0.25, 6, *s)),
     {"log_input": [False, True], "full": [False, True], "eps": [1e-8, 0.25]})
# Variances above eps: below, PyTorch sends them a gradient nevertheless.
vary("gaussian_nll_loss", F.gaussian_nll_loss, lambda s, full, eps: (draw(*s), draw(*s), between(0.25, 2, *s)),
     {"full": [False, True], "eps": [1e-6, 0.125]})
vary("triplet_margin_loss", F.triplet_margin_loss, lambda s, **_: (draw(3, 4), draw(3, 4), draw(3, 4)),
     {"margin": [1.5], "p": [1, 1.5, 2, 3, float("inf")], "swap": [False, True], "eps": [1e-6, 0.125]})
for k, (smoothing, weighted, reduction) in enumerate(itertools.product([0, 0.25, 1], [False, True], REDUCTIONS)):
    shape = CLASSES[k % 4]
    weights = between(0.5, 2, shape[1]) if weighted else torch.ones(shape[1])
    case(f"soft_cross_entropy smoothing={smoothing} reduction={reduction}",
         lambda x, t: F.cross_entropy(x, t, weight=weights, label_smoothing=smoothing, reduction=reduction),
         draw(*shape, scale=3), between(0, 1, *shape), labels=[weights])
for p, margin, weighted, reduction in itertools.product([1, 2], [1, 0.25], [False, True], REDUCTIONS):
    n, classes = 3, 4
    labels = torch.randint(0, classes, (n,))
    weights = between(0.5, 2, classes) if weighted else torch.ones(classes)
    case(f"multi_margin_loss p={p} margin={margin} reduction={reduction}",
         lambda x: F.multi_margin_loss(x, labels, p=p, margin=margin, weight=weights, reduction=reduction),
         draw(n, classes), labels=[labels, weights])
for labels, reduction in [
    ([[3, 0, -1, 1]], "mean"), ([[1, -1, 2], [0, 2, 1], [-1, 0, 1]], "none"), ([[2, 2, -1, -1], [0, 1, 3, 2]], "sum"),
    ([[0], [-1]], "mean"), ([[4, 1, 0, -1, -1], [1, 2, -1, 3, 3]], "mean"),
]:
    labels = torch.tensor(labels)
    case(f"multilabel_margin_loss reduction={reduction}",
         lambda x: F.multilabel_margin_loss(x, labels, reduction=reduction), draw(*labels.shape), labels=[labels])
