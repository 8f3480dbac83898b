"""Puts the faults and the right models before the gradient checkers of PyTorch, JAX and HIPS autograd, in f64, each with the
tolerances and steps that it has by default.

    python peers.py [--list]    a row for each checker; with --list also what each missed or was wrong about
"""

import argparse
import importlib.metadata
import platform
import time
import warnings

import autograd.numpy as anp
import jax
import jax.numpy as jnp
import numpy as np
import torch
from autograd.extend import defvjp, primitive
from autograd.test_util import check_grads as check_by_hips
from jax.test_util import check_grads as check_by_jax

import functions
import models

jax.config.update("jax_enable_x64", True)
warnings.filterwarnings("ignore")


class Torch:
    """numpy's names on tensors of torch."""

    exp, log, sqrt, tanh, sin, abs, expm1 = torch.exp, torch.log, torch.sqrt, torch.tanh, torch.sin, torch.abs, torch.expm1
    relu, clip = torch.relu, torch.clamp

    def sum(x, axis=None, keep=False):
        return torch.sum(x) if axis is None else torch.sum(x, axis, keep)

    def mean(x, axis, keep):
        return torch.mean(x) if axis is None else torch.mean(x, axis, keep)

    def max(x, axis, keep):
        return torch.amax(x, axis, keep)

    def where(mask, a, b):
        return torch.where(torch.from_numpy(mask), a, b)

    def transpose(x):
        return x.T

    def detach(x):
        return x.detach()


class Numpy:
    """The same on arrays of JAX and HIPS autograd, which have numpy's names."""

    def __init__(self, np_like, relu, detach):
        self.np, self.relu, self.detach = np_like, relu, detach
        for name in ["exp", "log", "sqrt", "tanh", "sin", "abs", "expm1", "clip", "where", "transpose"]:
            setattr(self, name, getattr(np_like, name))

    def sum(self, x, axis=None, keep=False):
        return self.np.sum(x, axis=axis, keepdims=keep)

    def mean(self, x, axis, keep):
        return self.np.mean(x, axis=axis, keepdims=keep)

    def max(self, x, axis, keep):
        return self.np.max(x, axis=axis, keepdims=keep)


JAX = Numpy(jnp, jax.nn.relu, jax.lax.stop_gradient)
HIPS = Numpy(anp, lambda x: anp.where(x > 0, x, 0.0 * x), lambda x: getattr(x, "_value", x))


def to_torch(x):
    return torch.tensor(np.asarray(x), dtype=torch.float64)


def by_torch(fast):
    def planted(row, inputs):
        class Planted(torch.autograd.Function):
            @staticmethod
            def forward(ctx, *x):
                ctx.save_for_backward(*x)
                return to_torch(functions.forward(np, row["function"], [a.numpy() for a in x]))

            @staticmethod
            def backward(ctx, g):
                x = [a.numpy() for a in ctx.saved_tensors]
                return tuple(to_torch(a) for a in functions.wrong(np, row, x, g.numpy()))

        x = [to_torch(a).requires_grad_() for a in inputs]
        torch.autograd.gradcheck(Planted.apply, x, fast_mode=fast)

    def model(f, inputs):
        # Constants are numpy's; torch mixes with its own alone.
        x = [to_torch(a).requires_grad_() for a in inputs]
        torch.autograd.gradcheck(lambda *x: with_torch_constants(f, x), x, fast_mode=fast)

    return planted, model


def with_torch_constants(f, x):
    own, models.u = models.u, lambda *a: to_torch(functions.uniform(a[0], a[1:]))
    eye, np.eye = np.eye, lambda n: to_torch(eye(n))
    sign, np.sign = np.sign, torch.sign
    try:
        return f(Torch, *x)
    finally:
        models.u, np.eye, np.sign = own, eye, sign


def by_jax():
    def planted(row, inputs):
        @jax.custom_vjp
        def f(*x):
            return functions.forward(jnp, row["function"], x)

        f.defvjp(lambda *x: (f(*x), x), lambda x, g: tuple(functions.wrong(jnp, row, x, g)))
        check_by_jax(f, tuple(jnp.array(a) for a in inputs), order=1, modes=["rev"])

    def model(f, inputs):
        check_by_jax(lambda *x: f(JAX, *x), tuple(jnp.array(a) for a in inputs), order=1, modes=["rev"])

    return planted, model


def by_hips():
    def planted(row, inputs):
        @primitive
        def f(*x):
            return np.asarray(functions.forward(np, row["function"], x))

        rule = lambda k: lambda y, *x: lambda g: np.asarray(functions.wrong(np, row, x, np.asarray(g))[k])
        defvjp(f, *[rule(k) for k in range(len(inputs))])
        each_by_hips(f, inputs)

    def model(f, inputs):
        each_by_hips(lambda *x: f(HIPS, *x), inputs)

    return planted, model


def each_by_hips(f, inputs):
    """It checks one argument at a time."""
    for k in range(len(inputs)):
        check_by_hips(f, argnum=k, modes=["rev"], order=1)(*inputs)


CHECKERS = {
    "PyTorch gradcheck": by_torch(False),
    "PyTorch gradcheck, fast_mode": by_torch(True),
    "JAX check_grads": by_jax(),
    "HIPS autograd check_grads": by_hips(),
}


def accepts(check, *arguments):
    """Whether a checker lets something pass; and if it is not about a gradient, what it says."""
    np.random.seed(0)
    try:
        check(*arguments)
        return True, ""
    except Exception as error:
        return False, f"{type(error).__name__}: {str(error)[:200]}".replace("\n", " ")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--list", action="store_true")
    listed = options.parse_args().list
    rows = functions.faults()
    right = [functions.right(name) for name in functions.FUNCTIONS]
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ["torch", "jax", "autograd", "numpy"]]
    print(f"Python {platform.python_version()}, {', '.join(versions)}")
    print("| checker | found / planted | alarms / right | alarms at kinks | cannot tell | seconds |\n|---|---|---|---|---|---|")
    for name, (planted, model) in CHECKERS.items():
        accepts(planted, right[0], functions.point("tanh"))  # what is compiled once
        start, said = time.time(), []
        missed = [row for row in rows if accepts(planted, row, functions.point(row["function"]))[0]]
        alarms = {False: 0, True: 0}  # by whether it is at a kink
        cases = [(row["function"], row["function"] == "ties", planted, row, functions.point(row["function"])) for row in right]
        cases += [(label, is_kink, model, f, inputs) for label, (f, inputs, is_kink) in models.MODELS.items()]
        for label, is_kink, check, what, inputs in cases:
            passed, why = accepts(check, what, inputs)
            alarms[is_kink] += not passed
            if not passed:
                said.append(f"alarm: {label}: {why}")
        seconds = time.time() - start
        count = {kind: sum(case[1] == kind for case in cases) for kind in alarms}
        print(f"| {name} | {len(rows) - len(missed)} / {len(rows)} | {alarms[False]} / {count[False]} | "
              f"{alarms[True]} / {count[True]} | 0 | {seconds:.1f} |", flush=True)
        if listed:
            for row in missed:
                print(f"    missed: {row['function']}, input {row['input']}: {row['fault']} {row['argument']}")
            print("\n".join("    " + line for line in said))


if __name__ == "__main__":
    main()
