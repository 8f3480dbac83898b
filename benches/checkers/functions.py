"""The functions, their gradients by hand, and the faults that are planted into those: as in ours, src/planted/.

`xp` is numpy or jax.numpy. Nothing is changed in place, so both work.
"""

import csv
import pathlib

import numpy as np

LOW, HIGH = -0.5, 0.5  # clamp
LABELS = [1, 0, 3, 2, 1]  # cross_entropy
STEPS = 4  # rnn
EPS = 2.0**-17  # layer_norm


def faults():
    """The rows of faults.csv."""
    with open(pathlib.Path(__file__).parent / "faults.csv", newline="") as file:
        return list(csv.DictReader(file))


def uniform(seed, shape):
    """Numbers from -1 to 1 that f32 holds, the same in Rust."""
    state, values = seed, []
    for _ in range(int(np.prod(shape)) + 8):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values.append((state >> 40) / 2**23 - 1.0)
    return np.array(values[8:]).reshape(shape)


# name: the shapes of the inputs, and whether they are positive. The seeds of the inputs are 100 times the place in this list, counted
# from 1, and one more for each.
FUNCTIONS = {
    "tanh": ([(3, 7)], False),
    "sigmoid": ([(3, 7)], False),
    "exp": ([(3, 7)], False),
    "log": ([(3, 7)], True),
    "sqrt": ([(3, 7)], True),
    "clamp": ([(4, 6)], False),
    "relu": ([(4, 6)], False),
    "maximum": ([(4, 6), (4, 6)], False),
    "mul": ([(4, 5), (5,)], False),
    "div": ([(4, 5), (4, 1)], True),
    "transpose": ([(5, 5)], False),
    "concat": ([(3, 2), (3, 4)], False),
    "slice": ([(5, 6)], False),
    "gather": ([(6, 3)], False),
    "reflect": ([(3, 5)], False),
    "cumsum": ([(3, 6)], False),
    "sum": ([(4, 6)], False),
    "mean": ([(4, 6)], False),
    "max": ([(4, 6)], False),
    "ties": ([(4, 6)], False),
    "variance": ([(4, 6)], False),
    "logsumexp": ([(4, 6)], False),
    "normalize": ([(4, 6)], False),
    "matmul": ([(5, 5), (5, 5)], False),
    "conv1d": ([(2, 3, 8), (4, 3, 3), (4,)], False),
    "softmax": ([(4, 6)], False),
    "layer_norm": ([(4, 6), (6,), (6,)], False),
    "cross_entropy": ([(5, 4)], False),
    "attention": ([(4, 3), (4, 3), (4, 3)], False),
    "scan": ([(5, 3), (5, 3)], False),
    "rnn": ([(STEPS, 2, 3), (3, 4), (4, 4), (4,)], False),
}


def point(name):
    shapes, positive = FUNCTIONS[name]
    place = 100 * (1 + list(FUNCTIONS).index(name))
    inputs = [uniform(place + k, shape) for k, shape in enumerate(shapes)]
    if positive:
        inputs = [np.float64(np.float32(1.25 + 0.75 * x)) for x in inputs]
    if name == "ties":
        inputs = [np.round(4 * inputs[0]) / 4]  # ties
    return inputs


def weights(shape):
    """What outputs are multiplied with where a checker wants one number."""
    return uniform(7, shape)


def moved(name, fault=""):
    """The linear functions as lists of pairs, output and input, among all elements of all inputs: and what a wrong rule takes them for."""
    at = lambda shape, *index: int(np.ravel_multi_index(index, shape))
    if name == "transpose":
        pairs = [(at((5, 5), j, i), at((5, 5), i, j)) for i in range(5) for j in range(5)]
        if fault == "as it is":
            pairs = [(k, k) for k in range(25)]
        return pairs, (5, 5)
    if name == "concat":
        first = [(at((3, 6), i, j), at((3, 2), i, j)) for i in range(3) for j in range(2)]
        start = 3 if fault == "offset" else 2
        second = [
            (at((3, 6), i, min(j + start, 5)), 6 + at((3, 4), i, j)) for i in range(3) for j in range(4)
        ]
        return first + second, (3, 6)
    if name == "slice":
        shift = 1 if fault == "offset" else 0
        pairs = [
            (at((3, 2), i, j), at((5, 6), i + 1 - shift, 2 * j + 1)) for i in range(3) for j in range(2)
        ]
        if fault == "step":
            pairs = [(at((3, 2), i, j), at((5, 6), i + 1, j + 1)) for i in range(3) for j in range(2)]
        return pairs, (3, 2)
    if name == "gather":
        rows = [1, 3, 1, 5, 0]
        pairs = [(3 * k + j, 3 * row + j) for k, row in enumerate(rows) for j in range(3)]
        if fault == "overwritten":
            pairs = list({source: (target, source) for target, source in pairs}.values())
        return pairs, (5, 3)
    if name == "reflect":
        columns = [1, 0, 1, 2, 3, 4, 3]
        pairs = [(7 * i + k, 5 * i + column) for i in range(3) for k, column in enumerate(columns)]
        if fault == "border":
            pairs = [(target, source) for target, source in pairs if target % 7 not in (0, 6)]
        return pairs, (3, 7)
    if name == "cumsum":
        pairs = [(6 * i + k, 6 * i + j) for i in range(3) for j in range(6) for k in range(j, 6)]
        if fault == "direction":
            pairs = [(6 * i + k, 6 * i + j) for i in range(3) for j in range(6) for k in range(j + 1)]
        if fault == "exclusive":
            pairs = [(6 * i + k, 6 * i + j) for i in range(3) for j in range(6) for k in range(j + 1, 6)]
        return pairs, (3, 6)
    return None


def matrix(pairs, outputs, inputs):
    found = np.zeros((outputs, inputs))
    for target, source in pairs:
        found[target, source] += 1.0
    return found


def patches():
    """From x [2, 3, 8] to rows of windows [2 * 8, 3 * 3], with a zero at each end."""
    pairs = []
    for b in range(2):
        for t in range(8):
            for c in range(3):
                for k in range(3):
                    if 0 <= t + k - 1 < 8:
                        pairs.append((9 * (8 * b + t) + 3 * c + k, 24 * b + 8 * c + t + k - 1))
    return matrix(pairs, 144, 48)


def soft(xp, x):
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def forward(xp, name, x):
    linear = moved(name)
    if linear:
        flat = xp.concatenate([a.reshape(-1) for a in x])
        return (matrix(linear[0], int(np.prod(linear[1])), len(flat)) @ flat).reshape(linear[1])
    a = x[0]
    match name:
        case "tanh":
            return xp.tanh(a)
        case "sigmoid":
            return 1 / (1 + xp.exp(-a))
        case "exp":
            return xp.exp(a)
        case "log":
            return xp.log(a)
        case "sqrt":
            return xp.sqrt(a)
        case "clamp":
            return xp.clip(a, LOW, HIGH)
        case "relu":
            return xp.maximum(a, 0.0)
        case "maximum":
            return xp.maximum(a, x[1])
        case "mul":
            return a * x[1]
        case "div":
            return a / x[1]
        case "sum":
            return xp.sum(a, axis=0)
        case "mean":
            return xp.mean(a, axis=1)
        case "max" | "ties":
            return xp.max(a, axis=1)
        case "variance":
            return xp.var(a, axis=1)
        case "logsumexp":
            return xp.log(xp.sum(xp.exp(a), axis=1))
        case "normalize":
            return a / xp.sqrt(xp.sum(a * a, axis=1, keepdims=True))
        case "matmul":
            return a @ x[1]
        case "conv1d":
            rows = (patches() @ a.reshape(-1)).reshape(16, 9)
            y = rows @ x[1].reshape(4, 9).T + x[2]
            return xp.transpose(y.reshape(2, 8, 4), (0, 2, 1))
        case "softmax":
            return soft(xp, a)
        case "layer_norm":
            return normal(xp, a)[0] * x[1] + x[2]
        case "cross_entropy":
            return -xp.mean(xp.log(xp.sum(soft(xp, a) * np.eye(4)[LABELS], axis=1)))
        case "attention":
            return attend(xp, x)[0] @ x[2]
        case "scan":
            h, all = xp.zeros(3), []
            for t in range(5):
                h = a[t] * h + x[1][t]
                all.append(h)
            return xp.stack(all)
        case "rnn":
            return xp.stack(states(xp, x)[1:])


def normal(xp, x):
    centred = x - xp.mean(x, axis=1, keepdims=True)
    scale = 1 / xp.sqrt(xp.mean(centred * centred, axis=1, keepdims=True) + EPS)
    return centred * scale, scale


def attend(xp, x):
    q, k, _ = x
    causal = np.where(np.tril(np.ones((4, 4))) > 0, 0.0, -1e9)
    p = soft(xp, q @ k.T / np.sqrt(3.0) + causal)
    return p, causal


def states(xp, x):
    inputs, w, u, b = x
    all = [xp.zeros((2, 4))]
    for t in range(STEPS):
        all.append(xp.tanh(inputs[t] @ w + all[-1] @ u + b))
    return all


def by_softmax(xp, p, g):
    return p * (g - xp.sum(p * g, axis=-1, keepdims=True))


def by_hand(xp, name, x, g, fault):
    """The gradients by all inputs, with a fault of this function alone, if it has the one that is named."""
    linear = moved(name, fault)
    if linear:
        n = sum(a.size for a in x)
        back = matrix(linear[0], int(np.prod(linear[1])), n).T @ g.reshape(-1)
        parts, start = [], 0
        for a in x:
            parts.append(back[start : start + a.size].reshape(a.shape))
            start += a.size
        return parts
    y = forward(xp, name, x)
    a = x[0]
    match name:
        case "tanh":
            slope = {"of the input": 1 - a * a, "not squared": 1 - y}.get(fault, 1 - y * y)
            return [g * slope]
        case "sigmoid":
            return [g * y * {"of the input": 1 - a, "not subtracted": y}.get(fault, 1 - y)]
        case "exp":
            return [g * (a if fault == "of the input" else y)]
        case "log":
            return [g / (a + {"epsilon 1e-3": 1e-3, "epsilon 1e-5": 1e-5}.get(fault, 0.0))]
        case "sqrt":
            return [g * 0.5 / (y + {"epsilon 1e-3": 1e-3, "epsilon 1e-5": 1e-5}.get(fault, 0.0))]
        case "clamp":
            above, below = xp.where(a > HIGH, 1.0, 0.0), xp.where(a < LOW, 1.0, 0.0)
            inside = 1 - above - below
            beyond = {"beyond the upper bound": above, "beyond the lower bound": below, "beyond both": above + below}
            return [g * (inside + beyond.get(fault, 0.0 * a))]
        case "relu":
            knot = 0.25 if fault == "another knot" else 0.0
            leak = 1e-3 if fault == "a leak" else 0.0
            return [g * xp.where(a > knot, 1.0, leak)]
        case "maximum":
            first = xp.where(a > x[1], 1.0, 0.0)
            second = {"second branch": 0.0 * first, "the same for both": first}.get(fault, 1 - first)
            return [g * first, g * second]
        case "mul":
            each = a * g
            return [x[1] * g, unsummed(xp, each, 0, fault)]
        case "div":
            power = 1 if fault == "not squared" else 2
            each = -g * a / x[1] ** power
            return [g / x[1], unsummed(xp, each, 1, fault, True)]
        case "sum":
            return [xp.broadcast_to(g, (4, 6)) / (4 if fault == "a mean for a sum" else 1)]
        case "mean":
            n = {"a sum for a mean": 1, "n - 1": 5}.get(fault, 6)
            return [xp.broadcast_to(g[:, None], (4, 6)) / n]
        case "max" | "ties":
            won = xp.where(a == y[:, None], 1.0, 0.0)
            count = 1 if fault == "all to each winner" else xp.sum(won, axis=1, keepdims=True)
            return [g[:, None] * won / count]
        case "variance":
            centred = a if fault == "not centred" else a - xp.mean(a, axis=1, keepdims=True)
            n = {"n - 1": 5, "factor 2": 12}.get(fault, 6)
            return [g[:, None] * 2 * centred / n]
        case "logsumexp":
            p = soft(xp, a)
            return [g[:, None] * (p * p if fault == "squared" else p)]
        case "normalize":
            norm = xp.sqrt(xp.sum(a * a, axis=1, keepdims=True))
            inner = xp.sum(g * y, axis=1, keepdims=True)
            inner = {"the norm a constant": 0.0 * inner, "a mean for a sum": inner / 6}.get(fault, inner)
            return [(g - y * inner) / norm]
        case "matmul":
            first = g @ (x[1] if fault == "not transposed" else x[1].T)
            second = (a if fault == "second not transposed" else a.T) @ g
            return [first, second]
        case "conv1d":
            into = patches()
            rows = (into @ a.reshape(-1)).reshape(16, 9)
            back = xp.transpose(g, (0, 2, 1)).reshape(16, 4)
            kernel = x[1][:, :, ::-1] if fault == "flipped" else x[1]
            send = into * border() if fault == "border" else into
            if fault == "border of the kernel":
                rows = rows * (np.arange(16) % 8 > 0)[:, None]
            bias = xp.sum(back, axis=0) / (16 if fault == "a mean for a sum" else 1)
            return [
                (send.T @ (back @ kernel.reshape(4, 9)).reshape(-1)).reshape(2, 3, 8),
                (back.T @ rows).reshape(4, 3, 3),
                bias,
            ]
        case "softmax":
            if fault == "the sum left out":
                return [y * g]
            if fault == "diagonal":
                return [g * y * (1 - y)]
            return [by_softmax(xp, y, g)]
        case "layer_norm":
            z, scale = normal(xp, a)
            s = g * x[1]
            mean = 0 if fault == "the mean a constant" else xp.mean(s, axis=1, keepdims=True)
            var = 0 if fault == "the variance a constant" else z * xp.mean(s * z, axis=1, keepdims=True)
            bias = unsummed(xp, g, 0, fault)
            return [(s - mean - var) * scale, xp.sum(g * z, axis=0), bias]
        case "cross_entropy":
            n = 1 if fault == "a sum for a mean" else 5
            hot = 0.0 if fault == "no labels" else np.eye(4)[LABELS]
            return [g * (soft(xp, a) - hot) / n]
        case "attention":
            p, causal = attend(xp, x)
            back = g @ x[2].T
            s = by_softmax(xp, p, back) / (1.0 if fault == "the scale forgotten" else np.sqrt(3.0))
            if fault == "the mask forgotten":
                free = soft(xp, x[0] @ x[1].T / np.sqrt(3.0))
                s = by_softmax(xp, free, back) / np.sqrt(3.0)
            keys = s @ x[0] if fault == "keys not transposed" else s.T @ x[0]
            values = p @ g if fault == "values not transposed" else p.T @ g
            return [s @ x[1], keys, values]
        case "scan":
            h, back, first, second = y, xp.zeros(3), [], []
            for t in reversed(range(5)):
                back = g[t] + (a[t + 1] * back if t < 4 else 0)
                if fault == "one step alone":
                    back = g[t]
                before = h[t] if fault == "the state after" else (h[t - 1] if t > 0 else xp.zeros(3))
                first.append(back * before)
                second.append(back)
            return [xp.stack(first[::-1]), xp.stack(second[::-1])]
        case "rnn":
            inputs, w, u, b = x
            h = states(xp, x)
            by_x, back = [], xp.zeros((2, 4))
            by_w, by_u, by_b = 0 * w, 0 * u, 0 * b
            for t in reversed(range(STEPS)):
                s = (g[t] + back) * (1 - h[t + 1] ** 2)
                by_x.append(s @ w.T)
                if not (fault == "the first step left out" and t == 0):
                    by_w = by_w + inputs[t].T @ s
                by_u = by_u + h[t + 1 if fault == "the state after" else t].T @ s
                if not (fault == "the last step alone" and t < STEPS - 1):
                    by_b = by_b + xp.sum(s, axis=0)
                back = s @ (u if fault == "not transposed" else u.T)
                if fault == "cut after two steps" and t == STEPS - 2:
                    back = 0 * back
            return [xp.stack(by_x[::-1]), by_w, by_u, by_b]


def border():
    """The windows' last places, left out: the gradient that the padding's neighbours send."""
    kept = np.ones((144, 48))
    kept[np.arange(144) // 9 % 8 == 7] = 0.0
    return kept


def unsummed(xp, each, axis, fault, keep=False):
    """The sum over what was broadcast, or what some make of it."""
    if fault == "the sum forgotten":
        first = each[:1] if axis == 0 else each[:, :1]
        return first if keep else first[0]
    total = xp.sum(each, axis=axis, keepdims=keep)
    return total / each.shape[axis] if fault == "a mean for a sum" else total


def transformed(xp, gradient, g, fault, argument):
    """What a fault of any function makes of a gradient. `argument` is a number, or several with spaces between."""
    shape, n = gradient.shape, gradient.size
    numbers = [np.float64(np.float32(a)) for a in argument.split()]
    flat = gradient.reshape(-1)
    match fault:
        case "factor":
            return gradient * numbers[0]
        case "element":  # one element, times this
            at = int(numbers[0]) % n
            return (flat * np.where(np.arange(n) == at, numbers[1], 1.0)).reshape(shape)
        case "exchanged":
            order = np.arange(n)
            i, j = int(numbers[0]) % n, int(numbers[1]) % n
            order[[i, j]] = order[[j, i]]
            return flat[order].reshape(shape)
        case "axis":  # the last place of an axis, times this
            axis = int(numbers[0]) % len(shape)
            place = np.indices(shape)[axis]
            return gradient * np.where(place == shape[axis] - 1, numbers[1], 1.0)
        case "shifted":
            return xp.concatenate([flat[1:], flat[:1]]).reshape(shape)
        case "transposed":
            return xp.transpose(gradient).reshape(shape)
        case "term":  # the same to all, of the whole cotangent
            return gradient + numbers[0] * xp.sum(g)
        case _:
            return gradient


def wrong(xp, row, x, g):
    """All gradients, with the fault of a row of faults.csv; right ones for no row of it."""
    gradients = by_hand(xp, row["function"], x, g, row["fault"])
    k = int(row["input"])
    gradients[k] = transformed(xp, gradients[k], g, row["fault"], row["argument"])
    return gradients


def right(name):
    """The row of a function without a fault."""
    return {"function": name, "input": "0", "fault": "", "argument": ""}
