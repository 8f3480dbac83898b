"""Programs whose gradients each tool makes by itself, and which are right: what ordinary code does, and what is hard for differences.

`xp` has numpy's names; its arrays are of the tool. Every model is a function of `xp` and its inputs. The same stand in ours.
"""

import numpy as np

from functions import uniform


def u(seed, *shape):
    return uniform(seed, shape)


def normalised(xp, y, axis):
    centred = y - xp.mean(y, axis, True)
    return centred / xp.sqrt(xp.mean(centred * centred, axis, True) + 2.0**-17)


def softmax(xp, x):
    e = xp.exp(x - xp.detach(xp.max(x, -1, True)))
    return e / xp.sum(e, -1, True)


def batch_norm(xp, w, b):
    y = normalised(xp, u(1, 6, 3) @ w + b, 0)
    return xp.sum(xp.tanh(y) * u(2, 6, 4))


def attention(xp, x, q, k, v, bias):
    scores = (x @ q) @ xp.transpose(x @ k + bias) / 2.0
    return xp.sum((softmax(xp, scores) @ (x @ v)) * u(3, 5, 4))


def lora(xp, w, a, b):
    return xp.sum(xp.tanh(u(4, 5, 4) @ (w + a @ b)) * u(5, 5, 4))


def rosenbrock(xp, x):
    return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] * x[0]) ** 2


def masked(xp, x):
    return xp.sum(softmax(xp, xp.where(np.tril(np.ones((4, 4))) > 0, x, -np.inf)) * u(6, 4, 4))


def recurrent(xp, x, w, v):
    h = 0.0 * (x[0] @ w)
    for t in range(60):
        h = xp.tanh(x[t % 6] @ w + h @ v)
    return xp.sum(h * u(7, 4))


def logistic(xp, x):
    for _ in range(40):
        x = 3.75 * x * (1 - x)
    return x[0]


def deep(xp, x, w):
    for _ in range(50):
        x = xp.tanh(x @ w)
    return xp.sum(x * u(8, 3, 2))


def mlp(xp, w, b, v, c):
    h = xp.tanh(u(9, 6, 5) @ w + b)
    p = softmax(xp, h @ v + c)
    return -xp.mean(xp.log(xp.sum(p * np.eye(3)[[0, 2, 1, 1, 0, 2]], -1, False)), None, False)


def product(xp, x):
    y = x[0]
    for k in range(1, 50):
        y = y * x[k % 10]
    return y


def hinge(margin):
    return lambda xp, s: xp.sum(xp.relu(margin - s * np.sign(u(10, 8))))


# name: the function, its inputs, and whether it stands on a kink.
MODELS = {
    "bias before batch norm": (batch_norm, [u(11, 3, 4), u(12, 4)], False),
    "attention, with a bias of keys": (attention, [u(13, 5, 4), u(14, 4, 4), u(15, 4, 4), u(16, 4, 4), u(17, 4)], False),
    "square at 0": (lambda xp, x: xp.sum(x * x), [np.zeros(3)], False),
    "dead relu": (lambda xp, x: xp.sum(xp.relu(x - 5)), [u(18, 8)], False),
    "satisfied hinge": (hinge(-3.0), [u(19, 8)], False),
    "LoRA with B = 0": (lora, [u(20, 4, 4), u(21, 4, 2), np.zeros((2, 4))], False),
    "softmax, summed": (lambda xp, x: xp.sum(softmax(xp, x)), [u(22, 3, 5)], False),
    "layer norm, summed": (lambda xp, x: xp.sum(normalised(xp, x, 1)), [u(23, 3, 5)], False),
    "quadratic at its optimum": (lambda xp, x: xp.sum((x - 0.5) * (x - 0.5) * 3), [np.full(4, 0.5)], False),
    "Rosenbrock at its optimum": (rosenbrock, [np.ones(2)], False),
    "Rosenbrock": (rosenbrock, [np.array([-1.25, 1.0])], False),
    "softmax masked with -inf": (masked, [u(24, 4, 4)], False),
    "recurrence of 60 steps": (recurrent, [u(25, 6, 3), u(26, 3, 4) * 0.5, u(27, 4, 4) * 0.5], False),
    "reciprocal at 1 and 2^-30": (lambda xp, x: xp.sum(1 / x), [np.array([1.0, 2.0**-30])], False),
    "tanh(2^30 x) at 1 and 2^-33": (lambda xp, x: xp.sum(xp.tanh(2.0**30 * x)), [np.array([1.0, 2.0**-33])], False),
    "narrow bell": (lambda xp, x: xp.sum(xp.exp(-((2.0**17 * x) ** 2))), [np.array([1.0, 2.0**-18])], False),
    "row of length 1e-9, normalised": (
        lambda xp, x: xp.sum(x / xp.sqrt(xp.sum(x * x)) * u(28, 4)), [u(29, 4) * 2.0**-30], False),
    "logarithm of a determinant, condition 4e6": (
        lambda xp, x: xp.log(x[0] * x[3] - x[1] * x[2]), [np.array([1.0, 1.0, 1.0, 1.0 + 2.0**-20])], False),
    "logistic map of 40 steps": (logistic, [np.array([0.40625])], False),
    "expm1 squared at 0": (lambda xp, x: xp.sum(xp.expm1(x) ** 2), [np.zeros(2)], False),
    "root at 1 and 2^-33": (lambda xp, x: xp.sum(xp.sqrt(x)), [np.array([1.0, 2.0**-33])], False),
    "logarithm at 1 and 2^-33": (lambda xp, x: xp.sum(xp.log(x)), [np.array([1.0, 2.0**-33])], False),
    "gradient of 1e-9 of the loss": (lambda xp, x: xp.sum(x) * 2.0**-30 + 1, [u(30, 5)], False),
    "loss with 1e6 added": (lambda xp, x: xp.sum(xp.sin(x)) + 1e6, [u(31, 5)], False),
    "loss with 1e8 added": (lambda xp, x: xp.sum(xp.sin(x)) + 1e8, [u(32, 5)], False),
    "deep narrow net": (deep, [u(33, 3, 2), u(34, 2, 2)], False),
    "classifier": (mlp, [u(35, 5, 4), u(36, 4), u(37, 4, 3), u(38, 3)], False),
    "inputs of 1e6": (lambda xp, x: xp.sum(xp.sin(x * 1e-6) * x), [u(39, 5) * 2.0**20], False),
    "inputs of 1e-6": (lambda xp, x: xp.sum(xp.exp(x * 1e6) * x), [u(40, 5) * 2.0**-20], False),
    "saturated sigmoid": (lambda xp, x: xp.sum(1 / (1 + xp.exp(-x))), [30.0 + u(41, 5)], False),
    "steep at 1e-3": (lambda xp, x: xp.sum(x / (x * x + 2.0**-40)), [u(42, 5) * 2.0**-10], False),
    "fast wave": (lambda xp, x: xp.sum(xp.sin(128 * x) * xp.exp(x)), [u(43, 5)], False),
    "product of 50 factors": (product, [1.0 + 0.25 * u(44, 10)], False),
    "logsumexp of 1e4": (lambda xp, x: xp.log(xp.sum(xp.exp(x - 10000.0))) + 10000.0, [10000.0 + np.round(64 * u(45, 5)) / 64], False),
    "mean of squares of 1000": (lambda xp, x: xp.mean(x * x, None, False), [u(46, 1000)], False),
    "cube at 1e-6": (lambda xp, x: xp.sum(x * x * x), [u(47, 4) * 2.0**-20], False),
    "relu at 0": (lambda xp, x: xp.sum(xp.relu(x)), [np.array([0.0, 1.0])], True),
    "absolute value at 0": (lambda xp, x: xp.sum(xp.abs(x)), [np.array([0.0, -1.0])], True),
    "three winners": (lambda xp, x: xp.max(x, 0, False), [np.array([1.0, 1.0, 0.5, 1.0])], True),
    "clamp at its bounds": (lambda xp, x: xp.sum(xp.clip(x, -0.5, 0.5)), [np.array([-0.5, 0.25, 0.5])], True),
    "hinge at its margin": (lambda xp, s: xp.sum(xp.relu(1 - s)), [np.array([1.0, 0.5, 2.0])], True),
    "l1 loss at 0": (lambda xp, x: xp.mean(xp.abs(x - 0.5), None, False), [np.array([0.5, 0.75, 0.0])], True),
}
